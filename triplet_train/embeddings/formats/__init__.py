"""Formats of embedding files: one file each, with `writer` and `read`."""
