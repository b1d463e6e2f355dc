"""Faces: detection, key points, crops, masks and warps."""
