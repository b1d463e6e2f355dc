"""The networks of a talking head and how their weights are read and written."""
