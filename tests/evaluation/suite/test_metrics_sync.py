"""SyncNet's numbers as a metric of the suite: shifts, names, protocols and what is told beside them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from talkvid.evaluation.suite.metric import Measured, Need
from talkvid.evaluation.suite.metrics import sync
from talkvid.evaluation.suite.registry import METRICS, build_suite
from talkvid.evaluation.suite.weights import MetricSettings
from talkvid.evaluation.sync_pictures import sync_of_pictures
from talkvid.evaluation.sync_settings import SyncSettings
from talkvid.evaluation.sync_video import sixteen_bits
from talkvid.evaluation.syncnet import SyncNetEncoder
from talkvid.evaluation.syncnet_network import SyncNet
from talkvid.evaluation.syncnet_weights import load_syncnet
from talkvid.evaluation.weight_files import SYNCNET, file_sha256
from talkvid.face.detect import FaceDetector
from talkvid.records import Array
from tests.evaluation.seeded import seeded_state
from tests.evaluation.suite.fake_view import Clip, FakeView
from tests.evaluation.test_sync_video import TRACKED, WHOLE, LoudnessEncoder, SquareDetector, sound_of, states

COLUMNS = sync.columns_for(published=False)


def flashing(mouth: Array, *, fps: float = 25.0) -> Clip:
    """A picture that is bright while the mouth is open."""
    return Clip(np.full(len(mouth), 0.1), brightness=np.where(mouth, 100, -100), fps=fps, size=64)


def heard(mouth: Array, *, late_frames: int = 0) -> Array:
    return (sound_of(mouth, late_frames=late_frames) / 32768).astype(np.float32)


def measured(
    view: FakeView, *, settings: SyncSettings = WHOLE, detector: FaceDetector | None = None
) -> Measured:
    return sync.measure(
        view, encoder=LoudnessEncoder(), settings=settings, detector=detector, columns=COLUMNS
    )


@pytest.mark.parametrize("late_frames", [-5, 0, 5])
def test_a_shifted_sound_is_found_as_a_signed_offset(late_frames: int) -> None:
    mouth = states(90)
    found = measured(FakeView(flashing(mouth), heard=heard(mouth, late_frames=late_frames)))
    assert found.values["av_offset_other_weights"] == -late_frames and found.notes == ()
    assert found.facts["AV offset valid-only (other weights)"] == -late_frames
    told = {"crop": "whole_frame", "fps": 25, "frames": 90, "source_size": "64x64", "network": "loudness"}
    assert told.items() <= dict(found.facts).items()


def test_another_frame_rate_is_brought_to_25() -> None:
    mouth = states(90)
    twice = flashing(np.repeat(mouth, 2), fps=50.0)
    found, same = (measured(FakeView(clip, heard=heard(mouth))) for clip in (twice, flashing(mouth)))
    assert dict(found.values) == dict(same.values)
    assert found.facts["source_fps"] == 50 and found.facts["frames"] == 90


def test_an_offset_at_the_edge_is_told_as_not_to_be_believed() -> None:
    mouth = states(90)
    found = measured(FakeView(flashing(mouth), heard=heard(mouth, late_frames=15)))
    assert found.values["av_offset_other_weights"] == -15
    assert "not to be believed" in found.notes[0]


def test_tracked_faces_are_counted_and_their_detector_named() -> None:
    mouth = states(100)
    detector = SquareDetector((5, 5, 60, 60), since=10)
    found = measured(FakeView(flashing(mouth), heard=heard(mouth)), settings=TRACKED, detector=detector)
    assert found.facts["crop"] == "tracked" and str(found.facts["detector"]).startswith("squares")
    assert "10 of 100 pictures show the detector no face" in found.notes
    several = SquareDetector((0, 0, 30, 60), (34, 0, 64, 60))
    found = measured(FakeView(flashing(mouth), heard=heard(mouth)), settings=TRACKED, detector=several)
    assert any("2 face tracks" in note for note in found.notes)
    with pytest.raises(ValueError, match="finds no face in any of the 100 frames"):
        measured(FakeView(flashing(mouth), heard=heard(mouth)), settings=TRACKED, detector=SquareDetector())


def test_a_silent_sound_has_no_numbers_but_a_reason() -> None:
    with pytest.raises(ValueError, match="the sound is silent"):
        measured(FakeView(flashing(states(40)), heard=np.zeros(25600, np.float32)))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("syncnet") / "seeded.pth"
    torch.save(seeded_state(SyncNet()), path)
    return path


def test_other_weights_give_their_numbers_under_other_names(weights: Path) -> None:
    # Once: numbers of a network of one's own were told as LSE-D and LSE-C.
    built = build_suite(["sync"], MetricSettings(syncnet=weights, sync_protocol="whole_frame")).metrics[0]
    mouth = states(24)
    view = FakeView(flashing(mouth), heard=heard(mouth))
    found = built.measure(view)
    report = sync_of_pictures(
        view.frames, sixteen_bits(view.heard), SyncNetEncoder(load_syncnet(weights)), settings=WHOLE
    )
    keys = [column.key for column in built.columns]
    assert keys == ["lse_d_other_weights", "lse_c_other_weights", "av_offset_other_weights"]
    for column, name in zip(built.columns, ("LSE-D", "LSE-C", "AV offset"), strict=True):
        assert found.values[column.key] == pytest.approx(
            report.numbers()[f"{name} (other weights)"], rel=1e-4
        )
        assert column.heading.startswith(f"{name} (other weights)") and "whole frame" in column.meaning
    assert report.facts["network_sha256"] == file_sha256(weights) == found.facts["network_sha256"]
    assert built.hears and built.needs == {Need.SOUND}


def test_the_published_file_earns_the_names_and_the_protocol_the_signature(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = replace(SYNCNET, sha256=file_sha256(weights))
    monkeypatch.setattr("talkvid.evaluation.syncnet_weights.SYNCNET", genuine)
    whole, tracked = (
        build_suite(["sync"], MetricSettings(syncnet=weights, sync_protocol=protocol)).metrics[0]
        for protocol in ("whole_frame", "tracked")
    )
    entry = METRICS["sync"]
    for built in (whole, tracked):
        assert [(one.key, one.heading) for one in built.columns] == [
            (one.key, one.heading) for one in entry.columns
        ]
        assert file_sha256(weights) in built.signature
    assert whole.signature != tracked.signature and "centerface" in tracked.columns[0].meaning
