"""What a model says of itself when it is handed on: the head of its card, its licence and its notices."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from talkvid.files import atomic_path
from talkvid.model.bundle_config import CONFIG_FILE, BundleConfig
from talkvid.model.hub import is_hub_name, split_hub_name
from talkvid.model.hub_files import CARD_FILE, NOTICE

LIBRARY = "talkvid"
TASK = "image-to-video"
TAGS = ("talking-head", "audio-driven", "lip-sync", "talkvid")
NOTICE_FILE = "NOTICE.md"
RECORD = "training"
"""Key of the record of a training among a config's extra values."""
LICENCES = {
    "mit": "https://opensource.org/license/mit",
    "apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "cc0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/legalcode",
    "cc-by-4.0": "https://creativecommons.org/licenses/by/4.0/legalcode",
    "cc-by-sa-4.0": "https://creativecommons.org/licenses/by-sa/4.0/legalcode",
    "cc-by-nc-4.0": "https://creativecommons.org/licenses/by-nc/4.0/legalcode",
    "cc-by-nc-sa-4.0": "https://creativecommons.org/licenses/by-nc-sa/4.0/legalcode",
    "creativeml-openrail-m": "https://huggingface.co/spaces/CompVis/stable-diffusion-license",
}
"""Licences under the names that the hub knows, and where their text is."""
_NON_COMMERCIAL = re.compile(r"(?:^|[\W_])nc(?:$|[\W_])|non-?commercial|research[- ]only", re.IGNORECASE)
_HEAD = re.compile(r"\A---\s*\n.*?\n---\s*\n", re.DOTALL)


def card_head(config: BundleConfig) -> str:
    """Return the YAML head of a model's card, between its two lines of dashes, as the hub reads it.

    The base is named where it is a repository on the hub; a path of the training machine never is.
    """
    from huggingface_hub import ModelCardData

    noted: Mapping[str, Any] = config.extra.get(RECORD, {})
    base = str(noted.get("base_source", ""))
    codes = [name for name in noted.get("languages", ()) if re.fullmatch("[a-z]{2,3}", name)]
    data = ModelCardData(
        library_name=LIBRARY,
        pipeline_tag=TASK,
        base_model=split_hub_name(base)[0] if is_hub_name(base) else None,
        language=codes or None,
        tags=list(TAGS),
        **_licence_keys(config.license),
    )
    return f"---\n{data.to_yaml()}\n---\n"


def _licence_keys(stated: str) -> dict[str, Any]:
    if not stated:
        return {"license": "unknown"}
    if stated.lower() in LICENCES:
        return {"license": stated.lower()}
    return {"license": "other", "license_name": stated.lower().replace(" ", "-"), "license_link": NOTICE_FILE}


def with_head(card: str, config: BundleConfig) -> str:
    """Return the card with the head that its config tells, in place of its own if it has one."""
    return f"{card_head(config)}\n{_HEAD.sub('', card, count=1).lstrip()}"


def short_card(config: BundleConfig, *, num_parameters: int) -> str:
    """Return the card of a model that has none: only what its config knows, and how to use it."""
    noted: Mapping[str, Any] = config.extra.get(RECORD, {})
    licence = "Not recorded; ask who trained it."
    if config.license:
        allowed = "allowed" if config.commercial_use else "not allowed"
        licence = f"{config.license} (commercial use {allowed})."
    lines = [
        *(f"# {config.name}", "", config.description or "No description was recorded.", ""),
        *("| | |", "|---|---|"),
        f"| base | {noted.get('base', 'not recorded')} |",
        f"| parameters | {num_parameters / 1e6:.1f} M |",
        f"| frames | {config.width} x {config.height} px, {config.fps:g} per second |",
        f"| speech encoder | {config.speech_encoder} |",
        *("", "## Use", "", "```python", "from talkvid import TalkVidInference", ""),
        'model = TalkVidInference.from_pretrained("THIS_REPOSITORY")',
        'model.generate("portrait.png", "speech.wav", "talking.mp4")',
        *("```", "", "## Licence", "", licence, ""),
    ]
    return with_head("\n".join(lines), config)


def copy_notices(source: Path, target: Path, config: BundleConfig, *, derived: bool = False) -> list[str]:
    """Copy the files that tell the licence from one folder to another; return their names.

    With `derived`, notices say first that they are those of the model `config` is about, on which others in
    `target` build. They are sought in `source`, else in the run folder above it. Where there are none and a
    licence is known, a notice is written that states it.
    """
    above = [source.parent] if (source.parent / CONFIG_FILE).is_file() else []
    for folder in (source, *above):
        found = sorted(path for path in folder.glob("*") if path.is_file() and NOTICE.fullmatch(path.name))
        for path in found:
            if derived and path.name.startswith("NOTICE"):
                line = f"Trained from {config.name}, whose notice holds for these weights too:\n\n"
                (target / path.name).write_text(line + path.read_text(encoding="utf-8"), encoding="utf-8")
            else:
                shutil.copyfile(path, target / path.name)
        if found:
            return [path.name for path in found]
    if not config.license:
        return []
    with atomic_path(target / NOTICE_FILE) as temporary:
        temporary.write_text(_notice(config), encoding="utf-8")
    return [NOTICE_FILE]


def _notice(config: BundleConfig) -> str:
    base = config.extra.get(RECORD, {}).get("base")
    inherited = f" They were trained from {base}, whose licence they inherit." if base else ""
    address = LICENCES.get(config.license.lower())
    return (
        "# Licence of these weights\n\n"
        f"The weights in this folder are licensed under {config.license}"
        f"{f' (<{address}>)' if address else ''}.{inherited}"
        f"{'' if config.commercial_use else ' Commercial use is not allowed.'}\n\n"
        "Do not make a person say what that person did not say without that person's consent.\n"
    )


def portable(config: BundleConfig) -> BundleConfig:
    """Return the config without paths of this machine: names stay, hub ids stay, folders lose their place."""
    extra = dict(config.extra)
    record = dict(extra.get(RECORD, {}))
    if record:
        base = str(record.get("base_source", ""))
        record["base_source"] = base if is_hub_name(base) else Path(base).name
        extra[RECORD] = record
    encoder = config.speech_encoder
    if not is_hub_name(encoder):
        encoder = Path(encoder).name
    return replace(config, extra=extra, speech_encoder=encoder)


def stated_licence(folder: Path) -> str:
    """Return the licence that the head of a folder's card states; empty where there is none."""
    card = folder / CARD_FILE
    if not card.is_file():
        return ""
    from huggingface_hub import metadata_load

    try:
        head = metadata_load(card) or {}
    except ValueError:
        return ""
    named = head.get("license_name") if head.get("license") == "other" else head.get("license")
    return str(named or "")


def forbids_commerce(licence: str) -> bool:
    """Return whether a licence's name says that commercial use is forbidden (CC BY-NC and its like)."""
    return bool(_NON_COMMERCIAL.search(licence))
