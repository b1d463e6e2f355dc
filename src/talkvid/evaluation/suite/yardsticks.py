"""Which eyes can judge a video, by name; none takes another one's place silently."""

from pathlib import Path

from talkvid.evaluation.following import FaceFollower

YARDSTICKS = {
    "embedded": "the package's own face networks; nothing to download",
    "mediapipe": "MediaPipe FaceLandmarker; the extra mediapipe and its model file",
}
"""Name and what it stands on."""


def build_yardstick(name: str = "embedded", *, model_path: Path | str | None = None) -> FaceFollower:
    """Return the yardstick of that name.

    `model_path`: MediaPipe's model file, default as `mediapipe_backend.model_file`. ValueError for an unknown
    name or a model file with "embedded", FileNotFoundError without the file, ImportError naming the extra.
    Judge the embedded model with "mediapipe": `judges_itself` of the other one says why.
    """
    if name == "embedded":
        if model_path is not None:
            raise ValueError(
                f"the yardstick 'embedded' takes no model file, got {str(model_path)!r}; "
                "choose --yardstick mediapipe or leave the file out"
            )
        from talkvid.evaluation.embedded_yardstick import EmbeddedYardstick

        return EmbeddedYardstick()
    if name == "mediapipe":
        from talkvid.evaluation.yardstick import FaceYardstick

        return FaceYardstick(model_path)
    raise ValueError(f"unknown yardstick {name!r}: choose one of {', '.join(YARDSTICKS)}")
