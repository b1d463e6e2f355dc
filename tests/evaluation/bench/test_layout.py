"""What is found in a folder of portraits and sounds: ready, broken with a reason, or counted in a note."""

import json
import shutil
from pathlib import Path

import pytest

from talkvid.evaluation.bench.clips import Bench
from talkvid.evaluation.bench.layout import find_bench
from talkvid.media.image import save_image
from tests.evaluation.bench.bench_made_up import (
    clip_groups,
    clip_name,
    picture,
    write_bench,
    write_sound,
    write_table,
    write_video,
)


def portrait(path: Path, number: int = 0) -> Path:
    save_image(path, picture(number, 0))
    return path


def ids(bench: Bench) -> list[str]:
    return [clip.id for clip in bench.clips]


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bench(tmp_path_factory.mktemp("bench"), clips=5)


@pytest.fixture
def bench_folder(five: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(five, tmp_path / "bench"))


def test_portraits_sounds_true_videos_and_rows_of_one_name_are_one_clip(five: Path) -> None:
    bench = find_bench(five)
    assert ids(bench) == [clip_name(number) for number in range(5)]
    assert not bench.broken and not bench.notes
    for number, clip in enumerate(bench.clips):
        name = clip_name(number)
        assert clip.portrait == five / "data" / "imgs" / f"{name}.png"
        assert clip.audio == five / "data" / "audios" / f"{name}.wav"
        assert clip.reference == five / "data" / "videos" / f"{name}.mp4"
        assert clip.groups == clip_groups(number, of=5)


def test_key_points_lie_beside_and_spare_files_are_counted(bench_folder: Path) -> None:
    vkps = bench_folder / "data" / "vkps"
    vkps.mkdir()
    for name in ("clip0001.pth", "clip0002.npy", "nobody.pth"):
        (vkps / name).write_bytes(b"points")
    write_video(bench_folder / "data" / "videos" / "extra.mp4", 0)
    bench = find_bench(bench_folder)
    assert [clip.keypoints and clip.keypoints.name for clip in bench.clips] == [
        None, "clip0001.pth", "clip0002.npy", None, None,
    ]  # fmt: skip
    assert bench.notes == (
        "1 files of kind key points belong to no clip: nobody.pth",
        "1 files of kind true video belong to no clip: extra.mp4",
    )


def test_what_cannot_be_used_is_broken_with_its_reason_and_nothing_is_lost(bench_folder: Path) -> None:
    data = bench_folder / "data"
    (data / "audios" / "clip0000.wav").unlink()
    (data / "imgs" / "clip0001.png").unlink()
    (data / "imgs" / "clip0002.png").write_text("<html>not found</html>")
    portrait(data / "imgs" / "clip0003.jpg")
    (data / "audios" / "clip0004.wav").write_bytes(b"")
    write_table(bench_folder / "metadata.csv", [{"id": "ghost", "age": "60+"}], columns=("id", "age"))
    bench = find_bench(bench_folder)
    problems = {clip.id: clip.problem for clip in bench.broken}
    assert bench.num_clips == 6 and not bench.clips
    assert "no sound of this name" in problems["clip0000"]
    assert "no portrait of this name" in problems["clip0001"]
    assert "not a picture that can be read" in problems["clip0002"]
    assert problems["clip0003"] == "2 files are its portrait: clip0003.jpg, clip0003.png"
    assert "empty (0 bytes)" in problems["clip0004"]
    assert problems["ghost"] == "named in metadata.csv, and no file has its name"


def test_any_two_folders_do_and_their_names_may_be_given(tmp_path: Path) -> None:
    for number, name in enumerate(("ann", "bob")):
        portrait(tmp_path / "faces" / f"{name}.jpg", number)
        write_sound(tmp_path / "voices" / f"{name}.wav", number)
    bench = find_bench(tmp_path, portraits=tmp_path / "faces", audio=tmp_path / "voices")
    assert ids(bench) == ["ann", "bob"]
    for name, known in (("faces", "portraits"), ("voices", "sounds")):
        (tmp_path / name).rename(tmp_path / known)
    assert ids(find_bench(tmp_path)) == ["ann", "bob"]


def test_files_beside_each_other_do(tmp_path: Path) -> None:
    portrait(tmp_path / "ann.png")
    write_sound(tmp_path / "ann.wav", 0)
    write_sound(tmp_path / "bob.wav", 1)
    bench = find_bench(tmp_path)
    assert ids(bench) == ["ann"]
    assert [clip.id for clip in bench.broken] == ["bob"]


