import os
from pathlib import Path

import pytest

from talkvid.files import atomic_folder, atomic_path


def test_a_finished_file_takes_its_name_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent and temporary.suffix == ".txt"
        temporary.write_text("done")
        assert not target.exists()
    assert target.read_text() == "done"
    assert os.listdir(target.parent) == ["a.txt"]


def test_a_failure_keeps_the_older_file_and_removes_the_temporary(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(KeyError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise KeyError("stop")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_very_long_name_still_has_room_for_its_temporary(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 250 + ".mp4")
    with atomic_path(target) as temporary:
        temporary.write_text("done")
    assert target.exists()


def test_temporaries_of_two_long_names_with_one_beginning_are_told_apart(tmp_path: Path) -> None:
    # Once: their names were cut to the same letters, and cleaning up after one file took the other's.
    beginning = "n" * 80
    with (
        atomic_path(tmp_path / f"{beginning}1.mp4") as first,
        atomic_path(tmp_path / f"{beginning}2.mp4") as second,
    ):
        assert first.stem.rpartition(".")[0] != second.stem.rpartition(".")[0]
        first.touch()
        second.touch()


def test_an_output_below_a_file_or_onto_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(ValueError, match=r"file: the output folder cannot be made"),
        atomic_path(tmp_path / "file" / "a.mp4"),
    ):
        pass
    with pytest.raises(ValueError, match=r"the output is a folder"), atomic_path(tmp_path):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ValueError, match="not writable"), atomic_path(tmp_path / "a.mp4"):
        pass


def test_a_finished_file_may_be_read_as_any_new_file_of_the_user(tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("x")
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.touch(mode=0o600)
    assert (tmp_path / "a.txt").stat().st_mode == plain.stat().st_mode


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(KeyError), atomic_folder(tmp_path / "new") as temporary:
        (temporary / "a.txt").write_text("half")
        raise KeyError("stop")
    assert os.listdir(tmp_path) == []
    (tmp_path / "new").mkdir()
    with atomic_folder(tmp_path / "new") as temporary:
        (temporary / "a.txt").write_text("done")
        assert os.listdir(tmp_path / "new") == []
    assert os.listdir(tmp_path) == ["new"] and (tmp_path / "new" / "a.txt").read_text() == "done"
    with (
        pytest.raises(ValueError, match=r"new: the output folder is not empty"),
        atomic_folder(tmp_path / "new"),
    ):
        pass
