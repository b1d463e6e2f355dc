"""A clip in one sentence: by a vision-language model of transformers, or a template of what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from talkvid.curation.annotations import field
from talkvid.curation.look import brightness, moments_of
from talkvid.curation.manifest import ClipRow
from talkvid.extras import require
from talkvid.media.video import read_at
from talkvid.records import Array

TEMPLATE = "template"
TEMPLATE_VERSION = "1"
RESOLUTION_PER_PERCENT = 30.0
"""The head stage's resolution is 30 times the face's share of the picture in percent."""
FRAMINGS = (
    (12.0, "close-up"),
    (4.0, "head-and-shoulders shot"),
    (1.5, "upper-body shot"),
    (0.0, "wide shot"),
)
"""Least share of the picture (percent) that the face box takes -> what such a picture is called."""
POSES = ((93.0, "facing the camera"), (85.0, "turned slightly away"), (0.0, "turned away from the camera"))
"""Least avg_orientation -> words; 93 is a turn of about 13 degrees, 85 one of 27."""
MOTIONS = ((98.5, "hardly moving"), (95.0, "moving a little"), (0.0, "moving a lot"))
"""Least avg_movement -> words; 98.5 is a step of 1.5 % of the picture's shorter side between looks."""
LIGHTS = ((0.7, "bright"), (0.35, "normal"), (0.2, "dim"), (0.0, "dark"))
"""Least mean grey level -> words."""
SPEECHES = ((0.8, "speaking throughout"), (0.4, "speaking most of the time"), (0.05, "speaking now and then"))


def template_caption(row: ClipRow, look: Sequence[Sequence[int]] | None) -> dict[str, Any]:
    """Return the field `caption` made of measured facts alone; what was not measured is not mentioned.

    Facts: share of the face box, head orientation and movement (stage head), mean light of the pictures,
    share of speech and length (scan).
    """
    head = row.scores.get("head", {})
    share = head["avg_resolution"] / RESOLUTION_PER_PERCENT if "avg_resolution" in head else None
    speech = row.score("scan", "speech_ratio")
    light = None if look is None else brightness(look)
    parts = [
        _word(FRAMINGS, share, "{}") or "clip",
        "of one person" if share is not None else "",
    ]
    details = [
        _word(POSES, head.get("avg_orientation"), "{}"),
        _word(MOTIONS, head.get("avg_movement"), "{}"),
        "not speaking" if speech is not None and speech < SPEECHES[-1][0] else _word(SPEECHES, speech, "{}"),
        _word(LIGHTS, light, "in {} light"),
        f"{row.duration_s:.1f} seconds long",
    ]
    text = ", ".join([" ".join(part for part in parts if part), *(part for part in details if part)])
    used = {"face_percent": share, "light": light, "speech_ratio": speech}
    used |= {name: head.get(name) for name in ("avg_orientation", "avg_movement")}
    facts = {name: round(value, 4) for name, value in used.items() if value is not None}
    return field(f"A {text}.", TEMPLATE, TEMPLATE_VERSION, facts=facts)


def _word(steps: Sequence[tuple[float, str]], value: float | None, form: str) -> str:
    """Return the word of the first step that the value reaches; "" without a value."""
    if value is None:
        return ""
    return next((form.format(word) for least, word in steps if value >= least), "")


@dataclass(frozen=True)
class CaptionModel:
    """A loaded vision-language model."""

    model: Any
    processor: Any
    prompt: str
    num_pictures: int
    most_tokens: int
    by: str
    version: str


def load_caption_model(
    name: str, *, prompt: str, num_pictures: int = 1, most_tokens: int = 80, device: str = "cpu"
) -> CaptionModel:
    """Return an image-text-to-text model of transformers by name or folder.

    Raises ValueError in one line where there is no such model or it takes no pictures.
    """
    transformers = require("transformers", extra="annotate")
    try:
        processor = transformers.AutoProcessor.from_pretrained(name)
        model = transformers.AutoModelForImageTextToText.from_pretrained(name).to(device).eval()
    except (OSError, ValueError, KeyError) as error:
        text = " ".join(str(error).split())[:200]
        raise ValueError(f"{name}: no vision-language model can be loaded from there ({text})") from error
    by = f"{model.config.model_type} {Path(name).name}"
    return CaptionModel(
        model, processor, prompt, num_pictures, most_tokens, by, str(transformers.__version__)
    )


def model_caption(row: ClipRow, captioner: CaptionModel) -> dict[str, Any]:
    """Return the field `caption` as the model writes it of a few pictures, without any chance in it."""
    every = moments_of(row)
    places = [
        round((number + 0.5) * len(every) / captioner.num_pictures - 0.5)
        for number in range(captioner.num_pictures)
    ]
    pictures = list(read_at(row.path, [every[place] for place in places]))
    return field(describe(pictures, captioner), captioner.by, captioner.version, pictures=len(pictures))


def describe(pictures: Sequence[Array], captioner: CaptionModel) -> str:
    """Return the model's text about RGB pictures (H W 3); its own chat form where it has one."""
    import torch
    from PIL import Image

    images = [Image.fromarray(picture) for picture in pictures]
    processor = captioner.processor
    if getattr(processor, "chat_template", None):
        content = [*({"type": "image"} for _ in images), {"type": "text", "text": captioner.prompt}]
        text = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        inputs = processor(images=images, text=text, return_tensors="pt")
    else:
        inputs = processor(images=images[:1], return_tensors="pt")
    inputs = inputs.to(captioner.model.device)
    with torch.inference_mode():
        tokens = captioner.model.generate(**inputs, max_new_tokens=captioner.most_tokens, do_sample=False)
    asked = inputs["input_ids"].shape[1] if "input_ids" in inputs else 0
    (words,) = processor.batch_decode(tokens[:, asked:], skip_special_tokens=True)
    return " ".join(str(words).split())
