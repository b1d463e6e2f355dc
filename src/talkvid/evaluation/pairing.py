"""Which picture of the true clip belongs to which made picture."""

import numpy as np

from talkvid.evaluation.tracks import FaceTracks
from talkvid.records import Array


def partners(num_made: int, num_truth: int, *, made_fps: float, truth_fps: float) -> Array:
    """Return for each made picture that has one the number of the true picture shown at its middle (K,).

    K <= `num_made`: made pictures after the true clip's end are left out.
    """
    middles_s = (np.arange(num_made) + 0.5) / made_fps
    partner = np.floor(middles_s * truth_fps + 1e-6).astype(int)
    found: Array = partner[partner < num_truth]
    return found


def aligned(made: FaceTracks, truth: FaceTracks) -> tuple[FaceTracks, FaceTracks]:
    """Return both tracks with picture k of one beside picture k of the other, with and without a face.

    The true clip's picture is the one shown at the made picture's middle; made pictures after the true clip's
    end are left out. The true tracks get the made ones' rate; sizes stay as they are.
    """
    theirs = partners(len(made), len(truth), made_fps=made.fps, truth_fps=truth.fps)
    return made.cut(0, len(theirs)), truth.at(theirs, fps=made.fps)


def paired(made: FaceTracks, truth: FaceTracks) -> tuple[FaceTracks, FaceTracks]:
    """Return both tracks as `aligned` does, only where both have a face.

    ValueError when no picture is left.
    """
    ours, theirs = aligned(made, truth)
    both = np.flatnonzero(ours.found & theirs.found)
    if not len(both):
        raise ValueError("the made and the true clip share no picture with a face")
    return ours.at(both), theirs.at(both)
