"""Weights of the embedded models, as package data; their licences are in the notices beside them."""
