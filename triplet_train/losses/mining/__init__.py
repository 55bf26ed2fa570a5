"""Machinery that the mining strategies share."""
