"""What a run that must be safe for commercial use refuses."""

import os
from collections.abc import Iterable

from talkvid.catalogue.table import MODELS, at_path

FLAG = "commercial_safe"
FACE_BACKENDS = {
    "embedded": ("centerface", "talkvid-landmarks"),
    "centerface": ("centerface",),
    "insightface": ("insightface",),
    "mediapipe": ("mediapipe",),
}
"""Face backend -> the models it stands on; a backend of a plug-in file is its owner's to judge."""
USE_MEDIAPIPE = "use mediapipe (talkvid models fetch mediapipe)"


def refusal(name: str) -> str | None:
    """Return why the model of the catalogue may not be used commercially, None when it may."""
    record = MODELS[name]
    if record.licence.commercial:
        return None
    return f"{record.title} is under {record.licence.told}"


def refuse(names: Iterable[str], *, remedy: str) -> None:
    """Raise ValueError for the first of the models whose licence does not allow commercial use."""
    for name in names:
        why = refusal(name)
        if why is not None:
            raise ValueError(f"{FLAG}: {why}; {remedy}")


def refuse_face_backend(name: str, *, setting: str = "face_backend") -> None:
    """Raise ValueError for a face backend whose models may not be used commercially."""
    refuse(FACE_BACKENDS.get(name, ()), remedy=f"as {setting} {USE_MEDIAPIPE}")


def refuse_paths(paths: Iterable[str | os.PathLike[str] | None], *, remedy: str) -> None:
    """Raise ValueError for the first path or hub id that the catalogue knows as non-commercial.

    Paths outside the layout are the user's own, and so is the judgement of their licence.
    """
    known = [record.name for path in paths if path is not None and (record := at_path(path)) is not None]
    refuse(known, remedy=remedy)
