"""Decoding, encoding and files: the only room that opens media or starts ffmpeg."""
