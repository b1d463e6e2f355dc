"""What the pages that this package writes have in common: plain HTML, one look."""
