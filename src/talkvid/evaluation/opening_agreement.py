"""Does the mouth open when the true clip's mouth opens?"""

from talkvid.evaluation.lags import correlations
from talkvid.evaluation.mouth_signals import mouth_signals
from talkvid.evaluation.pairing import paired
from talkvid.evaluation.tracks import FaceTracks

LEAST_SPREAD = 1e-4
"""Deviation of an opening, in inter-ocular distances, below which it does not move."""


def opening_agreement(made: FaceTracks, truth: FaceTracks) -> float:
    """Return Pearson's r of the mouth openings where both have a face; 0 for a still mouth."""
    ours, theirs = (mouth_signals(tracks).opening for tracks in paired(made, truth))
    if min(ours.std(), theirs.std()) < LEAST_SPREAD:
        return 0.0
    return float(correlations(ours[:, None], theirs[:, None])[0])
