"""What torch computes on: its build, every GPU, what the processor can do; what training makes of it."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from talkvid.cli.checkup.check import JOBS, Check, one_line
from talkvid.cli.checkup.probing import Outcome
from talkvid.cli.checkup.wanted import installed_version

TOPIC = "torch"
TRAINING = "training"
DRIVER_S = 10.0
"""How long the driver's own program may take."""
DRIVER_QUERY = "--query-gpu=name,memory.total,driver_version,compute_cap"
DEFAULT_TORCH = "pip install --force-reinstall torch (the default build has CUDA)"


def check_torch(probed: Mapping[str, Outcome], *, install: str) -> Iterator[Check]:
    """Yield torch's build, each GPU, and the abilities of the processor."""
    outcome = probed.get("facts:torch", Outcome("was not asked"))
    driver = driver_lines()
    if not outcome.works:
        if installed_version("torch") is not None:
            remedy = f"{install}, into a fresh environment if that does not help"
            yield Check(TOPIC, "torch", "broken", outcome.error, remedy, JOBS)
        for line in driver:
            yield Check(TOPIC, "GPU (driver)", "ok", line)
        return
    facts = outcome.found
    build = (
        f"CUDA {facts['cuda']}" if facts["cuda"] else f"ROCm {facts['hip']}" if facts["hip"] else "CPU only"
    )
    yield Check(TOPIC, "torch", "ok", f"{facts['version']}, built for {build}")
    for index, gpu in enumerate(facts["gpus"]):
        yield check_gpu(index, gpu)
    if facts["mps"]:
        yield Check(TOPIC, "GPU", "ok", "Apple GPU (mps)")
    if driver and not facts["cuda_works"]:
        yield unused_gpu(facts, driver)
    elif not facts["gpus"] and not facts["mps"]:
        yield Check(TOPIC, "GPU", "absent", "none: everything runs on the processor")
    native = (
        f"bf16 native ({', '.join(facts['bf16'])})" if facts["bf16"] else "bf16 not native: fp32 is faster"
    )
    detail = f"{facts['threads']} threads, {facts['vectors']}, {native}"
    yield Check(TOPIC, "processor", "ok", detail)


def check_gpu(index: int, gpu: Mapping[str, Any]) -> Check:
    """Return one GPU, with a note where torch has no code for it."""
    bf16 = "bf16 native" if gpu["bf16"] else "no bf16: fp16"
    detail = f"{gpu['name']}, {gpu['memory_gb']:.1f} GB, compute capability {gpu['capability']}, {bf16}"
    if gpu["has_code"]:
        return Check(TOPIC, f"GPU {index}", "ok", detail)
    remedy = "--device cpu, or a build of torch that has code for this GPU"
    return Check(TOPIC, f"GPU {index}", "note", f"{detail}; this build of torch has no code for it", remedy)


def unused_gpu(facts: Mapping[str, Any], driver: list[str]) -> Check:
    """Return why a GPU that the driver sees is not used."""
    if facts["cuda"] is None and facts["hip"] is None:
        why, remedy = "this torch is a CPU build", DEFAULT_TORCH
    else:
        why = "torch sees none: hidden by CUDA_VISIBLE_DEVICES, or the driver is too old for this build"
        remedy = (
            "compare nvidia-smi with torch's CUDA above; update the driver or take a torch for an older CUDA"
        )
    return Check(TOPIC, "GPU", "note", f"{driver[0]} is there, but {why}", remedy)


def driver_lines() -> list[str]:
    """Return a line per GPU that NVIDIA's own program names; empty without it."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, DRIVER_QUERY, "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=DRIVER_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return [f"NVIDIA driver (nvidia-smi fails: {one_line(error, longest=100)})"]
    return [" ".join(line.split()) for line in answer.stdout.splitlines() if line.strip()]


def check_training(probed: Mapping[str, Outcome]) -> Iterator[Check]:
    """Yield what training can use here: devices, the 8-bit optimiser, a compiler for DeepSpeed's parts."""
    count = len(probed.get("facts:torch", Outcome()).found.get("gpus", []))
    numbers = ",".join(map(str, range(count)))
    told = f"{count}: GPU={numbers} bash scripts/train.sh" if count else "none: GPU=cpu or GPU=cpu,cpu"
    yield Check(TRAINING, "devices", "ok", told)
    if count and installed_version("bitsandbytes"):
        yield Check(TRAINING, "8-bit optimiser", "ok", "optimizer.name=adamw_8bit")
    else:
        why = "bitsandbytes is not installed" if count else "needs an NVIDIA GPU"
        yield Check(TRAINING, "8-bit optimiser", "absent", why, "optimizer.name=adamw")
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler:
        yield Check(TRAINING, "C++ compiler", "ok", compiler)
    elif installed_version("deepspeed"):
        why = "not found; DeepSpeed compiles a part of itself when it starts on a CPU"
        yield Check(TRAINING, "C++ compiler", "note", why, "apt install g++")
    else:
        why = "not found; only --compile and DeepSpeed on a CPU want one"
        yield Check(TRAINING, "C++ compiler", "absent", why, "apt install g++")
