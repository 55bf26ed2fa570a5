"""Towers, which map images to unit vectors."""
