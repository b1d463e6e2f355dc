"""What a visitor can give and choose: files, samples, and settings that begin as the checkpoint has them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from talkvid.app.limits import Limits
from talkvid.app.orders import AS_THE_MODEL
from talkvid.inference.settings import HEAD_MOTIONS, RETARGET_STRATEGIES
from talkvid.model.bundle_config import BundleConfig

SIDES = (256, 384, 512, 640, 768, 1024)
PORTRAITS = (".png", ".jpg", ".jpeg", ".webp")
FACES = [
    ("automatic", "auto"),
    ("the largest", "largest"),
    *((f"number {number} by size", str(number)) for number in range(1, 7)),
]
SPEECHES = (".wav", ".mp3", ".m4a", ".ogg")


@dataclass(frozen=True)
class Inputs:
    """The parts of the page that give values, and what each value is called."""

    names: tuple[str, ...]
    components: tuple[Any, ...]


def build_inputs(gr: Any, config: BundleConfig, limits: Limits, samples: list[list[str]]) -> Inputs:
    """Put the inputs into the page that is being built and return them."""
    portrait = gr.Image(
        type="filepath", image_mode=None, sources=["upload", "clipboard"], label="Portrait: one person",
        height=260, buttons=[], elem_id="portrait",
    )  # fmt: skip
    # Gradio would open a broken or oversized picture before any check of ours.
    portrait.preprocess = path_of
    sound = gr.Audio(
        type="filepath", sources=["upload", "microphone"], label=f"Speech, at most {limits.sound_s:g} s",
        editable=False, buttons=[], elem_id="speech",
    )  # fmt: skip
    if samples:
        _build_samples(gr, samples, portrait, sound)
    found = {"portrait": portrait, "sound": sound}
    with gr.Accordion("Head motion from a video", open=False, elem_id="driving-box"):
        found["driving_video"] = gr.Video(
            sources=["upload"], label="Driving video (optional)", height=240, buttons=[], elem_id="driving"
        )
    with gr.Accordion("Advanced", open=False, elem_id="advanced"):
        found |= _settings(gr, config, limits)
    return Inputs(tuple(found), tuple(found.values()))


def _build_samples(gr: Any, samples: list[list[str]], portrait: Any, sound: Any) -> None:
    """Show the samples' portraits; a chosen one is put into both inputs."""
    pictures = [(picture, Path(picture).parent.name) for picture, _ in samples]
    gallery = gr.Gallery(
        pictures, label="Samples, with speech", height="auto", allow_preview=False, buttons=[],
        interactive=False, object_fit="cover", elem_id="samples",
    )  # fmt: skip

    def choose(event: Any) -> list[str]:
        return samples[event.index]

    choose.__annotations__ = {"event": gr.SelectData}
    gallery.select(choose, None, [portrait, sound], api_visibility="private", show_progress="hidden")


def _settings(gr: Any, config: BundleConfig, limits: Limits) -> dict[str, Any]:
    one_step = config.prediction_type == "residual"
    told = "this model always works in one step, without guidance" if one_step else None
    with gr.Row():
        steps = gr.Slider(
            1, limits.steps, value=min(config.num_inference_steps, limits.steps), step=1, label="Steps",
            info=told or "more are slower and finer", interactive=not one_step, elem_id="steps",
        )  # fmt: skip
        guidance = gr.Slider(
            1, 10, value=min(config.guidance_scale, 10), step=0.1, label="Guidance",
            info=told or "1 turns it off", interactive=not one_step, elem_id="guidance",
        )  # fmt: skip
    with gr.Row():
        size = gr.Dropdown(
            sides(config, limits), value=config.width, label="Size in pixels", info="width and height"
        )
        seed = gr.Number(42, precision=0, minimum=0, label="Seed", info="the same seed gives the same video")
    with gr.Row():
        retarget = gr.Dropdown(
            [AS_THE_MODEL, *RETARGET_STRATEGIES], value=AS_THE_MODEL, label="Retarget strategy",
            info="how the motion of a driving video fits the portrait",
        )  # fmt: skip
        head = gr.Dropdown(
            [AS_THE_MODEL, *HEAD_MOTIONS], value=AS_THE_MODEL, label="Head motion", info="of its own"
        )
    with gr.Row():
        blink = gr.Dropdown([AS_THE_MODEL, "yes", "no"], value=AS_THE_MODEL, label="Blinking")
        face = gr.Dropdown(
            FACES, value="auto", label="Which face", info="automatic: the only one, or by far the largest"
        )
    label = gr.Checkbox(False, label="Write “AI-generated” into the picture")
    return {
        "num_inference_steps": steps,
        "guidance_scale": guidance,
        "size": size,
        "seed": seed,
        "retarget_strategy": retarget,
        "head_motion": head,
        "blink": blink,
        "face": face,
        "label": label,
    }


def sides(config: BundleConfig, limits: Limits) -> list[int]:
    """Return the sizes to choose from, the checkpoint's own among them."""
    return sorted({config.width, *(side for side in SIDES if side <= limits.side)})


def find_samples(folder: Path) -> list[list[str]]:
    """Return [portrait, speech] of every sample in a folder of folders, by name."""
    found = []
    for sample in sorted(path for path in folder.glob("*") if path.is_dir()):
        portraits = [path for path in sorted(sample.iterdir()) if path.suffix.lower() in PORTRAITS]
        speeches = [path for path in sorted(sample.iterdir()) if path.suffix.lower() in SPEECHES]
        if portraits and speeches:
            found.append([str(portraits[0]), str(speeches[0])])
    return found


def path_of(payload: Any) -> str | None:
    """Return the path of an uploaded file, unopened; None where nothing was given."""
    return None if payload is None else payload.path
