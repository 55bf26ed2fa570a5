"""Trained towers in the formats of other programs. `formats/` has one file per format."""
