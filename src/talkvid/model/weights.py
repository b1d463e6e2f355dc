"""Weights on disk: read without running code, renamed by tables, loaded strictly, written atomically."""

import pickle
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from talkvid.files import atomic_path

State = dict[str, Tensor]

_PICKLE_SUFFIXES = (".bin", ".pth", ".pt", ".ckpt", ".model")
# Wrappers that training programs put around a state dict.
_CONTAINERS = ("state_dict", "net_state_dict", "model", "module")


@dataclass(frozen=True)
class KeyAdapter:
    """A table from the key names of one kind of file to ours; patterns are regular expressions."""

    renames: tuple[tuple[str, str], ...] = ()
    """(pattern, replacement): the key is changed and wins over a key that had the new name already."""
    copies: tuple[tuple[str, str], ...] = ()
    """(pattern, replacement): the tensor appears a second time under the new name, unless it is there."""
    ignores: tuple[str, ...] = ()
    """Keys of the file that our networks have no use for."""
    keeps: str = ""
    """When set, only keys that match are taken."""

    def apply(self, state: Mapping[str, Tensor]) -> State:
        """Return the state under our names."""
        taken = {
            key: tensor
            for key, tensor in state.items()
            if re.search(self.keeps, key) and not any(re.search(pattern, key) for pattern in self.ignores)
        }
        renamed: State = {}
        result: State = {}
        for key, tensor in taken.items():
            new_key = _substitute(key, self.renames)
            (result if new_key == key else renamed)[new_key] = tensor
        result.update(renamed)
        for key, tensor in list(result.items()):
            for pattern, replacement in self.copies:
                if re.search(pattern, key):
                    result.setdefault(re.sub(pattern, replacement, key), tensor.clone())
        return result


# Reference attention starts as a copy of self-attention, in the transformers only (not the residual blocks).
_COPY_SELF_ATTENTION = (
    (r"(attentions\.\d+\.transformer_blocks\.\d+)\.norm1\.", r"\1.norm1_5."),
    (r"(attentions\.\d+\.transformer_blocks\.\d+)\.attn1\.", r"\1.attn1_5."),
)

UNCHANGED = KeyAdapter()
REFERENCE_NET = KeyAdapter(ignores=(r"^conv_norm_out\.",))
"""Any Stable Diffusion 1.5 U-Net as a reference net, which has no norm before its output."""
MOORE_PRETRAINED = KeyAdapter(copies=_COPY_SELF_ATTENTION)
"""Denoisers without reference attention of their own (Moore-AnimateAnyone)."""
OLD_ATTENTION = KeyAdapter(
    renames=((r"\.attn2\.processor\.(to_[qkv]|to_out)_aud\.", r".attn2.\1."),), copies=_COPY_SELF_ATTENTION
)
"""Denoisers whose audio attention was an attention processor."""
MOTION_MODULE = KeyAdapter(renames=((r"^module\.", ""),), keeps=r"motion_module")
"""Temporal layers alone: `motion_module-<step>.pth` and AnimateDiff's `mm_sd_v15_v2.ckpt`."""
VAE_OLD_ATTENTION = KeyAdapter(
    renames=tuple(
        (rf"(mid_block\.attentions\.\d+)\.{old}\.", rf"\1.{new}.")
        for old, new in (("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0"))
    )
)
"""Autoencoders saved by early diffusers versions, `sd-vae-ft-mse` among them."""


