"""FID of all made pictures against all true ones."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from talkvid.evaluation.facts import Fact
from talkvid.evaluation.feature_moments import FeatureMoments
from talkvid.evaluation.suite.entry import Entry, signature_of
from talkvid.evaluation.suite.metric import ClipView, Column, Distance, Features, Need
from talkvid.evaluation.suite.metrics.outcome import finite_distance, size_of, true_video
from talkvid.evaluation.suite.weights import MetricSettings
from talkvid.evaluation.weight_files import FID_INCEPTION
from talkvid.records import Array

if TYPE_CHECKING:
    from collections.abc import Iterable

    from talkvid.evaluation.inception import InceptionFeatures

COLUMN = Column(
    "fid",
    "FID",
    "lower",
    "Fréchet distance of Inception features of all made and all true pictures; moves with their number.",
    2,
)


class PictureDistance:
    """Inception features of every picture of both videos."""

    def __init__(self, extractor: "InceptionFeatures", *, allow_rank_deficient: bool = False) -> None:
        from talkvid.evaluation.inception import VERSION

        self.name = ENTRY.name
        self.needs = ENTRY.needs
        self.dims = extractor.dims
        key = COLUMN.key if extractor.published else f"{COLUMN.key}_other_weights"
        self.columns = (replace(COLUMN, key=key, heading=extractor.name),)
        self._extractor, self._allow = extractor, allow_rank_deficient
        self._signature = signature_of(
            ENTRY.name, VERSION, sha256=extractor.sha256, device=str(extractor.device)
        )

    @property
    def signature(self) -> str:
        """Return what its features depend on beside the files, one line."""
        return self._signature

    def features(self, view: ClipView) -> Features:
        """Return (N, 2048) of the made and (M, 2048) of the true pictures."""
        truth = true_video(view)
        made_rows = self._rows(view.frames(), "made")
        true_rows = self._rows(view.reference_frames(), "true")
        facts: dict[str, Fact] = {
            **self._extractor.facts,
            "fps": view.made.fps,
            "true_fps": truth.fps,
            "size": size_of(view.made),
            "true_size": size_of(truth),
            "frames": len(made_rows),
            "true_frames": len(true_rows),
        }
        return Features(made_rows, true_rows, facts)

    def distance(self, made: FeatureMoments, truth: FeatureMoments) -> Distance:
        """Return the distance; ValueError with the counts for fewer than 2049 pictures a side."""
        from talkvid.evaluation.inception import inception_distance

        found = inception_distance(self._extractor, made, truth, allow_rank_deficient=self._allow)
        return finite_distance(self.columns[0], found.frechet, found.protocol)

    def _rows(self, frames: "Iterable[Array]", what: str) -> Array:
        batches = [rows.astype(np.float32) for rows in self._extractor.batches(frames)]
        if not batches:
            raise ValueError(f"the {what} video has no pictures")
        rows: Array = np.concatenate(batches)
        return rows


def build(settings: MetricSettings) -> PictureDistance:
    """Return the metric; NotAtHand when the weights were never fetched."""
    path = settings.file(settings.inception, FID_INCEPTION)
    from talkvid.evaluation.inception import InceptionFeatures

    extractor = InceptionFeatures(path, device=settings.device)
    return PictureDistance(extractor, allow_rank_deficient=settings.allow_rank_deficient)


ENTRY = Entry(
    name="fid",
    description="FID (Heusel et al. 2017) over all pictures of a row, at their full frame",
    columns=(COLUMN,),
    needs=frozenset({Need.REFERENCE}),
    build=build,
    weights="inception",
    models=("inception",),
    of_sets=True,
)
