"""Where the parts of a checkpoint lie: our folders, training runs, and the published V-Express release."""

import logging
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from talkvid.model.bundle_config import CONFIG_FILE, BundleConfig, ModuleSpec
from talkvid.model.tiny_vae import find_tiny_weights
from talkvid.model.unet_config import UNetConfig
from talkvid.model.vae import DiffusersVae
from talkvid.model.weights import read_state

logger = logging.getLogger(__name__)

FETCH_COMMAND = "bash scripts/download_models.sh"
MODEL_FOLDER = Path("model_ckpts")
NETWORKS = ("reference_net", "denoising_unet", "v_kps_guider", "audio_projection")
"""Networks every training run exports and every published checkpoint has."""
TRAINED = (*NETWORKS, "motion_module")
"""The same with the temporal layers, which may have a file of their own."""
VAE_FOLDER = "sd-vae-ft-mse"
UNET_CONFIG = "stable-diffusion-v1-5/unet/config.json"
TRAINED_FPS = 24.0  # of the reference's training clips; a run with a config.json states its own

WEIGHT_SUFFIXES = (".safetensors", ".pth", ".bin")
"""Of a network's files in a folder of ours, the preferred one first."""
EXPORT = re.compile(r"([a-z0-9_]+)-(\d+)\.\w+")
"""Name of an export: network and step."""


def module_file_name(module: str, step: int, *, suffix: str = ".safetensors") -> str:
    """Return the name under which a training run exports a network: `<module>-<step>.safetensors`."""
    return f"{module}-{step}{suffix}"


def step_of(path: str | Path) -> int | None:
    """Return the step in the name of an export; None for any other file."""
    match = EXPORT.fullmatch(Path(path).name)
    return int(match[2]) if match else None


def exported_modules(folder: str | Path) -> dict[int, dict[str, Path]]:
    """Return step -> network -> file for all exports in a run's folder, lowest step first."""
    found: dict[int, dict[str, Path]] = {}
    for suffix in reversed(
        WEIGHT_SUFFIXES
    ):  # where a network lies there twice, the last and preferred form stays
        for path in Path(folder).glob(f"*{suffix}"):
            if match := EXPORT.fullmatch(path.name):
                found.setdefault(int(match[2]), {})[match[1]] = path
    return dict(sorted(found.items()))


def complete_exports(folder: str | Path, *, given: Collection[str] = ()) -> dict[int, dict[str, Path]]:
    """Return what `exported_modules` does for the steps that have every network, lowest step first.

    A run that ended between two exports of a step leaves that step incomplete. `given` networks come from
    elsewhere and need not be there.
    """
    needed = set(NETWORKS) - set(given)
    return {step: files for step, files in exported_modules(folder).items() if needed <= files.keys()}


@dataclass(frozen=True)
class PartPaths:
    """Paths of single parts, which prevail over those of the checkpoint; None: as the checkpoint has it."""

    unet_config_path: str | Path | None = None
    vae_path: str | Path | None = None
    audio_encoder_path: str | Path | None = None
    denoising_unet_path: str | Path | None = None
    reference_net_path: str | Path | None = None
    v_kps_guider_path: str | Path | None = None
    audio_projection_path: str | Path | None = None
    motion_module_path: str | Path | None = None
    preview_vae: str | Path | None = None
    """A small autoencoder that decodes in place of the model's own."""

    def networks(self) -> dict[str, Path]:
        """Return network -> file for the networks whose path is given, the temporal layers included."""
        names = (*NETWORKS, "motion_module")
        return {name: Path(value) for name in names if (value := getattr(self, f"{name}_path")) is not None}


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was found: its config and where each of its parts lies."""

    config: BundleConfig
    speech_encoder: str
    """Folder, hub id or built-in name of the speech encoder."""
    files: dict[str, Path] = field(default_factory=dict)
    """Network -> weight file; for `vae` perhaps a folder in diffusers' layout."""


