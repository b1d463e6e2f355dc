"""FVD with a drawn network of I3D's interface: which pictures it sees, and what is refused."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from talkvid.evaluation.clip_rule import ClipRule, cut_clips
from talkvid.evaluation.feature_moments import FeatureMoments
from talkvid.evaluation.i3d import I3dFeatures, video_distance
from talkvid.records import Array
from tests.evaluation.picture_pairs import noise_frames


class Standing(nn.Module):
    """Says what it was given: first and last picture, size, mean and range, in 400 numbers."""

    def forward(
        self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> Tensor:
        found = torch.zeros(x.size(0), 400)
        found[:, 0] = x[:, 0, 0, 0, 0]
        found[:, 1] = x[:, 2, -1, 0, 0]
        found[:, 2] = float(x.size(2))
        found[:, 3] = x.mean(dim=[1, 2, 3, 4])
        found[:, 4] = 1.0 if rescale and resize and return_features else 0.0
        return found


class Deaf(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


def scripted(module: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(module).save(str(path))  # type: ignore[no-untyped-call]
    return path


@pytest.fixture(scope="module")
def extractor(tmp_path_factory: pytest.TempPathFactory) -> I3dFeatures:
    path = scripted(Standing(), tmp_path_factory.mktemp("i3d") / "i3d.pt")
    return I3dFeatures(path, trusted=True)


def numbered(count: int, size: int = 6) -> list[Array]:
    return [np.full((size, size, 3), number, np.uint8) for number in range(count)]


def test_one_clip_lies_in_the_middle_and_several_are_spread_evenly() -> None:
    assert ClipRule(16).starts(16) == [0]
    assert ClipRule(16).starts(121) == [52]
    assert ClipRule(16, per_video=3).starts(50) == [0, 17, 34]
    assert ClipRule(10, per_video=4).starts(13) == [0, 1, 2, 3]
    assert ClipRule(16, per_video=3).facts["clips_per_video"] == 3
    with pytest.raises(ValueError, match="15 pictures holds no clip of 16"):
        ClipRule(16).starts(15)
    with pytest.raises(ValueError, match="no 3 clips"):
        ClipRule(16, per_video=3).starts(17)
    with pytest.raises(ValueError, match="too short for I3D"):
        ClipRule(9)
    with pytest.raises(ValueError, match="1 or more"):
        ClipRule(16, per_video=0)


def test_clips_hold_exactly_their_consecutive_pictures() -> None:
    for rule in (ClipRule(12), ClipRule(12, per_video=4), ClipRule(12, per_video=2)):
        clips = list(cut_clips(iter(numbered(40)), 40, rule=rule))
        told = [clip[:, 0, 0, 0].tolist() for clip in clips]
        assert told == [list(range(start, start + 12)) for start in rule.starts(40)]
    with pytest.raises(ValueError, match="ends before the 40 pictures"):
        list(cut_clips(iter(numbered(20)), 40, rule=ClipRule(12)))


def test_no_picture_is_decoded_behind_the_last_clip() -> None:
    taken: list[int] = []

    def watched() -> object:
        for number, frame in enumerate(numbered(100)):
            taken.append(number)
            yield frame

    list(cut_clips(watched(), 100, rule=ClipRule(10)))  # type: ignore[arg-type]
    assert taken[-1] == 54


def test_the_network_gets_0_to_255_and_is_told_to_scale_and_resize_itself(extractor: I3dFeatures) -> None:
    # Once: values of 0 to 1 were left as they were with rescaling off, which is another number.
    clip = np.stack(numbered(12))[None].copy()
    clip[0, 0, 0, 0] = [255, 0, 0]
    clip[0, -1, 0, 0] = [0, 0, 99]
    found = extractor.features(clip)
    assert found.shape == (1, 400) and found.dtype == np.float64
    assert found[0, [0, 1, 2, 4]].tolist() == [255, 99, 12, 1]
    assert found[0, 3] == pytest.approx(clip.mean(), rel=1e-5)
    with pytest.raises(ValueError, match="uint8"):
        extractor.features(clip / 255)
    with pytest.raises(ValueError, match="10 or more"):
        extractor.features(clip[:, :9])


def test_one_or_two_videos_a_side_are_refused(extractor: I3dFeatures) -> None:
    # Once: one video a side, whose covariance was dropped, so that "FVD" was a squared distance of means.
    rule = ClipRule(12)
    sides = [FeatureMoments(extractor.dims) for _ in range(2)]
    for seed, side in enumerate(sides):
        for video in range(2):
            extractor.gather(noise_frames(20, seed=2 * seed + video, size=8), side, num_frames=20, rule=rule)
    assert [side.count for side in sides] == [side.num_clips for side in sides] == [2, 2]
    with pytest.raises(ValueError, match=r"2 made and 2 true samples .* needs 401 on each side"):
        video_distance(extractor, *sides, rule=rule, fps=25)
    marked = video_distance(extractor, *sides, rule=rule, fps=25, allow_rank_deficient=True)
    assert marked.frechet.rank_deficient and marked.protocol["clip_length"] == 12
    assert marked.protocol["fps"] == 25 and marked.name != "FVD" and "other network" in marked.name


def test_enough_clips_give_a_distance(extractor: I3dFeatures) -> None:
    sides = [FeatureMoments(extractor.dims) for _ in range(2)]
    for seed, side in enumerate(sides):
        side.add(np.random.RandomState(seed).randn(420, 400), num_clips=420)
    found = video_distance(extractor, *sides, rule=ClipRule(), fps=25)
    assert not found.frechet.rank_deficient and found.protocol["made_clips"] == 420


def test_a_program_nobody_published_is_run_only_when_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = scripted(Standing(), tmp_path / "i3d.pt")
    loaded: list[str] = []
    monkeypatch.setattr("torch.jit.load", lambda *_, **__: loaded.append("run"))
    with pytest.raises(ValueError, match=r"not the published I3D.*talkvid models fetch i3d"):
        I3dFeatures(path)
    assert not loaded
    with pytest.raises(FileNotFoundError, match="talkvid models fetch i3d"):
        I3dFeatures(tmp_path / "none.pt")


def test_files_of_another_interface_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="takes no rescale"):
        I3dFeatures(scripted(Deaf(), tmp_path / "deaf.pt"), trusted=True)
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"no program")
    with pytest.raises(ValueError, match="not a TorchScript file"):
        I3dFeatures(broken, trusted=True)