def _substitute(key: str, table: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in table:
        key = re.sub(pattern, replacement, key)
    return key


def has_old_attention(state: State) -> bool:
    """Return whether these tensors of a denoiser want OLD_ATTENTION."""
    return any(".attn2.processor." in key for key in state)


def read_state(path: str | Path) -> State:
    """Return the tensors of a .safetensors, .bin, .pth, .pt, .ckpt or .model file, on the CPU, by name.

    Pickles are read with `weights_only`: no code of the file runs. FileNotFoundError when there is no such
    file; ValueError when it holds anything but tensors by name.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"weights {path} do not exist")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path}: not a readable safetensors file ({error}); fetch it again") from error
    if path.suffix not in _PICKLE_SUFFIXES:
        raise ValueError(f"{path}: weights end in .safetensors or {', '.join(_PICKLE_SUFFIXES)}")
    return _only_tensors(_unwrap(_read_pickle(path)), path)


def _read_pickle(path: Path) -> object:
    try:
        with path.open("rb") as file:
            is_zip = file.read(4) == b"PK\x03\x04"
        return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path}: the file wants to run code when it is read, which is refused; convert it to "
            f"safetensors where you trust it ({str(error).splitlines()[0]})"
        ) from error
    except (RuntimeError, EOFError, KeyError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"{path}: not a readable torch file ({reason}); fetch it again") from error


def _unwrap(content: object) -> object:
    for name in _CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if isinstance(content, Mapping) and content and all(str(key).startswith("module.") for key in content):
        content = {str(key).removeprefix("module."): value for key, value in content.items()}
    return content


def _only_tensors(content: object, path: Path) -> State:
    if not isinstance(content, Mapping):
        raise ValueError(f"{path}: holds a {type(content).__name__}, not tensors by name")
    others = [key for key, value in content.items() if not isinstance(value, Tensor)]
    if others or not content:
        what = f"{others[0]!r} is no tensor" if others else "it is empty"
        raise ValueError(f"{path}: not a file of weights: {what}")
    return {str(key): value for key, value in content.items()}


def load_weights(
    module: nn.Module,
    path: str | Path,
    *,
    adapter: KeyAdapter = UNCHANGED,
    may_miss: Collection[str] = (),
) -> list[str]:
    """Load a file into `module` and return the names the file lacks, all of which `may_miss` allows.

    may_miss holds shell patterns ("*motion_modules.*"). ValueError naming the first missing or unexpected
    key or wrong shape, with counts; the module is then unchanged.
    """
    return load_state(module, adapter.apply(read_state(path)), source=str(path), may_miss=may_miss)


def load_state(
    module: nn.Module, state: Mapping[str, Tensor], *, source: str, may_miss: Collection[str] = ()
) -> list[str]:
    """Load tensors into `module`, strictly, as `load_weights` does; `source` is named in errors.

    Where the module lies on the meta device the tensors themselves become its weights.
    """
    own = module.state_dict()
    lacking = [key for key in own if key not in state]
    missing = [key for key in lacking if not any(fnmatch(key, pattern) for pattern in may_miss)]
    unexpected = [key for key in state if key not in own]
    if missing or unexpected:
        raise ValueError(
            f"{source}: {_listed(unexpected, 'unexpected')} and {_listed(missing, 'missing')}; "
            f"the file belongs to another architecture than the config says"
        )
    wrong = [key for key in state if state[key].shape != own[key].shape]
    if wrong:
        key = wrong[0]
        raise ValueError(
            f"{source}: {len(wrong)} tensors have another shape (first: {key} is {tuple(state[key].shape)}, "
            f"the config says {tuple(own[key].shape)})"
        )
    # Every key was checked above; what `may_miss` allows to be absent is the only reason for `strict=False`.
    module.load_state_dict(dict(state), strict=False, assign=any(tensor.is_meta for tensor in own.values()))
    return lacking


def _listed(keys: list[str], what: str) -> str:
    first = f" (first: {keys[0]})" if keys else ""
    return f"{len(keys)} {what} key{'' if len(keys) == 1 else 's'}{first}"


def save_weights(module: nn.Module, path: str | Path, *, dtype: torch.dtype | None = None) -> None:
    """Write all weights and buffers of `module` as safetensors, whole or not at all.

    dtype converts floating-point tensors, None keeps them.
    """
    save_state(module.state_dict(), path, dtype=dtype)


def save_state(
    state: Mapping[str, Tensor],
    path: str | Path,
    *,
    dtype: torch.dtype | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write tensors by name as safetensors, or under any other suffix as `torch.save`, whole or not at all.

    dtype converts floating-point tensors, None keeps them; metadata goes into a safetensors header.
    """
    stored = {
        key: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else None).contiguous()
        for key, tensor in state.items()
    }
    with atomic_path(path) as temporary:
        if temporary.suffix == ".safetensors":
            save_file(stored, temporary, metadata=dict(metadata or {}))
        else:
            torch.save(stored, temporary)
