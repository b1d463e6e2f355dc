"""Measures the embedded model on held-out persons: first frame and own sound against the true clip.

Every frame is looked at by MediaPipe, which did not make it; the measures are those of `talkvid.evaluation`.
Beside the model's row stand the true clip, the same model hearing another clip's sound, and the first frame
kept still.
"""

import argparse
import logging
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from talkvid import log
from talkvid.evaluation.identity import FaceEmbedder
from talkvid.evaluation.mobilefacenet import MobileFaceNetEmbedder
from talkvid.evaluation.mouth_report import Case, mouth_report
from talkvid.evaluation.report_writer import as_markdown, write_report
from talkvid.evaluation.video_look import VideoLook, Yardstick, look_at
from talkvid.evaluation.yardstick import FaceYardstick
from talkvid.face.mouth_stage import MouthStage
from talkvid.inference.api import TalkVidInference
from talkvid.model.bundle import ModelBundle, load_bundle
from talkvid.model.lip_predictor import LipPredictor
from talkvid.model.vae import ImageAutoencoder
from talkvid.records import Array, Face
from talkvid.speech.activity import speech_activity
from talkvid.speech.align import FrameAligner
from talkvid.speech.features import LogMelEncoder
from talkvid.training.mini_clips import AUDIO_RATE_HZ, FPS
from talkvid.training.mini_data import PackedClip, load_clips
from talkvid.training.mini_portraits import portrait_cases, save_moments, strangers
from talkvid.training.mini_samples import as_signed
from talkvid.training.mini_videos import VideoMaker

logger = logging.getLogger("talkvid.training.mini_report")

BATCH = 8
MOST_FRAMES = 125
NUM_CONTROLS = 5
"""Sounds of other clips that the mel measure's control is made of."""


class FrameMaker(Protocol):
    """Makes the pictures that are judged; `name` says which of all videos it is."""

    def frames(self, portrait: Array, face: Face, sound: Array, count: int, *, name: str) -> Iterator[Array]:
        """Yield about `count` frames (H W 3) uint8 of the portrait saying `sound` (N,) at 16 kHz."""
        ...


class Renderer:
    """Makes frames from one portrait and a sound with the networks of a bundle."""

    def __init__(self, bundle: ModelBundle) -> None:
        self.bundle = bundle
        vae, lips = bundle.vae, bundle.lip_predictor
        assert isinstance(vae, ImageAutoencoder) and isinstance(lips, LipPredictor)
        self.vae, self.lips = vae, lips

    @torch.no_grad()
    def frames(self, portrait: Array, face: Face, sound: Array, count: int, *, name: str) -> Iterator[Array]:
        """Yield `count` frames (H W 3) uint8 of the portrait saying `sound` (N,) at 16 kHz."""
        stage = MouthStage(portrait, face)
        features = LogMelEncoder().encode(sound)
        spoken = np.resize(np.append(speech_activity(sound, FPS), np.zeros(count, bool)), count)
        motion = self.lips.predict(features, count, fps=FPS, own_shape=stage.shape.moving, spoken=spoken)
        aligner = FrameAligner(features, count, num_pad=self.bundle.config.num_pad_audio_frames)
        net, guider, audio = (
            self.bundle.denoising_unet,
            self.bundle.v_kps_guider,
            self.bundle.audio_projection,
        )
        assert self.bundle.reference_net is not None and guider is not None and audio is not None
        reference = self.vae.encode(_signed(stage.reference[None]))
        cache = net.project_reference(self.bundle.reference_net.features(reference))
        for start in range(0, count, BATCH):
            targets = [stage.shape.moved(move) for move in motion[start : start + BATCH]]
            views = [stage.view(target) for target in targets]
            base = self.vae.encode(_signed(np.stack([view.warped for view in views])))
            drawing = (
                torch.from_numpy(np.stack([view.drawing for view in views])).permute(3, 0, 1, 2)[None] / 255
            )
            residual = net(
                base.transpose(0, 1)[None],
                torch.zeros(1),
                audio_tokens=audio(aligner.windows(start, len(views))[None]),
                kps_features=guider(drawing),
                reference=cache,
            )[0].transpose(0, 1)
            change = (self.vae.decode(base + residual) - self.vae.decode(base)).permute(0, 2, 3, 1).numpy()
            for target, one in zip(targets, change, strict=True):
                yield stage.finish(target, one)


