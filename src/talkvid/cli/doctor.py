"""Say what is installed, what will be used and what is missing; exit code 0 when a video can be made."""

import argparse
import dataclasses
import importlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import talkvid

MARKS = {"ok": "ok     ", "missing": "MISSING", "absent": "-      ", "note": "note   "}
WEIGHTS = Path(talkvid.__file__).parent / "weights"
INSTALL = "pip install -e . (in the repository)"
MIN_DISK_GB = 1.0
GIGABYTE = 1e9

PRODUCTION_FILES = (
    "v-express/denoising_unet.bin",
    "v-express/reference_net.bin",
    "v-express/v_kps_guider.bin",
    "v-express/audio_projection.bin",
    "v-express/motion_module.bin",
    "sd-vae-ft-mse/config.json",
    "wav2vec2-base-960h/config.json",
    "stable-diffusion-v1-5/unet/config.json",
    "insightface_models/models/buffalo_l",
)
"""What a folder of the published V-Express release holds."""
FETCH = "bash scripts/download_models.sh"


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    topic: str
    name: str
    status: str
    """ok, missing (the main job cannot run), absent (optional) or note (works, but look)."""
    detail: str
    remedy: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--model_ckpts", type=Path, default=Path("model_ckpts"), help="folder of production checkpoints"
    )


def run(args: argparse.Namespace) -> int:
    """Return 0 when the main job can run, else 1, after printing the report."""
    checks = list(all_checks(args.model_ckpts))
    ready = all(check.status != "missing" for check in checks)
    if args.json:
        report = {"ready": ready, "checks": [dataclasses.asdict(check) for check in checks]}
        print(json.dumps(report, indent=2))
    else:
        print("\n".join(report_lines(checks, ready)))
    return 0 if ready else 1


def report_lines(checks: list[Check], ready: bool) -> Iterator[str]:
    """Yield the lines of the report, grouped by topic, with the remedy below what needs one."""
    topic = ""
    for check in checks:
        if check.topic != topic:
            topic = check.topic
            yield f"\n{topic}"
        yield f"  {MARKS[check.status]} {check.name:<32} {check.detail}"
        if check.remedy and check.status != "ok":
            yield f"  {'':<7} {'':<32} -> {check.remedy}"
    yield ""
    yield "ready: talkvid generate can run" if ready else "not ready: see MISSING above"


def all_checks(model_ckpts: Path) -> Iterator[Check]:
    """Yield every check; none of them raises."""
    yield from check_machine()
    yield from check_packages()
    yield check_torch()
    yield check_opencv()
    yield check_ffmpeg()
    yield from check_extras()
    yield from check_training()
    yield from check_defaults()
    yield from check_production(model_ckpts)


def check_machine() -> Iterator[Check]:
    """Yield Python, processor, memory and disk."""
    version = platform.python_version()
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    status = "ok" if supported else "missing"
    yield Check("machine", "python", status, f"{version} ({sys.executable})", "use 3.11 to 3.13")
    yield Check("machine", "talkvid", "ok", f"{talkvid.__version__} ({Path(talkvid.__file__).parent})")
    yield Check("machine", "processor", "ok", f"{os.cpu_count()} cores, {platform.machine()}, {sys.platform}")
    memory = total_memory_gb()
    if memory is not None:
        yield Check("machine", "memory", "ok", f"{memory:.1f} GB")
    free = shutil.disk_usage(Path.cwd()).free / GIGABYTE
    status = "ok" if free >= MIN_DISK_GB else "note"
    yield Check("machine", "free disk here", status, f"{free:.1f} GB", "1 GB or more is wanted")


def total_memory_gb() -> float | None:
    """Return the size of the main memory in 10^9 bytes, None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIGABYTE
    except (ValueError, OSError, AttributeError):
        return None


def requirements() -> dict[str, list[str]]:
    """Return the package names talkvid asks for: under "" the core, under each extra its own."""
    groups: dict[str, list[str]] = {"": []}
    for line in metadata.requires("talkvid") or []:
        name = re.match(r"[A-Za-z0-9_.-]+", line)
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", line)
        if name:
            groups.setdefault(extra.group(1) if extra else "", []).append(name.group())
    return groups


def installed_version(package: str) -> str | None:
    """Return the version of an installed package, None when it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def check_packages() -> Iterator[Check]:
    """Yield the core packages with their versions."""
    for name in requirements()[""]:
        version = installed_version(name)
        status = "ok" if version else "missing"
        yield Check("core packages", name, status, version or "not installed", INSTALL)


