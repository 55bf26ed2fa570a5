"""The folder of a run: its paths, the checks before it is opened, its lock and its provenance."""
