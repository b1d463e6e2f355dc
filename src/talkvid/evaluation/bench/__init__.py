"""Benches: portraits and sounds in, videos of one or several systems out, scored whole and by subgroup."""
