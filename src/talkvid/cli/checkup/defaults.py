"""What is used when no flag names anything else, and why; said as the commands themselves would choose."""

import argparse
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from talkvid.cli.checkup.check import Check, one_line
from talkvid.cli.checkup.probing import Outcome


def check_defaults(probed: Mapping[str, Outcome], *, asked: str) -> Iterator[Check]:
    """Yield the choices of each job; what takes longer to find out only for the job that was asked for."""
    yield from check_generate(probed)
    yield from check_preprocess()
    yield from check_curate(probed)
    yield from check_evaluate(probed, asked=asked == "evaluate")
    yield from check_plugins(probed)


def check_generate(probed: Mapping[str, Outcome]) -> Iterator[Check]:
    """Yield model, face backend, speech encoder, device and precision of a video."""
    topic = "used by generate and app"
    embedded = probed.get("facts:embedded", Outcome("unknown"))
    name = embedded.found.get("name", "talkvid-mini")
    encoder = embedded.found.get("speech_encoder", "log-mel")
    yield Check(topic, "model", "ok", f"{name} (embedded), because no --checkpoint_path names another")
    yield Check(topic, "face backend", "ok", "embedded (CenterFace and our landmark network)")
    yield Check(topic, "speech encoder", "ok", f"{encoder} (the model's own)")
    yield check_device(topic, probed.get("facts:device", Outcome("was not asked")))


def check_device(topic: str, outcome: Outcome) -> Check:
    """Return device and precision that `--device auto` comes to."""
    if not outcome.works:
        return Check(topic, "device", "note", f"cannot be told: {outcome.error}")
    device, dtype = outcome.found["device"], outcome.found["dtype"]
    kind = device.partition(":")[0]
    why = {
        "cuda": "torch sees a GPU",
        "mps": "torch sees an Apple GPU",
        "cpu": "torch sees no GPU",
    }[kind]
    inner = outcome.found["autoencoder"]
    told = f"{device}, {dtype}: {why}"
    return Check(topic, "device", "ok", f"{told}; the autoencoder in {inner}, native here" if inner else told)


def check_preprocess() -> Iterator[Check]:
    """Yield face backend, speech encoder and device of preparing clips."""
    topic = "used by preprocess"
    defaults = defaults_of("preprocess")
    backend, device = defaults["face_backend"], defaults["device"]
    yield Check(topic, "face backend", "ok", f"{backend}, on {device}, {defaults['workers']} workers")
    encoder = str(defaults["speech_encoder"])
    if Path(encoder).is_dir():
        yield Check(topic, "speech encoder", "ok", encoder)
    else:
        remedy = "talkvid models fetch wav2vec2, or --speech_encoder log-mel (no download)"
        yield Check(topic, "speech encoder", "note", f"{encoder} is not there", remedy)


def check_curate(probed: Mapping[str, Outcome]) -> Iterator[Check]:
    """Yield profile and backends of curation."""
    topic, outcome = "used by curate", probed.get("facts:curate", Outcome("was not asked"))
    if not outcome.works:
        yield Check(topic, "settings", "note", f"cannot be told: {outcome.error}")
        return
    found = outcome.found
    backends = ", ".join(f"{stage} {name}" for stage, name in found["backends"].items())
    devices = ", ".join(found["devices"])
    yield Check(topic, "backends", "ok", f"{backends}, cuts {found['cuts']} (profile {found['profile']})")
    yield Check(topic, "device", "ok", devices)


def check_evaluate(probed: Mapping[str, Outcome], *, asked: bool) -> Iterator[Check]:
    """Yield who looks at the pictures, and which of the default metrics can be measured."""
    topic, defaults = "used by evaluate", defaults_of("evaluate")
    yield Check(topic, "yardstick", "ok", f"{defaults['yardstick']}, networks on {defaults['device']}")
    if not asked:
        yield Check(topic, "metrics", "ok", "talkvid doctor --for evaluate says which can be measured")
        return
    outcome = probed.get("facts:metrics", Outcome("was not asked"))
    if not outcome.works:
        yield Check(topic, "metrics", "note", f"cannot be told: {outcome.error}")
        return
    measured, lacking = outcome.found["measured"], outcome.found["lacking"]
    yield Check(topic, "metrics", "ok", f"{len(measured)} of {len(measured) + len(lacking)} can be measured")
    for name, reason in lacking.items():
        yield Check(topic, name, "absent", one_line(reason))


def check_plugins(probed: Mapping[str, Outcome]) -> Iterator[Check]:
    """Yield what the files of $TALKVID_PLUGINS add, nothing where there are none."""
    topic, outcome = "plug-ins", probed.get("facts:plugins")
    if outcome is None:
        return
    if not outcome.works:
        jobs = ("generate", "preprocess", "curate", "evaluate", "app")
        yield Check(topic, "TALKVID_PLUGINS", "broken", outcome.error, "mend the file, or unset it", jobs)
    for kind, names in outcome.found.items():
        yield Check(topic, kind, "ok", ", ".join(names))


def defaults_of(verb: str) -> dict[str, Any]:
    """Return the values that the flags of a verb have when none is given."""
    parser = argparse.ArgumentParser()
    importlib.import_module(f"talkvid.cli.{verb}").add_arguments(parser)
    return {action.dest: action.default for action in parser._actions if action.dest != "help"}
