"""What only the libraries themselves can tell; called inside the probe's process, never in the doctor's."""

import argparse
import dataclasses
import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

GIGABYTE = 1e9
BF16_CAPABILITIES = ("amx_bf16", "avx512_bf16")


def torch_facts() -> dict[str, Any]:
    """Return build, devices and what the processor can do, as torch sees them."""
    import torch

    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return {
        "version": torch.__version__,
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
        "gpus": [_gpu(index) for index in range(torch.cuda.device_count())],
        "cuda_works": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "threads": torch.get_num_threads(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "bf16": [name for name in BF16_CAPABILITIES if known.get(name)],
    }


def _gpu(index: int) -> dict[str, Any]:
    import torch

    about = torch.cuda.get_device_properties(index)
    return {
        "name": about.name,
        "capability": f"{about.major}.{about.minor}",
        "memory_gb": about.total_memory / GIGABYTE,
        # The question is whether its cores do; torch says yes as well where it can only emulate.
        "bf16": (about.major, about.minor) >= (8, 0),
        "has_code": has_code(torch.cuda.get_arch_list(), about.major, about.minor),
    }


def has_code(architectures: list[str], major: int, minor: int) -> bool:
    """Return whether a build for these architectures runs on a GPU of this compute capability.

    `sm_80` runs on 8.0 and later of 8; `compute_80` is translated for anything from 8.0 on. ROCm's names
    (`gfx…`) are not compared.
    """
    for name in architectures:
        kind, _, digits = name.partition("_")
        number = re.match(r"\d+", digits)
        if kind not in ("sm", "compute") or number is None:
            return True
        built = int(number.group()[:-1]), int(number.group()[-1])
        if built <= (major, minor) and (kind == "compute" or built[0] == major):
            return True
    return False


def pyav_facts() -> dict[str, Any]:
    """Return which version of ffmpeg's libraries PyAV brings, and which decoders it lacks."""
    import av

    wanted = ("h264", "hevc", "vp9", "av1", "aac", "mp3", "opus", "pcm_s16le")
    lacking = [name for name in wanted if name not in av.codecs_available]
    return {"libavcodec": ".".join(map(str, av.library_versions["libavcodec"])), "lacking": lacking}


def device_facts() -> dict[str, Any]:
    """Return which device and precision a video would be made with when no flag names any."""
    from talkvid.inference.device import choose_autoencoder_dtype, choose_device, choose_dtype, dtype_name

    device = choose_device()
    inner = choose_autoencoder_dtype(None, device)
    return {
        "device": str(device),
        "dtype": dtype_name(choose_dtype(None, device)),
        "autoencoder": None if inner is None else dtype_name(inner),
    }


def curate_facts() -> dict[str, Any]:
    """Return the backends of curation when no setting names any."""
    from talkvid.curation.config import load_curate_config

    config = load_curate_config()
    chosen = {stage: getattr(config, stage) for stage in ("head", "quality", "motion")}
    return {
        "profile": config.profile,
        "cuts": config.scan["cuts"]["detector"],
        "backends": {stage: values["backend"] for stage, values in chosen.items()},
        "devices": sorted({values["device"] for values in chosen.values()}),
    }


def metric_facts() -> dict[str, Any]:
    """Return which of the default metrics can be measured here, and why the others cannot."""
    from talkvid.cli.evaluate_request import metric_settings
    from talkvid.evaluation.suite.registry import build_suite, resolved

    parser = argparse.ArgumentParser()
    importlib.import_module("talkvid.cli.evaluate").add_arguments(parser)
    names = resolved(["default"])
    left_out = build_suite(names, metric_settings(parser.parse_args([]))).left_out
    lacking = {one.name: one.reason for one in left_out}
    return {"measured": [name for name in names if name not in lacking], "lacking": lacking}


def plugin_facts() -> dict[str, Any]:
    """Return what the files of $TALKVID_PLUGINS add, by kind; raises what reading them raises."""
    from talkvid import plugins

    found = {kind: list(plugins.names(kind)) for kind in plugins.KINDS}
    return {kind: names for kind, names in found.items() if names}


def release_facts(folder: str) -> dict[str, Any]:
    """Return why the file of each network of the release does not fit, empty where it does.

    Names and shapes are compared, numbers are not read. Under "" stands why nothing could be compared.
    """
    from talkvid.model.bundle import check_network
    from talkvid.model.checkpoints import locate

    try:
        checkpoint = locate(Path(folder) / "v-express", model_folder=folder)
    except (ValueError, FileNotFoundError) as error:
        return {"": str(error)}
    found = {"": ""}
    for name, spec in checkpoint.config.modules.items():
        try:
            check_network(name, spec, checkpoint)
            found[name] = ""
        except (ValueError, FileNotFoundError) as error:
            found[name] = str(error)
    return found


def embedded_facts() -> dict[str, Any]:
    """Return what the embedded model says of itself, after its files were compared with its networks."""
    from talkvid.model.bundle import EMBEDDED_FOLDER, check_network
    from talkvid.model.checkpoints import locate

    checkpoint = locate(EMBEDDED_FOLDER)
    for name, spec in checkpoint.config.modules.items():
        check_network(name, spec, checkpoint)
    values = dataclasses.asdict(checkpoint.config)
    return {name: values[name] for name in ("name", "license", "width", "height", "fps", "speech_encoder")}


FACTS: dict[str, Callable[..., dict[str, Any]]] = {
    "torch": torch_facts,
    "pyav": pyav_facts,
    "device": device_facts,
    "curate": curate_facts,
    "metrics": metric_facts,
    "plugins": plugin_facts,
    "release": release_facts,
    "embedded": embedded_facts,
}
"""What the probe is asked for as `facts:NAME`, or as `facts:NAME=ARGUMENT`."""
