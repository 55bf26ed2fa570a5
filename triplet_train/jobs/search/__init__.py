"""triplet-search: find the images of a gallery that are nearest to photographs."""
