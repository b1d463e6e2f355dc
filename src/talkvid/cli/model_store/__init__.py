"""What `talkvid models` does: list, fetch, import and verify the models of the catalogue."""
