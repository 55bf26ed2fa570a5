"""triplet-embed: write the embeddings of a split or a folder."""
