"""Sources of images: one file or folder each."""
