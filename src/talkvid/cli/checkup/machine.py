"""Python, processor and memory, with the limits that a container or a batch system sets."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import talkvid
from talkvid.cli.checkup.check import JOBS, Check
from talkvid.cli.launch import NEWEST, OLDEST

TOPIC = "machine"
GIGABYTE = 1e9
LEAST_MEMORY_GB = 1.0
"""Twice what a second of video by the embedded model takes on a CPU (`/usr/bin/time -v talkvid generate`)."""
CGROUPS = Path("/sys/fs/cgroup")
SHARED_MEMORY = Path("/dev/shm")
LEAST_SHARED_GB = 1.0


def check_machine() -> Iterator[Check]:
    """Yield Python, the package, the processor and the memory."""
    yield check_python()
    place = Path(talkvid.__file__).parent
    yield Check(TOPIC, "talkvid", "ok", f"{talkvid.__version__} ({place})")
    yield Check(TOPIC, "system", "ok", f"{platform.platform()}, {platform.machine()}")
    yield check_processor()
    yield check_memory()
    yield check_shared_memory()


def check_python(version: tuple[int, int] | None = None) -> Check:
    """Return whether this Python is one that the package is made for."""
    found = version or sys.version_info[:2]
    detail = f"{platform.python_version()} ({sys.executable})"
    if OLDEST <= found <= NEWEST:
        return Check(TOPIC, "python", "ok", detail)
    low, high = (".".join(map(str, one)) for one in (OLDEST, NEWEST))
    return Check(TOPIC, "python", "broken", detail, f"install Python {low} to {high}", JOBS)


def check_processor(cgroups: Path = CGROUPS) -> Check:
    """Return how many cores there are, and how many of them this process may use."""
    cores = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    parts = [f"{cores} cores", processor_name()]
    if usable < cores:
        parts.append(f"{usable} of them for this process")
    quota = cpu_quota(cgroups)
    if quota is not None and quota < usable:
        parts.append(f"limited to the time of {quota:g} (cgroup)")
    return Check(TOPIC, "processor", "ok", ", ".join(part for part in parts if part))


def processor_name() -> str:
    """Return the processor's name, empty where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def check_memory(cgroups: Path = CGROUPS) -> Check:
    """Return how much memory there is, what is free of it, and the limit of a container."""
    about = memory_gb()
    if not about:
        return Check(TOPIC, "memory", "note", "the system does not tell how much there is")
    limit = memory_limit_gb(cgroups)
    parts = [f"{about['MemTotal']:.1f} GB"]
    free = about.get("MemAvailable", about["MemTotal"])
    if limit is not None and limit < about["MemTotal"]:
        parts.append(f"limited to {limit:.1f} GB (cgroup)")
        free = min(free, limit)
    parts.append(f"{free:.1f} GB free")
    if free >= LEAST_MEMORY_GB:
        return Check(TOPIC, "memory", "ok", ", ".join(parts))
    return Check(
        TOPIC, "memory", "note", ", ".join(parts),
        f"the embedded model wants {LEAST_MEMORY_GB:g} GB: close programs, or raise the container's limit",
    )  # fmt: skip


def memory_gb() -> Mapping[str, float]:
    """Return total and available memory in 10^9 bytes, under the names of Linux; empty where unknown."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        pairs = (line.split()[:2] for line in lines)
        return {name.rstrip(":"): int(value) * 1024 / GIGABYTE for name, value in pairs}
    except (OSError, ValueError):
        pass
    try:
        return {"MemTotal": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIGABYTE}
    except (ValueError, OSError, AttributeError):
        return {}


def memory_limit_gb(cgroups: Path = CGROUPS) -> float | None:
    """Return the memory that the control group allows in 10^9 bytes, None for no limit."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        text = _read(cgroups / name)
        if text and text != "max":
            limit = int(text) / GIGABYTE
            return limit if limit < 1e6 else None  # the older kind writes a huge number for none
    return None


def cpu_quota(cgroups: Path = CGROUPS) -> float | None:
    """Return the processor time that the control group allows, in cores, None for no limit."""
    text = _read(cgroups / "cpu.max")
    if text:
        quota, _, period = text.partition(" ")
        return None if quota == "max" else int(quota) / int(period or 100_000)
    quota = _read(cgroups / "cpu/cpu.cfs_quota_us")
    period = _read(cgroups / "cpu/cpu.cfs_period_us")
    return int(quota) / int(period) if quota and period and int(quota) > 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def check_shared_memory(place: Path = SHARED_MEMORY) -> Check:
    """Return the size of the memory through which processes of a training hand batches to one another."""
    if not place.is_dir():
        return Check(TOPIC, str(place), "note", "not there; loaders with several processes may need it")
    size = shutil.disk_usage(place)
    detail = f"{size.total / GIGABYTE:.1f} GB, {size.free / GIGABYTE:.1f} GB free"
    if size.free >= LEAST_SHARED_GB * GIGABYTE:
        return Check(TOPIC, str(place), "ok", detail)
    remedy = "docker run --shm-size=8g, or data.num_workers=0 while training"
    return Check(TOPIC, str(place), "note", f"{detail}: little for training with loader processes", remedy)
