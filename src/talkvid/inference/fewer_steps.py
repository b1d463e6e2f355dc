"""The settings that trade exactness for speed (sampler, guidance interval, reuse), and how they combine.

All are off by default. A setting that could have no effect, or a bad one, is refused and never ignored.
"""

import logging
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from talkvid.inference.settings import GenerateSettings, VideoSettings
    from talkvid.model.bundle_config import BundleConfig

logger = logging.getLogger(__name__)

LCM_MOST_GUIDANCE = 2.0
"""Distilled models have their guidance built in; what is published for them uses a scale of 1 to 2."""


def parse_interval(text: str) -> tuple[float, float]:
    """Return the two numbers of LOW:HIGH, 0 <= LOW < HIGH, HIGH may be inf; ValueError for anything else."""
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        low, high = math.nan, math.nan
    if not 0 <= low < high:
        raise ValueError(
            f"guidance_interval: {text!r} is no range of noise levels; use LOW:HIGH, for example 0.3:5"
        )
    return low, high


def guidance_scales(settings: "VideoSettings") -> list[float]:
    """Return the guidance scale of every step: 1, which is no guidance, outside the interval."""
    if settings.guidance_interval is None:
        return [settings.guidance_scale] * settings.num_inference_steps
    from talkvid.diffusion.guidance_interval import guided_steps
    from talkvid.diffusion.schedule import NoiseSchedule

    low, high = parse_interval(settings.guidance_interval)
    inside = guided_steps(NoiseSchedule(), settings.num_inference_steps, low=low, high=high)
    return [settings.guidance_scale if guided else 1.0 for guided in inside]


def check_fewer_steps(settings: "VideoSettings", config: "BundleConfig") -> None:
    """Raise ValueError for settings that do not go together; warn of LCM without a model made for it."""
    if settings.sampler == "lcm":
        if settings.guidance_scale > LCM_MOST_GUIDANCE:
            raise ValueError(
                f"sampler lcm: a distilled model has its guidance built in and breaks at guidance_scale "
                f"{settings.guidance_scale:g}; use 1 (at most {LCM_MOST_GUIDANCE:g})"
            )
        if config.sampler != "lcm":
            logger.warning("sampler lcm: %s says nothing of being distilled for it; expect blur", config.name)
    if settings.guidance_interval is not None:
        if settings.guidance_scale == 1:
            raise ValueError("guidance_interval: guidance_scale is 1, so no step is guided; leave it out")
        if not any(scale != 1 for scale in guidance_scales(settings)):
            raise ValueError(
                f"guidance_interval {settings.guidance_interval}: none of the {settings.num_inference_steps} "
                "steps has such a noise level; widen it, or use guidance_scale 1"
            )
    if settings.reuse_features > settings.num_inference_steps:
        raise ValueError(
            f"reuse_features {settings.reuse_features}: there are only {settings.num_inference_steps} steps"
        )


def refuse_for_one_step(settings: "GenerateSettings", model: str) -> None:
    """Raise ValueError for what a model that works in one step cannot do."""
    for name, is_given in (
        ("sampler", settings.sampler not in (None, "ddim")),
        ("guidance_interval", settings.guidance_interval is not None),
        ("reuse_features", settings.reuse_features > 1),
    ):
        if is_given:
            raise ValueError(
                f"{name} {getattr(settings, name)}: {model} works in one step without guidance; leave it out"
            )
