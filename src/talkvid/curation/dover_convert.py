"""Make DOVER's ONNX file from its weights and a local copy of its repository.

The network's definition is imported from the copy (https://github.com/VQAssessment/DOVER, S-Lab License 1.0:
non-commercial), of which only the three files that define networks are run. It wants packages that nothing
else here needs: pip install timm einops torchvision onnx onnxscript
"""

import argparse
import hashlib
import importlib
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from talkvid import log
from talkvid.curation.dover import INPUTS, METADATA_KEYS, OUTPUTS, TITLE
from talkvid.curation.dover_sampling import AESTHETIC, TECHNICAL, VIEW
from talkvid.files import atomic_path
from talkvid.records import Array

logger = logging.getLogger(__name__)

OPSET = 18
LICENCE = "S-Lab License 1.0 (non-commercial)"
PACKAGE = "talkvid_dover_definitions"
PACKAGES = "timm einops torchvision onnx onnxscript"
TOLERANCE = 1e-5
"""Largest difference between torch and onnxruntime that is let pass."""


class DoverNetwork(nn.Module):
    """Both branches of DOVER with the parameter names of its published checkpoint."""

    def __init__(self, definitions: Mapping[str, ModuleType]) -> None:
        super().__init__()
        head = definitions["head"].VQAHead
        self.technical_backbone = definitions["swin_backbone"].SwinTransformer3D(use_checkpoint=False)
        self.aesthetic_backbone = definitions["conv_backbone"].convnext_3d_tiny(pretrained=False)
        self.technical_head = head(pre_pool=False, in_channels=768)
        self.aesthetic_head = head(pre_pool=False, in_channels=768)

    def forward(self, aes_view: Tensor, tech_view: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B,) aesthetic and (R,) technical raw outputs of (B 3 T H W) and (R 3 T H W) views."""
        aesthetic = self.aesthetic_head(self.aesthetic_backbone(aes_view))
        technical = self.technical_head(self.technical_backbone(tech_view))
        return aesthetic.mean((1, 2, 3, 4)), technical.mean((1, 2, 3, 4))


def load_definitions(repository: str | os.PathLike[str]) -> dict[str, ModuleType]:
    """Return the modules that define DOVER's networks, imported from a local copy of its repository.

    Raises FileNotFoundError when the folder holds no such files, ImportError naming what to install.
    """
    folder = Path(repository) / "dover" / "models"
    names = ("conv_backbone", "swin_backbone", "head")
    missing = [name for name in names if not (folder / f"{name}.py").is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder / missing[0]}.py: missing; give --repository a copy of github.com/VQAssessment/DOVER"
        )
    package = ModuleType(PACKAGE)
    package.__path__ = [str(folder)]
    sys.modules[PACKAGE] = package
    try:
        return {name: importlib.import_module(f"{PACKAGE}.{name}") for name in names}
    except (ImportError, RuntimeError) as error:  # torchvision of another torch raises RuntimeError
        raise ImportError(
            f"DOVER's definition cannot be imported ({error}): pip install {PACKAGES}"
        ) from error
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
            del sys.modules[name]


def load_checkpoint(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Load DOVER.pth into the network, every key exactly; nothing but tensors is unpickled.

    Raises FileNotFoundError, or ValueError for a file that is something else.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"{path}: there is no checkpoint here; fetch it with `talkvid models fetch dover`"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever unpickling a wrong file raises
        raise ValueError(f"{path}: not a file of weights ({type(error).__name__}); fetch it again") from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path}: holds no table of weights; give DOVER.pth")
    own = network.state_dict()
    wrong = [key for key in state if key not in own or own[key].shape != state[key].shape]
    missing = [key for key in own if key not in state]
    if wrong or missing:
        raise ValueError(
            f"{path}: {len(wrong)} entries are foreign (first: {(wrong or ['-'])[0]}) and {len(missing)} are "
            f"missing (first: {(missing or ['-'])[0]}); give DOVER.pth, not DOVER-Mobile or DOVER++"
        )
    network.load_state_dict(state)


def views(clips: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return random views of some clips: (clips 3 32 224 224) and (3 clips 3 32 224 224)."""
    generator = torch.Generator().manual_seed(seed)
    aesthetic = torch.randn(clips, 3, AESTHETIC.num_pictures, VIEW, VIEW, generator=generator)
    runs = clips * TECHNICAL.num_parts
    return aesthetic, torch.randn(runs, 3, TECHNICAL.length, VIEW, VIEW, generator=generator)


