from pathlib import Path

import pytest

from talkvid.dataset.sources import Source, apply_sync, find_in_folder, leave_out


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_a_folder_is_searched_with_its_subfolders_and_ids_are_unique(tmp_path: Path) -> None:
    for name in ("b.mp4", "b.mov", "x/a clip.MP4", "x/y/a.mkv", "notes.txt", ".b.0123abcd.mp4"):
        touch(tmp_path / name)
    sound = touch(tmp_path / "x/y/a.wav")
    found = find_in_folder(tmp_path, language="en")
    assert [source.id for source in found] == ["b_mov", "b_mp4", "x__a_clip", "x__y__a"]
    assert found[3].audio == sound
    assert found[0].audio is None
    assert {source.language for source in found} == {"en"}


def test_an_empty_or_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no video in it"):
        find_in_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        find_in_folder(tmp_path / "missing")


def test_clips_are_left_out_by_id_path_pattern_and_file(tmp_path: Path) -> None:
    sources = [Source(name, Path(f"/media/{name}.mp4")) for name in ("a1", "a2", "b1", "c1")]
    listed = tmp_path / "left_out.txt"
    listed.write_text("c1\n\n")
    kept = leave_out(sources, ["a*", "media/b1.mp4", str(listed)])
    assert kept == []
    assert [source.id for source in leave_out(sources, ["a*"])] == ["b1", "c1"]
    assert leave_out(sources, []) == sources


def test_sure_sound_offsets_are_taken_from_a_table(tmp_path: Path) -> None:
    table = tmp_path / "sync.csv"
    table.write_text("file,mel_lag,verdict\nx/a.mp4,0.12,offset\nb.mp4,0.3,undecided\nc.mp4,-0.08,offset\n")
    sources = [Source(name, Path(f"/m/x/{name}.mp4")) for name in ("a", "b", "c")]
    assert [source.mouth_late_s for source in apply_sync(sources, table)] == [0.12, 0.0, -0.08]
    plain = tmp_path / "plain.csv"
    plain.write_text("file,mouth_late_s\nb,0.5\n")
    assert [source.mouth_late_s for source in apply_sync(sources, plain)] == [0.0, 0.5, 0.0]
    plain.write_text("name,lag\nb,0.5\n")
    with pytest.raises(ValueError, match="needs the columns file and mouth_late_s"):
        apply_sync(sources, plain)


def test_a_source_that_changes_on_disk_describes_itself_differently(tmp_path: Path) -> None:
    source = Source("a", touch(tmp_path / "a.mp4"))
    before = source.describe()
    assert before == source.describe()
    (tmp_path / "a.mp4").write_bytes(b"longer")
    assert source.describe() != before
