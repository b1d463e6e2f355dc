"""Bringing files from the web: by range, with notes beside what has come so far."""
