"""From measures to a score of 0 to 100: one fitted falling curve per part, the worst part counts.

The constants of CURVES were fitted by

    python benchmarks/curate_calibrate.py quality --fit

on one half of the persons of 30 clips and their degraded copies; the table in
`data_pipeline/2_video_quality_motion_filtering/README.md` is about the other half.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from talkvid.curation.classical_measures import NAMES, PictureMeasures

PASS = 50.0
"""Where the curves are fitted to separate good clips from strongly degraded ones."""


@dataclass(frozen=True)
class Curve:
    """100 / (1 + (value / half)^steepness): 100 for a value of 0, 50 at `half`, towards 0 above."""

    half: float
    steepness: float

    def __call__(self, value: float) -> float:
        """Return the part's score, 0 to 100, of a measure that is not negative."""
        return 100 / (1 + math.pow(max(value, 0.0) / self.half, self.steepness))


CURVES = {
    "edge_width_px": Curve(half=1.44, steepness=8.0),
    "block_marks": Curve(half=1.7, steepness=8.0),
    "noise": Curve(half=2.16, steepness=1.08),
}
"""Measure -> its curve."""
STEEPEST = 8.0
PARTS = {"sharpness": "edge_width_px", "compression": "block_marks", "noise": "noise"}
"""Part of the score -> the measure that it is made of."""
DARK, BRIGHT = (8.0, 32.0), (247.0, 223.0)
"""Mean levels of the centre that give exposure 0 and 100; between them it is linear. Chosen, not fitted."""
CONTRAST = (4.0, 60.0)
"""The same for the levels between the darkest and brightest 2 %."""
CLIPPED = (0.8, 0.2)
"""The same for the share of pure black and white."""


def median_measures(looks: Sequence[PictureMeasures]) -> dict[str, float]:
    """Return each measure's median over the pictures of a clip, so that one odd picture does not decide."""
    return {name: float(np.median([getattr(look, name) for look in looks])) for name in NAMES}


def parts_of(measures: Mapping[str, float], *, curves: Mapping[str, Curve] = CURVES) -> dict[str, float]:
    """Return sharpness, compression, noise and exposure, each 0 (bad) to 100 (good)."""
    parts = {part: curves[measure](measures[measure]) for part, measure in PARTS.items()}
    light = [
        _between(measures["brightness"], DARK),
        _between(measures["brightness"], BRIGHT),
        _between(measures["contrast"], CONTRAST),
        _between(measures["clipped"], CLIPPED),
    ]
    return {**parts, "exposure": min(light)}


def _between(value: float, ends: tuple[float, float]) -> float:
    """Return 0 at the first end, 100 at the second, linear between and held outside."""
    return 100 * min(max((value - ends[0]) / (ends[1] - ends[0]), 0.0), 1.0)


def classical_scores(looks: Sequence[PictureMeasures]) -> dict[str, float]:
    """Return the scores of a clip by name from the measures of its pictures.

    `classical_quality` is the worst of the parts `classical_sharpness`, `classical_compression`,
    `classical_noise` and `classical_exposure`, all 0 to 100; the measures behind them follow with their
    units: `classical_edge_width_px`, `classical_block_marks`, `classical_noise_levels` and
    `classical_detail_levels`.
    """
    measures = median_measures(looks)
    parts = parts_of(measures)
    return {
        "classical_quality": min(parts.values()),
        **{f"classical_{part}": value for part, value in parts.items()},
        "classical_edge_width_px": measures["edge_width_px"],
        "classical_block_marks": measures["block_marks"],
        "classical_noise_levels": measures["noise"],
        "classical_detail_levels": measures["detail"],
    }


def fitted_curve(good: Sequence[float], bad: Sequence[float]) -> Curve:
    """Return the curve that best parts the measures of good clips from those of degraded ones.

    Its half point is the geometric mean of the good ones' 95th percentile and the least of the bad ones.
    These get 90 and 10, unless they are so near to each other that the curve would exceed STEEPEST.
    """
    highest, lowest = float(np.percentile(good, 95)), float(min(bad))
    half = math.sqrt(highest * lowest)
    if half <= highest:
        return Curve(half, STEEPEST)
    return Curve(half, min(math.log(9) / math.log(half / highest), STEEPEST))
