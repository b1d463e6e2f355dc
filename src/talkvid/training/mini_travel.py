"""Makes the packed training clips small enough to be carried to another machine, and unpacks them there.

A cache of JPEG pictures takes some 36 KiB per frame; as H.264 with AAC sound and landmarks in steps of
1/64 px the same clips take 1.4 KiB. What is unpacked is a cache that `mini_data.load_clips` reads.
"""

import argparse
import logging
import shutil
import tempfile
import wave
from pathlib import Path

import cv2
import numpy as np

from talkvid import log
from talkvid.files import atomic_path
from talkvid.media.audio import AudioSource, load_audio
from talkvid.media.video import read_frames
from talkvid.media.writer import VideoWriter
from talkvid.records import Array
from talkvid.training.mini_clips import AUDIO_RATE_HZ, FPS, encode_picture, find_clips
from talkvid.training.mini_data import decode_jpeg

logger = logging.getLogger("talkvid.training.mini_travel")

STEPS_PER_PX = 64
POINT_ARRAYS = ("points", "lips", "contour")
TABLES = ("split.csv", "train/SYNC.csv", "train/SOURCES.csv", "train_extra/SOURCES.csv")


def pack_folder(media: Path, data: Path, out: Path, *, size: int = 256, crf: int = 27) -> int:
    """Write the cache `data` of `media` as small files below `out`; return their bytes together."""
    for table in TABLES:
        (out / "media" / table).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(media / table, out / "media" / table)
    clips = [clip for clip in find_clips(media) if (data / f"{clip.id}.tracks.npz").is_file()]
    for clip in log.progress(clips, total=len(clips), description="packing"):
        target = out / "clips" / f"{clip.id}.npz"
        if not target.is_file():
            with np.load(data / f"{clip.id}.npz") as packed:
                _write_video(
                    packed["jpeg"], packed["ends"], packed["audio"], target.with_suffix(".mp4"), size, crf
                )
                ratio = size / int(packed["size"])
            with np.load(data / f"{clip.id}.tracks.npz") as tracks:
                _write_tracks({name: tracks[name] for name in tracks.files}, ratio, target)
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def unpack_folder(packed: Path, data: Path) -> int:
    """Fill the cache `data` from `packed`, skipping what is there; return the number of clips."""
    sources = sorted((packed / "clips").glob("*.npz"))
    if not sources:
        raise FileNotFoundError(f"{packed}/clips: holds no packed clips; make them with mini_travel pack")
    for source in log.progress(sources, total=len(sources), description="unpacking"):
        tracked = data / f"{source.stem}.tracks.npz"
        if tracked.is_file():
            continue
        frames = list(read_frames(source.with_suffix(".mp4")))
        pieces = [encode_picture(frame) for frame in frames]
        sound = load_audio(source.with_suffix(".mp4"), rate=AUDIO_RATE_HZ)
        sound = sound[: round(len(frames) / FPS * AUDIO_RATE_HZ)]
        size = frames[0].shape[0]
        with atomic_path(data / f"{source.stem}.npz") as temporary:
            np.savez(
                temporary,
                jpeg=np.frombuffer(b"".join(pieces), np.uint8),
                ends=np.cumsum([len(piece) for piece in pieces]),
                audio=(sound.clip(-1, 1) * 32767).astype(np.int16),
                box=np.array([0, 0, size, size], np.float32),
                size=np.int64(size),
            )
        with atomic_path(tracked) as temporary:
            np.savez(temporary, allow_pickle=False, **_read_tracks(source))
    return len(sources)


def _write_video(jpeg: Array, ends: Array, audio: Array, target: Path, size: int, crf: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.wav"
        with wave.open(str(sound), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(AUDIO_RATE_HZ)
            file.writeframes(audio.astype("<i2").tobytes())
        with VideoWriter(target, size, size, FPS, audio=AudioSource(sound), crf=crf) as writer:
            for start, end in zip([0, *ends[:-1]], ends, strict=True):
                picture = decode_jpeg(jpeg[start:end])
                writer.write(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA))


def _write_tracks(tracks: dict[str, Array], ratio: float, target: Path) -> None:
    """Write points as differences from frame to frame in whole steps, which compress well."""
    small: dict[str, Array] = {}
    for name, values in tracks.items():
        if name in POINT_ARRAYS:
            steps = np.rint(np.nan_to_num(values) * ratio * STEPS_PER_PX).astype(np.int32)
            small[name] = np.diff(steps, axis=0, prepend=0).clip(-32768, 32767).astype(np.int16)
        else:
            small[name] = values.astype(np.float16) if values.dtype.kind == "f" else values
    with atomic_path(target) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **small)


def _read_tracks(source: Path) -> dict[str, Array]:
    with np.load(source) as small:
        tracks = {name: small[name] for name in small.files}
    for name in POINT_ARRAYS:
        tracks[name] = np.cumsum(tracks[name].astype(np.int32), axis=0).astype(np.float32) / STEPS_PER_PX
    return {
        name: values.astype(np.float32) if values.dtype == np.float16 else values
        for name, values in tracks.items()
    }


def main() -> None:
    """Pack the clips from the command line."""
    parser = argparse.ArgumentParser(
        description="Pack the embedded model's training clips for another machine."
    )
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("exp/talkvid-mini/data"))
    parser.add_argument("--packed", type=Path, default=Path("exp/talkvid-mini/packed"))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--crf", type=int, default=27)
    arguments = parser.parse_args()
    log.configure()
    total = pack_folder(
        arguments.media, arguments.data, arguments.packed, size=arguments.size, crf=arguments.crf
    )
    logger.info("%s: %.1f MiB", arguments.packed, total / 2**20)


if __name__ == "__main__":
    main()
