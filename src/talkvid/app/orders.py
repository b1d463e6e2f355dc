"""What a visitor asked for, checked and ready to be made."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from talkvid.app.folder import has_room
from talkvid.app.limits import Limits
from talkvid.app.sentences import DISK_FULL, ServerTrouble
from talkvid.diffusion.sampler import num_calls
from talkvid.inference.settings import GenerateSettings, resolve
from talkvid.media.audio import num_frames
from talkvid.model.bundle_config import BundleConfig

AS_THE_MODEL = "as the model does"
"""Choice of the page that leaves a setting to the checkpoint."""
LONGEST_STEM_BYTES = 60
"""Of each input's name in the video's; the longest legal file name holds 255."""
SILENT = "Nothing can be heard in the speech file."


@dataclass(frozen=True)
class Order:
    """One video to be made."""

    portrait: Path
    sound: Path
    settings: GenerateSettings
    output: Path
    num_frames: int
    num_calls: int
    """How often the denoiser will be asked."""
    note: str = ""
    """What the visitor should know about what was given, besides mistakes."""

    @property
    def files(self) -> tuple[Path | str | None, ...]:
        """Return the files that a message may name."""
        driving = self.settings.driving_video
        return self.portrait, self.sound, None if driving is None else Path(driving), self.output


def make_order(
    portrait: str | None,
    sound: str | None,
    wishes: Mapping[str, Any],
    *,
    limits: Limits,
    config: BundleConfig,
    folder: Path,
) -> Order:
    """Return the order, its output in a new folder below `folder`, whose parent exists.

    `wishes` are settings as the page gives them: None, "" and AS_THE_MODEL leave them to the checkpoint.
    Raises ValueError or FileNotFoundError with a sentence for whatever is missing, too large or senseless.
    """
    if not has_room(folder.parent, 0):
        raise ServerTrouble(DISK_FULL)
    if not portrait:
        raise ValueError("Give a portrait first: drop a picture of one person, or pick a sample.")
    if not sound:
        raise ValueError("Give the speech first: drop a sound file, record one, or pick a sample.")
    picture, speech = Path(portrait), Path(sound)
    settings = read_wishes(wishes, limits)
    for file in (picture, speech, settings.driving_video):
        if file is not None and not Path(file).is_file():
            raise FileNotFoundError(
                f"{file}: this upload is not here any more, for they are removed after "
                f"{limits.keep_minutes:g} minutes; give it again"
            )
    limits.check_portrait(picture)
    heard = limits.check_sound(speech)
    if settings.driving_video is not None:
        limits.check_driving(Path(settings.driving_video))
    video = resolve(settings, config)
    frames = num_frames(heard.seconds, video.fps)
    calls = num_calls(
        frames, video.num_inference_steps, size=video.context_frames, overlap=video.context_overlap
    )
    output = folder / secrets.token_hex(16) / f"{short_stem(picture)}_{short_stem(speech)}.mp4"
    return Order(picture, speech, settings, output, frames, calls, SILENT if heard.is_silent else "")


def short_stem(path: Path) -> str:
    """Return the name of a file without its suffix, cut short and without marks that cannot be seen."""
    visible = "".join(mark for mark in path.stem if mark.isprintable())
    return visible.encode()[:LONGEST_STEM_BYTES].decode(errors="ignore").strip(" .") or "file"


def read_wishes(wishes: Mapping[str, Any], limits: Limits) -> GenerateSettings:
    """Return the settings of the page's values; ValueError for one that makes no sense or is not allowed."""
    values = {name: value for name, value in wishes.items() if value not in (None, "", AS_THE_MODEL)}
    size = values.pop("size", None)
    if size is not None:
        values["image_width"] = values["image_height"] = whole("size", size)
        if values["image_width"] > limits.side:
            raise ValueError(f"size: {size:g} pixels, more than the {limits.side} allowed here")
    for name in ("seed", "num_inference_steps"):
        if name in values:
            values[name] = whole(name, values[name])
    if values.get("num_inference_steps", 1) > limits.steps:
        raise ValueError(f"steps: {values['num_inference_steps']}, more than the {limits.steps} allowed here")
    if isinstance(values.get("blink"), str):
        values["blink"] = values["blink"] == "yes"
    if values.get("retarget_strategy", "fix_face") != "fix_face" and not values.get("driving_video"):
        raise ValueError(
            f"The retarget strategy {values['retarget_strategy']} needs a driving video: drop one, "
            f"or choose {AS_THE_MODEL!r}."
        )
    return GenerateSettings(**values)


def whole(name: str, value: float) -> int:
    """Return a whole number; raise ValueError for another one or a sign before it."""
    if not isinstance(value, int | float) or value != value or value != int(value) or not 0 <= value < 2**63:
        raise ValueError(f"{name}: must be a whole number from 0, got {value}")
    return int(value)
