"""Two runs, image by image: paired bootstrap and its tables."""
