"""The folder of a run: its paths, what may be done with it, and what it says of its origin."""
