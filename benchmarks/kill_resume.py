"""Does a training that is killed again and again end where an undisturbed one ends, to the last digit?

    python -m benchmarks.kill_resume [--kills 10] [--steps 40] [--engine single|ddp|deepspeed] [--seed 0]

Trains stage 1 of a tiny model on drawn clips once without and once with SIGKILLs: before the first step, in a
step, while the full state is written and while the networks are exported, in random order and at random
moments; each time the run is continued with run.resume=true. Then every row of losses.csv (loss, gradient
norm) and every exported weight (running mean included) of the two runs is compared. Exit code 1: they differ.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file

from talkvid.training.logbook import read_losses
from talkvid.training.run_folder import RunFolder
from tests.training.synthetic import make_dataset, make_model_config, small_settings

ROOT = Path(__file__).resolve().parents[1]
MOMENTS = ("state", "export", "step", "step", "start")
"""What is hit, over and over in shuffled order."""
SAVE_EVERY = 3
COLUMNS = ("loss", "gradient_norm")
POLL_S = 0.001


@dataclass(frozen=True)
class Kill:
    """What a kill found."""

    moment: str
    rows: int
    """Steps in losses.csv."""
    state: int
    """Step of the last complete state; 0 without one."""
    half_written: str


def command(work: Path, name: str, args: argparse.Namespace) -> list[str]:
    """Return the command of a training that continues what is there."""
    settings = [
        *small_settings(work, work / "exp"),
        f"run.train={name}",
        "run.resume=true",
        f"run.max_steps={args.steps}",
        f"run.save_every={SAVE_EVERY}",
        "run.ema_decay=0.9",
        f"run.engine={args.engine}",
        "run.deepspeed_config=src/configs/zero2_config.json",
        "run.trackers=[]",
        "data.train_bs=1",
        "loss.unconditional_probability=0.5",
    ]
    return [sys.executable, "src/train.py", "--config", "src/configs/stage_1.yaml", *settings]


def start(work: Path, name: str, args: argparse.Namespace) -> subprocess.Popen[bytes]:
    """Start the training in a process group of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    log = (work / f"{name}.log").open("ab")
    return subprocess.Popen(
        command(work, name, args),
        cwd=ROOT,
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def rows_of(folder: Path) -> int:
    """Return how many steps losses.csv holds."""
    file = folder / "losses.csv"
    return max(0, file.read_bytes().count(b"\n") - 1) if file.is_file() else 0


def is_now(moment: str, folder: Path, *, rows_before: int, files_before: set[str], wanted_rows: int) -> bool:
    """Return whether the training is where it shall be killed."""
    if moment == "step":
        return rows_of(folder) >= rows_before + wanted_rows
    names = set(os.listdir(folder)) if folder.is_dir() else set()
    if moment == "state":
        return any(name.startswith(".partial-") for name in names)
    return any(
        name.endswith(".safetensors") and "vae" not in name and rows_of(folder) > rows_before
        for name in names - files_before
    )


def kill_once(
    moment: str, work: Path, name: str, args: argparse.Namespace, chance: random.Random
) -> Kill | None:
    """Start, wait for the moment and kill; None when the training ended before."""
    folder = work / "exp" / name / "stage_1"
    before = rows_of(folder)
    files = set(os.listdir(folder)) if folder.is_dir() else set()
    wanted, delay = chance.randint(1, SAVE_EVERY + 1), chance.uniform(0, 0.3)
    if moment in ("state", "export"):
        delay = chance.uniform(0, 0.03)
    process = start(work, name, args)
    if moment == "start":
        time.sleep(chance.uniform(0.5, args.start_s))
    else:
        while process.poll() is None and not is_now(
            moment, folder, rows_before=before, files_before=files, wanted_rows=wanted
        ):
            time.sleep(POLL_S)
        time.sleep(delay)
    ended = process.poll() is not None
    if not ended:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if ended:
        return None
    states = RunFolder(folder).checkpoints()
    hidden = [entry.name for entry in folder.glob(".*")] if folder.is_dir() else []
    return Kill(moment, rows_of(folder), max(states, default=0), ", ".join(hidden) or "-")


def undisturbed(work: Path, name: str, args: argparse.Namespace) -> float:
    """Run the training to its end and return how long that took."""
    began = time.monotonic()
    code = start(work, name, args).wait()
    if code:
        sys.exit(f"the training ended with {code}:\n{(work / f'{name}.log').read_text()[-2000:]}")
    return time.monotonic() - began


def differences(whole: Path, broken: Path) -> tuple[int, int, list[str]]:
    """Return how many numbers and tensors were compared, and what differs."""
    first, second = read_losses(whole / "losses.csv"), read_losses(broken / "losses.csv")
    found = [] if len(first) == len(second) else [f"{len(first)} steps, {len(second)} steps"]
    for ours, theirs in zip(first, second, strict=False):
        found += [
            f"step {ours['step']:.0f}: {name} {ours[name]!r} != {theirs[name]!r}"
            for name in ("step", *COLUMNS)
            if ours[name] != theirs[name]
        ]
    step, tensors = max(RunFolder(whole).checkpoints()), 0
    for file in [*whole.glob(f"*-{step}.safetensors"), *whole.glob(f"ema/*-{step}.safetensors")]:
        name = str(file.relative_to(whole))
        mine = load_file(file)
        other = load_file(broken / name) if (broken / name).is_file() else {}
        tensors += len(mine)
        found += [
            f"{name}: {key}" for key in mine if key not in other or not torch.equal(mine[key], other[key])
        ]
    return len(first) * len(COLUMNS), tensors, found


def main() -> int:
    """Print a row per kill and what the comparison found; return 1 when anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--engine", default="single", choices=("single", "ddp", "deepspeed"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    chance = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        make_dataset(work)
        make_model_config(work)
        args.start_s = undisturbed(work, "whole", args) / 2
        print(f"{'kill':>4}  {'aimed at':8}  {'steps done':>10}  {'last state':>10}  half-written")
        done: list[Kill] = []
        plan: list[str] = []
        while len(done) < args.kills:
            plan = plan or chance.sample(MOMENTS, len(MOMENTS))
            kill = kill_once(plan.pop(0), work, "broken", args, chance)
            if kill is None:
                print(f"the training ended after {len(done)} kills: raise --steps")
                return 1
            done.append(kill)
            print(
                f"{len(done):4}  {kill.moment:8}  {kill.rows:10}  {kill.state:10}  {kill.half_written}",
                flush=True,
            )
        undisturbed(work, "broken", args)
        numbers, tensors, found = differences(
            work / "exp" / "whole" / "stage_1", work / "exp" / "broken" / "stage_1"
        )
    print(f"{numbers} numbers of losses.csv and {tensors} tensors compared: {len(found)} differ")
    for line in found[:20]:
        print(f"  {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
