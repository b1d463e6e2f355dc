"""FVD of the made clips against the true ones."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from talkvid.evaluation.clip_rule import ClipRule, cut_clips
from talkvid.evaluation.facts import Fact
from talkvid.evaluation.feature_moments import FeatureMoments
from talkvid.evaluation.frame_rate import at_rate
from talkvid.evaluation.suite.entry import Entry, signature_of
from talkvid.evaluation.suite.metric import ClipView, Column, Distance, Features, Need
from talkvid.evaluation.suite.metrics.outcome import finite_distance, size_of, true_video
from talkvid.evaluation.suite.weights import MetricSettings
from talkvid.evaluation.weight_files import I3D_KINETICS
from talkvid.records import Array

if TYPE_CHECKING:
    from talkvid.evaluation.i3d import I3dFeatures

COLUMN = Column(
    "fvd",
    "FVD",
    "lower",
    "Fréchet distance of I3D features of short clips; moves with their number, length and frame rate.",
    1,
)


class ClipDistance:
    """I3D features of clips of both videos, all at one frame rate."""

    def __init__(
        self, extractor: "I3dFeatures", *, rule: ClipRule, fps: float, allow_rank_deficient: bool = False
    ) -> None:
        from talkvid.evaluation.i3d import VERSION

        self.name = ENTRY.name
        self.needs = ENTRY.needs
        self.dims = extractor.dims
        key = COLUMN.key if extractor.published else f"{COLUMN.key}_other_weights"
        self.columns = (replace(COLUMN, key=key, heading=extractor.name),)
        self._extractor, self._rule, self._fps, self._allow = extractor, rule, fps, allow_rank_deficient
        self._signature = signature_of(
            ENTRY.name,
            VERSION,
            sha256=extractor.sha256,
            device=str(extractor.device),
            fps=fps,
            **rule.facts,
        )

    @property
    def signature(self) -> str:
        """Return what its features depend on beside the files, one line."""
        return self._signature

    def features(self, view: ClipView) -> Features:
        """Return (N, 400) of the made and of the true clips; ValueError for a video that is too short."""
        truth = true_video(view)
        made_rows = self._rows(view.frames, view.made.fps, "made")
        true_rows = self._rows(view.reference_frames, truth.fps, "true")
        facts: dict[str, Fact] = {
            **self._extractor.facts,
            **self._rule.facts,
            "fps": self._fps,
            "frame_rule": "nearest in time",
            "source_fps": view.made.fps,
            "true_source_fps": truth.fps,
            "size": size_of(view.made),
            "true_size": size_of(truth),
            "clips": len(made_rows),
            "true_clips": len(true_rows),
        }
        return Features(made_rows, true_rows, facts)

    def distance(self, made: FeatureMoments, truth: FeatureMoments) -> Distance:
        """Return the distance; ValueError with the counts for fewer than 401 clips a side."""
        from talkvid.evaluation.i3d import video_distance

        found = video_distance(
            self._extractor, made, truth, rule=self._rule, fps=self._fps, allow_rank_deficient=self._allow
        )
        return finite_distance(self.columns[0], found.frechet, found.protocol)

    def _rows(self, frames: Callable[[], Iterable[Array]], fps: float, what: str) -> Array:
        """Return (N, 400) float32; the video is decoded twice, because files do not tell their length."""
        count = sum(1 for _ in at_rate(frames(), fps=fps, wanted_fps=self._fps))
        taken = at_rate(frames(), fps=fps, wanted_fps=self._fps)
        try:
            clips = cut_clips(taken, count, rule=self._rule)
            rows = [self._extractor.features(clip[None]).astype(np.float32) for clip in clips]
        except ValueError as error:
            raise ValueError(f"the {what} video at {self._fps:g} pictures per second: {error}") from error
        stacked: Array = np.concatenate(rows)
        return stacked


def build(settings: MetricSettings) -> ClipDistance:
    """Return the metric; NotAtHand when the network was never fetched."""
    path = settings.file(settings.i3d, I3D_KINETICS)
    from talkvid.evaluation.i3d import I3dFeatures

    return ClipDistance(
        I3dFeatures(path, device=settings.device, trusted=settings.trust_i3d),
        rule=settings.fvd_clips,
        fps=settings.fvd_fps,
        allow_rank_deficient=settings.allow_rank_deficient,
    )


ENTRY = Entry(
    name="fvd",
    description="FVD (Unterthiner et al. 2018) over short clips of a row, at their full frame",
    columns=(COLUMN,),
    needs=frozenset({Need.REFERENCE}),
    build=build,
    weights="i3d",
    models=("i3d",),
    of_sets=True,
)
