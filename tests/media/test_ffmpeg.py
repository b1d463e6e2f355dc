from pathlib import Path

import pytest

from talkvid.media import ffmpeg


def test_a_failing_call_raises_with_the_last_lines_of_ffmpeg(tmp_path: Path) -> None:
    with pytest.raises(ffmpeg.FfmpegError, match=r"ffmpeg failed \(\d+\).*No such file") as raised:
        ffmpeg.run("-i", tmp_path / "missing.mp4", tmp_path / "out.mp4")
    assert "\n" not in str(raised.value)


def test_a_path_is_never_seen_by_a_shell(tmp_path: Path) -> None:
    target = tmp_path / "a $(touch pwned); 'b'.wav"
    ffmpeg.run("-f", "lavfi", "-i", "sine=d=0.1", target)
    assert target.exists() and not (tmp_path / "pwned").exists() and not Path("pwned").exists()
