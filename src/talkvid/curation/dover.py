"""The DOVER quality scorer: an ONNX file of the network, run by onnxruntime on the CPU or an NVIDIA GPU."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from talkvid.curation.dover_rescale import dover_scores
from talkvid.curation.dover_sampling import AESTHETIC, TECHNICAL, VIEW, draw
from talkvid.curation.dover_views import DoverViews
from talkvid.curation.model_files import fingerprint
from talkvid.curation.records import Span
from talkvid.extras import require
from talkvid.records import Array

VERSION = 1
"""Raised with every change that alters scores."""
INPUTS = ("aes_view", "tech_view")
"""Names of the network's inputs, and the order of its outputs: aesthetic first, then technical."""
TITLE_KEY, TITLE = "talkvid.model", "dover"
OUTPUTS_KEY, OUTPUTS = "talkvid.outputs", "aesthetic,technical"
ORIGIN_KEYS = ("talkvid.checkpoint_sha256", "talkvid.opset", "talkvid.licence")
METADATA_KEYS = (TITLE_KEY, OUTPUTS_KEY, *ORIGIN_KEYS)
"""What the converter writes into the file; another key that begins with `talkvid.` is refused."""
PROVIDERS = {"cpu": ["CPUExecutionProvider"], "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"]}
REMEDY = (
    "fetch the weights with `talkvid models fetch dover`, then make it with "
    "`python -m talkvid.curation.dover_convert --help`"
)


class DoverModel:
    """The network: views in, raw outputs out, several clips at a time where the file allows it."""

    def __init__(self, path: str | os.PathLike[str], *, device: str = "cpu", num_threads: int = 1) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"{path}: there is no DOVER model here; {REMEDY}")
        self._session = _session(self.path, device=device, num_threads=num_threads)
        self.origin = _checked_metadata(self.path, self._session.get_modelmeta().custom_metadata_map)
        self.most_clips = self._most_clips()

    def _most_clips(self) -> int | None:
        """Return how many clips one call takes, None for any number; raise ValueError for unfit inputs."""
        shapes = {entry.name: list(entry.shape) for entry in self._session.get_inputs()}
        if tuple(shapes) != INPUTS or len(self._session.get_outputs()) != len(INPUTS):
            raise ValueError(
                f"{self.path}: inputs {', '.join(shapes)} are not {' and '.join(INPUTS)}; {REMEDY}"
            )
        for name, length in zip(
            INPUTS, (AESTHETIC.length * AESTHETIC.num_parts, TECHNICAL.length), strict=True
        ):
            expected = [3, length, VIEW, VIEW]
            if any(
                type(side) is int and side != fixed
                for side, fixed in zip(shapes[name][1:], expected, strict=True)
            ):
                raise ValueError(
                    f"{self.path}: {name} takes {shapes[name]}, not [clips, 3, {length}, 224, 224]"
                )
        aesthetic, technical = (shapes[name][0] for name in INPUTS)
        if type(aesthetic) is not int and type(technical) is not int:
            return None
        if type(aesthetic) is int and technical == TECHNICAL.num_parts * aesthetic:
            return aesthetic
        raise ValueError(
            f"{self.path}: made for a technical batch of {technical} with an aesthetic one of {aesthetic}, "
            f"but each clip has {TECHNICAL.num_parts} technical runs; make the file anew: {REMEDY}"
        )

    def raw_outputs(self, views: Sequence[DoverViews]) -> list[tuple[float, float]]:
        """Return (aesthetic, technical) raw output of each clip; the technical one is the mean of 3 runs."""
        clips = self.most_clips or max(len(views), 1)
        found: list[tuple[float, float]] = []
        for first in range(0, len(views), clips):
            found += self._run(views[first : first + clips], clips)
        return found

    def _run(self, views: Sequence[DoverViews], clips: int) -> list[tuple[float, float]]:
        """Return the outputs of up to `clips` clips; a file of a fixed batch gets the last one repeated."""
        padded = [*views, *[views[-1]] * (clips - len(views) if self.most_clips else 0)]
        feed = {
            "aes_view": np.concatenate([view.aesthetic() for view in padded]),
            "tech_view": np.concatenate([view.technical() for view in padded]),
        }
        aesthetic, technical = (np.asarray(output, np.float64) for output in self._session.run(None, feed))
        aesthetic = aesthetic.reshape(len(padded), -1).mean(1)
        technical = technical.reshape(len(padded), -1).mean(1)
        return [(float(a), float(t)) for a, t in zip(aesthetic, technical, strict=True)][: len(views)]


