"""Towers: one file each, from images to features."""
