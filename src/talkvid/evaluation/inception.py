"""FID, the Fréchet Inception Distance (Heusel et al. 2017, arXiv 1706.08500): its 2048 features."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from talkvid.evaluation.facts import WHOLE, Facts, checked_frame, checked_stack
from talkvid.evaluation.feature_moments import FeatureMoments
from talkvid.evaluation.frechet import FrechetDistance, frechet_distance
from talkvid.evaluation.inception_blocks import MIXED, STEM, ConvNorm, Mixed, Step, pooled
from talkvid.evaluation.weight_files import FID_INCEPTION, file_sha256
from talkvid.model.weights import KeyAdapter, load_state, read_state
from talkvid.records import Array

VERSION = 1
SIDE = 299
DIMS = 2048
NUM_CLASSES = 1008
"""Of the network of 2015; torchvision's network of the same shape has 1000 and gives other numbers."""
BATCH = 16


class InceptionPool(nn.Module):
    """(B, 3, 299, 299) in -1 … 1 → (B, 2048), the mean over positions behind the last block."""

    def __init__(self) -> None:
        super().__init__()
        channels = 3
        for entry in STEM:
            if isinstance(entry, Step):
                self.add_module(entry.name, ConvNorm(channels, entry))
                channels = entry.channels
        for name, branches in MIXED.items():
            block = Mixed(channels, branches)
            self.add_module(name, block)
            channels = block.out_channels
        assert channels == DIMS

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the features of (B 3 299 299)."""
        values = pictures
        for entry in STEM:
            values = (
                self.get_submodule(entry.name)(values) if isinstance(entry, Step) else pooled(values, entry)
            )
        for name in MIXED:
            values = self.get_submodule(name)(values)
        return values.mean(dim=(2, 3))


class InceptionFeatures:
    """Pictures to features, with the published file of weights, which is checked name by name."""

    dims = DIMS

    def __init__(self, path: str | os.PathLike[str], *, device: str | torch.device = "cpu") -> None:
        """Take the file of weights; FileNotFoundError or ValueError with the command that fetches it."""
        place = FID_INCEPTION.found(path)
        state = read_state(place)
        classifier = state.get("fc.weight")
        if classifier is None or tuple(classifier.shape) != (NUM_CLASSES, DIMS):
            seen = "lacks fc.weight" if classifier is None else f"has {len(classifier)} classes"
            raise ValueError(
                f"{place}: {seen}, the network of FID has {NUM_CLASSES}; "
                f"fetch it with {FID_INCEPTION.fetch_command}"
            )
        self.device = torch.device(device)
        self._net = InceptionPool()
        taken = KeyAdapter(ignores=(r"^fc\.",)).apply(state)
        try:
            # Counters of training steps, which older files lack and nothing here reads.
            load_state(self._net, taken, source=str(place), may_miss=("*.num_batches_tracked",))
        except ValueError as error:
            raise ValueError(f"{error}; fetch it with {FID_INCEPTION.fetch_command}") from error
        self.sha256 = file_sha256(place)
        self.published = self.sha256 == FID_INCEPTION.sha256
        self._net.to(self.device).eval().requires_grad_(False)

    @property
    def name(self) -> str:
        """Return what the distance may be called: "FID" only with the published weights."""
        return "FID" if self.published else "Inception Fréchet distance, other weights"

    @property
    def facts(self) -> Facts:
        """Return how pictures become features."""
        return {
            "features": "Inception-v3 of 2015, last pooling, 2048",
            "resize": f"bilinear to {SIDE}x{SIDE}, align_corners false, no antialiasing",
            "crop": WHOLE,
            "input": "RGB in -1 to 1",
            "weights_sha256": self.sha256,
        }

    @torch.inference_mode()
    def features(self, pictures: Array) -> Array:
        """Return (B, 2048) float64 of uint8 pictures (B H W 3) of any size."""
        values = (
            torch.from_numpy(np.ascontiguousarray(checked_stack(pictures)))
            .to(self.device)
            .permute(0, 3, 1, 2)
        )
        side = (SIDE, SIDE)
        resized = functional.interpolate(values.float() / 255, side, mode="bilinear", align_corners=False)
        found: Array = self._net(2 * resized - 1).double().cpu().numpy()
        return found

    def gather(self, frames: Iterable[Array], moments: FeatureMoments) -> None:
        """Add the features of one video's RGB uint8 pictures (H W 3) to `moments`, BATCH pictures in memory.

        ValueError when there are no pictures.
        """
        count = 0
        for rows in self.batches(frames):
            moments.add(rows)
            count += len(rows)
        if not count:
            raise ValueError("this video has no pictures")
        moments.num_clips += 1

    def batches(self, frames: Iterable[Array]) -> Iterator[Array]:
        """Yield the features (B, 2048) float64 of RGB uint8 pictures (H W 3), BATCH pictures in memory."""
        for batch in _batches(frames):
            yield self.features(batch)


@dataclass(frozen=True)
class InceptionDistance:
    """The distance of two sets of pictures under the name it has earned."""

    name: str
    frechet: FrechetDistance
    protocol: Facts


def inception_distance(
    extractor: InceptionFeatures,
    made: FeatureMoments,
    truth: FeatureMoments,
    *,
    allow_rank_deficient: bool = False,
) -> InceptionDistance:
    """Return the distance of two sets gathered by `extractor`: 2049 pictures a side, or ValueError."""
    found = frechet_distance(made, truth, allow_rank_deficient=allow_rank_deficient)
    return InceptionDistance(extractor.name, found, {**extractor.facts, **found.protocol, "version": VERSION})


def _batches(frames: Iterable[Array]) -> Iterator[Array]:
    """Yield stacks (B H W 3) of up to BATCH pictures of one size."""
    waiting: list[Array] = []
    for frame in frames:
        if waiting and (len(waiting) == BATCH or frame.shape != waiting[0].shape):
            yield np.stack(waiting)
            waiting = []
        waiting.append(checked_frame(frame))
    if waiting:
        yield np.stack(waiting)
