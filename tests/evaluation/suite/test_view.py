"""A pair as metrics see it: sizes, lengths, sounds, looks, and what is done to a control."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from talkvid.evaluation.suite import looks as looks_module
from talkvid.evaluation.suite.looks import Eye, Looks
from talkvid.evaluation.suite.metric import Need
from talkvid.evaluation.suite.pair import SHIFTED, STILL, TRUTH, Control, Pair
from talkvid.evaluation.suite.view import OpenPair, shifted
from talkvid.records import Array
from tests.evaluation.suite.drawn_videos import RATE, BrightnessYardstick, write_sound, write_video

GREYS = (60, 80, 100, 120, 140, 160, 180, 200, 220, 240)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    sound = write_sound(folder / "speech.wav", begin_s=0.2)
    write_video(folder / "true.mp4", GREYS, sound=sound)
    write_video(folder / "made.mp4", [grey + 10 for grey in GREYS], size=(32, 24))
    write_video(folder / "dark.mp4", [0, *GREYS[1:]])
    Image.fromarray(np.full((48, 64, 3), 128, np.uint8)).save(folder / "me.png")
    return folder


def open_pair(folder: Path, made: str = "made.mp4", **more: Path | Control) -> OpenPair:
    pair = Pair("ours", "a", folder / made, **more)  # type: ignore[arg-type]
    return OpenPair(pair, Looks(Eye(BrightnessYardstick())))


def test_smaller_and_larger_made_pictures_come_at_the_true_size(folder: Path) -> None:
    small = list(open_pair(folder, reference=folder / "true.mp4").frame_pairs())
    assert [ours.shape for ours, _ in small] == [(48, 64, 3)] * 10
    apart = [float(ours.mean()) - float(theirs.mean()) for ours, theirs in small]
    assert apart == pytest.approx([10] * 10, abs=1.5)
    large = list(open_pair(folder, "true.mp4", reference=folder / "made.mp4").frame_pairs())
    assert {ours.shape for ours, _ in large} == {(24, 32, 3)}


def test_area_when_shrinking_and_cubic_when_growing(tmp_path: Path) -> None:
    fine = np.zeros((48, 64, 3), np.uint8)
    fine[:, ::2] = 255  # by area each pair of columns is the grey between them; by any point sample it is not
    stripes = np.repeat(np.repeat(fine[::2, :32], 1, axis=0), 1, axis=1)
    from talkvid.media.writer import VideoWriter

    for name, picture in (("fine", fine), ("coarse", stripes)):
        with VideoWriter(tmp_path / f"{name}.mp4", picture.shape[1], picture.shape[0], 25, crf=0) as writer:
            for _ in range(3):
                writer.write(picture)
    pair = open_pair(tmp_path, "fine.mp4", reference=tmp_path / "coarse.mp4")
    (ours, _), *_ = pair.frame_pairs()
    inside = ours[:, 2:-2].astype(float)
    assert inside.std() < 12 and abs(inside.mean() - 127) < 12
    pair = open_pair(tmp_path, "coarse.mp4", reference=tmp_path / "fine.mp4")
    (ours, _), *_ = pair.frame_pairs()
    assert ours.shape == (48, 64, 3) and ours.std() > 60


def test_pictures_of_another_shape_are_refused_with_both_sizes(folder: Path, tmp_path: Path) -> None:
    # Once: pictures of any shape were stretched onto one another, and the number meant nothing.
    write_video(tmp_path / "wide.mp4", GREYS, size=(96, 48))
    pair = open_pair(tmp_path, "wide.mp4", reference=folder / "true.mp4")
    with pytest.raises(ValueError, match="made picture is 96x48, the true one 64x48: another shape"):
        next(pair.frame_pairs())


def test_other_rates_are_aligned_and_other_lengths_refused(folder: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "half.mp4", GREYS[::2], fps=12.5)
    pairs = list(open_pair(tmp_path, "half.mp4", reference=folder / "true.mp4").frame_pairs())
    assert len(pairs) == 5
    shown = [float(theirs.mean()) for _, theirs in pairs]
    assert shown == pytest.approx(GREYS[1::2], abs=2)  # the one shown at 40 ms, 120 ms, …
    write_video(tmp_path / "short.mp4", GREYS[:8])
    pair = open_pair(tmp_path, "short.mp4", reference=folder / "true.mp4")
    message = "made video lasts 0.32 s, the true one 0.40 s: over 10% apart; .*--allow_length_mismatch"
    for ask in (pair.require_reference, lambda: next(pair.frame_pairs()), pair.reference_look):
        with pytest.raises(ValueError, match=message):
            ask()
    allowed = OpenPair(pair.pair, Looks(Eye(BrightnessYardstick())), allow_length_mismatch=True)
    assert len(list(allowed.frame_pairs())) == 8
    write_video(tmp_path / "nine.mp4", GREYS[:9])
    assert len(list(open_pair(tmp_path, "nine.mp4", reference=folder / "true.mp4").frame_pairs())) == 9


def test_a_still_control_shows_and_sees_its_first_picture(folder: Path) -> None:
    still = open_pair(folder, "true.mp4", control=Control(STILL, still=True))
    frames = list(still.frames())
    assert len(frames) == 10 and all((frame == frames[0]).all() for frame in frames)
    look, moving = still.look(), open_pair(folder, "true.mp4").look()
    assert len(look.tracks) == 10 and np.ptp(look.tracks.jaw_open) == 0 < np.ptp(moving.tracks.jaw_open)
    assert look.tracks.jaw_open[0] == moving.tracks.jaw_open[0]
    assert len(look.sharpness) == len(moving.sharpness) and look.flicker == look.drift == 0
    # A video whose first picture shows no face shows none at all when it stands still.
    dark = open_pair(folder, "dark.mp4", control=Control(STILL, still=True)).look()
    assert not dark.tracks.found.any()


def test_a_sound_comes_later_with_silence_first_or_earlier(folder: Path) -> None:
    late = open_pair(folder, "true.mp4", control=Control(SHIFTED, shift_s=0.1), audio=folder / "speech.wav")
    early = open_pair(folder, "true.mp4", control=Control(SHIFTED, shift_s=-0.1), audio=folder / "speech.wav")
    as_it_is = open_pair(folder, "true.mp4", audio=folder / "speech.wav").sound()
    begins = [
        int(np.flatnonzero(np.abs(sound) > 0.01)[0]) for sound in (early.sound(), as_it_is, late.sound())
    ]
    assert np.diff(begins) == pytest.approx([0.1 * RATE] * 2, abs=2)
    assert len(as_it_is) == len(late.sound()) == len(early.sound())
    assert len(late.sound(rate=8000)) * 2 == len(as_it_is)
    assert not shifted(np.ones(5), 7).any() and not shifted(np.ones(5), -7).any()
    assert shifted(np.arange(5), 2).tolist() == [0, 0, 0, 1, 2]
    assert shifted(np.arange(5), -2).tolist() == [2, 3, 4, 0, 0]


def test_the_portrait_is_the_given_one_or_a_first_picture(folder: Path) -> None:
    given = open_pair(folder, portrait=folder / "me.png", reference=folder / "true.mp4").portrait_look()
    true = open_pair(folder, reference=folder / "true.mp4").portrait_look()
    own = open_pair(folder, "true.mp4").portrait_look()
    assert [len(look.tracks) for look in (given, true, own)] == [1, 1, 1]
    opened = [float(look.tracks.jaw_open[0]) * 255 for look in (given, true, own)]
    assert opened == pytest.approx([128, 60, 60], abs=2)


def test_files_are_looked_at_once_and_controls_share_the_look(folder: Path, tmp_path: Path) -> None:
    truth = Pair("truth", "a", folder / "true.mp4", reference=folder / "true.mp4", control=Control(TRUTH))
    rows = [
        Pair("ours", "a", folder / "made.mp4", reference=folder / "true.mp4"),
        truth,
        replace(truth, control=Control(SHIFTED, shift_s=0.6)),
        replace(truth, control=Control(STILL, still=True)),
    ]
    for expected in (20, 0):  # two videos of ten pictures; then all is on disk
        yardstick = BrightnessYardstick()
        looks = Looks(Eye(yardstick), tmp_path)
        for row in rows:
            view = OpenPair(row, looks)
            view.look(), view.reference_look(), view.portrait_look()
        assert yardstick.pictures == expected
    # Another eye, or networks of another version, look for themselves.
    yardstick = BrightnessYardstick()
    Looks(Eye(yardstick, "v2"), tmp_path).of_video(folder / "true.mp4")
    assert yardstick.pictures == 10


def test_memory_holds_no_more_than_a_few_looks(tmp_path: Path) -> None:
    yardstick = BrightnessYardstick()
    looks = Looks(Eye(yardstick))
    videos = [write_video(tmp_path / f"{number}.mp4", GREYS[:2]) for number in range(8)]
    for video in videos:
        looks.of_video(video)
    looks.of_video(videos[-1])
    assert yardstick.pictures == 16
    looks.of_video(videos[0])
    assert yardstick.pictures == 18


def test_long_sounds_are_not_kept_beside_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [write_sound(tmp_path / f"{number}.wav") for number in range(3)]
    loaded: list[Path] = []

    def load(path: Path, *, rate: int) -> Array:
        loaded.append(path)
        return np.zeros(rate, np.float32)

    monkeypatch.setattr(looks_module, "load_audio", load)
    monkeypatch.setattr(looks_module, "SOUND_BYTES", 2 * RATE * 4)
    looks = Looks(Eye(BrightnessYardstick()))
    for file in (files[0], files[1], files[1], files[0], files[2], files[0], files[1]):
        looks.sound(file)
    assert loaded == [files[0], files[1], files[2], files[1]]  # two fit; the one not wanted for longest goes


def test_what_a_pair_lacks(folder: Path) -> None:
    needs = frozenset(Need)
    assert set(open_pair(folder).lacks(needs)) == {Need.REFERENCE, Need.SOUND}
    assert open_pair(folder, "true.mp4").lacks(needs) == [Need.REFERENCE]
    assert open_pair(folder, audio=folder / "speech.wav", reference=folder / "true.mp4").lacks(needs) == []


def test_what_is_broken_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "noise.mp4").write_bytes(b"no video at all")
    with pytest.raises(ValueError, match=r"noise\.mp4: this video cannot be opened"):
        open_pair(tmp_path, "noise.mp4")
    with pytest.raises(FileNotFoundError, match=r"gone\.mp4"):
        open_pair(tmp_path, "gone.mp4")
    # A broken true video costs what stands on it alone.
    view = open_pair(folder, reference=tmp_path / "noise.mp4")
    assert len(list(view.frames())) == 10
    with pytest.raises(ValueError, match=r"noise\.mp4: this video cannot be opened"):
        view.reference_frames()
    with pytest.raises(ValueError, match="there is no true video; give one with --reference"):
        open_pair(folder).reference_look()
    with pytest.raises(ValueError, match="no audio stream"):
        open_pair(folder).sound()


def test_sounds_of_other_clips_are_those_that_can_be_read(folder: Path) -> None:
    pair = Pair("ours", "a", folder / "made.mp4")
    others = (folder / "speech.wav", folder / "made.mp4", folder / "gone.wav", folder / "true.mp4")
    view = OpenPair(pair, Looks(Eye(BrightnessYardstick())), others=others)
    assert [len(sound) > 0 for sound in view.other_sounds()] == [True, True]
