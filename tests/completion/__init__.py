"""The completion scripts in the shells they are for.

PowerShell is not among Debian's packages: its script is generated from the same tables, and here neither its
syntax nor its answers are proven.
"""
