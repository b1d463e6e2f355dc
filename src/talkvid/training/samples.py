"""Videos of held-out clips made by the networks as they are, beside the real frames and with the sound."""

import contextlib
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from talkvid.dataset.augment import Augmentation, change_frame, change_points, draw_augmentation
from talkvid.dataset.face_track import load_face_track
from talkvid.dataset.index import Clip
from talkvid.dataset.speech_rows import open_audio_features
from talkvid.dataset.talking_face import Window, choose_window
from talkvid.inference.device import Placement
from talkvid.inference.pipeline import Pipeline
from talkvid.inference.scene import Scene
from talkvid.inference.settings import GenerateSettings, VideoSettings, resolve
from talkvid.inference.sidecar import synthetic_metadata, write_sidecar
from talkvid.inference.timing import Timings
from talkvid.media.audio import AudioSource
from talkvid.media.ffmpeg import FfmpegError
from talkvid.media.image import save_image
from talkvid.media.video import probe, read_at, read_window
from talkvid.media.writer import VideoWriter
from talkvid.model.bundle import ModelBundle
from talkvid.records import Array
from talkvid.speech.align import ROWS_PER_FRAME, resampled_rows
from talkvid.training.config import TrainConfig
from talkvid.training.page import SAMPLES_FOLDER
from talkvid.training.sheet import SHEET_NAME, SHEET_TIMES, Row, draw_sheet
from talkvid.training.task import TalkingHeadTask
from talkvid.training.trackers import Tracker

logger = logging.getLogger(__name__)

READ_AHEAD = 8
"""Real frames decoded together."""


@dataclass(frozen=True)
class SampleClip:
    """A held-out clip of which videos are made: always the same frames and the same portrait."""

    clip: Clip
    name: str
    """What its files are called."""
    window: Window
    change: Augmentation
    """From the clip's frames to the size of the training."""
    has_audio: bool

    @property
    def sound(self) -> AudioSource | None:
        """Return the sound of the window, if the clip has any."""
        if not self.has_audio:
            return None
        return AudioSource(self.clip.video, start_s=self.window.first / self.clip.fps)

    def real_frames(self) -> Iterator[Array]:
        """Yield the frames (H W 3) uint8 of the window, as training sees them."""
        window = self.window
        for first in range(window.first, window.first + window.count, READ_AHEAD):
            count = min(READ_AHEAD, window.first + window.count - first)
            for frame in read_window(self.clip.video, first, count):
                yield change_frame(frame, self.change)

    def scene(self) -> Scene:
        """Return the reference frame as portrait, and key points and speech features of the window."""
        clip, window = self.clip, self.window
        frames = slice(window.first, window.first + window.count)
        return Scene(
            portrait=change_frame(read_at(clip.video, [window.reference])[0], self.change),
            speech=resampled_rows(
                open_audio_features(clip.audio_embeds),
                ROWS_PER_FRAME * clip.num_frames,
                ROWS_PER_FRAME * frames.start,
                ROWS_PER_FRAME * frames.stop,
            ),
            poses=change_points(load_face_track(clip.face_info, [frames]).points, self.change)[:, :3],
        )


def choose_samples(clips: Sequence[Clip], config: TrainConfig) -> list[SampleClip]:
    """Return the clips to make videos of, spread over the list, with windows that depend on the seed alone.

    A clip that cannot be read is a ValueError here, before any training.
    """
    count = min(config.validation.num_videos, len(clips))
    chosen = []
    for number in range(count):
        index = number * len(clips) // count
        clip = clips[index]
        info = probe(clip.video)
        longest = clip.num_frames - config.data.reference_margin - 1
        wanted = max(1, round(config.validation.video_s * clip.fps))
        rng = np.random.default_rng([config.run.seed, index])
        window = choose_window(
            clip.num_frames, min(wanted, longest), margin=config.data.reference_margin, rng=rng
        )
        size = (config.data.width, config.data.height)
        change = draw_augmentation((info.width, info.height), size, rng=rng)
        # Two lists may use the same name; a name may hold what a file's name must not.
        name = f"{number + 1}-{re.sub(r'[^A-Za-z0-9_.-]+', '_', clip.id)[:80]}"
        chosen.append(SampleClip(clip, name, window, change, info.has_audio))
    return chosen


