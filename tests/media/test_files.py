from pathlib import Path

import pytest

from talkvid.media.files import require_file


def test_each_bad_input_gets_one_line_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "lfs.mp4").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    expected = {
        "missing.wav": "does not exist; check",
        "empty.wav": "is empty",
        "lfs.mp4": "git-lfs pointer.*git lfs pull",
        ".": "is a folder",
    }
    for name, message in expected.items():
        with pytest.raises((ValueError, FileNotFoundError), match=message) as raised:
            require_file(tmp_path / name, what="video")
        assert "\n" not in str(raised.value) and str(tmp_path) in str(raised.value)
