"""TalkVid: audio-driven talking heads, from raw video to trained model to generated clip."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["TalkVidInference", "__version__"]

if TYPE_CHECKING:
    from talkvid.inference.api import TalkVidInference


def __getattr__(name: str) -> Any:
    """Return `TalkVidInference` on first use, so that importing the package loads no torch."""
    if name == "TalkVidInference":
        from talkvid.inference.api import TalkVidInference

        return TalkVidInference
    raise AttributeError(f"module 'talkvid' has no attribute {name!r}")