def check_torch() -> Check:
    """Return whether torch runs, on which device, and whether it fits the machine."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return Check("programs", "torch", "missing", f"cannot be imported: {error}", INSTALL)
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / GIGABYTE
        return Check("programs", "torch", "ok", f"CUDA: {torch.cuda.get_device_name(0)}, {memory:.0f} GB")
    if torch.backends.mps.is_available():
        return Check("programs", "torch", "ok", "device mps")
    if shutil.which("nvidia-smi"):
        why = "this torch is a CPU build" if torch.version.cuda is None else "torch sees no usable GPU"
        remedy = "pip install --force-reinstall torch (the default build), or check nvidia-smi"
        return Check("programs", "torch", "note", f"device cpu although there is a driver: {why}", remedy)
    return Check("programs", "torch", "ok", f"device cpu, {torch.get_num_threads()} threads")


def check_opencv() -> Check:
    """Return whether OpenCV can be loaded, which needs two system libraries."""
    try:
        version = importlib.import_module("cv2").__version__
    except (ImportError, OSError) as error:
        return Check("programs", "opencv", "missing", str(error), "apt install libgl1 libglib2.0-0")
    wheels = [
        str(found.name)
        for found in metadata.distributions()
        if found.name and found.name.lower().replace("_", "-").startswith("opencv-")
    ]
    if len(set(wheels)) > 1:
        found = " and ".join(sorted(set(wheels)))
        remedy = "keep opencv-python alone: uninstall all, then install it again"
        return Check("programs", "opencv", "note", f"{version}, but {found} overwrite each other", remedy)
    return Check("programs", "opencv", "ok", version)


def check_ffmpeg() -> Check:
    """Return whether the encoder program runs."""
    from talkvid.media import ffmpeg

    try:
        program = ffmpeg.executable()
        answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=True, timeout=60)
    except (ImportError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        return Check("programs", "ffmpeg", "missing", f"does not run: {error}", "pip install imageio-ffmpeg")
    return Check("programs", "ffmpeg", "ok", f"{answer.stdout.split()[2]} ({program})")


def check_extras() -> Iterator[Check]:
    """Yield the optional packages, by extra."""
    for extra, packages in sorted(requirements().items()):
        for name in packages if extra else []:
            version = installed_version(name)
            status, detail = ("ok", version) if version else ("absent", "not installed")
            yield Check(f"extra [{extra}]", name, status, detail, f"pip install -e '.[{extra}]'")


def check_training() -> Iterator[Check]:
    """Yield what training can use here: devices, the 8-bit optimiser, a compiler for DeepSpeed's parts."""
    try:
        import torch
    except (ImportError, OSError):
        return  # check_torch says so
    topic, count = "training", torch.cuda.device_count() if torch.cuda.is_available() else 0
    numbers = ",".join(map(str, range(count)))
    yield Check(topic, "GPUs", "ok", f"{count}: GPU={numbers}" if count else "none: GPU=cpu or GPU=cpu,cpu")
    if count and installed_version("bitsandbytes"):
        yield Check(topic, "8-bit optimiser", "ok", "optimizer.name=adamw_8bit")
    else:
        why = "bitsandbytes is not installed" if count else "needs an NVIDIA GPU"
        yield Check(topic, "8-bit optimiser", "absent", why, "optimizer.name=adamw")
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler or not installed_version("deepspeed"):
        yield Check(topic, "C++ compiler", "ok" if compiler else "absent", compiler or "not needed")
    else:
        why = "not found; DeepSpeed compiles a part of itself when it starts on a CPU"
        yield Check(topic, "C++ compiler", "note", why, "apt install g++")


def check_defaults() -> Iterator[Check]:
    """Yield what `talkvid generate` uses when no flag names anything else."""
    config, weights = WEIGHTS / "talkvid-mini" / "config.json", sorted(WEIGHTS.rglob("*.safetensors"))
    topic = "used by default"
    if not config.is_file() or not weights:
        yield Check(topic, "model", "missing", f"no embedded model in {WEIGHTS}", "use a complete checkout")
        return
    settings = json.loads(config.read_text(encoding="utf-8"))
    size = sum(path.stat().st_size for path in weights) / 1e6
    yield Check(topic, "model", "ok", f"{settings.get('name', 'embedded')}, {size:.1f} MB with faces")
    landmarks = WEIGHTS / "face_landmarks.safetensors"
    if landmarks.is_file():
        yield Check(topic, "face backend", "ok", "embedded (CenterFace and our landmark network)")
    else:
        yield Check(topic, "face backend", "missing", f"no {landmarks}", "use a complete checkout")
    yield Check(topic, "speech encoder", "ok", str(settings.get("speech_encoder", "log_mel")))


def check_production(folder: Path) -> Iterator[Check]:
    """Yield which parts of the published V-Express release lie below the folder."""
    missing = [name for name in PRODUCTION_FILES if not (folder / name).exists()]
    topic = "production checkpoints (optional)"
    for name in PRODUCTION_FILES:
        status = "absent" if name in missing else "ok"
        yield Check(topic, name, status, "not there" if name in missing else str(folder / name))
    if missing:
        yield Check(topic, "how to get them", "note", FETCH)
