"""The whole catalogue: every model by name, sets of them, and what is known of a path or hub id."""

import difflib
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from talkvid.catalogue.curation import CURATION
from talkvid.catalogue.embedded import EMBEDDED
from talkvid.catalogue.generation import GENERATION
from talkvid.catalogue.measures import MEASURES
from talkvid.catalogue.record import ModelRecord

MODEL_FOLDER = Path("model_ckpts")
"""Where models lie unless a flag says otherwise."""

MODELS = {record.name: record for record in (*GENERATION, *CURATION, *MEASURES, *EMBEDDED)}
"""Name -> model, in the order of the tables."""

SETS = {
    "production": ("v-express", "sd-vae", "sd15-unet-config", "wav2vec2", "insightface"),
    "training": ("moore-pretrained", "animatediff", "sd-vae", "sd15-unet-config", "wav2vec2"),
    "curation": tuple(record.name for record in CURATION),
    "evaluation": tuple(record.name for record in MEASURES if record.fetchable),
    "all": tuple(record.name for record in MODELS.values() if record.fetchable),
}
"""Names for several models at once; `production` is what a published release is made of."""

_ALIASES = {alias: record for record in MODELS.values() for alias in record.aliases}


def find(name: str) -> ModelRecord:
    """Return the model of that name or alias; ValueError with the nearest name for one that is unknown."""
    record = MODELS.get(name) or _ALIASES.get(name)
    if record is None:
        near = difflib.get_close_matches(name, [*MODELS, *SETS, *_ALIASES], n=1)
        hint = f"did you mean {near[0]!r}?" if near else "talkvid models list shows all"
        raise ValueError(f"no model is called {name!r}; {hint}")
    return record


def expand(names: Sequence[str], *, with_needs: bool = True) -> list[ModelRecord]:
    """Return the models that names, aliases and sets mean, each once, what they need before them."""
    found: dict[str, ModelRecord] = {}

    def add(record: ModelRecord) -> None:
        for needed in record.needs if with_needs else ():
            add(MODELS[needed])
        found.setdefault(record.name, record)

    for name in names:
        for member in SETS.get(name, (name,)):
            add(find(member))
    return list(found.values())


def at_path(path: str | os.PathLike[str]) -> ModelRecord | None:
    """Return the model that lies at a path of the layout or has this hub id; None for anything else.

    A path is known by its end, whatever the models' folder is called: `/models/sd-vae-ft-mse` is sd-vae.
    """
    text = os.fspath(path)
    parts = PurePosixPath(Path(text).as_posix()).parts
    places = _places()
    for depth in range(1, len(parts) + 1):
        found = places.get(parts[-depth:], set())
        if len(found) == 1:
            return MODELS[next(iter(found))]
    return next((record for record in MODELS.values() if text in record.hub_ids), None)


def _places() -> dict[tuple[str, ...], set[str]]:
    """Return place or folder of the layout -> names of the models that have files there."""
    found: dict[tuple[str, ...], set[str]] = {}
    for record in MODELS.values():
        for place in (PurePosixPath(form.place) for file in record.files for form in file.forms):
            for depth in range(1, len(place.parts) + 1):
                found.setdefault(place.parts[:depth], set()).add(record.name)
    return found
