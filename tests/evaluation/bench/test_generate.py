"""The videos of a bench are made once each, failures cost one clip, and the same command goes on."""

import os
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from talkvid.evaluation.bench.clips import BenchClip
from talkvid.evaluation.bench.generate import Generated, generate_videos
from talkvid.evaluation.bench.layout import find_bench
from talkvid.media.video import probe
from tests.evaluation.bench.bench_made_up import write_bench, write_sound
from tests.evaluation.bench.makers import Maker, maker


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[BenchClip, ...]:
    return find_bench(write_bench(tmp_path_factory.mktemp("bench"), clips=4)).clips


@pytest.fixture
def settings(tmp_path: Path) -> Maker:
    return Maker(tmp_path / "calls.txt")


def make(
    clips: tuple[BenchClip, ...],
    settings: Maker,
    *,
    signature: str = "one",
    executor: str = "inline",
    workers: int = 1,
    deadline_s: float | None = None,
) -> Generated:
    return generate_videos(
        clips, partial(maker, settings), output=settings.calls.parent / "run", signature=signature,
        executor=executor, workers=workers, deadline_s=deadline_s,
    )  # fmt: skip


def calls(settings: Maker) -> Counter[str]:
    return Counter(line.split()[0] for line in settings.calls.read_text().splitlines())


def test_every_clip_gets_its_video_and_the_maker_is_loaded_once_per_process(
    clips: tuple[BenchClip, ...], settings: Maker
) -> None:
    done = make(clips, settings, executor="local", workers=2)
    assert done.made == tuple(clip.id for clip in clips) and not done.failures
    assert all(probe(done.folder / f"{clip.id}.mp4").width == 64 for clip in clips)
    processes = {line.split()[1] for line in settings.calls.read_text().splitlines()}
    assert str(os.getpid()) not in processes and len(processes) <= 2
    assert calls(settings)["loaded"] == len(processes)


def test_the_same_command_makes_nothing_twice(clips: tuple[BenchClip, ...], settings: Maker) -> None:
    make(clips[:2], settings)
    done = make(clips, settings)
    assert done.num_earlier == 2 and len(done.made) == 4
    assert {name: count for name, count in calls(settings).items() if name != "loaded"} == dict.fromkeys(
        [clip.id for clip in clips], 1
    )
    assert make(clips, settings).describe() == done.describe()


def test_a_video_that_is_gone_cut_short_or_replaced_is_made_again(
    clips: tuple[BenchClip, ...], settings: Maker
) -> None:
    folder = make(clips, settings).folder
    good = [(folder / f"{clip.id}.mp4").read_bytes() for clip in clips]
    (folder / f"{clips[0].id}.mp4").unlink()
    (folder / f"{clips[1].id}.mp4").write_bytes(good[1][:-100])
    (folder / f"{clips[2].id}.mp4").write_bytes(good[2][:-1] + bytes([good[2][-1] ^ 1]))
    assert make(clips, settings).num_earlier == 1
    assert [(folder / f"{clip.id}.mp4").read_bytes() for clip in clips] == good


def test_another_setting_or_another_sound_makes_the_video_again(
    clips: tuple[BenchClip, ...], settings: Maker, tmp_path: Path
) -> None:
    make(clips, settings)
    assert make(clips, settings, signature="another").num_earlier == 0
    moved = replace(clips[0], audio=write_sound(tmp_path / "other.wav", 9))
    assert make((moved, *clips[1:]), settings, signature="another").num_earlier == 3


def test_a_failure_costs_one_clip_says_why_and_is_tried_again(
    clips: tuple[BenchClip, ...], settings: Maker
) -> None:
    done = make(clips, replace(settings, raises="clip0001", writes_nothing="clip0002"))
    assert done.made == ("clip0000", "clip0003")
    assert "no face in this picture" in done.failures["clip0001"]
    assert "returned without having written this file" in done.failures["clip0002"]
    assert done.describe()["clips"] == 4
    assert make(clips, settings).num_earlier == 2


def test_a_failed_clip_keeps_no_video_of_older_settings(
    clips: tuple[BenchClip, ...], settings: Maker
) -> None:
    folder = make(clips, settings).folder
    done = make(clips, replace(settings, raises="clip0001"), signature="another")
    assert list(done.failures) == ["clip0001"]
    assert not (folder / "clip0001.mp4").exists()


def test_a_maker_that_dies_or_hangs_costs_one_clip(clips: tuple[BenchClip, ...], settings: Maker) -> None:
    bad = replace(settings, dies="clip0001", hangs="clip0002")
    done = make(clips, bad, executor="local", workers=1, deadline_s=5)
    assert done.made == ("clip0000", "clip0003")
    assert done.failures == {
        "clip0001": "the worker ended with exit code 3",
        "clip0002": "not finished after 5 s",
    }


def test_without_a_portrait_the_first_picture_of_the_true_video_is_taken(
    clips: tuple[BenchClip, ...], settings: Maker
) -> None:
    done = make((replace(clips[0], portrait=None, audio=None),), settings)
    assert done.made == ("clip0000",)
    assert (settings.calls.parent / "run" / "portraits" / "clip0000.png").is_file()
