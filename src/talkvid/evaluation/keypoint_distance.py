"""AKD and AED: distances of key points and of identity embeddings to the true video, picture by picture.

As Siarohin et al. 2019 (First Order Motion Model) measure reenactment. AKD is theirs with face-alignment's 68
points at 256 x 256, AED with OpenFace; other backends measure the same thing on another scale, so the name
carries the backend.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talkvid.evaluation.facts import Facts
from talkvid.records import Array

VERSION = 1
SIDE = 256.0
"""Key points are told in pixels of a picture with this many on a side."""
AKD_BACKEND = "face-alignment"
AED_BACKEND = "OpenFace"


@dataclass(frozen=True)
class MeanDistance:
    """Mean over the pictures with a face on both sides; None where there is no such picture."""

    name: str
    mean_l2: float | None
    """Mean Euclidean distance: per point, or of the whole embedding."""
    mean_l1: float | None
    """Mean absolute difference of single numbers, which is what the published scripts print."""
    num_frames: int
    missing_made: int
    missing_truth: int
    protocol: Facts


def keypoint_distance(
    made: Array, truth: Array, *, made_size: tuple[int, int], truth_size: tuple[int, int], backend: str
) -> MeanDistance:
    """Return the distance of key points (F, K, 2) in pixels, brought to 256 x 256; NaN rows have no face.

    Sizes are width and height of the pictures the points lie in. ValueError for shapes that do not belong
    together or an empty `backend`.
    """
    if made.ndim != 3 or made.shape[2] != 2:
        raise ValueError(f"key points have the shape {made.shape}, not (pictures, points, 2)")
    ours, theirs = (
        np.asarray(points, np.float64) * (SIDE / np.array(size, np.float64))
        for points, size in ((made, made_size), (truth, truth_size))
    )
    name = _name("AKD", backend, original=AKD_BACKEND)
    facts: Facts = {"points": int(made.shape[1]), "scale": f"pixels of {SIDE:g}x{SIDE:g}"}
    return _mean_distance(ours, theirs, name=name, facts={**facts, "backend": backend})


def embedding_distance(
    made: Sequence[Array | None], truth: Sequence[Array | None], *, backend: str
) -> MeanDistance:
    """Return the distance of identity embeddings (D,), one per picture, None where there is no face.

    `backend` names the network (`FaceEmbedder.name`). ValueError for different numbers of pictures.
    """
    lengths = {len(vector) for vector in (*made, *truth) if vector is not None}
    if len(lengths) > 1:
        raise ValueError(f"embeddings of {sorted(lengths)} numbers cannot be compared; use one network")
    dims = lengths.pop() if lengths else 1
    ours, theirs = (
        np.array([np.full(dims, np.nan) if vector is None else vector for vector in side], np.float64)
        for side in (made, truth)
    )
    name = _name("AED", backend, original=AED_BACKEND)
    facts: Facts = {"numbers": dims, "backend": backend}
    return _mean_distance(ours.reshape(-1, 1, dims), theirs.reshape(-1, 1, dims), name=name, facts=facts)


def _name(official: str, backend: str, *, original: str) -> str:
    """Return the official name for the original backend alone, for others the same form with the backend."""
    if not backend.strip():
        raise ValueError(f"{official} means nothing without its backend; name it")
    return official if backend == original else f"{official} form ({backend})"


def _mean_distance(ours: Array, theirs: Array, *, name: str, facts: Facts) -> MeanDistance:
    """Return the distances of (F, K, D) arrays over the rows that are finite on both sides."""
    if ours.shape != theirs.shape:
        raise ValueError(
            f"{name}: {ours.shape[:2]} made and {theirs.shape[:2]} true pictures and points do not belong "
            "together; align the videos first"
        )
    found = [np.isfinite(side).all(axis=(1, 2)) for side in (ours, theirs)]
    both = found[0] & found[1]
    away = ours[both] - theirs[both]
    some = bool(both.any())
    return MeanDistance(
        name=name,
        mean_l2=float(np.linalg.norm(away, axis=-1).mean()) if some else None,
        mean_l1=float(np.abs(away).mean()) if some else None,
        num_frames=len(ours),
        missing_made=int((~found[0]).sum()),
        missing_truth=int((~found[1]).sum()),
        protocol={"version": VERSION, **facts, "frames": len(ours), "measured": int(both.sum())},
    )
