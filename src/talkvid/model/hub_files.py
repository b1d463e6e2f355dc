"""Which files of a repository on the hub make a checkpoint; everything else there is left alone."""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from talkvid.model.bundle_config import CONFIG_FILE, BundleConfig
from talkvid.model.checkpoints import EXPORT, NETWORKS, TRAINED, UNET_CONFIG, VAE_FOLDER, WEIGHT_SUFFIXES

CARD_FILE = "README.md"
SPEECH_ENCODER = "wav2vec2-base-960h"
PARTS_FOLDERS = ("", "model_ckpts/")
"""Where a release keeps the parts it stands on."""
NOTICE = re.compile(r"(?:NOTICE|LICEN[CS]E)[\w.-]*", re.IGNORECASE)
"""Names of files that tell the licence."""
_PUBLISHED_FOLDERS: tuple[str, ...] = ("", "v-express/")
_OWN_FOLDERS = ("",)
_PUBLISHED_SUFFIXES = (".bin", ".pth", ".safetensors")
_PART = re.compile(r"[\w.-]+\.(?:json|txt|model|safetensors|bin)")


def checkpoint_files(
    names: Sequence[str], config: BundleConfig | None, *, step: int | None = None
) -> list[str]:
    """Return the names of a repository's files that a checkpoint is read from, with its card and notices.

    `config` is what its config.json says; None where there is none, which means the V-Express release. Of a
    training run's exports those of `step`, or of the last step that has every network.
    """
    present = set(names)
    told = [name for name in names if name in (CARD_FILE, CONFIG_FILE) or NOTICE.fullmatch(name)]
    weights = _exports(names, step) or _weights(present, config)
    encoder = SPEECH_ENCODER if config is None else config.speech_encoder
    parts = list(_folder(names, encoder))
    if config is None:
        parts += [name for folder in PARTS_FOLDERS if (name := f"{folder}{UNET_CONFIG}") in present]
    else:
        weights |= _weights(present, config, leave_out=weights)
    if config is None or "vae" not in {_stem(name) for name in weights}:
        parts += _folder(names, VAE_FOLDER)
    return sorted({*told, *weights, *parts})


def _weights(
    present: set[str], config: BundleConfig | None, *, leave_out: set[str] | None = None
) -> set[str]:
    """Return one file per network: ours in safetensors where there is a choice, the release's in bin."""
    known = {_stem(name) for name in leave_out or ()}
    modules: Sequence[str] = TRAINED
    suffixes, folders = _PUBLISHED_SUFFIXES, _PUBLISHED_FOLDERS
    if config is not None:
        modules, suffixes, folders = (*config.modules, "motion_module"), WEIGHT_SUFFIXES, _OWN_FOLDERS
    found = set()
    for module in modules:
        candidates = [f"{folder}{module}{suffix}" for folder in folders for suffix in suffixes]
        chosen = next((name for name in candidates if name in present), None)
        if chosen is not None and module not in known:
            found.add(chosen)
    return found


def _exports(names: Sequence[str], wanted: int | None) -> set[str]:
    """Return the exports of one step of a training run, none where there are whole networks."""
    if any(f"{network}{suffix}" in names for network in NETWORKS for suffix in WEIGHT_SUFFIXES):
        return set()
    steps: dict[int, dict[str, str]] = {}
    for suffix in reversed(WEIGHT_SUFFIXES):
        for name in names:
            told = EXPORT.fullmatch(name) if name.endswith(suffix) else None
            if told and told[1] in TRAINED:
                steps.setdefault(int(told[2]), {})[told[1]] = name
    complete = [step for step, files in steps.items() if set(NETWORKS) <= files.keys()]
    chosen = max(complete, default=None) if wanted is None else wanted
    return set() if chosen is None else set(steps.get(chosen, {}).values())


def _folder(names: Sequence[str], folder: str) -> Iterator[str]:
    """Yield the files of a part's folder that its library reads, weights as safetensors where it can."""
    for root in PARTS_FOLDERS:
        start = f"{root}{folder}/"
        inside = [name for name in names if name.startswith(start) and _PART.fullmatch(name[len(start) :])]
        safe = any(name.endswith(".safetensors") for name in inside)
        yield from (name for name in inside if not (safe and name.endswith(".bin")))


def _stem(name: str) -> str:
    export = EXPORT.fullmatch(name)
    return export[1] if export else PurePosixPath(name).stem
