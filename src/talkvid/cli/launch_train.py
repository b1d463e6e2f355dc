"""Which processes a training is made of: the launcher that starts them and what each is told.

Standard library only: `launch.py` imports this file before anything is installed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ENGINES = ("single", "ddp", "deepspeed")
CONFIGS = Path("src/configs")
DEEPSPEED_CONFIG = "src/configs/zero2_config.json"
DEEPSPEED_KEY = "run.deepspeed_config="
DEFAULT_PORT = 29500
CPU = "cpu"
_GPU = re.compile(r"\d+|(GPU|MIG)-[\w/-]+")


@dataclass(frozen=True)
class Machines:
    """How many machines train together, which one this is, and where the first one listens."""

    count: int = 1
    index: int = 0
    chief: str = ""
    port: int = 0
    """0 on a single machine: a free one."""


@dataclass(frozen=True)
class TrainLaunch:
    """What the variables STAGE, TRAIN, GPU, ENGINE, CONFIG, HOST_NUM, INDEX, CHIEF_IP and CHIEF_PORT say."""

    config: Path
    train: str
    devices: tuple[str, ...]
    """GPU numbers of this machine, or "cpu" once per process."""
    engine: str
    machines: Machines
    threads: int
    """Threads of a process that computes on the processor beside others."""

    @property
    def on_cpu(self) -> bool:
        """Return whether the processes run on the processor."""
        return self.devices[0] == CPU

    @property
    def processes(self) -> int:
        """Return the number of processes on all machines together."""
        return len(self.devices) * self.machines.count


def read_launch(
    environ: Mapping[str, str], *, root: Path, folder: Path, nvidia: bool, cores: int
) -> TrainLaunch:
    """Return what the variables say; ValueError names the variable whose value is impossible.

    A relative CONFIG lies below `folder`, the caller's, or below `root`, the repository. Processes without
    a GPU share the `cores`, unless OMP_NUM_THREADS says otherwise.
    """
    devices = _devices(environ.get("GPU") or ("0" if nvidia else CPU))
    machines = _machines(environ)
    return TrainLaunch(
        config=_config(environ, root=root, folder=folder),
        train=environ.get("TRAIN") or "",
        devices=devices,
        engine=_engine(environ.get("ENGINE") or "", devices, machines),
        machines=machines,
        threads=_number(environ, "OMP_NUM_THREADS", max(1, cores // len(devices)), least=1),
    )


def train_command(python: str, launch: TrainLaunch, arguments: Sequence[str]) -> list[str]:
    """Return the command of a training, to be run in the repository's root; `arguments` prevail.

    It starts with `env`, so that it can be copied as it is.
    """
    deepspeed_config = next(
        (text.removeprefix(DEEPSPEED_KEY) for text in reversed(arguments) if text.startswith(DEEPSPEED_KEY)),
        DEEPSPEED_CONFIG,
    )
    settings = [f"run.train={launch.train}"] if launch.train else []
    settings += [f"run.device={CPU if launch.on_cpu else 'cuda'}", f"run.engine={launch.engine}"]
    settings += [f"run.num_processes={launch.processes}"]
    if launch.engine == "deepspeed":
        settings.append(f"{DEEPSPEED_KEY}{deepspeed_config}")
    return [
        "/usr/bin/env",
        *(f"{name}={value}" for name, value in _variables(launch).items()),
        python,
        *_launcher(launch, deepspeed_config),
        *("src/train.py", "--config", str(launch.config)),
        *settings,
        *arguments,
    ]


def _variables(launch: TrainLaunch) -> dict[str, str]:
    if not launch.on_cpu:
        return {"CUDA_VISIBLE_DEVICES": ",".join(launch.devices)}
    variables = {"CUDA_VISIBLE_DEVICES": ""}
    if launch.engine != "single":
        variables["OMP_NUM_THREADS"] = str(launch.threads)
    if launch.engine == "ddp":
        variables["ACCELERATE_USE_CPU"] = "true"
    if launch.engine == "deepspeed":
        variables["DS_ACCELERATOR"] = CPU
    return variables


def _launcher(launch: TrainLaunch, deepspeed_config: str) -> list[str]:
    """Return the arguments of Python before the script.

    accelerate starts what runs on GPUs, and DeepSpeed in one process; several processes without a GPU are
    started by torchrun, because accelerate would start a single one, or leave ZeRO out, and not say so.
    """
    if launch.engine == "single":
        return []
    if launch.on_cpu and launch.processes > 1:
        return ["-m", "torch.distributed.run", *_torchrun_place(launch)]
    engine = ["--multi_gpu"]
    if launch.engine == "deepspeed":
        engine = ["--use_deepspeed", "--deepspeed_config_file", deepspeed_config]
        engine += ["--deepspeed_multinode_launcher", "standard"] if launch.machines.count > 1 else []
    shared = ["--num_processes", str(launch.processes), "--mixed_precision", "no", "--dynamo_backend", "no"]
    return ["-m", "accelerate.commands.launch", *engine, *shared, *_accelerate_place(launch.machines)]


def _accelerate_place(machines: Machines) -> list[str]:
    place = ["--num_machines", str(machines.count), "--main_process_port", str(machines.port)]
    if machines.count > 1:
        place += ["--machine_rank", str(machines.index), "--main_process_ip", machines.chief]
    return place


def _torchrun_place(launch: TrainLaunch) -> list[str]:
    machines, each = launch.machines, ["--nproc_per_node", str(len(launch.devices))]
    if machines.count == 1 and not machines.port:
        return ["--standalone", *each]
    chief = ["--master_addr", machines.chief or "127.0.0.1", "--master_port", str(machines.port)]
    return ["--nnodes", str(machines.count), "--node_rank", str(machines.index), *chief, *each]


def _devices(text: str) -> tuple[str, ...]:
    devices = tuple(part.strip() for part in text.split(","))
    if all(device == CPU for device in devices):
        return devices
    wrong = [device for device in devices if not _GPU.fullmatch(device)]
    if wrong or len(set(devices)) < len(devices):
        why = f"{wrong[0]!r} is no GPU's number" if wrong else "a GPU is named twice"
        raise ValueError(f"GPU={text}: {why}; give GPU=0 or GPU=0,1, GPU=cpu, or GPU=cpu,cpu")
    return devices


def _engine(engine: str, devices: tuple[str, ...], machines: Machines) -> str:
    processes = len(devices) * machines.count
    if not engine:
        return "deepspeed" if devices[0] != CPU else "ddp" if processes > 1 else "single"
    if engine not in ENGINES:
        raise ValueError(f"ENGINE={engine}: choose one of {', '.join(ENGINES)}")
    if engine == "single" and processes > 1:
        raise ValueError(f"ENGINE=single: is for one process, GPU and HOST_NUM ask for {processes}; use ddp")
    if engine == "ddp" and processes == 1:
        raise ValueError("ENGINE=ddp: needs two devices or more, such as GPU=0,1; for one use ENGINE=single")
    return engine


def _machines(environ: Mapping[str, str]) -> Machines:
    count = _number(environ, "HOST_NUM", 1, least=1)
    if count == 1:
        return Machines(port=_number(environ, "CHIEF_PORT", 0, least=0, most=65535))
    index = _number(environ, "INDEX", None, least=0, most=count - 1)
    chief = environ.get("CHIEF_IP") or ""
    if not chief:
        raise ValueError(
            f"CHIEF_IP is not set: HOST_NUM={count} needs the address of the machine with INDEX=0"
        )
    port = _number(environ, "CHIEF_PORT", DEFAULT_PORT, least=1, most=65535)
    return Machines(count=count, index=index, chief=chief, port=port)


def _number(
    environ: Mapping[str, str], name: str, default: int | None, *, least: int, most: int | None = None
) -> int:
    text = environ.get(name) or ("" if default is None else str(default))
    limits = f"a whole number from {least}" + ("" if most is None else f" to {most}")
    if not text:
        raise ValueError(f"{name} is not set: HOST_NUM={environ.get('HOST_NUM')} needs {limits}")
    if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
        raise ValueError(f"{name}={text}: must be {limits}")
    return int(text)


def _config(environ: Mapping[str, str], *, root: Path, folder: Path) -> Path:
    """Return the YAML that CONFIG and STAGE name, below the root where it lies there."""
    given, stage = environ.get("CONFIG") or "", environ.get("STAGE") or "1"
    places = [folder / given, root / given] if given else [root / CONFIGS]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise ValueError(f"CONFIG={given}: there is no such file or folder, neither here nor in {root}")
    if found.is_dir():
        found = found / f"stage_{stage}.yaml"
        if not found.is_file():
            raise ValueError(f"STAGE={stage}: there is no {found}; stages are 1 to 4")
    found = found.resolve()
    return found.relative_to(root) if found.is_relative_to(root) else found
