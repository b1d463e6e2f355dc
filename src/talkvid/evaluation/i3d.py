"""FVD, the Fréchet Video Distance (Unterthiner et al. 2018, arXiv 1812.01717), on I3D's 400 outputs.

The network comes as the TorchScript file that StyleGAN-V published and checked against the original
TensorFlow one. What papers leave open is stated here and goes with every number: length, start and number of
clips, frame rate, size.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from talkvid.evaluation.clip_rule import SHORTEST, ClipRule, cut_clips
from talkvid.evaluation.facts import WHOLE, Facts
from talkvid.evaluation.feature_moments import FeatureMoments
from talkvid.evaluation.frechet import FrechetDistance, frechet_distance
from talkvid.evaluation.weight_files import I3D_KINETICS, file_sha256
from talkvid.records import Array

VERSION = 1
DIMS = 400
SIDE = 224
ARGUMENTS = ("rescale", "resize", "return_features")


class I3dFeatures:
    """Clips to features, with the user's TorchScript file, which runs as a program of its own.

    TorchScript cannot be read as weights alone, so only the published content is accepted unless `trusted`.
    """

    dims = DIMS

    def __init__(
        self, path: str | os.PathLike[str], *, device: str | torch.device = "cpu", trusted: bool = False
    ) -> None:
        """Take the file; FileNotFoundError or ValueError with the command that fetches it.

        `trusted` accepts another file of the same interface; its distance is then not called FVD.
        """
        place = I3D_KINETICS.found(path)
        self.sha256 = file_sha256(place)
        self.published = self.sha256 == I3D_KINETICS.sha256
        if not (self.published or trusted):
            raise ValueError(
                f"{place}: SHA-256 {self.sha256[:12]}… is not the published I3D's; TorchScript is a program, "
                f"so fetch the published one with {I3D_KINETICS.fetch_command} or say that you trust this one"
            )
        self.device = torch.device(device)
        try:
            self._net: Any = torch.jit.load(os.fspath(place), map_location=self.device)  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                f"{place}: not a TorchScript file; fetch it with {I3D_KINETICS.fetch_command}"
            ) from error
        self._check_interface(os.fspath(place))
        self._net.eval()

    def _check_interface(self, name: str) -> None:
        given = [argument.name for argument in self._net.forward.schema.arguments]
        absent = [argument for argument in ARGUMENTS if argument not in given]
        if absent:
            raise ValueError(
                f"{name}: its forward takes no {absent[0]}; give a file with {', '.join(ARGUMENTS)}"
            )

    @property
    def name(self) -> str:
        """Return what the distance may be called: "FVD" only with the published network."""
        return "FVD" if self.published else "video Fréchet distance, other network"

    @property
    def facts(self) -> Facts:
        """Return how clips become features."""
        return {
            "features": "I3D of Kinetics-400, 400 outputs before the softmax",
            "resize": f"to {SIDE}x{SIDE} inside the network",
            "crop": WHOLE,
            "input": "RGB 0 to 255, brought to -1 to 1 inside the network",
            "weights_sha256": self.sha256,
        }

    @torch.inference_mode()
    def features(self, clips: Array) -> Array:
        """Return (B, 400) float64 of uint8 clips (B T H W 3), T of SHORTEST or more."""
        if clips.ndim != 5 or clips.shape[1] < SHORTEST or clips.dtype != np.uint8:
            raise ValueError(
                f"clips are {clips.dtype} {clips.shape}; give uint8 (clips, {SHORTEST} or more, H, W, 3)"
            )
        values = torch.from_numpy(np.ascontiguousarray(clips)).to(self.device).permute(0, 4, 1, 2, 3)
        found = self._net(values.float(), rescale=True, resize=True, return_features=True)
        if tuple(found.shape) != (len(clips), DIMS):
            raise ValueError(
                f"the network gives {tuple(found.shape)} for {len(clips)} clips, not {DIMS} each"
            )
        rows: Array = found.double().cpu().numpy()
        return rows

    def gather(
        self, frames: Iterable[Array], moments: FeatureMoments, *, num_frames: int, rule: ClipRule
    ) -> None:
        """Add the features of one video's uint8 pictures (H W 3) to `moments`; ValueError if too short."""
        rows = [self.features(clip[None]) for clip in cut_clips(frames, num_frames, rule=rule)]
        moments.add(np.concatenate(rows), num_clips=1)


@dataclass(frozen=True)
class VideoDistance:
    """The distance of two sets of videos under the name it has earned."""

    name: str
    frechet: FrechetDistance
    protocol: Facts


def video_distance(
    extractor: I3dFeatures,
    made: FeatureMoments,
    truth: FeatureMoments,
    *,
    rule: ClipRule,
    fps: float,
    allow_rank_deficient: bool = False,
) -> VideoDistance:
    """Return the distance of two sets gathered by `extractor` with `rule` from videos of one rate `fps`.

    ValueError for fewer than 401 clips a side unless `allow_rank_deficient`: with one video a side, as some
    projects do, what is left is the squared distance of two points.
    """
    # Once: "FVD" of one video a side, whose covariance was dropped without a word.
    found = frechet_distance(made, truth, allow_rank_deficient=allow_rank_deficient)
    facts = {**extractor.facts, **rule.facts, "fps": fps, **found.protocol, "version": VERSION}
    return VideoDistance(extractor.name, found, facts)
