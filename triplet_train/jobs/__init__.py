"""Jobs: one for each command, from its request to its answer."""
