"""What a scorer of clips is: it says which pictures it wants, sees them as they are decoded, then scores."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from talkvid.curation.records import Span
from talkvid.records import Array


class Look(Protocol):
    """One scorer's view of one clip while its pictures go by."""

    def see(self, index: int, picture: Array) -> None:
        """Take picture `index` (from 0 within the clip) as RGB (H W 3) uint8 in the video's own size.

        Pictures come in order, each once; a look keeps only what it needs of them.
        """
        ...

    def finish(self) -> Mapping[str, float]:
        """Return the scores by name; expensive models run here, where clips already rejected do not come.

        Raises:
            Unscorable: the pictures seen do not allow a score; its code rejects the clip.
        """
        ...


@runtime_checkable
class LumaLook(Protocol):
    """A look that needs no colours: through `see_luma` it is shown small grey pictures, which cost less."""

    luma_side: int
    """Longer side of the pictures it wants."""

    def see_luma(self, index: int, luma: Array) -> None:
        """Take picture `index` as grey (h w) uint8 of full range, its longer side `luma_side`."""
        ...


class Scorer(Protocol):
    """A stage that gives scores to clips; built once in each worker."""

    stage: str
    """`head`, `quality` or `motion`."""
    backend: str
    """Which of the stage's ways this is: `dover`, `embedded` …"""

    def signature(self) -> Mapping[str, Any]:
        """Return all that the scores depend on as plain values: backend, version, settings, model hashes."""
        ...

    def wanted(self, span: Span) -> Sequence[int]:
        """Return the numbers of the pictures to be seen, ascending, from 0 to `span.num_frames` - 1."""
        ...

    def begin(self, span: Span) -> Look:
        """Return a fresh look at a clip."""
        ...


class Unscorable(ValueError):
    """The clip has no score and is rejected with `code`, one of `records.CODES`."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
