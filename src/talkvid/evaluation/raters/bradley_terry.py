"""One strength for each system from comparisons of two: the Bradley-Terry model."""

import numpy as np

from talkvid.records import Array

TOLERANCE = 1e-9
MOST_ROUNDS = 10_000


def connected(wins: Array) -> bool:
    """Return whether comparisons link all systems, so that their strengths can be told; wins (S S)."""
    met = (wins + wins.T) > 0
    reached = np.zeros(len(wins), dtype=bool)
    reached[0] = True
    for _ in range(len(wins)):
        reached |= met[reached].any(axis=0)
    return bool(reached.all())


def log_strengths(wins: Array, *, prior: float = 1.0) -> Array:
    """Return (… S) natural logs of the strengths, their mean 0; wins (… S S), row beats column.

    The model: i is preferred to j with probability s_i / (s_i + s_j) (Bradley & Terry 1952, Biometrika 39).
    A tie counts half a win for each. Every two systems that met get `prior` ties more, so that a system that
    won or lost everything has a finite strength; 0 is the plain maximum likelihood, which then diverges.
    Found by the MM algorithm of Hunter 2004 (Ann. Statist. 32, eq. 3):
    s_i <- W_i / sum_j n_ij / (s_i + s_j). Strengths of systems that no comparison links say nothing.
    """
    met = wins + np.swapaxes(wins, -1, -2)
    added = np.where(met > 0, prior, 0.0)
    met = met + added
    won = (wins + added / 2).sum(axis=-1)
    strengths = np.ones(won.shape)
    for _ in range(MOST_ROUNDS):
        both = strengths[..., :, None] + strengths[..., None, :]
        share = (met / both).sum(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            new = np.where(share > 0, won / share, strengths)
        new = new / np.exp(np.log(np.maximum(new, 1e-300)).mean(axis=-1, keepdims=True))
        moved = float(np.max(np.abs(new - strengths) / np.maximum(strengths, 1e-300)))
        strengths = new
        if moved < TOLERANCE:
            break
    return np.log(np.maximum(strengths, 1e-300))
