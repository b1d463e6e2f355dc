"""Whether a data set's speech features and a model belong together, and a new audio projection where not."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from talkvid.dataset.face_info import stored_metadata
from talkvid.dataset.index import Clip
from talkvid.dataset.talking_face import load_audio_features
from talkvid.model.bundle import ModelBundle
from talkvid.model.bundle_config import BundleConfig
from talkvid.model.registry import build_module
from talkvid.training.config import ModelConfig

logger = logging.getLogger(__name__)

_PROJECTION = "audio_projection"


@dataclass(frozen=True)
class SpeechFeatures:
    """What a data set says about its speech features."""

    dim: int
    """Numbers per row."""
    encoder: str = ""
    """Folder, hub id or built-in name of the encoder that made them; empty where the data does not say."""


def read_speech_features(clips: Sequence[Clip]) -> SpeechFeatures:
    """Return the features' width and encoder, from one clip of each folder.

    ValueError naming two clips whose features differ in width or encoder.
    """
    first_of = {clip.audio_embeds.parent: clip for clip in reversed(clips)}
    found = {folder: _features_of(clip) for folder, clip in first_of.items()}
    kinds = {(entry.dim, _plain(entry.encoder)): folder for folder, entry in found.items()}
    if len(kinds) > 1:
        (one, folder), (other, another) = list(kinds.items())[:2]
        raise ValueError(
            f"speech features in {folder} are {one[0]} wide ({one[1] or 'encoder unknown'}), those in "
            f"{another} {other[0]} ({other[1] or 'encoder unknown'}): prepare all clips with one encoder"
        )
    return found[clips[0].audio_embeds.parent]


def fit_config(config: BundleConfig, speech: SpeechFeatures, model: ModelConfig) -> BundleConfig:
    """Return the config of the model that reads these features: the same, or with a new projection's width.

    ValueError naming `model.new_audio_projection` where widths differ and it is not set. Another encoder of
    the same width is a warning, since only a person can know whether two names mean the same one.
    """
    spec = config.modules.get(_PROJECTION)
    if spec is None:
        return config
    width = _width(config)
    same_name = not speech.encoder or _plain(speech.encoder) == _plain(config.speech_encoder)
    if model.new_audio_projection:
        changed = replace(spec, config={**spec.config, "embedding_dim": speech.dim})
        return replace(config, modules={**config.modules, _PROJECTION: changed})
    if width != speech.dim:
        raise ValueError(
            f"the data's speech features are {speech.dim} wide ({speech.encoder or 'encoder unknown'}), "
            f"model {config.name!r} reads {width} ({config.speech_encoder}): set "
            "model.new_audio_projection=true to train a new projection, or prepare the data with "
            f"--speech_encoder {config.speech_encoder}"
        )
    if not same_name:
        logger.warning(
            "the data's speech features come from %s, model %r was trained on those of %s: "
            "model.new_audio_projection=true begins with a fresh projection",
            speech.encoder,
            config.name,
            config.speech_encoder,
        )
    return config


def require_width(clips: Sequence[Clip], config: BundleConfig) -> None:
    """Raise ValueError when the features of further clips, such as held-out ones, do not fit the model."""
    speech = read_speech_features(clips)
    if _PROJECTION in config.modules and speech.dim != _width(config):
        raise ValueError(
            f"{clips[0].audio_embeds}: speech features are {speech.dim} wide, the model reads "
            f"{_width(config)}: prepare these clips with the speech encoder of the training clips"
        )


def renew_audio_projection(bundle: ModelBundle, config: BundleConfig, *, seed: int) -> None:
    """Put a random audio projection of the config's sizes into the bundle; its weights follow from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        bundle.modules[_PROJECTION] = build_module(_PROJECTION, config.modules[_PROJECTION])
    bundle.config = config
    logger.info("a new audio projection reads features of width %d", _width(config))


def _width(config: BundleConfig) -> int:
    return int(config.modules[_PROJECTION].config.get("embedding_dim", 768))


def _features_of(clip: Clip) -> SpeechFeatures:
    encoder = stored_metadata(clip.audio_embeds).get("speech_encoder", "")
    return SpeechFeatures(load_audio_features(clip.audio_embeds).shape[1], encoder)


def _plain(encoder: str) -> str:
    """Return the name without folder or owner, so that a folder and a hub id of one encoder are equal."""
    return Path(encoder).name.lower().replace("_", "-")
