"""What each way of scoring is, by its right name, and under which licence its models stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from talkvid.catalogue.commercial import USE_MEDIAPIPE, refuse, refuse_paths
from talkvid.catalogue.table import MODELS


@dataclass(frozen=True)
class Backend:
    """One way of scoring and what may be done with it."""

    title: str
    licence: str
    commercial: bool | None
    """Whether the licence of its models allows commercial use; None where nobody has stated it."""
    models: tuple[str, ...] = ()
    """The models of the catalogue that it stands on."""


UNLISTED = Backend("not in the list of this version", "not known; ask whoever made the model", None)


def _standing_on(title: str, *models: str) -> Backend:
    """Return a backend with the licences of its models, and the worst of what they allow."""
    records = [MODELS[name] for name in models]
    licences = "; ".join(f"{record.title}: {record.licence.name}" for record in records)
    allowed = [record.licence.commercial for record in records]
    commercial = False if False in allowed else None if None in allowed else True
    return Backend(title, licences if len(records) > 1 else records[0].licence.name, commercial, models)


BACKENDS = {
    ("head", "embedded"): _standing_on(
        "CenterFace detector and talkvid's own landmark network", "centerface", "talkvid-landmarks"
    ),
    ("head", "insightface"): _standing_on(
        "insightface's models (buffalo_l unless others are named)", "insightface"
    ),
    ("head", "mediapipe"): _standing_on("MediaPipe FaceLandmarker", "mediapipe"),
    ("quality", "embedded"): Backend(
        "talkvid's classical no-reference measure, without a network; not DOVER", "MIT, no model", True
    ),
    ("quality", "dover"): _standing_on("DOVER", "dover"),
    ("motion", "embedded"): Backend(
        "OpenCV point tracks with the same definition of the ratio; not CoTracker",
        "OpenCV: Apache-2.0, no model",
        True,
    ),
    ("motion", "cotracker"): _standing_on("CoTracker3", "cotracker"),
}
"""(stage, backend) -> what it is."""
REMEDIES = {
    "head": f"as head.backend {USE_MEDIAPIPE}",
    "quality": "leave quality.backend=embedded",
    "motion": "leave motion.backend=embedded",
}


def backend(stage: str, name: str) -> Backend:
    """Return what is known of a way of scoring, UNLISTED for one that is not in the list."""
    return BACKENDS.get((stage, name), UNLISTED)


def refuse_non_commercial(stages: Mapping[str, Mapping[str, Any]], annotate: Any) -> None:
    """Raise ValueError for the first model that does not allow commercial use.

    `stages` are the settings of the active stages, `annotate` those of annotation. Filters of plug-in files
    and models outside the layout are their owner's to judge.
    """
    for stage, settings in stages.items():
        name = str(settings.get("backend", ""))
        refuse(backend(stage, name).models, remedy=REMEDIES.get(stage, "choose another"))
    for setting in ("persons", "age_gender"):
        if getattr(annotate, setting) == "insightface":
            refuse(["insightface"], remedy=f"leave out annotate.{setting}")
    refuse_paths(
        [annotate.speech_model or None, annotate.caption or None], remedy="name another model for annotation"
    )
