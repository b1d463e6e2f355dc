"""The head stage: is there one face, near, turned to the camera and calm, by any backend of talkvid.face."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from talkvid import plugins
from talkvid.curation.head_looks import looks_as_published, looks_each_second
from talkvid.curation.head_scores import HeadLook, head_scores, look_of
from talkvid.curation.model_files import fingerprint
from talkvid.curation.records import Span
from talkvid.curation.scorer import Unscorable
from talkvid.face.centerface import centerface_path
from talkvid.face.detect import BACKENDS, FaceDetector, build_detector
from talkvid.face.embedded import EmbeddedDetector
from talkvid.face.insightface_backend import DEFAULT_ROOT
from talkvid.face.mediapipe_backend import model_file
from talkvid.records import Array

VERSION = 1
"""Raised with every change that alters scores."""
LOOK_SIDES = (192, 640)
"""Longest sides of the embedded detector's looks. A face it misses at 640 pixels is far smaller than any
profile keeps, and a third look would make a clip without faces five times as dear."""


@dataclass(frozen=True)
class HeadConfig:
    """How the head is looked at; the thresholds belong to the profile."""

    backend: str = "embedded"
    """`embedded`, `insightface`, `mediapipe`, or the name of a plug-in's detector."""
    model_path: str = ""
    """insightface's models folder or MediaPipe's FaceLandmarker file; empty: where each is looked for."""
    det_size: tuple[int, int] = (640, 640)
    """Width and height that insightface shrinks pictures to."""
    device: str = "cpu"
    """`cpu` or `cuda`, for insightface."""
    looks: Literal["each_second", "published"] = "each_second"
    """`published` multiplies the rate without its fraction by 0, 1, 2 …, to reproduce the data set."""
    across_gaps: bool = False
    """Compare looks as neighbours though looks without exactly one face lie between them, as published."""
    other_face_share: float = 0.1
    """A face beside the largest counts when its box has at least this share of the largest one's area; 0
    counts every detection, as published."""

    def __post_init__(self) -> None:
        built_in = [name for name in BACKENDS if name != "centerface"]
        choices = plugins.choices("face_backend", built_in)
        if self.backend not in choices:
            raise ValueError(f"head.backend is {self.backend!r}: choose one of {', '.join(choices)}")
        if self.looks not in ("each_second", "published"):
            raise ValueError(f"head.looks is {self.looks!r}: choose each_second or published")
        if not 0 <= self.other_face_share <= 1:
            raise ValueError(f"head.other_face_share must lie between 0 and 1, got {self.other_face_share}")


def build_head_scorer(config: HeadConfig, *, detector: FaceDetector | None = None) -> "HeadScorer":
    """Return the head stage's scorer; `detector` stands in for the configured backend.

    FileNotFoundError or ImportError when the backend's models or package are missing.
    """
    if detector is not None:
        return HeadScorer(config, detector, {})
    if config.backend == "embedded":
        return HeadScorer(config, EmbeddedDetector(look_sides=LOOK_SIDES), _models(config))
    built = build_detector(
        config.backend,
        model_path=config.model_path or None,
        det_size=config.det_size,
        device=config.device,
        landmarks=False,
    )
    return HeadScorer(config, built, _models(config))


class HeadScorer:
    """Scores of the head from one look per second; faces are found as the pictures go by, none is kept."""

    stage = "head"

    def __init__(self, config: HeadConfig, detector: FaceDetector, models: Mapping[str, str]) -> None:
        self.backend = config.backend
        self._config = config
        self._detector = detector
        self._models = dict(models)

    def signature(self) -> Mapping[str, Any]:
        """Return backend, version, settings and the content of the models as plain values."""
        config = self._config
        told: dict[str, Any] = {"version": VERSION, "backend": config.backend, "models": self._models}
        if config.backend == "insightface":
            told["det_size"] = list(config.det_size)
        return {
            **told,
            "looks": config.looks,
            "across_gaps": config.across_gaps,
            "other_face_share": config.other_face_share,
        }

    def wanted(self, span: Span) -> Sequence[int]:
        """Return one picture for each second of the clip."""
        return looks_each_second(span) if self._config.looks == "each_second" else looks_as_published(span)

    def begin(self, span: Span) -> "HeadClip":
        """Return a fresh look at a clip."""
        return HeadClip(self._config, self._detector, self.wanted(span), (span.width, span.height))


class HeadClip:
    """The faces of one clip."""

    def __init__(
        self, config: HeadConfig, detector: FaceDetector, wanted: Sequence[int], size: tuple[int, int]
    ) -> None:
        self._config = config
        self._detector = detector
        self._numbers = {index: number for number, index in enumerate(wanted)}
        self._size = size
        self._looks: list[HeadLook] = []

    def see(self, index: int, picture: Array) -> None:
        """Find the faces of a picture (H W 3) if it is one of the looks."""
        number = self._numbers.get(index)
        if number is None:
            return
        self._size = (picture.shape[1], picture.shape[0])
        faces = self._detector.detect(picture)
        self._looks.append(look_of(number, faces, other_face_share=self._config.other_face_share))

    def finish(self) -> Mapping[str, float]:
        """Return the scores; raise Unscorable when no look had exactly one face.

        Its code is MULTI_FACE when at least as many looks showed several faces as none, else NO_FACE.
        """
        if any(look.num_faces == 1 for look in self._looks):
            return head_scores(self._looks, self._size, across_gaps=self._config.across_gaps)
        several = sum(look.num_faces > 1 for look in self._looks)
        none = len(self._looks) - several
        told = f"none of {len(self._looks)} looks shows one face: {none} show none, {several} show several"
        raise Unscorable("MULTI_FACE" if several and several >= none else "NO_FACE", told)


def _models(config: HeadConfig) -> dict[str, str]:
    """Return name and content of each file the backend's numbers depend on."""
    if config.backend == "embedded":
        landmarks = Path(str(files("talkvid.weights"))) / "face_landmarks.safetensors"
        return {path.name: fingerprint(path) for path in (centerface_path(), landmarks)}
    if plugins.has("face_backend", config.backend):
        return plugins.describe("face_backend", config.backend)
    own = config.model_path or None
    path = Path(own or DEFAULT_ROOT) if config.backend == "insightface" else model_file(own)
    return {path.name: fingerprint(path)}
