"""Speech encoders of the transformers library: wav2vec2 and relatives, and Whisper."""

import logging
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from talkvid.media.spool import Samples, blocks
from talkvid.records import Array

logger = logging.getLogger(__name__)

SAMPLE_RATE = 16000
ROW_SAMPLES = 320
"""Every encoder here makes one row from 20 ms."""
SHORTEST_INPUT = 400
"""Samples the convolutions of wav2vec2 need for one row."""
WHOLE_S = 60.0
"""Up to this length a sound is encoded in one piece, as the reference implementation does."""
CHUNK_S, CONTEXT_S = 40.0, 5.0
WHISPER_WINDOW_S, WHISPER_CONTEXT_S = 30.0, 2.0
BLOCK_SAMPLES = 1 << 18
FETCH_COMMAND = "bash scripts/download_models.sh"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


class TransformersEncoder:
    """The last hidden state of a speech model, 50 rows per second.

    wav2vec2, HuBERT, XLS-R, WavLM and the like read the waveform, normalised over the whole sound as their
    feature extractor says. Sound of up to 60 s is encoded at once. Longer sound, normalised all the same by
    mean and variance of the whole, is cut into pieces of 40 s that see 5 s more on either side, and memory
    does not grow: rows then differ from those of one pass, because attention and the group norm of the first
    layer see 50 s instead of everything (on 150 s of noise with random weights by 1.5 % of
    their deviation on average, 16 % at most; not measured with published weights). Whisper works in windows
    of 30 s, of which 2 s at inner edges only give context.
    A name is a local folder, or a hub id such as facebook/hubert-base-ls960, which alone may be downloaded.
    """

    def __init__(
        self,
        name_or_path: str | os.PathLike[str],
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype | None = None,
    ) -> None:
        source, local = find_model(name_or_path)
        import transformers

        self.name = os.fspath(name_or_path).rstrip("/")
        self.device = torch.device(device)
        self.dtype = dtype or torch.float32
        self._model = self._load(transformers, source, local)
        self._extractor = self._load_extractor(transformers, source, local)
        self.rate_hz = SAMPLE_RATE / ROW_SAMPLES
        self.dim = int(self._model.config.hidden_size)

    def _load(self, transformers: Any, source: str, local: bool) -> Any:
        try:
            model = transformers.AutoModel.from_pretrained(source, local_files_only=local, dtype=self.dtype)
        except (OSError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"{source}: no speech encoder can be loaded from here ({str(error).splitlines()[0]})"
            ) from error
        self._whisper = model.config.model_type == "whisper"
        if self._whisper:
            model = model.get_encoder()
        elif math.prod(getattr(model.config, "conv_stride", [])) != ROW_SAMPLES:
            raise ValueError(
                f"{source}: a {model.config.model_type} model is not a speech encoder with 20 ms rows; "
                "give wav2vec2, HuBERT, XLS-R, WavLM or Whisper"
            )
        return model.eval().requires_grad_(False).to(self.device)

    def _load_extractor(self, transformers: Any, source: str, local: bool) -> Any:
        try:
            return transformers.AutoFeatureExtractor.from_pretrained(source, local_files_only=local)
        except (OSError, ValueError) as error:
            if self._whisper:
                raise ValueError(
                    f"{source}: preprocessor_config.json is missing; fetch the whole model"
                ) from error
            logger.warning(
                "%s: no preprocessor_config.json; the waveform is normalised as for wav2vec2", source
            )
            return transformers.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=False)

    def encode(self, waveform: Samples) -> Tensor:
        """Return (T, dim) float32 on the CPU from float32 (N,) mono at 16 kHz."""
        return torch.cat(list(self.stream(waveform)))

    def stream(self, waveform: Samples) -> Iterator[Tensor]:
        """Yield the rows of `encode` piece by piece, (n, dim) each, reading the sound slice by slice."""
        if not len(waveform):
            raise ValueError("the waveform holds no samples")
        if self._whisper:
            yield from self._stream_whisper(waveform)
        elif len(waveform) <= WHOLE_S * SAMPLE_RATE:
            yield self._whole(waveform[: len(waveform)])
        else:
            yield from self._stream_pieces(waveform)

    def _whole(self, waveform: Array) -> Tensor:
        waveform = np.pad(waveform, (0, max(0, SHORTEST_INPUT - len(waveform)))).astype(np.float32)
        values = self._extractor(waveform, sampling_rate=SAMPLE_RATE, return_tensors="np").input_values[0]
        return self._hidden(torch.from_numpy(np.asarray(values, dtype=np.float32)))

    def _stream_pieces(self, waveform: Samples) -> Iterator[Tensor]:
        total = (len(waveform) - SHORTEST_INPUT) // ROW_SAMPLES + 1
        mean, deviation = 0.0, 1.0
        if getattr(self._extractor, "do_normalize", False):
            mean, deviation = mean_and_deviation(waveform)
        chunk, context = (round(seconds * SAMPLE_RATE / ROW_SAMPLES) for seconds in (CHUNK_S, CONTEXT_S))
        for rows in blocks(total, chunk):
            seen_first, seen_stop = max(0, rows.start - context), min(total, rows.stop + context)
            end = (seen_stop - 1) * ROW_SAMPLES + SHORTEST_INPUT
            heard = (waveform[seen_first * ROW_SAMPLES : end].astype(np.float64) - mean) / deviation
            hidden = self._hidden(torch.from_numpy(heard.astype(np.float32)))
            yield hidden[rows.start - seen_first : rows.stop - seen_first]

    @torch.no_grad()
    def _hidden(self, values: Tensor) -> Tensor:
        output = self._model(values[None].to(self.device, self.dtype)).last_hidden_state
        return torch.as_tensor(output[0], dtype=torch.float32, device="cpu")

    @torch.no_grad()
    def _stream_whisper(self, waveform: Samples) -> Iterator[Tensor]:
        total = math.ceil(len(waveform) / ROW_SAMPLES)
        window, context = (
            round(seconds * SAMPLE_RATE / ROW_SAMPLES) for seconds in (WHISPER_WINDOW_S, WHISPER_CONTEXT_S)
        )
        for rows in blocks(total, window - 2 * context if total > window else total):
            seen_first = max(0, rows.start - context)
            part = waveform[seen_first * ROW_SAMPLES : (seen_first + window) * ROW_SAMPLES]
            features = self._extractor(part, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features
            output = self._model(features.to(self.device, self.dtype)).last_hidden_state[0]
            yield output[rows.start - seen_first : rows.stop - seen_first].float().cpu()


def mean_and_deviation(waveform: Samples) -> tuple[float, float]:
    """Return mean and deviation of the whole sound, read in blocks twice, as wav2vec2's extractor takes them.

    It adds 1e-7 to the variance.
    """
    total = len(waveform)
    parts = list(blocks(total, BLOCK_SAMPLES))
    mean = sum(float(waveform[part].sum(dtype=np.float64)) for part in parts) / total
    squares = sum(float(np.square(waveform[part].astype(np.float64) - mean).sum()) for part in parts)
    return mean, math.sqrt(squares / total + 1e-7)


def find_model(name_or_path: str | os.PathLike[str]) -> tuple[str, bool]:
    """Return (folder or hub id, whether it is local); raise FileNotFoundError naming the fetch command.

    A hub id is `owner/name` whose first part is not a folder here; anything else has to exist.
    """
    text = os.fspath(name_or_path)
    path = Path(text)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise FileNotFoundError(
                f"{path}: this folder holds no config.json; fetch it with: {FETCH_COMMAND}"
            )
        return text, True
    owner = text.split("/")[0]
    if HUB_ID.fullmatch(text) and owner != "model_ckpts" and not Path(owner).exists():
        return text, False
    raise FileNotFoundError(f"{text}: this speech encoder is not there; fetch it with: {FETCH_COMMAND}")
