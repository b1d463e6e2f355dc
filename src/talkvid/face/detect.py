"""What a face detector is, which ones there are, and how one face is chosen from several."""

from pathlib import Path
from typing import Protocol

from talkvid import plugins
from talkvid.records import Array, Face

BACKENDS = ("embedded", "insightface", "mediapipe", "centerface")
CLEARLY_LARGER = 1.5
"""`auto` takes the largest face when its box is at least this many times the next one's area."""


class FaceDetector(Protocol):
    """Finds the faces of a picture."""

    name: str
    """What the first lines of a command's output say about it."""

    def detect(self, image: Array) -> list[Face]:
        """Return the faces of an RGB (H W 3) uint8 image, largest first."""
        ...


def build_detector(
    name: str = "embedded",
    *,
    model_path: Path | str | None = None,
    det_size: tuple[int, int] = (512, 512),
    device: str = "cpu",
    num_threads: int = 1,
    landmarks: bool = True,
) -> FaceDetector:
    """Return the detector of that name; ValueError for an unknown one, ImportError naming the extra it needs.

    `model_path`: insightface's models folder or the FaceLandmarker file; `det_size`: (width, height)
    insightface shrinks pictures to; `device`: "cpu" or "cuda", for insightface; `landmarks`: whether its 106
    landmarks are wanted besides the pose.
    """
    if name == "embedded":
        from talkvid.face.embedded import EmbeddedDetector

        return EmbeddedDetector(num_threads=num_threads)
    if name == "centerface":
        from talkvid.face.centerface import CenterFaceDetector

        return CenterFaceDetector(num_threads=num_threads)
    if name == "insightface":
        from talkvid.face.insightface_backend import InsightfaceDetector

        return InsightfaceDetector(model_path, det_size=det_size, device=device, landmarks=landmarks)
    if name == "mediapipe":
        from talkvid.face.mediapipe_backend import MediapipeDetector

        return MediapipeDetector(model_path)
    known = plugins.choices("face_backend", BACKENDS)
    if name in known:
        detector: FaceDetector = plugins.find("face_backend", name)(device=device)
        return detector
    raise ValueError(f"unknown face detector {name!r}: choose one of {', '.join(known)}")


def choose_face(faces: list[Face], choice: str | int = "auto", *, source: Path | str = "the picture") -> Face:
    """Return one of the faces found in `source`.

    `auto`: the only face, or the largest when its box area is at least 1.5 times the next; `largest`; or a
    number, 1 for the largest. ValueError when there is no face, no clear choice (the boxes are listed) or no
    such number.
    """
    if not faces:
        raise ValueError(f"{source}: no face found; use a picture that shows one face clearly from the front")
    ordered = sorted(faces, key=lambda face: -face.area)
    if choice == "largest" or (len(ordered) == 1 and choice == "auto"):
        return ordered[0]
    listed = ", ".join(f"{number}: {_box_text(face)}" for number, face in enumerate(ordered, start=1))
    if choice == "auto":
        if ordered[0].area >= CLEARLY_LARGER * ordered[1].area:
            return ordered[0]
        raise ValueError(
            f"{source}: {len(ordered)} faces found ({listed}); "
            "choose one with --face largest or --face NUMBER"
        )
    number = _number(choice)
    if not 1 <= number <= len(ordered):
        raise ValueError(f"{source}: there is no face {number}, {len(ordered)} found ({listed})")
    return ordered[number - 1]


def _number(choice: str | int) -> int:
    try:
        return int(choice)
    except ValueError:
        raise ValueError(f"--face is auto, largest or a number counted from 1, got {choice!r}") from None


def _box_text(face: Face) -> str:
    left, top, right, bottom = (round(float(edge)) for edge in face.box)
    return f"{right - left}x{bottom - top} at ({left}, {top})"
