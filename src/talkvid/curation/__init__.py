"""Curation: from raw videos to the clips worth training on, every reject with its reason."""
