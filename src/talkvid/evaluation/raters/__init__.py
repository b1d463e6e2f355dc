"""The user study: blind trials for real raters as a folder of web pages, and what their answers say."""
