"""From one portrait and one speech file to a video."""
