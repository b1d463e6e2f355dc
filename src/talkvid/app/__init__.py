"""The web page: generate in a browser, look through a curated data set, read a report."""
