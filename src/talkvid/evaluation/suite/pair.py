"""One video to be judged, and what it is judged against."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

TRUTH = "truth"
SHIFTED = "shifted sound"
WRONG = "wrong sound"
STILL = "still frame"


@dataclass(frozen=True)
class Control:
    """A video known to be right or wrong, scored beside the others to see whether a metric notices."""

    name: str
    """TRUTH, SHIFTED, WRONG or STILL."""
    shift_s: float = 0.0
    """How much later than it should be the sound is heard; silence comes first."""
    still: bool = False
    """Whether every picture is replaced by the first one."""

    @property
    def label(self) -> str:
        """Return the name, for a shifted sound with the shift, so that several shifts are several rows."""
        return f"{self.name} by {self.shift_s:g} s" if self.name == SHIFTED else self.name


@dataclass(frozen=True)
class Pair:
    """A made video with its true video, sound and portrait, where there are any.

    For a control `made` is the video it is made of, and `audio` the sound it is heard with.
    """

    system: str
    """Who made it: a row of the table."""
    clip: str
    """Which clip it shows; the same in every row that shows it."""
    made: Path
    reference: Path | None = None
    """The true video."""
    audio: Path | None = None
    """The driving sound; None: the made video's own."""
    portrait: Path | None = None
    """The one picture it was made from; None: the true video's first picture, where there is one."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Value by dimension, such as gender: female, for tables of subgroups."""
    control: Control | None = None

    @property
    def row(self) -> str:
        """Return the table's row: "ours", "truth", "truth: shifted sound by 0.6 s", "ours: wrong sound"."""
        if self.control is None or self.control.name == TRUTH:
            return self.system
        return f"{self.system}: {self.control.label}"

    @property
    def id(self) -> str:
        """Return what names the pair in a run."""
        return f"{self.row}/{self.clip}"
