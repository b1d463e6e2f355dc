"""Environment and process launch behind `scripts/*.sh`: standard library only, run as a plain file.

    python3 src/talkvid/cli/launch.py inference|train|test|curate|evaluate|app|doctor|models|walkthrough [...]

The environment is the active one if this checkout of talkvid is installed there, else `.venv` in the
repository root (or TALKVID_VENV), created and installed on first use and after a change of pyproject.toml.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

if __package__:
    from talkvid.cli import launch_train
else:  # a plain file: its folder is the first place where modules are sought
    import launch_train  # type: ignore[no-redef]

ROOT = Path(__file__).resolve().parents[3]
OLDEST, NEWEST = (3, 11), (3, 13)
STAMP = "talkvid-install.json"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
INDEX_TIMEOUT_S = 5.0
SAMPLE = ROOT / "test_samples" / "short_case" / "astronaut"
INPUT_FLAGS = ("--reference_image_path", "--portrait", "--audio_path", "--audio")
PROBE = (
    "import importlib.util as u, os, sys; s = u.find_spec('talkvid'); "
    "print(os.path.realpath(s.origin) if s and all(map(u.find_spec, sys.argv[1:])) else '')"
)
"""Prints where talkvid would be imported from, and nothing unless all modules named are there too."""
JOB_EXTRAS = {"test": ["dev"], "train": ["train"], "curate": ["curation"], "evaluate": ["eval"]}
JOB_EXTRAS["app"] = ["app", "curation"]
JOB_EXTRAS["walkthrough"] = ["curation", "train", "eval"]
VERBS = ("curate", "evaluate", "app", "doctor", "models", "walkthrough")
NEEDED_MODULES = {
    "": ["torch"],
    "dev": ["pytest", "xdist", "importlinter", "scenedetect", "pyarrow"],
    "curation": ["scenedetect", "pyarrow"],
    "eval": ["scenedetect"],
    "app": ["gradio"],
    "train": ["tensorboard", "matplotlib", "peft"],
    "deepspeed": ["deepspeed"],
}
"""Extra of pyproject.toml -> modules by which one tells that it is installed."""


class LaunchError(Exception):
    """What the user has to know, in one sentence."""


def main(arguments: list[str]) -> int:
    """Return 1 with a sentence on stderr if the launch fails; otherwise become the process asked for."""
    try:
        if not arguments or arguments[0] not in COMMANDS:
            raise LaunchError(f"usage: launch.py {'|'.join(COMMANDS)} [arguments]")
        ensure_python(arguments)
        job, rest = arguments[0], arguments[1:]
        extras = extras_for(job)
        python = active_environment(
            [name for extra in ["", *extras] for name in NEEDED_MODULES[extra]], os.environ
        )
        python = python or own_environment(extras, os.environ)
        command, folder = COMMANDS[job](str(python), rest)
        say("+ " + shlex.join(command))
        if folder:
            os.chdir(folder)
        os.execv(command[0], command)
    except LaunchError as error:
        say(f"talkvid: error: {error}")
    except subprocess.CalledProcessError as error:
        say(f"talkvid: error: exit code {error.returncode} from: {' '.join(map(str, error.cmd))}")
    except KeyboardInterrupt:
        say("talkvid: stopped; the next start repairs an unfinished installation")
        return 130
    return 1


def say(line: str) -> None:
    """Write a line to stderr, so that stdout stays with the program that is launched."""
    print(line, file=sys.stderr, flush=True)


def ensure_python(arguments: list[str]) -> None:
    """Go on in a supported Python: this one, or the newest supported one on the PATH."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            os.execv(found, [found, __file__, *arguments])
    raise LaunchError(
        f"Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]} is needed, "
        f"{sys.executable} is {sys.version.split()[0]}: install one, or set PYTHON=/path/to/python3.11"
    )


def extras_for(job: str) -> list[str]:
    """Return the extras of pyproject.toml that a job needs; DeepSpeed where a GPU or ENGINE asks for it."""
    wants_deepspeed = job == "train" and (has_nvidia() or asked_training().engine == "deepspeed")
    return [*JOB_EXTRAS.get(job, []), *(["deepspeed"] if wants_deepspeed else [])]


def active_environment(modules: list[str], environ: Mapping[str, str]) -> Path | None:
    """Return the Python of the active environment if it imports this checkout and `modules`, else None."""
    if environ.get("TALKVID_VENV"):
        return None
    prefixes = [environ[name] for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if environ.get(name)]
    for python in [*(Path(prefix, "bin", "python") for prefix in prefixes), Path(sys.executable)]:
        if python.exists():
            probe = subprocess.run(
                [str(python), "-c", PROBE, *modules], capture_output=True, text=True, cwd="/", check=False
            )
            if probe.stdout.strip() == str(ROOT / "src" / "talkvid" / "__init__.py"):
                return python
    return None


def own_environment(extras: list[str], environ: Mapping[str, str]) -> Path:
    """Return the Python of `.venv`, made and installed first where that is missing, outdated or half done."""
    folder = Path(environ.get("TALKVID_VENV") or ROOT / ".venv").absolute()
    python = folder / "bin" / "python"
    if is_ready(folder, extras):
        return python
    with locked(folder.with_name(folder.name + ".lock")):
        stamp = read_stamp(folder)
        if is_ready(folder, extras):
            return python
        extras = sorted({*extras, *stamp.get("extras", [])})
        if stamp.get("state") == "installing" or not python.exists():
            again = " again: its installation was cut short" if stamp else ""
            say(f"making the environment {folder}{again}")
            make_environment(folder)
        say(f"installing into {folder}, once; this takes a few minutes")
        write_stamp(folder, {"state": "installing", "extras": extras})
        run(install_command(python, extras))
        write_stamp(folder, {"state": "done", "fingerprint": fingerprint(), "extras": extras})
    return python


