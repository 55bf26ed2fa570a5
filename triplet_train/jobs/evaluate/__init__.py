"""triplet-eval: evaluation of a trained tower or of embedding files."""
