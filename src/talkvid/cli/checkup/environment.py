"""Variables of the environment that change what talkvid does; secrets in them are not shown."""

import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit, urlunsplit

from talkvid.cli.checkup.check import Check

TOPIC = "environment"
HIDDEN = "set (not shown)"

KNOWN: Mapping[str, str] = {
    "TALKVID_VENV": "the environment that the scripts make and use",
    "TALKVID_PLUGINS": "Python files that add parts of your own",
    "TALKVID_MIRROR": "where models are fetched from instead of their authors' addresses",
    "TALKVID_FACE_LANDMARKER": "MediaPipe's model file",
    "TALKVID_MOBILEFACENET": "weights of an identity measure",
    "TALKVID_COTRACKER": "CoTracker's code, for tests and benchmarks",
    "TALKVID_SHARED": "material for tests from outside the repository",
    "TALKVID_README": "the README that tests of the documents read",
    "CUDA_VISIBLE_DEVICES": "GPUs that torch may see; numbers count among these",
    "OMP_NUM_THREADS": "processor threads of torch",
    "MKL_NUM_THREADS": "processor threads of torch's matrix library",
    "THP_MEM_ALLOC_ENABLE": "1: large tensors in large pages (set by us where it is not)",
    "PYTORCH_CUDA_ALLOC_CONF": "how torch shares out a GPU's memory",
    "PYTORCH_ALLOC_CONF": "how torch shares out a GPU's memory",
    "IMAGEIO_FFMPEG_EXE": "another ffmpeg than imageio-ffmpeg's",
    "CXX": "C++ compiler of --compile",
    "HF_ENDPOINT": "another address than huggingface.co: every fetch goes there",
    "HF_HUB_OFFLINE": "1: nothing is fetched from the hub",
    "TRANSFORMERS_OFFLINE": "1: nothing is fetched from the hub",
    "HF_HOME": "folder of the hub's cache",
    "HF_HUB_CACHE": "folder of the hub's cache",
    "HF_TOKEN": "your key for the hub",
    "WANDB_API_KEY": "your key for wandb",
    "WANDB_PROJECT": "where wandb's curves go",
    "MLFLOW_TRACKING_URI": "where mlflow's curves go",
    "MLFLOW_EXPERIMENT_NAME": "where mlflow's curves go",
    "TMPDIR": "folder of temporary files",
    "PIP_INDEX_URL": "where pip installs from",
    "PIP_EXTRA_INDEX_URL": "where pip installs from besides",
    "PYTHONPATH": "modules are sought here before the environment's own",
    "PYTHONHOME": "another standard library: virtual environments break",
    "LD_LIBRARY_PATH": "libraries here win over those that torch brings",
    "LD_PRELOAD": "libraries loaded into every program",
    **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "no_proxy"), "fetching goes through a proxy"),
    **{name: f"read by scripts/train.sh ({name}=…): an old export changes a later run" for name in
       ("STAGE", "TRAIN", "GPU", "ENGINE", "CONFIG", "HOST_NUM", "INDEX", "CHIEF_IP", "CHIEF_PORT")},
}  # fmt: skip
"""Variable -> what it changes. Proxies count in capitals too."""

_SECRET = re.compile(r"TOKEN|KEY|SECRET|PASSWORD", re.IGNORECASE)
_TRUE = ("1", "true", "yes", "on")
_OPENING = ("GRADIO_SHARE", "GRADIO_ALLOWED_PATHS", "GRADIO_SERVER_NAME", "GRADIO_ROOT_PATH")
"""`talkvid app` refuses to start while one of these opens it."""


def check_environment(environ: Mapping[str, str] = os.environ) -> Iterator[Check]:
    """Yield the variables that are set and change anything, each with its effect."""
    found = False
    for name in sorted(environ):
        meaning = KNOWN.get(name) or KNOWN.get(name.lower(), "")
        if not environ[name] and name != "CUDA_VISIBLE_DEVICES":
            continue
        if name in _OPENING and environ[name].lower() not in ("false", "0"):
            found = True
            told = "would open the web page wider than its flags: talkvid app does not start"
            yield Check(TOPIC, name, "note", told, "unset it", ("app",))
        elif meaning:
            found = True
            yield _known(name, environ[name], meaning)
        elif name.startswith("TALKVID_"):
            found = True
            yield Check(
                TOPIC, name, "note", "nothing reads a variable of this name", "unset it, or mend its name"
            )
    if not found:
        yield Check(TOPIC, "variables", "ok", "none is set that changes anything")


def _known(name: str, value: str, meaning: str) -> Check:
    told = f"{shown(name, value)}: {meaning}"
    if name == "CUDA_VISIBLE_DEVICES" and value.strip() in ("", "-1"):
        return Check(TOPIC, name, "note", f"{value!r}: hides every GPU", "unset it")
    if name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") and value.lower() in _TRUE:
        return Check(TOPIC, name, "note", told, "unset it to fetch models")
    if name in ("PYTHONHOME", "LD_PRELOAD"):
        return Check(TOPIC, name, "note", told, "unset it where something does not import")
    if name == "IMAGEIO_FFMPEG_EXE" and not os.path.isfile(value):
        return Check(TOPIC, name, "broken", f"{value}: no such file", "unset it", ("generate", "app"))
    return Check(TOPIC, name, "ok", told)


def shown(name: str, value: str) -> str:
    """Return a value fit to be shown to others: keys not at all, addresses without name and password."""
    if _SECRET.search(name):
        return HIDDEN
    return " ".join(without_password(word) for word in value.split()) or repr(value)


def without_password(word: str) -> str:
    """Return an address without name, password and query; other words as they are."""
    if "@" not in word and "?" not in word:
        return word
    head, scheme, rest = word.rpartition("://")
    parts = urlsplit(f"{head}{scheme}{rest}" if scheme else f"//{rest}")
    host = parts.netloc.rpartition("@")[2]
    netloc = f"***@{host}" if "@" in parts.netloc else host
    told = urlunsplit(parts._replace(netloc=netloc, query="***" if parts.query else ""))
    return told if scheme else told.removeprefix("//")
