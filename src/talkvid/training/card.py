"""The card of an exported model: what it is, what it learned from, how, and what nobody noted."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from talkvid.config import load_config
from talkvid.files import atomic_path
from talkvid.model.adapters import Adapters
from talkvid.model.bundle import ModelBundle
from talkvid.model.checkpoints import step_of
from talkvid.model.hub_card import card_head
from talkvid.training.config import TrainConfig
from talkvid.training.config_distil import DISTILLATION
from talkvid.training.logbook import CSV_NAME, read_losses
from talkvid.training.provenance import RECORD, versions
from talkvid.training.run_folder import EMA_FOLDER, ROUNDS_FOLDER, SETTINGS_FILE

logger = logging.getLogger(__name__)

CARD_FILE = "README.md"
UNKNOWN = "not recorded"
_LAST_ROWS = 100

_GENERATE = (
    "talkvid generate --checkpoint_path THIS_FOLDER --reference_image_path portrait.png "
    "--audio_path speech.wav --output_path out.mp4"
)
_ORIGINAL = (
    "# in programs for the V-Express release, where the sizes are its own:\n"
    "python inference.py --reference_net_path THIS_FOLDER/reference_net.bin --denoising_unet_path "
    "THIS_FOLDER/denoising_unet.bin --motion_module_path THIS_FOLDER/motion_module.bin --v_kps_guider_path "
    "THIS_FOLDER/v_kps_guider.bin --audio_projection_path THIS_FOLDER/audio_projection.bin …"
)
_USE = {"talkvid": _GENERATE, "v-express": f"{_GENERATE}\n{_ORIGINAL}"}

Rows = Iterable[tuple[str, object]]


def write_card(
    path: Path, bundle: ModelBundle, *, layout: str, dtype: torch.dtype, adapters: Adapters | None = None
) -> None:
    """Write the card of a loaded checkpoint; what its folder does not tell is said to be not recorded.

    No path of the training machine gets into it.
    """
    source = Path(bundle.source)
    step = step_of(bundle.files["denoising_unet"]) if "denoising_unet" in bundle.files else None
    config = bundle.config
    noted: Mapping[str, Any] = config.extra.get(RECORD, {})
    count = sum(entry.numel() for module in bundle.modules.values() for entry in module.parameters())
    about = [
        ("base", noted.get("base")),
        ("parameters", f"{count / 1e6:.1f} M, stored as {str(dtype).removeprefix('torch.')}"),
        ("frames", f"{config.width} x {config.height} px, {config.fps:g} per second"),
        ("speech encoder", Path(config.speech_encoder).name),
    ]
    if adapters is not None:
        about.append(
            ("adapters added", f"rank {adapters.rank}, alpha {adapters.alpha:g}, step {adapters.step}")
        )
    lines = [
        *(
            card_head(config),
            f"# {config.name}",
            "",
            config.description or "No description was recorded.",
            "",
        ),
        *_table(about),
        *("", "## Data", "", *_table(_data(noted))),
        *("", "## Training", "", *_table(_training(source, noted, step))),
        *("", "## Losses", "", *_table(_losses(source, step))),
        *("", "## Use", "", "```bash", _USE[layout], "```", ""),
        *("## Licence", "", *_licence(bundle)),
        *("", "## Versions", "", *_versions(noted), ""),
    ]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")


def _data(noted: Mapping[str, Any]) -> Rows:
    hours = noted.get("hours")
    yield "name", noted.get("train")
    yield "clips", noted.get("clips")
    yield "hours", None if hours is None else f"{hours:g}"
    yield "languages", ", ".join(noted.get("languages", ())) or None


def _training(source: Path, noted: Mapping[str, Any], step: int | None) -> Rows:
    yield "stage", noted.get("stage")
    yield "step", step
    config = _settings(source)
    if config is None:
        yield "settings", None
        return
    run, data, loss, optimizer = config.run, config.data, config.loss, config.optimizer
    batch = data.train_bs * optimizer.accumulation * run.num_processes
    yield "recipe", f"{run.recipe}, seed {run.seed}, {run.precision}, engine {run.engine}"
    yield "batch", f"{batch} x {data.num_frames} frames of {data.width} x {data.height} px"
    rates = f"learning rate {optimizer.learning_rate:g}, betas {optimizer.beta1:g} and {optimizer.beta2:g}"
    limits = f"decay {optimizer.weight_decay:g}, gradient norm at most {optimizer.max_grad_norm:g}"
    yield "optimizer", f"{optimizer.name}, {rates}, {limits}"
    weights = f"lips x {loss.lip_weight:g}, SNR cap {loss.snr_gamma:g}, noise offset {loss.noise_offset:g}"
    yield "loss", weights
    everything, reference = (
        f"everything {loss.unconditional_probability:g}",
        f"reference {loss.reference_drop:g}",
    )
    yield "left out at random", f"{everything}, {reference}, key points {loss.kps_drop:g}"
    if run.stage == DISTILLATION:
        steps = ", ".join(map(str, config.distil.student_steps)) or "any number of"
        yield "distilled", f"guidance {config.distil.guidance_scale:g}; rounds of {steps} steps"
    if config.lora.rank:
        scale = f"rank {config.lora.rank}, alpha {config.lora.alpha or config.lora.rank:g}"
        yield "adapters", f"{scale}, on {', '.join(config.lora.targets)}"
    if run.ema_decay:
        yield "running mean", f"decay {run.ema_decay:g}"


def _settings(source: Path) -> TrainConfig | None:
    path = _beside(source, SETTINGS_FILE)
    if path is None:
        return None
    try:
        return load_config(TrainConfig, path)
    except ValueError as error:
        logger.warning("the card leaves the settings out: %s", error)
        return None


def _losses(source: Path, step: int | None) -> Rows:
    path = _beside(source, CSV_NAME)
    rows = [] if path is None else read_losses(path)
    rows = [row for row in rows if step is None or row["step"] <= step]
    training = [row["loss"] for row in rows if "loss" in row]
    yield "first", _number(training[:1])
    yield (
        f"mean of the last {min(_LAST_ROWS, len(training)) or _LAST_ROWS} noted",
        _number(training[-_LAST_ROWS:]),
    )
    looked = [row["validation_loss"] for row in rows if "validation_loss" in row]
    yield "first validation", _number(looked[:1])
    yield "last validation", _number(looked[-1:])


def _beside(source: Path, name: str) -> Path | None:
    """Return a file of the run folder: one folder above a running mean's, two above a round's."""
    above = {EMA_FOLDER: source.parent}.get(source.name)
    if source.parent.name == ROUNDS_FOLDER:
        above = source.parent.parent
    for folder in (source,) if above is None else (source, above):
        if (folder / name).is_file():
            return folder / name
    return None


def _number(values: Sequence[float]) -> str | None:
    return f"{sum(values) / len(values):.4g}" if values else None


def _licence(bundle: ModelBundle) -> list[str]:
    stated = bundle.config.license
    if not stated:
        return ["Not recorded. The licences of the base and of the training data apply; ask who trained it."]
    allowed = "allowed" if bundle.config.commercial_use else "not allowed"
    return [f"{stated} (commercial use {allowed}); taken over from the model it was trained from."]


def _versions(noted: Mapping[str, Any]) -> list[str]:
    return [
        f"* trained with: {_listed(noted.get('versions', {}))}",
        f"* exported with: {_listed(versions())}",
    ]


def _listed(found: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items()) or UNKNOWN


def _table(rows: Rows) -> list[str]:
    return [
        "| | |",
        "|---|---|",
        *(f"| {name} | {UNKNOWN if value is None else value} |" for name, value in rows),
    ]
