"""Bytes that making a video holds at once, part by part, counted with tensors that have no memory.

The networks of Stable Diffusion 1.5's size are built and run in half precision inside torch's FakeTensorMode,
which chooses fused attention as a GPU does; every tensor an operation makes counts from its making until
nobody holds it. What kernels want beside that (workspaces of convolutions, the CUDA context) is not seen.
"""

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from benchmarks.train_arithmetic import SD_VAE, SPEECH_DIM
from talkvid.inference.scene import DECODE_BATCH
from talkvid.model.bundle import ModelBundle, build_bundle
from talkvid.model.bundle_config import BundleConfig, ModuleSpec
from talkvid.model.guidance import guided_prediction
from talkvid.model.unet_config import UNetConfig
from talkvid.model.vae import ImageAutoencoder

HALF = 2
GUIDANCE = 3.5
REFERENCE, VAE = "reference_net", "vae"


class LiveBytes(TorchDispatchMode):
    """Counts the bytes that operations make while this is entered, and the most alive at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        given = {
            item.untyped_storage()._cdata for item in tree_iter((args, kwargs)) if isinstance(item, Tensor)
        }
        for item in tree_iter(made):
            if isinstance(item, Tensor):
                self._note(item.untyped_storage(), given)
        return made

    def _note(self, storage: torch.UntypedStorage, given: set[int]) -> None:
        key = storage._cdata
        if key in self._known or key in given:  # a view of what is there
            return
        size = storage.nbytes()
        self._known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


@dataclass(frozen=True)
class Part:
    """One step of making a video."""

    name: str
    network: str
    """That works."""
    weights: int
    """Bytes of its parameters."""
    working: int
    """Most bytes beside them while it works, what it is given not counted."""


@dataclass(frozen=True)
class VideoMemory:
    """What a long video holds on a GPU, one window at a time."""

    parts: tuple[Part, ...]
    reference: int
    """Bytes of the portrait's keys and values, kept for the whole video."""
    under_way: int
    """Bytes of the key-point features of all frames under way; in main memory when memory is saved."""

    def plain(self) -> int:
        """Return the peak when everything stays on the GPU."""
        working = max(part.working for part in self.parts)
        return sum(self._weights().values()) + self.reference + self.under_way + working

    def saving(self) -> int:
        """Return the peak with --save_gpu_memory: the reference net is there only while it works."""
        others = {name: size for name, size in self._weights().items() if name != REFERENCE}
        first = self._weights()[REFERENCE] + max(part.working for part in self.parts[:2])
        return sum(others.values()) + max(
            first, self.reference + max(part.working for part in self.parts[2:])
        )

    def _weights(self) -> dict[str, int]:
        return {part.network: part.weights for part in self.parts}


def count_video(*, pixels: int, window: int, steps: int, overlap: int, guided: bool = True) -> VideoMemory:
    """Return the memory of a video of square pictures in windows of so many frames."""
    torch.set_default_dtype(torch.half)
    try:
        with FakeTensorMode(), torch.no_grad():
            bundle = fake_bundle()
            parts, reference, frame = _parts(bundle, pixels=pixels, window=window, guided=guided)
    finally:
        torch.set_default_dtype(torch.float)
    # Windows go as a wavefront: as many are under way as there are steps.
    return VideoMemory(parts, reference, under_way=frame * (steps * (window - overlap) + overlap))


def fake_bundle() -> ModelBundle:
    """Return the networks of the published sizes; inside a FakeTensorMode, without memory."""
    published = BundleConfig.published(UNetConfig(), speech_dim=SPEECH_DIM)
    modules = {**published.modules, "vae": ModuleSpec("autoencoder_kl", SD_VAE)}
    bundle = build_bundle(BundleConfig(name="sd15", modules=modules), source="the published sizes")
    for module in bundle.modules.values():
        module.eval().requires_grad_(False)
    return bundle


def _parts(
    bundle: ModelBundle, *, pixels: int, window: int, guided: bool
) -> tuple[tuple[Part, ...], int, int]:
    """Return the parts in the order they work, bytes of the portrait's and of a frame's features."""
    side = pixels // 8
    vae, modules = cast(ImageAutoencoder, bundle.vae), bundle.modules
    denoiser = bundle.denoising_unet
    reference_net = bundle.reference_net
    assert reference_net is not None
    picture, latent = torch.empty(1, 3, pixels, pixels), torch.empty(1, 4, side, side)
    encode, _ = run(lambda: vae.encode(picture))
    refer, cache = run(lambda: denoiser.project_reference(reference_net.features(latent)))
    guide, features = run(lambda: modules["v_kps_guider"](torch.empty(1, 3, window, pixels, pixels)))
    audio = torch.empty(1, window, 10, SPEECH_DIM)
    project, tokens = run(lambda: modules["audio_projection"](audio))
    latents, times = torch.empty(1, 4, window, side, side), torch.zeros(1, dtype=torch.long)
    denoise, _ = run(
        lambda: guided_prediction(
            denoiser, latents, timesteps=times, guidance_scale=GUIDANCE if guided else 1.0,
            audio_tokens=tokens, kps_features=features, reference=cache,
        )
    )  # fmt: skip
    decode, _ = run(lambda: vae.decode(torch.empty(DECODE_BATCH, 4, side, side)))
    counts = (
        ("autoencoder, encoding the portrait", VAE, encode),
        ("reference net, once per video", REFERENCE, refer),
        ("key-point guider, a window", "v_kps_guider", guide),
        ("audio projection, a window", "audio_projection", project),
        (f"denoiser, a {'guided ' if guided else ''}window", "denoising_unet", denoise),
        (f"autoencoder, decoding {DECODE_BATCH} frames", VAE, decode),
    )
    parts = tuple(Part(said, network, size(modules[network]), count.peak) for said, network, count in counts)
    return parts, refer.now, guide.now // window


def run(work: Callable[[], Any]) -> tuple[LiveBytes, Any]:
    """Return the count of some work, and its result, which is alive in the count's `now`."""
    with LiveBytes() as count:
        result = work()
    return count, result


def size(module: nn.Module) -> int:
    """Return the bytes of a network's numbers in half precision."""
    return HALF * sum(entry.numel() for entry in module.parameters())
