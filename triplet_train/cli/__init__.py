"""The commands: each parses, calls one function and turns known errors into one clear line."""
