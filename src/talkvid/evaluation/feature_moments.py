"""Mean and covariance of a set of features, gathered as they come and joined across workers."""

from collections.abc import Mapping

import numpy as np

from talkvid.records import Array


class FeatureMoments:
    """Count, mean and scatter of rows of D numbers in float64; the rows themselves are not kept.

    Batches and workers are joined by the pairwise update of Chan, Golub & LeVeque 1979, which loses nothing
    where the mean is large beside the spread.
    """

    def __init__(self, dims: int) -> None:
        self.mean: Array = np.zeros(dims)
        """(D,)"""
        self.scatter: Array = np.zeros((dims, dims))
        """(D, D) sum of outer products of the deviations from the mean."""
        self.count = 0
        """How many rows there were."""
        self.num_clips = 0
        """How many videos they came from: rows of one video are alike and count for less."""

    @property
    def dims(self) -> int:
        """Return D."""
        return len(self.mean)

    @property
    def covariance(self) -> Array:
        """Return (D, D) over n - 1; ValueError for fewer than two rows."""
        if self.count < 2:
            raise ValueError(f"{self.count} features have no covariance; give two at the very least")
        spread: Array = self.scatter / (self.count - 1)
        return spread

    def add(self, rows: Array, *, num_clips: int = 0) -> None:
        """Take features (N, D), which end `num_clips` further videos.

        ValueError for another D or for values that are not finite: they would spoil every later number.
        """
        rows = np.asarray(rows, np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.dims:
            raise ValueError(f"features have the shape {rows.shape}; these moments take (rows, {self.dims})")
        broken = int((~np.isfinite(rows)).any(axis=1).sum())
        if broken:
            raise ValueError(f"{broken} of {len(rows)} features are not finite; look at their pictures")
        self.num_clips += num_clips
        if len(rows):
            mean = rows.mean(axis=0)
            away = rows - mean
            self._join(len(rows), mean, away.T @ away)

    def merge(self, other: "FeatureMoments") -> None:
        """Take all that `other` has seen; ValueError for another D."""
        if other.dims != self.dims:
            raise ValueError(f"moments of {other.dims} and of {self.dims} numbers cannot be joined")
        self.num_clips += other.num_clips
        if other.count:
            self._join(other.count, other.mean, other.scatter)

    def arrays(self) -> dict[str, Array]:
        """Return the moments as named arrays, to store or to send."""
        told = {"count": np.int64(self.count), "num_clips": np.int64(self.num_clips)}
        return {"mean": self.mean, "scatter": self.scatter, **{k: np.asarray(v) for k, v in told.items()}}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> "FeatureMoments":
        """Return the moments of `arrays()`; ValueError when they are of no use."""
        mean, scatter = np.asarray(arrays["mean"]), np.asarray(arrays["scatter"])
        count, num_clips = int(arrays["count"]), int(arrays["num_clips"])
        fits = mean.ndim == 1 and scatter.shape == (len(mean), len(mean)) and min(count, num_clips) >= 0
        if not fits or not (np.isfinite(mean).all() and np.isfinite(scatter).all()):
            raise ValueError(
                f"stored moments of {mean.shape} and {scatter.shape} are broken; gather them anew"
            )
        moments = cls(len(mean))
        moments.mean, moments.scatter = mean.astype(np.float64), scatter.astype(np.float64)
        moments.count, moments.num_clips = count, num_clips
        return moments

    def _join(self, count: int, mean: Array, scatter: Array) -> None:
        total = self.count + count
        apart = mean - self.mean
        self.scatter += scatter
        self.scatter += np.outer(apart, apart) * (self.count * count / total)
        self.mean = self.mean + apart * (count / total)
        self.count = total