def locate(
    path: str | Path | None,
    *,
    parts: PartPaths | None = None,
    model_folder: str | Path = MODEL_FOLDER,
    step: int | None = None,
) -> Checkpoint:
    """Return the checkpoint at `path`: a folder, or a repository on the Hugging Face hub (name@revision).

    None with paths of networks is the published release below `model_folder`. Parts that the checkpoint
    lacks are sought in it, beside it and below `model_folder`. Of a training run the exports of `step`, or
    of the last complete step. FileNotFoundError names what is absent and the command that fetches it;
    ValueError says what is wrong with the folder.
    """
    parts = parts or PartPaths()
    folder = Path(model_folder) if path is None else _existing_folder(path, step)
    found = _read_folder(_Search(folder, Path(model_folder), parts), step)
    if parts.preview_vae is None:
        return found
    if found.config.prediction_type == "residual":
        raise ValueError(f"preview_vae: {found.config.name} has a small decoder of its own; leave it out")
    return replace(found, files={**found.files, "preview_vae": find_tiny_weights(parts.preview_vae)})


def _read_folder(search: "_Search", step: int | None) -> Checkpoint:
    folder = search.folder
    config_file = folder / CONFIG_FILE
    steps = exported_modules(folder)
    if steps and not any((folder / f"{name}.safetensors").is_file() for name in NETWORKS):
        return _training_run(search, steps, step)
    if step is not None:
        raise ValueError(f"{folder} is no training run: it has no exports of step {step} or any other")
    if config_file.is_file():
        return _own_folder(search, BundleConfig.from_file(config_file))
    return _published(search)


@dataclass(frozen=True)
class _Search:
    """Where parts are looked for."""

    folder: Path
    model_folder: Path
    parts: PartPaths

    def roots(self) -> Iterator[Path]:
        yield from (self.folder, self.folder / "model_ckpts", self.folder.parent, self.model_folder)

    def shared(self, name: str, given: str | Path | None, what: str, flag: str) -> Path:
        """Return the given path, or that of `name` under the first root that has it."""
        candidates = [Path(given)] if given is not None else [root / name for root in self.roots()]
        for candidate in candidates:
            if candidate.exists():
                return candidate
        raise FileNotFoundError(
            f"{what} {candidates[-1]} is missing: fetch it with `{FETCH_COMMAND}`, or give {flag}"
        )

    def speech_encoder(self, name: str) -> str:
        """Return where the speech encoder lies; a name that no root has is left to the speech room."""
        if self.parts.audio_encoder_path is not None:
            return str(self.parts.audio_encoder_path)
        for root in self.roots():
            if (root / name / "config.json").is_file():
                return str(root / name)
        return name

    def published_file(self, name: str) -> Path | None:
        for root in (self.folder, self.folder / "v-express", self.model_folder / "v-express"):
            for suffix in (".bin", ".pth", ".safetensors"):
                if (root / f"{name}{suffix}").is_file():
                    return root / f"{name}{suffix}"
        return None


def _existing_folder(path: str | Path, step: int | None) -> Path:
    folder = Path(path)
    if folder.is_dir():
        return folder
    if folder.is_file():
        raise ValueError(f"checkpoint {path} is a file: give the folder it lies in, or its own flag")
    from talkvid.model.hub import fetch_checkpoint, is_hub_name

    if is_hub_name(str(path)):
        return fetch_checkpoint(str(path), step=step)
    raise FileNotFoundError(
        f"checkpoint folder {path} does not exist: fetch the models with `{FETCH_COMMAND}`"
    )


def _own_folder(search: _Search, config: BundleConfig) -> Checkpoint:
    files = {}
    for name in (*config.modules, "motion_module"):
        for suffix in WEIGHT_SUFFIXES:
            if (search.folder / f"{name}{suffix}").is_file():
                files[name] = search.folder / f"{name}{suffix}"
                break
        else:
            if name in config.modules:
                files[name] = search.folder / f"{name}.safetensors"  # named where it is missed
    files.update(search.parts.networks())
    return _with_vae(search, Checkpoint(config, search.speech_encoder(config.speech_encoder), files))


