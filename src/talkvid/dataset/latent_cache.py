"""The latents of every frame of a clip, computed once and kept in a file beside many others."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from talkvid.dataset.index import Clip
from talkvid.files import atomic_path

VERSION = 1
"""Part of every signature: a change of what the files mean makes all clips be encoded again."""
REMEDY = "delete it and start again, which encodes the clip anew"
PLAIN, MIRRORED = "moments", "mirrored_moments"


@dataclass(frozen=True)
class LatentCache:
    """Where latents lie and what they must have been made with.

    One safetensors file per clip: `moments` (F 2 C h w) float16, mean and standard deviation of each frame's
    scaled latents, and `mirrored_moments`, those of the mirrored frames. About 64 KiB per frame at 512 x 512
    pixels and 4 channels, twice that with mirrored ones.
    """

    folder: Path
    width: int
    height: int
    autoencoder: str
    """Hash of the autoencoder's weights, see `fingerprint`."""
    mirrored: bool
    """Whether samples may be mirrored, so that both kinds are needed."""

    def path_of(self, clip: Clip) -> Path:
        """Return the clip's file; clips of one name in several lists have one each."""
        place = hashlib.sha256(str(clip.video.resolve()).encode()).hexdigest()[:8]
        name = re.sub(r"[^\w.-]", "_", clip.id)[:100]
        return self.folder / f"{name}.{place}.safetensors"

    def signature(self, clip: Clip) -> dict[str, str]:
        """Return what the latents of a clip depend on, as strings."""
        state = clip.video.stat()
        return {
            "version": str(VERSION),
            "autoencoder": self.autoencoder,
            "size": f"{self.width}x{self.height}",
            "video_bytes": str(state.st_size),
            "video_changed_ns": str(state.st_mtime_ns),
            "num_frames": str(clip.num_frames),
        }

    def fault(self, clip: Clip) -> str:
        """Return what is wrong with a clip's file, or nothing."""
        try:
            with _opened(self.path_of(clip)) as file:
                return self._fault(file, clip)
        except (FileNotFoundError, ValueError) as error:
            return str(error)

    def frame_size(self, clip: Clip) -> tuple[int, int]:
        """Return (width, height) of the frames that were encoded; errors as those of `read`."""
        with self._valid(clip) as file:
            width, height = json.loads(file.metadata()["frame_size"])
        return width, height

    def read(self, clip: Clip, parts: Sequence[slice], *, mirrored: bool) -> Tensor:
        """Return moments (N 2 C h w) float32 of the frames in `parts`, nothing else being read.

        Raises ValueError or FileNotFoundError naming a file that is missing, damaged or made with something
        else; nothing is ever encoded here.
        """
        with self._valid(clip) as file:
            rows = file.get_slice(MIRRORED if mirrored else PLAIN)
            moments = torch.cat([rows[part] for part in parts]).float()
        if not torch.isfinite(moments).all():
            raise ValueError(f"{self.path_of(clip)}: damaged, it holds what is no number; {REMEDY}")
        return moments

    @contextmanager
    def _valid(self, clip: Clip) -> Iterator[Any]:
        path = self.path_of(clip)
        with _opened(path) as file:
            fault = self._fault(file, clip)
            if fault:
                raise ValueError(f"{path}: {fault}; {REMEDY}")
            yield file

    def write(
        self, clip: Clip, moments: Tensor, mirrored: Tensor | None, *, frame_size: tuple[int, int]
    ) -> None:
        """Store the moments (F 2 C h w) of all frames of a clip, complete or not at all."""
        from safetensors.torch import save_file

        tensors = {PLAIN: moments.half().contiguous()}
        if mirrored is not None:
            tensors[MIRRORED] = mirrored.half().contiguous()
        metadata = {**self.signature(clip), "frame_size": json.dumps(frame_size), "id": clip.id}
        with atomic_path(self.path_of(clip)) as temporary:
            save_file(tensors, temporary, metadata=metadata)

    def _fault(self, file: Any, clip: Clip) -> str:
        found = dict(file.metadata() or {})
        other = [name for name, value in self.signature(clip).items() if found.get(name) != value]
        if other:
            return f"made with another {', '.join(other)}"
        kinds = set(file.keys())
        if not {PLAIN, *([MIRRORED] if self.mirrored else [])} <= kinds:
            return "made without mirrored frames" if PLAIN in kinds else "holds no latents"
        lengths = {int(file.get_slice(kind).get_shape()[0]) for kind in kinds}
        return "" if lengths == {clip.num_frames} else f"holds {sorted(lengths)} frames"


def fingerprint(module: torch.nn.Module) -> str:
    """Return a short hash of a module's weights and their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def _opened(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"{path}: the latents of this clip are missing; start again to encode them")
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: damaged ({error}); {REMEDY}") from error
