"""Measures the embedded model on held-out persons: first frame and own sound against the true clip.

Every made frame is looked at again by the teacher (MediaPipe), which did not make it. Beside the model's row
stand the same model hearing another clip's sound, and the first frame kept still.
"""

import argparse
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from talkvid import log
from talkvid.face.lip_motion import FaceShape, face_shape, mouth_opening
from talkvid.face.mediapipe_backend import MediapipeDetector
from talkvid.face.mouth_stage import MouthStage
from talkvid.model.bundle import ModelBundle, load_bundle
from talkvid.model.lip_predictor import LipPredictor
from talkvid.model.vae import ImageAutoencoder
from talkvid.records import Array, Face
from talkvid.speech.activity import speech_activity
from talkvid.speech.align import FrameAligner
from talkvid.speech.features import LogMelEncoder
from talkvid.training.mini_clips import FPS
from talkvid.training.mini_data import PackedClip, load_clips
from talkvid.training.mini_samples import as_signed

logger = logging.getLogger("talkvid.training.mini_report")

BATCH = 8
MOST_FRAMES = 125


class Renderer:
    """Makes frames from one portrait and a sound with the networks of a bundle."""

    def __init__(self, bundle: ModelBundle) -> None:
        self.bundle = bundle
        vae, lips = bundle.vae, bundle.lip_predictor
        assert isinstance(vae, ImageAutoencoder) and isinstance(lips, LipPredictor)
        self.vae, self.lips = vae, lips

    @torch.no_grad()
    def frames(self, portrait: Array, face: Face, sound: Array, count: int) -> Iterator[Array]:
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


def measure(
    frames: Iterator[Array], teacher: MediapipeDetector, clip: PackedClip, spoken: Array
) -> dict[str, float]:
    """Return the measures of made frames against the true clip (picture k beside picture k of `clip`)."""
    shapes: list[FaceShape | None] = []
    box = None
    for frame in frames:
        look = teacher.look(frame, box) if box is not None else None
        if look is None:
            faces = teacher.detect(frame)
            face = faces[0] if faces else None
        else:
            face = look.face
        box = face.box if face else None
        shapes.append(face_shape(face) if face else None)
    both = [k for k in clip.usable if k < len(shapes) and shapes[k] is not None]
    made = np.stack([shape.lips for k in both if (shape := shapes[k]) is not None])
    real = np.stack([clip.shape(int(k)).lips for k in both])
    made_opening, real_opening = mouth_opening(made), mouth_opening(real)
    centred = [lips - lips.mean(axis=1, keepdims=True) for lips in (made, real)]
    talks = spoken[both]
    return {
        "face_share": float(np.mean([shape is not None for shape in shapes])),
        "opening_r": _correlation(made_opening, real_opening),
        "lip_distance": 100 * float(np.linalg.norm(centred[0] - centred[1], axis=-1).mean()),
        "opening_std_speech": float(made_opening[talks].std()) if talks.any() else float("nan"),
        "opening_std_silence": float(made_opening[~talks].std()) if (~talks).sum() > 5 else float("nan"),
    }


def report(
    bundle: ModelBundle, clips: list[PackedClip], teacher: MediapipeDetector
) -> dict[str, dict[str, float]]:
    """Return mean measures over `clips` of the model, the model with another sound, a still portrait."""
    renderer = Renderer(bundle)
    rows: dict[str, list[dict[str, float]]] = {"model": [], "wrong sound": [], "still": []}
    for number, clip in enumerate(log.progress(clips, total=len(clips), description="held-out clips")):
        count = min(len(clip), MOST_FRAMES)
        first = int(clip.usable[0])
        face = _tracked_face(clip, first)
        portrait = clip.picture(first)
        spoken = np.resize(speech_activity(clip.audio, FPS), count)
        other = np.resize(clips[(number + 1) % len(clips)].audio, len(clip.audio))
        rows["model"].append(
            measure(renderer.frames(portrait, face, clip.audio, count), teacher, clip, spoken)
        )
        rows["wrong sound"].append(
            measure(renderer.frames(portrait, face, other, count), teacher, clip, spoken)
        )
        rows["still"].append(measure((portrait for _ in range(count)), teacher, clip, spoken))
    return {
        name: {key: round(float(np.nanmean([row[key] for row in values])), 4) for key in values[0]}
        for name, values in rows.items()
    }


def _tracked_face(clip: PackedClip, index: int) -> Face:
    points = clip.points[index]
    box = np.array([*clip.contour[index].min(axis=0), *clip.contour[index].max(axis=0)])
    return Face(box=box, points=points, score=1.0, lips=clip.lips[index], contour=clip.contour[index])


def _correlation(first: Array, second: Array) -> float:
    if min(first.std(), second.std()) < 1e-6:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _signed(pictures: Array) -> torch.Tensor:
    return torch.from_numpy(as_signed(pictures))


def main() -> None:
    """Print the table of one checkpoint as JSON."""
    parser = argparse.ArgumentParser(description="Measure talkvid-mini on the held-out persons.")
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("exp/talkvid-mini/data"))
    parser.add_argument("--checkpoint_path", type=Path, help="default: the embedded model")
    parser.add_argument("--landmarker", type=Path, help="MediaPipe face_landmarker task file")
    arguments = parser.parse_args()
    log.configure()
    clips = load_clips(arguments.media, arguments.data, "val", synced_only=True)
    table = report(load_bundle(arguments.checkpoint_path), clips, MediapipeDetector(arguments.landmarker))
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
