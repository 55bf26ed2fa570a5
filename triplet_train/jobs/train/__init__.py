"""triplet-train: from a configuration to a finished run, or to a description of it."""
