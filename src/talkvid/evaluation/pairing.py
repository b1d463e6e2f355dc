"""Which picture of the true clip belongs to which made picture."""

import numpy as np

from talkvid.evaluation.tracks import FaceTracks


def paired(made: FaceTracks, truth: FaceTracks) -> tuple[FaceTracks, FaceTracks]:
    """Return both tracks with picture k of one beside picture k of the other, only where both have a face.

    The true clip's picture is the one shown at the made picture's middle; made pictures after the true clip's
    end are left out. ValueError when no picture is left.
    """
    middles_s = (np.arange(len(made)) + 0.5) / made.fps
    partner = np.floor(middles_s * truth.fps + 1e-6).astype(int)
    ours = np.flatnonzero(partner < len(truth))
    theirs = partner[ours]
    both = made.found[ours] & truth.found[theirs]
    if not both.any():
        raise ValueError("the made and the true clip share no picture with a face")
    return made.at(ours[both]), truth.at(theirs[both], fps=made.fps)
