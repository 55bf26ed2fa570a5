"""Computing vectors; writing and reading the files that carry them."""
