"""What the controls say of a number, and whether a system beats the truth, against numbers worked by hand."""

from collections.abc import Sequence

import numpy as np
import pytest

from talkvid.evaluation.suite.metric import Better
from talkvid.evaluation.suite.separation import goodness
from talkvid.evaluation.suite.summary import summarise
from tests.evaluation.suite.made_up import made_up_evaluation
from tests.evaluation.suite.runs import clips, run


@pytest.mark.parametrize(
    ("better", "truth", "control", "auc"),
    [
        ("higher", (5, 6, 7, 8, 9), (1, 2, 3, 4, 5), 24.5 / 25),  # one tie
        ("lower", (5, 6, 7, 8, 9), (1, 2, 3, 4, 5), 0.5 / 25),
        ("zero", (-1, 0, 1, 0, 0), (-9, 9, 8, -8, 7), 1.0),
        ("one", (1, 0.9, 1.1, 1, 1), (0.2, 3, 0.1, 4, 1.05), 23 / 25),  # 1.05 is nearer than 0.9 and 1.1
    ],
)
def test_auc_is_how_often_the_truth_is_better(
    better: Better, truth: Sequence[float], control: Sequence[float], auc: float
) -> None:
    rows = {"truth": clips(*truth), "truth: wrong sound": clips(*control)}
    (found,) = summarise(run(rows, better=better)).separations
    assert found.auc == pytest.approx(auc)
    assert (found.row, found.control, found.num_clips) == ("truth", "truth: wrong sound", 5)


def test_both_sides_of_an_auc_are_the_same_clips() -> None:
    rows = {"truth": clips(9, None, 1, 1, 1, 1), "truth: wrong sound": clips(None, 0, 2, 2, 2, 2)}
    (found,) = summarise(run(rows)).separations
    assert (found.auc, found.num_clips, found.told) == (0, 4, None)


def test_a_number_that_cannot_tell_the_truth_from_a_control_is_warned_of() -> None:
    rows = {
        "truth": clips(1, 2, 3, 4, 5, 6),
        "truth: wrong sound": clips(1, 2, 3, 4, 5, 5),
        "truth: still frame": clips(0, 0, 0, 0, 0, 0),
    }
    found = summarise(run(rows))
    # Wins of 1 to 6 over 1, 2, 3, 4, 5, 5: 0, 1, 2, 3, 4, 6; ties: 1, 1, 1, 1, 2, 0: (16 + 6 / 2) / 36.
    assert found.warnings == ("Number cannot tell the truth from wrong sound here (AUC 0.53 of 6 clips)",)


def test_too_few_clips_say_nothing_either_way() -> None:
    rows = {"truth": clips(9, 9, 9, 9), "truth: wrong sound": clips(1, 1, 1, 1)}
    found = summarise(run(rows))
    assert found.separations[0].told is None
    assert found.warnings == (
        "too few clips to say whether Number can tell the truth from wrong sound: 4 clips of 5",
    )


def test_a_number_that_a_control_leaves_as_it_is_is_told_in_one_line() -> None:
    rows = dict.fromkeys(["truth", "truth: wrong sound", "truth: still frame"], clips(1, 2, 3, 4, 5))
    assert summarise(run(rows)).warnings == (
        "Number cannot tell the truth from wrong sound: equal in every clip",
        "Number cannot tell the truth from still frame: equal in every clip",
    )


def test_a_system_that_its_sound_does_not_matter_to_is_warned_of() -> None:
    rows = {
        "ours": clips(1, 2, 3, 4, 5),
        "ours: wrong sound": clips(2, 3, 4, 5, 6),
    }
    (line,) = summarise(run(rows)).warnings
    assert line == (
        "Number cannot tell ours from ours with wrong sound here (AUC 0.32 of 5 clips), "
        "or these videos are no better than that"
    )


def test_a_column_without_a_good_side_is_not_ranked() -> None:
    rows = {"truth": clips(1, 2, 3, 4, 5), "truth: wrong sound": clips(1, 2, 3, 4, 5)}
    assert summarise(run(rows, better="none")).separations == ()
    with pytest.raises(ValueError, match="cannot be ranked"):
        goodness(np.zeros(2), "none")


@pytest.mark.parametrize(("better", "sign"), [("higher", 1), ("lower", -1)])
def test_a_system_that_beats_the_truth_beyond_chance_is_warned_of(better: Better, sign: int) -> None:
    # Wav2Lip, trained against SyncNet, has better LSE-D and LSE-C than true videos.
    truth = np.array([6.0, 7.0, 6.5, 7.5, 6.8, 7.2])
    rows = {
        "trained": clips(*(sign * (truth + np.array([1, 1.2, 0.8, 1, 1.1, 0.9])))),
        "lucky": clips(*(sign * (truth + np.array([0.1, -0.1, 0.1, -0.1, 0.1, -0.05])))),
        "truth": clips(*(sign * truth)),
        "truth: wrong sound": clips(*(sign * truth - sign * 5)),
    }
    found = summarise(run(rows, better=better))
    assert [one.row for one in found.better_than_truth] == ["trained"]
    (one,) = found.better_than_truth
    assert (one.made, one.truth) == (
        pytest.approx(sign * (truth.mean() + 1)),
        pytest.approx(sign * truth.mean()),
    )
    assert 0.8 < one.low < 1 < one.high < 1.2
    (line,) = found.warnings
    assert line.startswith("Number: trained is better than the truth (")
    assert "in 6 clips" in line


def test_four_clips_are_too_few_to_beat_the_truth() -> None:
    rows = {"ours": clips(9, 9, 9, 9), "truth": clips(1, 1, 1, 1)}
    assert summarise(run(rows)).better_than_truth == ()


def test_a_run_without_controls_says_so() -> None:
    without = "no controls were scored: nothing shows that these numbers tell good from bad here"
    assert summarise(run({"ours": clips(1, 2)})).warnings == (without,)
    still = {"truth": clips(*range(2, 8)), "truth: still frame": clips(*[0] * 6)}
    assert summarise(run(still)).warnings == (
        "no control with a wrong sound: there are no two clips with different sounds",
    )


def test_the_made_up_run_is_warned_of_as_its_numbers_say() -> None:
    found = summarise(made_up_evaluation())
    assert (
        "identity cosine cannot tell the truth from still frame here (AUC 0.00 of 12 clips)" in found.warnings
    )
    assert [(one.row, one.key) for one in found.better_than_truth] == [
        ("wav2lip", "lse_d"),
        ("wav2lip", "lse_c"),
    ]
    assert [one.name for one in found.left_out] == ["fvd", "csim"]
    assert found.cell("wav2lip", "lmd", "lmd_px").num_clips == 11
    assert found.cell("truth: wrong sound", "lmd", "lmd_px").num_unasked == 12
    assert all("\n" not in line for line in found.warnings)
