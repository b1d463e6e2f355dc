"""The talkvid command, one file per verb."""