def cases(
    maker: FrameMaker,
    model_name: str,
    clips: list[PackedClip],
    yardstick: Yardstick,
    *,
    embedder: FaceEmbedder | None = None,
) -> Iterator[Case]:
    """Yield four cases of each clip: truth, model, model with another clip's sound, still portrait.

    All are judged against the clip's own sound, and the true clip's pictures.
    """
    if len(clips) < 2:
        raise ValueError(f"{len(clips)} clip with known sound: at least 2 are needed, for the wrong sound")
    following = range(1, min(NUM_CONTROLS, len(clips) - 1) + 1)
    for number, clip in enumerate(log.progress(clips, total=len(clips), description="held-out clips")):
        count = min(len(clip), MOST_FRAMES)
        sound = clip.audio[: round(count / FPS * AUDIO_RATE_HZ)]
        others = [clips[(number + step) % len(clips)].audio for step in following]
        first = int(clip.usable[0])
        face, portrait = _tracked_face(clip, first), clip.picture(first)

        def look(frames: Iterable[Array]) -> VideoLook:
            return look_at(frames, yardstick, fps=FPS, embedder=embedder)

        truth, start = look(clip.picture(index) for index in range(count)), look([portrait])
        wrong = np.resize(others[0], len(sound))
        made = {
            "truth": truth,
            model_name: look(maker.frames(portrait, face, sound, count, name=clip.source.id)),
            "wrong sound": look(
                maker.frames(portrait, face, wrong, count, name=f"{clip.source.id}-wrong_sound")
            ),
            "still": look(portrait for _ in range(count)),
        }
        for row, video in made.items():
            yield Case(row, clip.source.id, video, sound, truth=truth, portrait=start, others=others)


def _tracked_face(clip: PackedClip, index: int) -> Face:
    points = clip.points[index]
    box = np.array([*clip.contour[index].min(axis=0), *clip.contour[index].max(axis=0)])
    return Face(box=box, points=points, score=1.0, lips=clip.lips[index], contour=clip.contour[index])


def _signed(pictures: Array) -> torch.Tensor:
    return torch.from_numpy(as_signed(pictures))


def main() -> None:
    """Print the table of one checkpoint."""
    parser = argparse.ArgumentParser(description="Measure talkvid-mini on the held-out persons.")
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("exp/talkvid-mini/data"))
    parser.add_argument("--checkpoint_path", type=Path, help="default: the embedded model")
    parser.add_argument("--landmarker", type=Path, help="MediaPipe face_landmarker task file")
    parser.add_argument("--identity", type=Path, help="weights of MobileFaceNet, for the identity cosine")
    parser.add_argument("--videos", type=Path, help="make mp4s here as `talkvid generate` does, judge them")
    parser.add_argument("--portraits", type=Path, help="with --videos: folder of pictures to be measured too")
    parser.add_argument("--speech", type=Path, help="folder of the sounds that the portraits say")
    parser.add_argument("--output", type=Path, help="folder for report.md, report.json and report.html")
    arguments = parser.parse_args()
    log.configure()
    yardstick = FaceYardstick(arguments.landmarker)
    embedder = None if arguments.identity is None else MobileFaceNetEmbedder(arguments.identity)
    clips = load_clips(arguments.media, arguments.data, "val", synced_only=True)
    if arguments.videos is None:
        bundle = load_bundle(arguments.checkpoint_path)
        name = bundle.config.name
        found = cases(Renderer(bundle), name, clips, yardstick, embedder=embedder)
    else:
        model = TalkVidInference(arguments.checkpoint_path)
        name, maker = model.config.name, VideoMaker(model, arguments.videos)
        found = cases(maker, name, clips, yardstick, embedder=embedder)
        if arguments.portraits is not None:
            people = strangers(arguments.portraits, arguments.speech)
            found = chain(found, portrait_cases(maker, name, people, yardstick, embedder=embedder))
    identity = "identity cosine" if embedder is None else embedder.measure
    report = mouth_report(found, identity_name=identity)
    print(as_markdown(report))
    if arguments.output is not None:
        settings = {"clips": len(clips), "fps": FPS, "most_frames": MOST_FRAMES, "yardstick": yardstick.name}
        title = f"{name} on held-out persons"
        write_report(report, arguments.output, title=title, settings=settings)
        if arguments.videos is not None:
            made = sorted(arguments.videos.glob("*.mp4"))
            right = [video for video in made if not video.stem.endswith("-wrong_sound")]
            save_moments(right, arguments.output / "moments.png")


if __name__ == "__main__":
    main()
