"""Definitions of the low-level build language: reading them; nothing here runs a build."""
