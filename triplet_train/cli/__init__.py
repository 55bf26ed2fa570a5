"""The commands: each parses options, calls a job and reports known errors in one line."""