class SampleVideos:
    """Makes the videos of a step: `samples/step-<N>/<clip>.mp4` and a sheet of stills beside them."""

    def __init__(
        self,
        task: TalkingHeadTask,
        config: TrainConfig,
        *,
        clips: Sequence[Clip],
        folder: Path,
        trackers: Sequence[Tracker] = (),
    ) -> None:
        self.task, self.folder, self.trackers = task, folder, trackers
        self.samples = choose_samples(clips, config)
        self.saves_memory = config.run.save_gpu_memory
        self.settings = video_settings(task.bundle, config)

    def write(self, step: int) -> None:
        """Write and report the videos of a step; one that cannot be made or kept is a warning.

        A month of training does not end because a disk was full for a moment.
        """
        self.settings = replace(self.settings, **self.task.sampling)
        folder = self.folder / SAMPLES_FOLDER / f"step-{step}"
        rows = []
        for sample in self.samples:
            try:
                rows.append(self._write_one(sample, folder / f"{sample.name}.mp4", step))
            except torch.OutOfMemoryError:
                logger.warning(
                    "step %d: no memory for the video of %s; set run.save_gpu_memory=true, a smaller "
                    "validation.video_s or validation.num_videos=0",
                    step,
                    sample.clip.id,
                )
            except (OSError, ValueError, FfmpegError) as error:
                logger.warning("step %d: no video of %s: %s", step, sample.clip.id, error)
        if not rows:
            return
        sheet = folder / SHEET_NAME
        save_image(sheet, draw_sheet(rows, title=f"step {step}"))
        for tracker in self.trackers:
            tracker.picture(step, SAMPLES_FOLDER, sheet)
            for row in rows:
                tracker.video(step, f"{SAMPLES_FOLDER}/{row.name}", folder / f"{row.name}.mp4")

    def _write_one(self, sample: SampleClip, path: Path, step: int) -> Row:
        bundle = live_bundle(self.task)
        scene = sample.scene()
        height, width = scene.portrait.shape[:2]
        made = Pipeline(bundle, self._placement()).frames(scene, self.settings, Timings())
        shown = {
            round(place * (scene.num_frames - 1) / (SHEET_TIMES - 1)): None for place in range(SHEET_TIMES)
        }
        stills: list[tuple[Array, Array]] = []
        with (
            contextlib.closing(made),
            VideoWriter(
                path,
                2 * width,
                height,
                sample.clip.fps,
                audio=sample.sound,
                metadata=synthetic_metadata(bundle.config.name),
            ) as writer,
        ):
            for number, (real, generated) in enumerate(zip(sample.real_frames(), made, strict=True)):
                writer.write(np.concatenate([real, generated], axis=1))
                if number in shown:
                    stills.append((real, generated))
        write_sidecar(path, self._description(sample, step))
        return Row(sample.name, scene.portrait, stills)

    def _placement(self) -> "StayingPlacement":
        weights = next(self.task.network.parameters())
        return StayingPlacement(self.task.device, weights.dtype, saves_memory=self.saves_memory)

    def _description(self, sample: SampleClip, step: int) -> dict[str, object]:
        settings, window = self.settings, sample.window
        return {
            "left": "real frames",
            "right": "generated",
            "step": step,
            "clip": sample.clip.id,
            "first_frame": window.first,
            "num_frames": window.count,
            "reference_frame": window.reference,
            "seed": settings.seed,
            "num_inference_steps": settings.num_inference_steps,
            "guidance_scale": settings.guidance_scale,
            "reference_attention_weight": settings.reference_attention_weight,
            "audio_attention_weight": settings.audio_attention_weight,
        }


class StayingPlacement(Placement):
    """Leaves the modules where and as they are: they belong to a training."""

    @contextlib.contextmanager
    def use(self, *modules: nn.Module | None) -> Iterator[None]:
        """Change nothing."""
        yield


def live_bundle(task: TalkingHeadTask) -> ModelBundle:
    """Return the networks in training as a model for inference, without those that cannot matter yet."""
    networks = dict(task.network.networks())
    if not task.network.hears:
        del networks["audio_projection"]
    return replace(task.bundle, modules={**networks, "vae": task.bundle.vae})


def video_settings(bundle: ModelBundle, config: TrainConfig) -> VideoSettings:
    """Return how sample videos are made: as the exported checkpoint would, with the validation's steps."""
    validation = config.validation
    settings = GenerateSettings(
        seed=config.run.seed,
        num_inference_steps=validation.num_inference_steps,
        guidance_scale=validation.guidance_scale,
    )
    return resolve(settings, bundle.config)