def is_ready(folder: Path, extras: list[str]) -> bool:
    """Return whether a finished installation of just these project files with these extras is there."""
    stamp = read_stamp(folder)
    return (
        stamp.get("state") == "done"
        and stamp.get("fingerprint") == fingerprint()
        and set(extras) <= set(stamp.get("extras", []))
        and (folder / "bin" / "python").exists()
    )


def fingerprint() -> str:
    """Return a hash of what an installation depends on: project files, their place, the kind of machine."""
    parts = [(ROOT / name).read_text(encoding="utf-8") for name in ("pyproject.toml", "requirements.txt")]
    parts += [str(ROOT), f"nvidia {has_nvidia()}"]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def has_nvidia() -> bool:
    """Return whether this machine has an NVIDIA driver."""
    return shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia").exists()


def make_environment(folder: Path) -> None:
    """Make an empty virtual environment, replacing what an interrupted installation left."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_stamp(folder, {"state": "installing"})
    try:
        run([sys.executable, "-m", "venv", str(folder)])
    except subprocess.CalledProcessError as error:
        raise LaunchError(f"cannot make {folder} with {sys.executable}: apt install python3-venv") from error


def install_command(python: Path, extras: list[str]) -> list[str]:
    """Return the pip command: this package, its dependencies at the tested versions, a torch that fits."""
    pins = pinned_versions((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    constraints = python.parent.parent / "talkvid-constraints.txt"
    lines = [f"{name}=={version}\n" for name, version in pins.items()]
    constraints.write_text("".join(lines), encoding="utf-8")
    package = str(ROOT) + (f"[{','.join(extras)}]" if extras else "")
    torch = torch_arguments(pins["torch"], nvidia=has_nvidia(), linux=sys.platform == "linux")
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--prefer-binary"]
    return [*pip, *torch, "-c", str(constraints), "-e", package]


def pinned_versions(requirements: str) -> dict[str, str]:
    """Return name → version of the lines `name==version`."""
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s#;]+)", requirements, flags=re.MULTILINE))


def torch_arguments(version: str, *, nvidia: bool, linux: bool) -> list[str]:
    """Return what tells pip which torch: the default build for NVIDIA, the CPU build where it can be had."""
    if nvidia:
        return [f"torch=={version},!={version}+cpu"]
    index = ["--extra-index-url", CPU_INDEX] if linux and is_reachable(f"{CPU_INDEX}/torch/") else []
    return [*index, f"torch=={version}"]


def is_reachable(url: str) -> bool:
    """Return whether a web address answers within a few seconds."""
    try:
        with urllib.request.urlopen(url, timeout=INDEX_TIMEOUT_S):
            return True
    except (OSError, ValueError):
        return False


def run(command: list[str]) -> None:
    """Print and run a command with its output on stderr; raise CalledProcessError if it fails."""
    say("+ " + " ".join(command))
    subprocess.run(command, check=True, stdout=sys.stderr)


def read_stamp(folder: Path) -> dict[str, Any]:
    """Return what the last installation wrote, {} where there is none or it cannot be read."""
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(folder: Path, stamp: dict[str, Any]) -> None:
    """Write the stamp in one step, so that it is whole or absent."""
    temporary = folder / (STAMP + ".part")
    temporary.write_text(json.dumps(stamp), encoding="utf-8")
    temporary.replace(folder / STAMP)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file while another start that wants to install waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(f"waiting for another installation ({path})")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def inference_command(python: str, arguments: list[str]) -> tuple[list[str], Path | None]:
    """Return the command that makes one video in the caller's folder; without an input, the sample's."""
    if not any(argument.split("=")[0] in INPUT_FLAGS for argument in arguments):
        portrait, speech = str(SAMPLE / "ref.png"), str(SAMPLE / "aud.wav")
        arguments = ["--reference_image_path", portrait, "--audio_path", speech, *arguments]
    return [python, str(ROOT / "src" / "inference.py"), *arguments], None


def train_command(python: str, arguments: list[str]) -> tuple[list[str], Path | None]:
    """Return the command that trains as the variables say (see `launch_train`), in the repository's root."""
    return launch_train.train_command(python, asked_training(), arguments), ROOT


def asked_training() -> launch_train.TrainLaunch:
    """Return the training that the variables ask for."""
    cores = os.cpu_count() or 1
    try:
        return launch_train.read_launch(
            os.environ, root=ROOT, folder=Path.cwd(), nvidia=has_nvidia(), cores=cores
        )
    except ValueError as error:
        raise LaunchError(str(error)) from error


def verb_command(verb: str, python: str, arguments: list[str]) -> tuple[list[str], Path | None]:
    """Return the command of a verb of talkvid, in the caller's folder."""
    return [python, "-m", "talkvid.cli.main", verb, *arguments], None


def test_command(python: str, arguments: list[str]) -> tuple[list[str], Path | None]:
    """Return the command that runs the tests, a file at a time on each core."""
    return [python, "-m", "pytest", "-n", "logical", "--maxprocesses=4", "--dist=loadfile", *arguments], ROOT


COMMANDS: dict[str, Callable[[str, list[str]], tuple[list[str], Path | None]]] = {
    "inference": inference_command,
    "train": train_command,
    "test": test_command,
    **{verb: functools.partial(verb_command, verb) for verb in VERBS},
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
