"""Which device and which precision a run uses; a wish that cannot be met is an error, never a quiet swap."""

import contextlib
import ctypes
import importlib.util
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn

from talkvid.model.attention import fuse_attention
from talkvid.model.autoencoder import SmallAutoencoder
from talkvid.records import Array

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of glibc's malloc.h
DTYPES = {"fp16": torch.float16, "fp32": torch.float32, "bf16": torch.bfloat16}


def use_huge_pages() -> None:
    """Have torch ask for pages of 2 MiB for large tensors on the CPU; to be called before the first tensor.

    A network's intermediate results are mapped anew each time; with pages of 4 KiB a quarter of the time of
    a wide layer goes into that. Whoever has set the variable to 0 keeps that.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def keep_freed_memory() -> None:
    """Have glibc keep what is freed for the next tensor, instead of giving it back to the system each time.

    A network's intermediate results come and go; new pages for them took a seventh of a step's time. The
    process then stays at its largest size until it ends. Another C library is left as it is.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    library = ctypes.CDLL(None)
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, -1)


def choose_device(name: str = "auto", gpu_id: int | None = None) -> torch.device:
    """Return the device for `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.

    `auto` takes CUDA, then MPS, then the CPU. `gpu_id` is the number behind `cuda`. Raises ValueError when
    the name is unknown, the machine has no such device, or `gpu_id` contradicts the name.
    """
    kind, _, number = name.partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (number and not (kind == "cuda" and number.isdigit())):
        raise ValueError(f"--device {name}: unknown device; use auto, cpu, cuda, cuda:N or mps")
    if number and gpu_id is not None and int(number) != gpu_id:
        raise ValueError(f"--device {name} and --gpu_id {gpu_id} contradict each other; give one of them")
    index = int(number) if number else gpu_id
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if kind != "cuda":
        if index:
            raise ValueError(f"--gpu_id {index}: there is no such GPU for device {kind}; leave it out")
        if kind == "mps" and not torch.backends.mps.is_available():
            raise ValueError(
                "--device mps: this machine has no Apple GPU that torch can use; use --device cpu"
            )
        return torch.device(kind)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        raise ValueError("--device cuda: torch sees no NVIDIA GPU; use --device cpu or install a CUDA torch")
    if not 0 <= (index or 0) < count:
        raise ValueError(f"--gpu_id {index}: this machine has {count} GPU(s), numbered from 0")
    return torch.device("cuda", index or 0)


def choose_dtype(name: str | None, device: torch.device) -> torch.dtype:
    """Return the precision for `fp16`, `fp32`, `bf16` or None, which means fp16 on a GPU and fp32 on a CPU.

    Raises ValueError for another name and for fp16 on a CPU, where torch lacks fast half-precision kernels.
    """
    if name is None:
        return torch.float16 if device.type in ("cuda", "mps") else torch.float32
    if name not in DTYPES:
        raise ValueError(f"--dtype {name}: unknown precision; use {', '.join(DTYPES)}")
    if name == "fp16" and device.type == "cpu":
        raise ValueError("--dtype fp16: not for a CPU; use fp32 or bf16, or a GPU with --device cuda")
    return DTYPES[name]


def choose_autoencoder_dtype(name: str | None, device: torch.device) -> torch.dtype | None:
    """Return bf16 for a CPU that multiplies it natively, twice as fast as fp32; None: as everything else.

    It is for the small autoencoder, which bears it: see docs/speed.md. A precision given by `name` is kept.
    """
    if name is not None or device.type != "cpu":
        return None
    # Older versions of torch cannot tell.
    abilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return torch.bfloat16 if abilities.get("avx512_bf16") or abilities.get("amx_bf16") else None


def dtype_name(dtype: torch.dtype) -> str:
    """Return the short name of a precision."""
    return next(name for name, value in DTYPES.items() if value == dtype)


def check_compiler(device: torch.device) -> None:
    """Raise ValueError, naming what is missing, when torch cannot compile for the device here."""
    if device.type == "cuda":
        if importlib.util.find_spec("triton") is None:
            raise ValueError(
                "compile: torch needs the package triton for a GPU; pip install triton, or leave it out"
            )
        return
    names = [name for name in (os.environ.get("CXX"), "g++", "clang++") if name]
    if not any(shutil.which(name) for name in names):
        raise ValueError("compile: no C++ compiler was found; apt install g++, or leave it out")


class Placement:
    """Where modules work: always on the device, or, to save its memory, only while they are used."""

    def __init__(
        self,
        device: torch.device,
        dtype: torch.dtype,
        *,
        saves_memory: bool = False,
        autoencoder_dtype: torch.dtype | None = None,
        windows_per_batch: int | None = None,
        compiles: bool = False,
    ) -> None:
        """Take the precision of the run, and that of a small autoencoder's inside where it is another.

        `windows_per_batch` windows go to the denoiser at once (None: one on a CPU, what fits on a GPU);
        `compiles` has torch compile the denoiser and the decoder for one shape. ValueError when it cannot.
        """
        if compiles:
            check_compiler(device)
        if compiles and saves_memory:
            raise ValueError("compile: a compiled network stays where it is; leave save_gpu_memory out")
        self.device = device
        self.dtype = dtype
        self.autoencoder_dtype = autoencoder_dtype
        self.saves_memory = saves_memory
        self.windows_per_batch = windows_per_batch
        self.compiles = compiles
        self._compiled: dict[tuple[int, str], Any] = {}

    def compiled(self, module: nn.Module, method: str = "forward") -> Callable[..., Any]:
        """Return the module, or a bound method of it, compiled where the run compiles.

        With fixed shapes; on an NVIDIA GPU the kernels are recorded once and replayed (CUDA graphs).
        """
        plain: Callable[..., Any] = module if method == "forward" else getattr(module, method)
        if not self.compiles:
            return plain
        key = id(module), method
        if key not in self._compiled:
            mode = "reduce-overhead" if self.device.type == "cuda" else "default"
            self._compiled[key] = torch.compile(plain, mode=mode, dynamic=False)
        return cast(Callable[..., Any], self._compiled[key])

    def begin_step(self) -> None:
        """Tell a recorded graph that its last result was read."""
        if self.compiles and self.device.type == "cuda":
            torch.compiler.cudagraph_mark_step_begin()

    @contextlib.contextmanager
    def use(self, *modules: nn.Module | None) -> Iterator[None]:
        """Have the modules on the device, in the precision of the run, inside the block.

        Their projections are fused and their convolutions keep channels last, which changes no number but
        the order of additions.
        """
        present = [module for module in modules if module is not None]
        for module in present:
            fuse_attention(module)
            module.to(device=self.device, dtype=self.dtype)
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            if self.autoencoder_dtype is not None and isinstance(module, SmallAutoencoder):
                module.work_in(self.autoencoder_dtype)
        try:
            yield
        finally:
            if self.saves_memory:
                for module in present:
                    module.to(device="cpu")
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()

    def tensor(self, array: Array, *, dtype: torch.dtype | None = None) -> Tensor:
        """Return the array as a tensor on the device, in the precision of the run unless another is named."""
        return torch.from_numpy(array).to(device=self.device, dtype=dtype or self.dtype)
