"""What a training step costs outside forward, backward and optimiser: CPU seconds and wall time.

    python benchmarks/trainer_overhead.py [--pixels 256] [--stage 3] [--steps 12] [section.key=value …]

Trains src/configs/mini on drawn clips through the same door as `talkvid train`, once with the data read by
workers and once by the training process itself. Forward is the task's loss (the image autoencoder included),
optimiser is clipping, step and clearing; the rest is fetching the batch, random numbers, bookkeeping,
losses.csv and trackers. CPU seconds are those of the training process: workers are processes of their own,
and what they do shows in the wall time alone.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from drawn_clips import draw_clips

from talkvid.config import load_config
from talkvid.model.bundle import build_bundle, save_bundle
from talkvid.model.bundle_config import BundleConfig
from talkvid.training.config import TrainConfig
from talkvid.training.engine_accelerate import AccelerateEngine
from talkvid.training.run import run_training
from talkvid.training.task import TalkingHeadTask

ROOT = Path(__file__).resolve().parents[1]
MINI = ROOT / "src" / "configs" / "mini"
PARTS = {"forward": (TalkingHeadTask, "loss"), "backward": (AccelerateEngine, "backward"),
         "optimiser": (AccelerateEngine, "update")}  # fmt: skip
WARM_UP = 3
BAR = 0.05

Clocks = tuple[float, float]
"""CPU seconds of this process, wall seconds."""


def now() -> Clocks:
    """Return both clocks."""
    return time.process_time(), time.perf_counter()


@contextmanager
def watched() -> Iterator[list[dict[str, Clocks]]]:
    """Measure the parts of each step inside; a row per step, `all` reaching from one update to the next."""
    rows: list[dict[str, Clocks]] = []
    parts: dict[str, Clocks] = {}
    last = now()

    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            nonlocal last, parts
            before = now()
            result = work(*args, **named)
            after = now()
            spent = parts.get(name, (0.0, 0.0))
            parts[name] = (spent[0] + after[0] - before[0], spent[1] + after[1] - before[1])
            if name == "optimiser":
                rows.append({**parts, "all": (after[0] - last[0], after[1] - last[1])})
                last, parts = after, {}
            return result

        return call

    own = {name: getattr(kind, method) for name, (kind, method) in PARTS.items()}
    for name, (kind, method) in PARTS.items():
        setattr(kind, method, timed(name, own[name]))
    try:
        yield rows
    finally:
        for name, (kind, method) in PARTS.items():
            setattr(kind, method, own[name])


def measure(args: argparse.Namespace, work: Path, *, workers: int) -> list[dict[str, Clocks]]:
    """Train a few steps and return what each took, without the first ones."""
    config = load_config(
        TrainConfig,
        MINI / f"stage_{args.stage}.yaml",
        overrides=[
            f"run.output_root={work}",
            f"run.train=workers{workers}",
            "run.device=cpu",
            f"run.max_steps={args.steps + WARM_UP}",
            "run.save_every=1000000",
            f"model.start_from={work / 'start'}",
            "model.vae_path=",
            f"data.meta_paths=[{work / 'data' / 'train.json'}]",
            f"data.width={args.pixels}",
            f"data.height={args.pixels}",
            "data.languages=[]",
            f"data.num_workers={workers}",
            *args.settings,
        ],
    )
    with watched() as rows:
        run_training(config)
    return rows[WARM_UP:]


def shares(rows: list[dict[str, Clocks]], clock: int) -> tuple[dict[str, float], float]:
    """Return the mean seconds of each part per step, and the share of what is outside the parts."""
    mean = {name: sum(row[name][clock] for row in rows) / len(rows) for name in (*PARTS, "all")}
    outside = mean["all"] - sum(mean[name] for name in PARTS)
    return mean, outside / mean["all"]


def main() -> None:
    """Print a row per way of reading and clock."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pixels", type=int, default=256)
    parser.add_argument("--stage", type=int, default=3, choices=(1, 2, 3))
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("settings", nargs="*", metavar="section.key=value")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = BundleConfig.from_file(MINI / "model.json")
    speech_dim = int(model.modules["audio_projection"].config["embedding_dim"])
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        save_bundle(build_bundle(model), work / "start")
        meta = draw_clips(work / "data", count=8, num_frames=96, size=args.pixels, speech_dim=speech_dim)
        meta.rename(work / "data" / "train.json")
        print(f"stage {args.stage}, {args.pixels} px, {args.steps} steps behind {WARM_UP}, one thread")
        print(f"{'data read by':>14} {'clock':>6} {'forward':>8} {'backward':>8} {'optimiser':>9} "
              f"{'step s':>7} {'outside':>8}")  # fmt: skip
        for workers in (1, 0):
            rows = measure(args, work, workers=workers)
            for clock, name in enumerate(("CPU", "wall")):
                mean, outside = shares(rows, clock)
                reader = f"{workers} worker" if workers else "the training"
                print(f"{reader:>14} {name:>6} {mean['forward']:8.3f} {mean['backward']:8.3f} "
                      f"{mean['optimiser']:9.3f} {mean['all']:7.3f} {outside:8.1%}", flush=True)  # fmt: skip
    print(f"bar: below {BAR:.0%} of the CPU seconds outside, with the data read by workers")


if __name__ == "__main__":
    main()
