"""Image packs: list the samples of a source, store each on its own, assign them to sides, write them in order."""
