"""TalkVid: audio-driven talking heads, from raw video to trained model to generated clip."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["TalkVidInference", "TalkVidPipeline", "__version__"]

if TYPE_CHECKING:
    from talkvid.inference.api import TalkVidInference
    from talkvid.inference.talkvid_pipeline import TalkVidPipeline


def __getattr__(name: str) -> Any:
    """Return `TalkVidInference` or `TalkVidPipeline` on first use, so that importing us loads no torch."""
    if name == "TalkVidInference":
        from talkvid.inference.api import TalkVidInference

        return TalkVidInference
    if name == "TalkVidPipeline":
        from talkvid.inference.talkvid_pipeline import TalkVidPipeline

        return TalkVidPipeline
    raise AttributeError(f"module 'talkvid' has no attribute {name!r}")
