"""Training from stored latents is the training without them, up to the rounding of 16-bit numbers."""

from pathlib import Path

import pytest
import torch

from talkvid.dataset import talking_face
from talkvid.model.autoencoder import SmallAutoencoder
from talkvid.model.bundle import ModelBundle
from talkvid.training.clips import usable_clips
from talkvid.training.engine import build_engine
from talkvid.training.latents import open_latents
from talkvid.training.run import run_training
from talkvid.training.run_folder import RunFolder
from talkvid.training.speech_fit import SpeechFeatures
from talkvid.training.start import starting_model
from talkvid.training.task import TalkingHeadTask
from tests.training.synthetic import SPEECH_DIM, Settings, make_dataset

TOLERANCE = 1e-3
"""Relative difference of losses: float16 keeps 11 bits of mean and deviation."""


def test_losses_agree_with_those_of_encoding_in_every_step(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ["run.max_steps=4", "data.num_frames=3", "loss.reference_drop=0.2"]
    plain = run_training(settings(1, *small))
    folder = tmp_path / "latents"
    cached = settings(1, *small, "run.train=cached", f"data.latent_cache={folder}")
    monkeypatch.setattr(talking_face, "read_at", None)  # no video is decoded in a step
    found = run_training(cached)
    assert len(list(folder.glob("*.safetensors"))) == 3
    assert torch.allclose(torch.tensor(found), torch.tensor(plain), rtol=TOLERANCE)
    assert found != plain


@pytest.fixture
def bundle(settings: Settings, tmp_path: Path) -> ModelBundle:
    config = settings(1)
    return starting_model(
        config.run,
        config.model,
        folder=RunFolder(tmp_path),
        resuming=False,
        speech=SpeechFeatures(SPEECH_DIM),
    )


def test_the_autoencoder_needs_no_room_on_the_gpu_once_the_latents_are_stored(
    settings: Settings, tmp_path: Path, bundle: ModelBundle
) -> None:
    config = settings(1, f"data.latent_cache={tmp_path / 'latents'}")
    engine = build_engine(config.run, optimizer=config.optimizer)
    task = TalkingHeadTask(bundle, loss=config.loss)
    clips = usable_clips(config, config.meta_paths())
    assert open_latents(config, task, clips, engine) is not None
    # `meta` stands for a GPU here: what is moved there can be told from what is not.
    task.network.to("meta")
    task.to(torch.device("meta"))
    assert next(bundle.vae.parameters()).device.type == "cpu"


def test_an_autoencoder_without_a_distribution_is_refused_by_name(
    settings: Settings, tmp_path: Path, bundle: ModelBundle
) -> None:
    config = settings(1, f"data.latent_cache={tmp_path / 'latents'}")
    engine = build_engine(config.run, optimizer=config.optimizer)
    bundle.modules["vae"] = SmallAutoencoder()
    task = TalkingHeadTask(bundle, loss=config.loss)
    with pytest.raises(ValueError, match=r"data\.latent_cache=.*no mean and deviation.*latent_cache=null"):
        open_latents(config, task, usable_clips(config, config.meta_paths()), engine)


def test_a_clip_that_cannot_be_encoded_stops_the_run_before_its_first_step(
    settings: Settings, tmp_path: Path
) -> None:
    data = make_dataset(tmp_path / "data")
    (data.parent / "videos" / "clip1.mp4").write_bytes(b"no video")
    with pytest.raises(ValueError, match=r"1 of 3 clips cannot be encoded .* clip1: .*clip1\.mp4"):
        run_training(settings(1, f"data.latent_cache={tmp_path / 'latents'}", f"data.meta_paths=[{data}]"))


def test_settings_that_stored_latents_cannot_follow_are_refused_before_anything_is_built(
    settings: Settings, tmp_path: Path
) -> None:
    for change in ("augment.min_crop=0.8", "augment.colour=0.1"):
        with pytest.raises(
            ValueError, match=r"data\.latent_cache cannot follow augment\.min_crop="
        ) as caught:
            settings(1, f"data.latent_cache={tmp_path}", change)
        assert "augment.colour" in str(caught.value) and "data.latent_cache=null" in str(caught.value)