def test_sub_folders_tell_the_subgroup_and_tell_equal_names_apart(tmp_path: Path) -> None:
    for number, place in enumerate(("age/0-19/x", "age/60+/x", "gender/female/y")):
        portrait(tmp_path / "imgs" / f"{place}.png", number)
    for number, name in enumerate(("age/0-19/x", "age/60+/x", "y")):
        write_sound(tmp_path / "audios" / f"{name}.wav", number)
    bench = find_bench(tmp_path)
    assert {clip.id: clip.groups for clip in bench.clips} == {
        "age__0-19__x": {"age": "0-19"},
        "age__60+__x": {"age": "60+"},
        "y": {"gender": "female"},
    }
    assert bench.clips[1].sound == tmp_path / "audios" / "age" / "60+" / "x.wav"


def test_a_sound_outside_the_sub_folders_serves_all_of_its_name(tmp_path: Path) -> None:
    for place in ("young/x", "old/x"):
        portrait(tmp_path / "imgs" / f"{place}.png")
    write_sound(tmp_path / "audios" / "x.wav", 0)
    bench = find_bench(tmp_path)
    assert [(clip.id, clip.groups, clip.sound.name) for clip in bench.clips] == [
        ("old__x", {"folder": "old"}, "x.wav"),
        ("young__x", {"folder": "young"}, "x.wav"),
    ]


def published(folder: Path) -> Path:
    """The published form as others describe it: a folder for each dimension, no portraits, JSON records."""
    shown = {"age": ("60+", "0-19"), "gender": ("Male", "Female")}
    for part, (dimension, values) in enumerate(shown.items()):
        records = []
        for place, value in enumerate(values):
            number = 2 * part + place
            name = f"video{number}_Tr6MMs-scene1_1.50_6.25"
            write_video(folder / dimension / "videos" / f"{name}.mp4", number)
            shutil.copytree(
                folder / dimension / "videos",
                folder / dimension / "videos_crop_512x512",
                dirs_exist_ok=True,
            )
            write_sound(folder / dimension / "audios" / f"{name}.wav", number)
            info = {"Age Group": "60+", "Gender": "Male", "Video Link": f"https://x/{number}"}
            info[{"age": "Age Group", "gender": "Gender"}[dimension]] = value
            path = f"TalkVid-bench/{dimension}/videos/{name}.mp4"
            records.append({"id": f"record{number}", "video-path": path, "fps": 24, "info": info})
        (folder / dimension / f"test_{dimension}.json").write_text(json.dumps(records))
    return folder


def test_the_published_form_has_a_folder_for_each_dimension(tmp_path: Path) -> None:
    bench = find_bench(published(tmp_path))
    assert [clip.groups for clip in bench.clips] == [
        {"age": "60+"}, {"age": "0-19"}, {"gender": "Male"}, {"gender": "Female"},
    ]  # fmt: skip
    assert not bench.broken
    first = bench.clips[0]
    assert first.id == "video0_Tr6MMs-scene1_1.50_6.25"
    assert first.portrait is None and first.reference is not None
    assert first.reference.parent.name == "videos_crop_512x512"


def test_a_clip_in_two_dimensions_counts_once_with_both_values(tmp_path: Path) -> None:
    published(tmp_path)
    for kind in ("videos", "videos_crop_512x512", "audios"):
        source = next((tmp_path / "age" / kind).glob("video0_*"))
        shutil.copy(source, tmp_path / "gender" / kind)
    records = json.loads((tmp_path / "gender" / "test_gender.json").read_text())
    name = "TalkVid-bench/gender/videos/video0_Tr6MMs-scene1_1.50_6.25.mp4"
    records.append({"id": "record0", "video-path": name, "info": {"Gender": "Female"}})
    (tmp_path / "gender" / "test_gender.json").write_text(json.dumps(records))
    bench = find_bench(tmp_path)
    assert len(bench.clips) == 4
    assert bench.clips[0].groups == {"age": "60+", "gender": "Female"}
    assert any("lie in several folders and count once" in note for note in bench.notes)


def test_a_limit_takes_the_first_clips_and_says_so(five: Path) -> None:
    bench = find_bench(five).limited(2)
    assert ids(bench) == ["clip0000", "clip0001"]
    assert bench.notes[-1] == "3 ready clips are left out by the limit of 2"
    with pytest.raises(ValueError, match="at least 1"):
        find_bench(five).limited(0)


def test_a_folder_without_clips_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no clip in it.*imgs \(\.png.*audios"):
        find_bench(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        find_bench(tmp_path / "absent")


def test_a_table_that_is_none_of_clips_is_told_and_stops_nothing(bench_folder: Path) -> None:
    (bench_folder / "metadata.csv").rename(bench_folder / "data" / "who.csv")
    (bench_folder / "losses.csv").write_text("step,loss\n1,0.5\n")
    bench = find_bench(bench_folder)
    assert len(bench.clips) == 5 and not any(clip.groups for clip in bench.clips)
    assert "losses.csv: no column names the clips" in bench.notes[-1]
    with pytest.raises(ValueError, match="no column names the clips"):
        find_bench(bench_folder, groups=["age"])
    told = find_bench(bench_folder, metadata=bench_folder / "data" / "who.csv")
    assert told.clips[0].groups == clip_groups(0, of=5)
