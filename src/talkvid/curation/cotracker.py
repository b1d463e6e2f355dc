"""CoTracker3's ratio: the share of points of a grid that a learned tracker still sees, by its own network.

The network's definition is fetched by torch.hub or lies in a checkout, and runs as its authors wrote it; code
and weights are theirs, under CC BY-NC 4.0 (Karaev et al. 2024, arXiv 2410.11831).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor

from talkvid.catalogue.table import MODEL_FOLDER, MODELS
from talkvid.curation.model_files import fingerprint
from talkvid.curation.motion_frames import segment_pictures
from talkvid.curation.records import Span
from talkvid.records import Array

logger = logging.getLogger(__name__)

VERSION = 1
"""Raised with every change that alters scores."""
ENTRY = "cotracker3_offline"
WEIGHTS_URL = "https://huggingface.co/facebook/cotracker3/resolve/main/scaled_offline.pth"
DEFAULT_WEIGHTS = MODEL_FOLDER / MODELS["cotracker"].files[0].place
"""Where `talkvid models fetch cotracker` puts them."""
NETWORK_SIZE = (384, 512)
"""Height and width of the pictures that the network sees."""


@dataclass(frozen=True)
class CoTrackerSettings:
    """The settings of MotionConfig that CoTracker is built from."""

    source: str
    checkpoint: str
    grid: int
    frame_scale: float
    device: str


class Predictor(Protocol):
    """CoTracker's offline predictor."""

    def __call__(
        self, video: Tensor, *, grid_size: int, grid_query_frame: int, backward_tracking: bool
    ) -> tuple[Tensor, Tensor]:
        """Return tracks (1 T N 2) in pixels and visible (1 T N) bool of a video (1 T 3 H W), 0 to 255."""
        ...


class CoTrackerScorer:
    """Scores `cotracker_ratio`; the network is loaded when the first clip needs it."""

    stage = "motion"
    backend = "cotracker"

    def __init__(self, settings: CoTrackerSettings, *, predictor: Predictor | None = None) -> None:
        """`predictor` stands in for the network; FileNotFoundError when its definition or weights lack."""
        self._settings = settings
        self._predictor = predictor
        self._weights = None if predictor is not None else weights_file(settings.checkpoint)
        if predictor is None and _is_local(settings.source):
            _require_checkout(Path(settings.source))

    def signature(self) -> Mapping[str, Any]:
        """Return what the scores depend on as plain values; the device is not among them."""
        settings = self._settings
        local = Path(settings.source) / "cotracker"
        return {
            "version": VERSION,
            "backend": self.backend,
            "definition": fingerprint(local, pattern="*.py") if local.is_dir() else settings.source,
            "weights": "" if self._weights is None else fingerprint(self._weights),
            "grid": settings.grid,
            "frame_scale": settings.frame_scale,
        }

    def wanted(self, span: Span) -> Sequence[int]:
        """Return about two pictures a second, in up to three stretches of six seconds."""
        return sorted({index for pictures in _segments(span) for index in pictures})

    def begin(self, span: Span) -> "CoTrackerClip":
        """Return a fresh look at a clip."""
        return CoTrackerClip(self, _segments(span))

    def shrunk(self, picture: Array) -> Array:
        """Return a picture (H W 3) as it is kept for the network."""
        scale = self._settings.frame_scale
        height, width = picture.shape[:2]
        rows, columns = (int(height * scale), int(width * scale)) if scale else NETWORK_SIZE
        smaller = rows * columns < height * width
        method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(picture, (max(1, columns), max(1, rows)), interpolation=method))

    def ratio(self, pictures: Sequence[Array]) -> float:
        """Return the share of visible points over pictures (each H W 3) and points, those asked for included.

        The points are asked for in the first picture, so the network need not run backwards in time: that
        would replace nothing. A single picture has all its points.
        """
        if len(pictures) == 1:
            return 1.0
        if self._predictor is None:
            assert self._weights is not None
            self._predictor = load_predictor(self._settings.source, self._weights, self._settings.device)
        frames = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)[None]
        _, visible = self._predictor(
            frames.to(self._settings.device).float(),
            grid_size=self._settings.grid,
            grid_query_frame=0,
            backward_tracking=False,
        )
        assert visible.shape == (1, len(pictures), self._settings.grid**2), visible.shape
        return float(visible.double().mean())


class CoTrackerClip:
    """The chosen pictures of one clip, shrunk: at most 39 of 0.6 MB."""

    def __init__(self, scorer: CoTrackerScorer, segments: Sequence[Sequence[int]]) -> None:
        self._scorer = scorer
        self._segments = segments
        self._wanted = {index for pictures in segments for index in pictures}
        self._pictures: dict[int, Array] = {}

    def see(self, index: int, picture: Array) -> None:
        """Keep a picture (H W 3) shrunk if it is one of those chosen."""
        if index in self._wanted:
            self._pictures[index] = self._scorer.shrunk(picture)

    def finish(self) -> Mapping[str, float]:
        """Return `cotracker_ratio`, the least of the stretches' ratios."""
        seen = [[self._pictures[index] for index in pictures] for pictures in self._segments]
        return {"cotracker_ratio": min(self._scorer.ratio(pictures) for pictures in seen)}


def _segments(span: Span) -> list[list[int]]:
    duration_s = float(span.duration_s)
    fps = span.fps if span.fps > 0 else span.num_frames / max(duration_s, 1e-3)
    return segment_pictures(fps, span.num_frames, duration_s)


def load_predictor(source: str, weights: Path, device: str) -> Predictor:
    """Return CoTracker3's offline predictor with the weights of a file; every name must fit.

    `source` is OWNER/REPOSITORY[:REVISION], whose code is fetched once and run, or the folder of a checkout.
    """
    place = "local" if _is_local(source) else "github"
    hub: Any = torch.hub  # its functions bear no types
    predictor = hub.load(
        source, ENTRY, source=place, pretrained=False, trust_repo=True, skip_validation=True, verbose=False
    )
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
        predictor.model.load_state_dict(state.get("model", state))
    except (RuntimeError, UnpicklingError) as error:
        first = " ".join(str(error).split())[:200]
        raise ValueError(f"{weights} does not hold CoTracker3's offline weights: {first}") from error
    logger.info("CoTracker3 from %s with %s on %s", source, weights, device)
    loaded: Predictor = predictor.to(device).eval()
    return loaded


def weights_file(checkpoint: str) -> Path:
    """Return the file of the weights; when none is named that in the models' folder, else torch.hub's own.

    The latter is fetched if it is not here. FileNotFoundError when there is none.
    """
    if checkpoint:
        if not Path(checkpoint).is_file():
            command = MODELS["cotracker"].fetch_command
            raise FileNotFoundError(f"motion.checkpoint {checkpoint} is not a file; fetch it: {command}")
        return Path(checkpoint)
    if DEFAULT_WEIGHTS.is_file():
        return DEFAULT_WEIGHTS
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(WEIGHTS_URL).name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(WEIGHTS_URL, str(path), progress=False)
        except (OSError, RuntimeError) as error:
            raise FileNotFoundError(
                f"CoTracker's weights cannot be fetched from {WEIGHTS_URL} ({error}): "
                "name their file as motion.checkpoint, or choose motion.backend=embedded"
            ) from error
    return path


def _is_local(source: str) -> bool:
    return Path(source).is_dir() or source.startswith((".", "/", "~"))


def _require_checkout(folder: Path) -> None:
    if not (folder / "hubconf.py").is_file():
        raise FileNotFoundError(
            f"motion.source {folder} holds no hubconf.py: give a checkout of facebookresearch/co-tracker"
        )
