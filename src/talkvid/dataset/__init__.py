"""Training data: preprocessing of clips and the data set that reads them."""
