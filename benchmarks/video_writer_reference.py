"""Child of video_writer.py: for every line read one video by the original, CPU seconds written.

    python video_writer_reference.py CHECKOUT/src FRAMES.npy SOUND.wav FPS < lines

Loads nothing but the original's file of helpers; frames (F H W 3) uint8.
"""

import importlib.util
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of the encoders it has run."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    """Answer each line with the CPU seconds of one video."""
    source, frames_file, sound, fps = sys.argv[1:5]
    spec = importlib.util.spec_from_file_location("helpers", Path(source) / "pipelines" / "utils.py")
    assert spec is not None and spec.loader is not None
    helpers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(helpers)
    torch.set_num_threads(1)
    for _ in sys.stdin:
        frames = np.load(frames_file)
        video = torch.from_numpy(frames).permute(3, 0, 1, 2)[None].float() / 255
        with tempfile.TemporaryDirectory() as folder:
            start = cpu_seconds()
            helpers.save_video(video, sound, str(Path(folder) / "out.mp4"), torch.device("cpu"), float(fps))
            print(f"seconds {cpu_seconds() - start:.6f}", flush=True)


if __name__ == "__main__":
    main()
