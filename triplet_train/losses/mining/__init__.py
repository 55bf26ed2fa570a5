"""Machinery that the strategies share."""