def export(network: nn.Module, target: Path, *, clips: int, opset: int, origin: Mapping[str, str]) -> None:
    """Write the ONNX file for any number of clips at a time, or exactly `clips` when that is above 0."""
    onnx: Any = importlib.import_module("onnx")
    example = views(clips or 2)
    batches = None if clips else tuple({0: torch.export.Dim(name)} for name in ("clips", "runs"))
    torch.onnx.export(
        network,
        example,
        target,
        dynamo=True,
        opset_version=opset,
        input_names=list(INPUTS),
        output_names=OUTPUTS.split(","),
        dynamic_shapes=batches,
        external_data=False,
        verbose=False,
    )
    model = onnx.load(target)
    values = (TITLE, OUTPUTS, *origin.values())
    onnx.helper.set_model_props(model, dict(zip(METADATA_KEYS, values, strict=True)))
    onnx.save(model, target)


def loaded_network(repository: str, checkpoint: str) -> DoverNetwork:
    """Return the network with its weights, ready to be run."""
    network = DoverNetwork(load_definitions(repository))
    load_checkpoint(network, checkpoint)
    return network.eval()


def torch_outputs(network: nn.Module, *, clips: int) -> list[Array]:
    """Return the outputs of torch for the random views that the check uses."""
    with torch.no_grad():
        return [output.numpy() for output in network(*views(clips, seed=1))]


def largest_difference(expected: Sequence[Array], path: Path, *, clips: int) -> float:
    """Return by how much onnxruntime's outputs for the same views differ from torch's."""
    runtime: Any = importlib.import_module("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feed = {name: view.numpy() for name, view in zip(INPUTS, views(clips, seed=1), strict=True)}
    found = session.run(None, feed)
    return max(float(np.abs(ours - theirs).max()) for ours, theirs in zip(expected, found, strict=True))


def convert(
    checkpoint: str, repository: str, output: str, *, clips: int = 0, opset: int = OPSET, check: bool = True
) -> float | None:
    """Write `output` and return how far it is from torch, None without the check.

    Raises ValueError when the outputs differ by more than TOLERANCE; then nothing is written.
    """
    network = loaded_network(repository, checkpoint)
    digest = hashlib.sha256(Path(checkpoint).read_bytes()).hexdigest()
    origin = {"checkpoint_sha256": digest, "opset": str(opset), "licence": LICENCE}
    difference = None
    with atomic_path(output) as temporary:
        export(network, temporary, clips=clips, opset=opset, origin=origin)
        if check:
            # The definition caches tensors of the export, so torch's own outputs come from a fresh one.
            expected = torch_outputs(loaded_network(repository, checkpoint), clips=clips or 1)
            difference = largest_difference(expected, temporary, clips=clips or 1)
            if not difference <= TOLERANCE:
                raise ValueError(f"{output}: differs from torch by {difference:.2g}; try another --opset")
    return difference


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0 when the file is written; the last line printed is its path."""
    parser = argparse.ArgumentParser(prog="python -m talkvid.curation.dover_convert", description=__doc__)
    parser.add_argument(
        "--checkpoint", required=True, help="DOVER.pth, as `talkvid models fetch dover` fetches it"
    )
    parser.add_argument("--repository", required=True, help="local copy of github.com/VQAssessment/DOVER")
    parser.add_argument("--output", default="model_ckpts/dover/dover.onnx", help="(%(default)s)")
    parser.add_argument("--clips", type=int, default=0, help="clips per call; 0: any number (0)")
    parser.add_argument("--opset", type=int, default=OPSET, help="ONNX operator set (%(default)s)")
    parser.add_argument("--no-check", action="store_true", help="do not compare with torch")
    arguments = parser.parse_args(argv)
    log.configure(verbose=False)
    difference = convert(
        arguments.checkpoint,
        arguments.repository,
        arguments.output,
        clips=arguments.clips,
        opset=arguments.opset,
        check=not arguments.no_check,
    )
    if difference is not None:
        logger.info("torch and onnxruntime differ by at most %.2g", difference)
    sys.stdout.write(f"{arguments.output}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
