"""Fréchet distance of two normal distributions: what FID and FVD put on top of their features."""

from dataclasses import dataclass

import numpy as np

from talkvid.evaluation.facts import Facts
from talkvid.evaluation.feature_moments import FeatureMoments
from talkvid.records import Array

VERSION = 1


@dataclass(frozen=True)
class FrechetDistance:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½), at least 0 (Dowson & Landau 1982)."""

    distance: float
    mean_term: float
    """|m1 - m2|²."""
    covariance_term: float
    """The rest."""
    num_made: int
    num_truth: int
    dims: int
    rank_deficient: bool
    """Whether a side had fewer samples than numbers in a feature, plus one: the value is then much too large
    for the distance of what the samples were drawn from, and depends on their number."""
    protocol: Facts


def frechet_distance(
    made: FeatureMoments, truth: FeatureMoments, *, allow_rank_deficient: bool = False
) -> FrechetDistance:
    """Return the distance of two sets of features with D numbers each.

    A covariance of D numbers needs D + 1 samples. ValueError saying how many there are and are needed when a
    side has fewer, unless `allow_rank_deficient`, which marks the result; two a side are needed even then.
    """
    if made.dims != truth.dims:
        raise ValueError(f"features of {made.dims} and of {truth.dims} numbers cannot be compared")
    needed = made.dims + 1
    deficient = min(made.count, truth.count) < needed
    if deficient and (not allow_rank_deficient or min(made.count, truth.count) < 2):
        raise ValueError(
            f"{made.count} made and {truth.count} true samples are too few for a Fréchet distance of "
            f"{made.dims} numbers; it needs {needed} on each side"
        )
    apart = float(np.square(made.mean - truth.mean).sum())
    ours, theirs = made.covariance, truth.covariance
    shared = trace_of_root(ours, theirs)
    spread = float(np.trace(ours) + np.trace(theirs)) - 2 * shared
    return FrechetDistance(
        distance=max(apart + spread, 0.0),
        mean_term=apart,
        covariance_term=max(spread, 0.0),
        num_made=made.count,
        num_truth=truth.count,
        dims=made.dims,
        rank_deficient=deficient,
        protocol={
            "version": VERSION,
            "covariance": "over n - 1, float64",
            "root": "symmetric eigenvalues",
            "made": made.count,
            "made_clips": made.num_clips,
            "true": truth.count,
            "true_clips": truth.num_clips,
            "rank_deficient": deficient,
        },
    )


def trace_of_root(first: Array, second: Array) -> float:
    """Return tr((A B)^½) of two covariances (D, D).

    With A = U Uᵀ and B = V Vᵀ it is the sum of the singular values of Uᵀ V: always real and not negative,
    where the general matrix root gives complex values for sets of low rank.
    """
    return float(np.linalg.svd(_root(first).T @ _root(second), compute_uv=False).sum())


def _root(covariance: Array) -> Array:
    """Return U (D, rank) with U Uᵀ = covariance; eigenvalues that are rounding errors are left out."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    noise = max(float(values[-1]), 0.0) * len(values) * np.finfo(np.float64).eps
    kept = values > noise
    root: Array = vectors[:, kept] * np.sqrt(values[kept])
    return root
