"""The nouns of the project: what one room hands to the next."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[Any]

FIVE_POINTS = ("image_left_eye", "image_right_eye", "nose", "image_left_mouth", "image_right_mouth")
NUM_OUTER_LIP = 20
NUM_INNER_LIP = 20
NUM_LIP = NUM_OUTER_LIP + NUM_INNER_LIP
# Both rings start at the image-left corner, run over the upper lip to the image-right corner (index 10)
# and come back along the lower lip.
LIP_PARTS = {
    "outer_upper": slice(0, 11),
    "outer_lower": slice(11, 20),
    "inner_upper": slice(20, 31),
    "inner_lower": slice(31, 40),
}


class FeatureRows(Protocol):
    """Speech features (T D): a tensor, or something that reads the rows it is asked for."""

    @property
    def ndim(self) -> int:
        """Return 2."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (T, D)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> "Tensor": ...


@dataclass(frozen=True)
class Face:
    """One face in one picture; all coordinates are pixels of that picture, x first."""

    box: Array
    """(4,) float32: x0, y0, x1, y1."""
    points: Array
    """(5, 2) float32 in the order of FIVE_POINTS."""
    score: float
    """Detector confidence, 0 to 1."""
    lips: Array | None = None
    """(40, 2) float32 lip contour, parts named by LIP_PARTS."""
    pose: Array | None = None
    """(3,) float32: pitch, yaw, roll in degrees.

    Positive pitch looks up, positive yaw turns to the image's right, positive roll tilts clockwise.
    """
    contour: Array | None = None
    """(N, 2) float32 further points (face outline, eyes, brows, nose), in the order the backend names."""
    lmk106: Array | None = None
    """(106, 2) float32 landmarks where insightface gave them (lips 52-71)."""

    @property
    def area(self) -> float:
        """Return the box area in square pixels."""
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))


@dataclass(frozen=True)
class SampleEntry:
    """One clip of a training set, as one object of its JSON list; paths are relative to that JSON."""

    id: str
    video: str
    face_info: str
    audio_embeds: str
    num_frames: int
    fps: float
    language: str = ""
    speaker_id: str = ""
