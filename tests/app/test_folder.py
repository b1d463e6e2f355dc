"""The server's own folder: private, swept of what is old, spared what is fresh, gone at the end."""

import os
import time
from pathlib import Path

from talkvid.app.folder import OwnFolder, sweep


def aged(path: Path, age_s: float, size: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    then = time.time() - age_s
    os.utime(path, (then, then))
    os.utime(path.parent, (then, then))
    return path


def test_old_files_and_their_folders_go_fresh_ones_stay(tmp_path: Path) -> None:
    old, fresh = aged(tmp_path / "a" / "old.png", 5000), aged(tmp_path / "b" / "fresh.png", 100)
    ours = aged(tmp_path / "samples" / "ref.png", 5000)
    assert sweep(tmp_path, older_than_s=3600, spare={ours}) == 1
    assert not old.exists() and fresh.exists() and ours.exists()
    os.utime(old.parent, (0, 0))
    assert sweep(tmp_path, older_than_s=3600, spare={ours}) == 0
    assert not old.parent.exists() and fresh.parent.exists()


def test_beyond_the_space_the_oldest_go_but_never_one_just_in_use(tmp_path: Path) -> None:
    ages = (400, 300, 200, 5)
    files = [aged(tmp_path / str(age) / "x", age, size=1000) for age in ages]
    assert sweep(tmp_path, older_than_s=3600, most_bytes=2000) == 2
    assert [file.exists() for file in files] == [False, False, True, True]
    assert sweep(tmp_path, older_than_s=3600, most_bytes=10) == 1 and files[3].exists()


def test_a_link_is_removed_and_what_it_points_to_stays(tmp_path: Path) -> None:
    precious = aged(tmp_path / "outside" / "precious.txt", 9000)
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "link").symlink_to(precious)
    (folder / "dir").symlink_to(precious.parent)
    os.utime(folder / "link", (0, 0), follow_symlinks=False)
    sweep(folder, older_than_s=60)
    assert precious.exists() and not (folder / "link").is_symlink()


def test_the_folder_is_its_users_alone_and_goes_with_all_that_is_in_it() -> None:
    waited_for: set[Path] = set()
    own = OwnFolder(keep_s=0.2, in_use=lambda: waited_for)
    sample = own.path / "samples" / "ref.png"
    sample.parent.mkdir()
    sample.write_bytes(b"x")
    assert own.path.stat().st_mode & 0o077 == 0
    own.begin()
    visitor = own.path / "face.png"
    visitor.write_bytes(b"x")
    speech = own.path / "speech.wav"
    waited_for.add(speech)
    speech.write_bytes(b"x")
    end = time.monotonic() + 20
    while visitor.exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.5)
    assert sample.exists() and speech.exists()
    own.close()
    assert not own.path.exists()
