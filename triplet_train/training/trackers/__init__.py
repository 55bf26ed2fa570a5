"""Trackers: one file each, with `start`."""
