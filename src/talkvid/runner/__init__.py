"""Resumable maps over items, with a journal, deadlines and failures that are never lost."""
