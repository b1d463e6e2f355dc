import errno
import os
import wave
from pathlib import Path

import numpy as np
import pytest

from talkvid.media.audio import load_audio, spool_audio
from talkvid.media.spool import Spool, blocks


def test_rows_come_back_as_they_were_written() -> None:
    rows = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    with Spool((3,)) as spool:
        for part in (rows[:1], rows[1:1], rows[1:30], rows[30:]):
            spool.append(part)
        assert len(spool) == 50
        for first, stop in ((0, 50), (7, 9), (49, 60), (-3, 50), (20, 20), (60, 70)):
            assert np.array_equal(spool[first:stop], rows[first:stop])
        spool.resize(52)
        assert np.array_equal(spool[49:], np.concatenate([rows[49:], np.zeros((2, 3), np.float32)]))
        spool.resize(10)
        assert np.array_equal(spool[:], rows[:10])


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 2), (8000, 1)])
def test_spooled_sound_is_the_loaded_one_to_the_bit(tmp_path: Path, rate: int, channels: int) -> None:
    # Once: the whole waveform lay in memory, twice while its pieces were joined: 38 MB per 10 minutes.
    path = tmp_path / "sound.wav"
    samples = np.random.default_rng(1).integers(-20000, 20000, (rate * 2 + 17) * channels).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    whole = load_audio(path)
    with spool_audio(path) as spool:
        assert len(spool) == len(whole) and np.array_equal(spool[:], whole)


def test_a_full_disk_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    spool = Spool()
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(ValueError, match=r"No space left on device.*TMPDIR"):
        spool.append(np.zeros(5, np.float32))


def test_blocks_cover_everything_once() -> None:
    assert [(part.start, part.stop) for part in blocks(7, 3)] == [(0, 3), (3, 6), (6, 7)]
    assert list(blocks(0, 3)) == []