def _training_run(search: _Search, steps: dict[int, dict[str, Path]], wanted: int | None) -> Checkpoint:
    given = search.parts.networks()
    complete = complete_exports(search.folder, given=given)
    if not complete:
        lacking = [name for name in NETWORKS if name not in steps[max(steps)] and name not in given]
        raise ValueError(
            f"{search.folder} holds exports, but no step of which every network was written (step "
            f"{max(steps)} lacks {', '.join(lacking)})"
        )
    if wanted is not None and wanted not in complete:
        raise ValueError(
            f"{search.folder} has no complete exports of step {wanted}; it has step "
            f"{', '.join(map(str, complete))}"
        )
    step = max(complete) if wanted is None else wanted
    logger.info("%s: taking the exports of step %d", search.folder, step)
    files = {**{name: path for name, path in steps[step].items() if name in TRAINED}, **given}
    config_file = search.folder / CONFIG_FILE
    if config_file.is_file():
        config = BundleConfig.from_file(config_file)
        files = {**{name: search.folder / f"{name}.safetensors" for name in config.modules}, **files}
    else:
        config = replace(
            _published_config(search, files), name=f"{search.folder.name}-{step}", fps=TRAINED_FPS
        )
    return _with_vae(search, Checkpoint(config, search.speech_encoder(config.speech_encoder), files))


def _published(search: _Search) -> Checkpoint:
    files = {}
    for name in (*NETWORKS, "motion_module"):
        found = search.published_file(name)
        if found is not None:
            files[name] = found
    files.update(search.parts.networks())
    absent = [name for name in NETWORKS if name not in files]
    if absent:
        raise FileNotFoundError(
            f"checkpoint {search.folder} is no folder of ours ({CONFIG_FILE}), no training run and lacks "
            f"{absent[0]}.bin of the V-Express release: fetch it with `{FETCH_COMMAND}`"
        )
    config = _published_config(search, files)
    name = config.speech_encoder
    encoder = search.shared(name, search.parts.audio_encoder_path, "speech encoder", "--audio_encoder_path")
    return _with_vae(search, Checkpoint(config, str(encoder), files))


def _published_config(search: _Search, files: dict[str, Path]) -> BundleConfig:
    """Return the config that the U-Net's file and the sizes of the audio projection's weights tell."""
    given = search.parts.unet_config_path
    unet = UNetConfig.from_file(search.shared(UNET_CONFIG, given, "UNet config", "--unet_config_path"))
    path = files.get("audio_projection")
    if path is None:
        raise FileNotFoundError(
            f"{search.folder} lacks audio_projection: name it with --audio_projection_path"
        )
    state = read_state(path)
    try:
        num_rows, speech_dim = state["pos_emb.weight"].shape
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path}: not an audio projection (it lacks pos_emb.weight)") from error
    return BundleConfig.published(unet, speech_dim=speech_dim, num_pad_audio_frames=(num_rows // 2 - 1) // 2)


def _with_vae(search: _Search, checkpoint: Checkpoint) -> Checkpoint:
    """Add the image autoencoder: the given one, the checkpoint's own, or Stable Diffusion's beside it."""
    given, files = search.parts.vae_path, dict(checkpoint.files)
    spec = checkpoint.config.modules.get("vae")
    if given is not None and Path(given).is_file():
        if spec is None:
            raise ValueError(f"image autoencoder {given} is a file: give its folder, with config.json")
        return replace(checkpoint, files={**files, "vae": Path(given)})
    own_file = search.folder / "vae.safetensors"
    if given is None and spec is not None and own_file.is_file():
        files["vae"] = own_file
        return replace(checkpoint, files=files)
    if given is None and spec is not None and spec.kind != "autoencoder_kl":
        raise FileNotFoundError(f"checkpoint {search.folder} lacks {own_file.name}, which its config names")
    folder = search.shared(VAE_FOLDER, given, "image autoencoder", "--vae_path")
    files["vae"] = folder
    modules = {
        **checkpoint.config.modules,
        "vae": ModuleSpec("autoencoder_kl", DiffusersVae.read_config(folder)),
    }
    return replace(checkpoint, files=files, config=replace(checkpoint.config, modules=modules))
