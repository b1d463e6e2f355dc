"""Measures of talking videos: pure functions of landmark tracks, sound and pictures, and their report."""
