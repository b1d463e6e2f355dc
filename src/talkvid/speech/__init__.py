"""Speech: features, alignment with video frames and voice activity."""
