"""Image packs: list the samples of a source, store each on its own, deal them to sides, write them in order."""
