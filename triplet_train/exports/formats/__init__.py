"""Formats of exported towers."""
