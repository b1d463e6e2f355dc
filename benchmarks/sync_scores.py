"""What SyncNet's numbers of one video cost: CPU seconds by part, and memory, for both protocols.

    python -m benchmarks.sync_scores [--video CLIP.mp4] [--detector centerface] [--weights syncnet_v2.model]
        [--seconds 10]

Without `--weights` the network gets random numbers: the cost is the same, the scores mean nothing and are not
printed. Without `--video` a drawn clip of 512 px is made, which shows no face, and only `whole_frame` is
measured.
"""

import argparse
import resource
import tempfile
import time
import wave
from pathlib import Path

import numpy as np
import torch

from benchmarks.drawn_clips import draw_face, face_at, noisy_background
from talkvid.evaluation.mfcc import mfcc
from talkvid.evaluation.sync_settings import SyncSettings
from talkvid.evaluation.sync_tracks import TrackRules
from talkvid.evaluation.sync_video import sixteen_bits, sync_of_video
from talkvid.evaluation.syncnet import SyncNetEncoder
from talkvid.evaluation.syncnet_network import SyncNet
from talkvid.evaluation.syncnet_weights import SyncNetWeights, load_syncnet
from talkvid.face.detect import build_detector
from talkvid.media.audio import AudioSource, load_audio
from talkvid.media.video import read_frames
from talkvid.media.writer import VideoWriter

SIDE = 512
RATE = 16000


def drawn_video(folder: Path, seconds: int) -> Path:
    """Write a drawn clip whose sound is noise, and return its path."""
    noise = (np.random.default_rng(0).uniform(-0.3, 0.3, seconds * RATE) * 32767).astype("<i2")
    with wave.open(str(folder / "noise.wav"), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(RATE)
        stream.writeframes(noise.tobytes())
    background = noisy_background(SIDE)
    path = folder / "drawn.mp4"
    with VideoWriter(path, SIDE, SIDE, 25, audio=AudioSource(folder / "noise.wav")) as writer:
        for frame in range(seconds * 25):
            writer.write(draw_face(background, *face_at(frame, SIDE)))
    return path


def cpu_s(action: object) -> float:
    """Return the CPU seconds of this process that a call takes."""
    assert callable(action)
    before = time.process_time()
    action()
    return time.process_time() - before


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--detector", default="centerface")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    weights = SyncNetWeights(SyncNet().eval().requires_grad_(False), "random")
    if arguments.weights is not None:
        weights = load_syncnet(arguments.weights)
    encoder = SyncNetEncoder(weights)
    with tempfile.TemporaryDirectory() as folder:
        video = arguments.video or drawn_video(Path(folder), arguments.seconds)
        samples = sixteen_bits(load_audio(video, rate=RATE))
        print(f"{video.name}: {len(samples) / RATE:.2f} s, CPU seconds on one thread")
        print(
            f"decode at 25 pictures a second  {cpu_s(lambda: list(map(len, read_frames(video, fps=25)))):.2f}"
        )
        print(f"coefficients of the sound       {cpu_s(lambda: mfcc(samples)):.2f}")
        protocols = {"whole_frame": SyncSettings("whole_frame")}
        protocols["whole_frame with JPEG"] = SyncSettings("whole_frame", legacy_jpeg=True)
        detector = None
        if arguments.video is not None:
            protocols["tracked"] = SyncSettings("tracked", rules=TrackRules(min_track=50))
            detector = build_detector(arguments.detector)
        for name, settings in protocols.items():
            before = time.process_time()
            report = sync_of_video(video, encoder, settings=settings, detector=detector)
            spent = time.process_time() - before
            windows = int(report.facts["windows"] or 0)
            print(f"{name:32}{spent:.2f}  ({windows} windows, {1000 * spent / windows:.0f} ms each)")
            if arguments.weights is not None:
                print("  ", {key: round(value, 3) for key, value in report.numbers().items()})
    print(f"largest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
