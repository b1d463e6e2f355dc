"""Trainings in processes of their own, as launchers start them."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 300
ZERO_2 = ROOT / "src" / "configs" / "zero2_config.json"

needs_deepspeed = pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None or shutil.which("g++") is None,
    reason="deepspeed, or the compiler g++ that it needs without a GPU, is not installed",
)


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    errors: str


def environment(**variables: str) -> dict[str, str]:
    """The tests' environment without a launcher's variables, on one thread, seeing no GPU."""
    mine = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT), **variables}
    others = ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "DS_ACCELERATOR")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in others and not name.startswith("ACCELERATE_")
    }
    return {**kept, **mine}


def run(command: Sequence[str], **variables: str) -> Ended:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
    )
    return Ended(done.returncode, done.stdout)


def launcher(processes: int) -> list[str]:
    """The command that starts a Python program in so many processes."""
    if processes == 1:
        return [sys.executable]
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]


def train(settings: Sequence[str], *, stage: int = 1, processes: int = 1, **variables: str) -> Ended:
    """Run `src/train.py` with a stage's YAML in so many processes."""
    yaml = ROOT / "src" / "configs" / f"stage_{stage}.yaml"
    program = [str(ROOT / "src" / "train.py"), "--config", str(yaml), *settings]
    return run([*launcher(processes), *program], **variables)


def engine_settings(engine: str, processes: int) -> list[str]:
    """Settings that ask for an engine in so many processes."""
    asked = [f"run.engine={engine}", f"run.num_processes={processes}"]
    return [*asked, f"run.deepspeed_config={ZERO_2}"] if engine == "deepspeed" else asked


def divided(folder: Path) -> Path:
    """The shipped settings of DeepSpeed, and under stage 3 no weight so small that it stays whole."""
    settings = json.loads(ZERO_2.read_text())
    settings["zero_optimization"]["stage3_param_persistence_threshold"] = 0
    path = folder / "divided.json"
    path.write_text(json.dumps(settings))
    return path
