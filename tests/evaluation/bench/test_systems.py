"""Finished videos of any system are found by the clips' names, and what is missing is counted."""

from pathlib import Path

import pytest

from talkvid.evaluation.bench.clips import BenchClip
from talkvid.evaluation.bench.generate import Generated
from talkvid.evaluation.bench.systems import (
    bench_pairs,
    common_clips,
    find_videos,
    made_here,
    read_outputs,
)

CLIPS = [
    BenchClip(
        name,
        portrait=Path(f"imgs/{name}.png"),
        audio=Path(f"audios/{name}.wav"),
        reference=Path(f"videos/{name}.mp4"),
        groups={"gender": gender},
    )
    for name, gender in (("ann", "female"), ("bob", "male"), ("cy", "male"))
]


def videos(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"video")
    return folder


def test_names_as_other_systems_give_them_are_understood(tmp_path: Path) -> None:
    folder = videos(tmp_path, "ann.mp4", "deep/bob##bob.avi", "cy_cy.mp4", "other.mp4", "notes.txt")
    found = find_videos(CLIPS, folder, system="SadTalker")
    assert {clip: path.name for clip, path in found.videos.items()} == {
        "ann": "ann.mp4", "bob": "bob##bob.avi", "cy": "cy_cy.mp4",
    }  # fmt: skip
    assert found.coverage == "3 of 3" and found.num_spare == 1


def test_missing_and_ambiguous_videos_are_counted_with_their_reason(tmp_path: Path) -> None:
    folder = videos(tmp_path, "ann.mp4", "more/ann.mp4", "bob.mp4")
    found = find_videos(CLIPS, folder, system="Wav2Lip")
    assert found.coverage == "1 of 3"
    assert found.missing["ann"].startswith("2 videos could be meant")
    assert found.missing["cy"] == "no video of this name"
    assert list(found.missing_by_reason().values()) == [1, 1]


def test_a_folder_of_another_bench_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none of its 1 videos is named after a clip.*ann\.mp4"):
        find_videos(CLIPS, videos(tmp_path, "nobody.mp4"), system="Wav2Lip")


def test_a_portrait_used_for_two_sounds_names_no_clip(tmp_path: Path) -> None:
    clips = [
        BenchClip(f"take{number}", portrait=Path("imgs/ann.png"), audio=Path(f"audios/take{number}.wav"))
        for number in (1, 2)
    ]
    found = find_videos(clips, videos(tmp_path, "ann.mp4", "ann##take2.mp4"), system="SadTalker")
    assert list(found.videos) == ["take2"]


def test_pairs_carry_sound_portrait_truth_and_groups(tmp_path: Path) -> None:
    systems = [
        find_videos(CLIPS, videos(tmp_path / "a", "ann.mp4", "bob.mp4"), system="a"),
        find_videos(CLIPS, videos(tmp_path / "b", "bob.mp4", "cy.mp4"), system="b"),
    ]
    pairs = bench_pairs(CLIPS, systems)
    assert [pair.id for pair in pairs] == ["a/ann", "a/bob", "b/bob", "b/cy"]
    assert pairs[0].groups == {"gender": "female"}
    assert pairs[0].audio == Path("audios/ann.wav").absolute()
    assert pairs[0].reference == Path("videos/ann.mp4").absolute()
    assert [clip.id for clip in common_clips(CLIPS, systems)] == ["bob"]
    with pytest.raises(ValueError, match=r"no clip has a video of every system \(a 2 of 3, c 1 of 3\)"):
        common_clips(CLIPS, [systems[0], find_videos(CLIPS, videos(tmp_path / "c", "cy.mp4"), system="c")])


def test_what_was_made_here_counts_and_a_torn_file_of_a_failed_clip_does_not(tmp_path: Path) -> None:
    folder = videos(tmp_path, "ann.mp4", "bob.mp4")
    found = made_here(Generated(folder, ("ann",), {"bob": "not finished after 1.5 s"}), system="ours")
    assert found.coverage == "1 of 2"
    assert found.missing_by_reason() == {"not finished after 1.5 s": 1}


def test_outputs_are_named_or_name_themselves(tmp_path: Path) -> None:
    folder = tmp_path / "x=y"
    folder.mkdir()
    assert read_outputs(f"Wav2Lip={tmp_path}") == ("Wav2Lip", tmp_path)
    assert read_outputs(str(folder)) == ("x=y", folder)
    with pytest.raises(FileNotFoundError, match="give NAME=DIR"):
        read_outputs("Wav2Lip=absent")
