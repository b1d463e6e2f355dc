"""Whether the head moves and blinks by itself: what is asked for, and what checkpoint and poses leave."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from talkvid.inference.settings import GenerateSettings
    from talkvid.model.bundle_config import BundleConfig

MODULE = "head_motion"


def liveliness(settings: "GenerateSettings", config: "BundleConfig") -> dict[str, Any]:
    """Return head_motion, head_motion_scale and blink with nothing left open.

    The checkpoint's config says the defaults (`extra`); poses that are given, or the strategy fix_face, hold
    back its own motion. Raises ValueError for what the checkpoint cannot do and for orders that contradict.
    """
    able = MODULE in config.modules
    given = settings.kps_path is not None or settings.driving_video is not None
    held = settings.retarget_strategy == "fix_face"
    motion = settings.head_motion
    if motion == "natural" and not able:
        raise ValueError(f"head_motion natural: {config.name} has no motion of its own; leave the option out")
    if motion == "natural" and (given or held):
        order = "key points or a driving video" if given else "retarget_strategy fix_face"
        raise ValueError(
            f"head_motion natural: {order} already say how the head moves; leave one of them out"
        )
    if motion is None:
        usual = str(config.extra.get("head_motion", "still")) if able else "still"
        motion = "still" if given or held else usual
    if settings.head_motion_scale is not None and motion == "still":
        raise ValueError("head_motion_scale: the head does not move by itself here; leave the option out")
    if settings.blink and not able:
        raise ValueError(f"blink: {config.name} cannot blink; leave the option out")
    blink = able and bool(config.extra.get("blink", False)) if settings.blink is None else settings.blink
    scale = 1.0 if settings.head_motion_scale is None else settings.head_motion_scale
    return {"head_motion": motion, "head_motion_scale": scale, "blink": blink}
