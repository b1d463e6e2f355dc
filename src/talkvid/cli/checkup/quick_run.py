"""One second of video made for real, in a folder that is removed again."""

import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

from talkvid.cli.checkup.check import JOBS, Check, one_line
from talkvid.cli.launch import SAMPLE

TOPIC = "a video made here"
SECONDS = 1.0
DEADLINE_S = 1800.0
MAIN = JOBS[:1]


def check_run(portrait: Path | None) -> Check:
    """Return how long one second of video took, or why it could not be made.

    The speech is the sample's, or a hum outside a checkout, where a portrait must be given.
    """
    portrait = portrait or (SAMPLE / "ref.png")
    if not portrait.is_file():
        remedy = "talkvid doctor --run --portrait face.jpg"
        return Check(TOPIC, "video", "absent", f"there is no portrait {portrait}", remedy, MAIN)
    with tempfile.TemporaryDirectory(prefix="talkvid-doctor-") as folder:
        speech, video = Path(folder, "speech.wav"), Path(folder, "video.mp4")
        write_speech(speech, SAMPLE / "aud.wav")
        command = [sys.executable, "-m", "talkvid.cli.main", "generate", "--reference_image_path"]
        command += [str(portrait.absolute()), "--audio_path", str(speech), "--output_path", str(video)]
        start = time.monotonic()
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=DEADLINE_S,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Check(TOPIC, "video", "broken", f"not made within {DEADLINE_S:g} s", "", MAIN)
        took = time.monotonic() - start
        if done.returncode or not video.is_file():
            told = done.stderr.strip().splitlines() or ["no message"]
            return Check(TOPIC, "video", "broken", one_line(told[-1]), "see the lines above", MAIN)
        frames, sound = contents(video)
    detail = f"{frames} frames and {'sound' if sound else 'NO sound'} in {took:.1f} s, loading included"
    if not frames or not sound:
        return Check(TOPIC, "video", "broken", detail, "see the encoders above", MAIN)
    return Check(TOPIC, "video", "ok", detail)


def write_speech(target: Path, sample: Path) -> None:
    """Write a second of the sample's speech, or of a hum where there is no sample."""
    if sample.is_file():
        with wave.open(str(sample), "rb") as source:
            about = source.getparams()
            data = source.readframes(int(about.framerate * SECONDS))
        with wave.open(str(target), "wb") as out:
            out.setparams(about)
            out.writeframes(data)
        return
    rate, low, high = 16_000, (-4000).to_bytes(2, "little", signed=True), (4000).to_bytes(2, "little")
    with wave.open(str(target), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((high * 64 + low * 64) * (rate // 128))


def contents(video: Path) -> tuple[int, bool]:
    """Return the number of frames that can be decoded, and whether there is sound."""
    import av

    with av.open(str(video)) as container:
        sound = bool(container.streams.audio)
        return sum(1 for _ in container.decode(video=0)), sound
