"""Towers: one file each, which maps images to features."""
