import subprocess
import sys

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from talkvid.face.monotone import MonotoneCurve


@pytest.mark.parametrize("count", [2, 3, 4, 9])
@pytest.mark.parametrize("seed", range(5))
def test_the_curve_is_scipys(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    places = np.cumsum(random.random(count) + 0.05)
    values = random.standard_normal(count) if seed else np.round(random.standard_normal(count))
    asked = np.linspace(places[0], places[-1], 301).reshape(7, 43)
    expected = PchipInterpolator(places, values)(asked)
    np.testing.assert_allclose(MonotoneCurve(places, values)(asked), expected, atol=1e-12)


def test_between_the_points_the_curve_does_not_overshoot() -> None:
    curve = MonotoneCurve(np.array([0.0, 0.1, 0.9, 1.0]), np.array([0.0, 1.0, 1.0, 0.0]))
    along = curve(np.linspace(0, 1, 200))
    assert along.min() >= 0 and along.max() <= 1 and curve(np.array(0.5)) == 1


def test_making_videos_does_not_load_scipy() -> None:
    # Once: a third of a second at every start went into a module of which one curve was used.
    code = "import sys, talkvid.inference.api; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
