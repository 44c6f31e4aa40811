"""Completion for bash, zsh, fish and PowerShell, generated from the command tree and the vocabulary."""