def _session(path: Path, *, device: str, num_threads: int) -> Any:
    """Return an onnxruntime session; ValueError when the file or the device is not usable."""
    onnxruntime = require("onnxruntime", extra="curation")
    wanted = PROVIDERS[device]
    if wanted[0] not in onnxruntime.get_available_providers():
        raise ValueError(
            f"quality.device is {device!r}, but this onnxruntime cannot use it: "
            "pip install onnxruntime-gpu in the place of onnxruntime, or choose cpu"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(os.fspath(path), options, providers=wanted)
    except Exception as error:  # onnxruntime has one type per kind of broken file, none of them public
        text = " ".join(str(error).split())
        raise ValueError(f"{path}: onnxruntime cannot load this file ({text}); {REMEDY}") from error
    if session.get_providers()[0] != wanted[0]:
        raise ValueError(
            f"quality.device is {device!r}, but onnxruntime fell back to the CPU; see its messages"
        )
    return session


def _checked_metadata(path: Path, metadata: Mapping[str, str]) -> dict[str, str]:
    """Return what the file says of its origin; files of other converters say nothing and are accepted."""
    ours = {key: value for key, value in metadata.items() if key.startswith("talkvid.")}
    unknown = sorted(set(ours) - set(METADATA_KEYS))
    if unknown:
        raise ValueError(f"{path}: unknown entry {unknown[0]}; the file is of a newer version: {REMEDY}")
    if ours.get(TITLE_KEY, TITLE) != TITLE or ours.get(OUTPUTS_KEY, OUTPUTS) != OUTPUTS:
        raise ValueError(
            f"{path}: holds {ours.get(TITLE_KEY)} with outputs {ours.get(OUTPUTS_KEY)}, not DOVER"
        )
    return {key: ours[key] for key in ORIGIN_KEYS if key in ours}


class DoverScorer:
    """Scores by the DOVER network; 128 pictures of a clip at most are looked at."""

    stage = "quality"
    backend = "dover"

    def __init__(
        self, model_path: str | os.PathLike[str], *, device: str = "cpu", num_threads: int = 1, seed: int = 0
    ) -> None:
        self.model = DoverModel(model_path, device=device, num_threads=num_threads)
        self.seed = seed
        self._device = device
        self._model_sha256 = fingerprint(model_path)

    def signature(self) -> Mapping[str, Any]:
        """Return backend, version, seed, device and which network it is."""
        return {
            "backend": self.backend,
            "version": VERSION,
            "seed": self.seed,
            "device": self._device,
            "model": self._model_sha256,
        }

    def wanted(self, span: Span) -> Sequence[int]:
        """Return the pictures of both views."""
        return self.begin(span).views.wanted

    def begin(self, span: Span) -> "DoverLook":
        """Return a fresh look at a clip; what it draws follows from the clip's id and the seed."""
        draws = draw(span.clip_id, span.num_frames, seed=self.seed)
        return DoverLook(DoverViews(span.num_frames, draws), self.model)


class DoverLook:
    """Fills the views as the pictures go by; the network runs at the end."""

    def __init__(self, views: DoverViews, model: DoverModel) -> None:
        self.views = views
        self._model = model

    def see(self, index: int, picture: Array) -> None:
        """Cut from one picture what the views need of it."""
        self.views.see(index, picture)

    def finish(self) -> Mapping[str, float]:
        """Return the scores of `dover_rescale.dover_scores`."""
        assert self.views.complete
        ((aesthetic, technical),) = self._model.raw_outputs([self.views])
        return dover_scores(aesthetic, technical)
