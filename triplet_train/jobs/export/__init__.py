"""triplet-export: write the tower of a run in a format of other programs, and check it."""
