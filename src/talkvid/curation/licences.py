"""What each way of scoring is, by its right name, and under which licence its models stand."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backend:
    """One way of scoring and what may be done with it."""

    title: str
    licence: str
    commercial: bool | None
    """Whether the licence of its models allows commercial use; None where nobody has stated it."""


UNLISTED = Backend("not in the list of this version", "not known; ask whoever made the model", None)

BACKENDS = {
    ("head", "embedded"): Backend(
        "CenterFace detector and talkvid's own landmark network",
        "CenterFace: MIT; landmark network: CC BY-NC 4.0",
        False,
    ),
    ("head", "insightface"): Backend(
        "insightface's models (buffalo_l unless others are named)",
        "code: MIT; models: non-commercial research only",
        False,
    ),
    ("head", "mediapipe"): Backend("MediaPipe FaceLandmarker", "Apache-2.0", True),
    ("quality", "embedded"): Backend(
        "talkvid's classical no-reference measure, without a network; not DOVER", "MIT, no model", True
    ),
    ("quality", "dover"): Backend("DOVER", "S-Lab License 1.0: non-commercial", False),
    ("motion", "embedded"): Backend(
        "OpenCV point tracks with the same definition of the ratio; not CoTracker",
        "OpenCV: Apache-2.0, no model",
        True,
    ),
    ("motion", "cotracker"): Backend("CoTracker3", "CC BY-NC 4.0", False),
}
"""(stage, backend) -> what it is."""


def backend(stage: str, name: str) -> Backend:
    """Return what is known of a way of scoring, UNLISTED for one that is not in the list."""
    return BACKENDS.get((stage, name), UNLISTED)
