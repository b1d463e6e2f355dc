"""The converter on a repository of three tiny networks that bear the names of DOVER's."""

import sys
from pathlib import Path

import pytest
import torch

from talkvid.curation.dover import DoverModel
from talkvid.curation.dover_convert import (
    PACKAGE,
    DoverNetwork,
    convert,
    load_checkpoint,
    load_definitions,
    views,
)

BACKBONE = """
import torch

class SwinTransformer3D(torch.nn.Module):
    def __init__(self, use_checkpoint=True):
        super().__init__()
        assert not use_checkpoint
        self.mix = torch.nn.Sequential(torch.nn.AvgPool3d(32), torch.nn.Conv3d(3, 768, 1))

    def forward(self, x):
        return self.mix(x)
"""
CONVOLUTIONS = """
from .swin_backbone import SwinTransformer3D

def convnext_3d_tiny(pretrained=True):
    assert not pretrained
    return SwinTransformer3D(use_checkpoint=False)
"""
HEAD = """
import torch

class VQAHead(torch.nn.Module):
    def __init__(self, pre_pool, in_channels):
        super().__init__()
        assert not pre_pool
        self.last = torch.nn.Conv3d(in_channels, 1, 1)

    def forward(self, x):
        return self.last(x)
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder laid out like a copy of DOVER's repository."""
    folder = tmp_path / "DOVER" / "dover" / "models"
    folder.mkdir(parents=True)
    for name, text in (("swin_backbone", BACKBONE), ("conv_backbone", CONVOLUTIONS), ("head", HEAD)):
        (folder / f"{name}.py").write_text(text)
    for package in (folder, folder.parent):
        (package / "__init__.py").write_text("raise RuntimeError('imports what only training needs')\n")
    return tmp_path / "DOVER"


@pytest.fixture
def checkpoint(repository: Path, tmp_path: Path) -> Path:
    """Weights of the tiny networks."""
    torch.manual_seed(0)
    path = tmp_path / "DOVER.pth"
    torch.save(DoverNetwork(load_definitions(repository)).state_dict(), path)
    return path


def test_only_the_files_that_define_networks_are_run_and_nothing_of_them_stays(repository: Path) -> None:
    first, second = load_definitions(repository), load_definitions(repository)
    assert set(first) == {"conv_backbone", "swin_backbone", "head"}
    assert first["head"] is not second["head"]  # what one conversion cached the next does not see
    assert not [name for name in sys.modules if name.startswith(PACKAGE)]


def test_a_repository_that_cannot_be_used_is_named(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"conv_backbone\.py: missing; give --repository"):
        load_definitions(tmp_path)
    (repository / "dover" / "models" / "head.py").write_text("import a_package_nobody_has\n")
    with pytest.raises(ImportError, match=r"a_package_nobody_has.*pip install timm einops"):
        load_definitions(repository)


def test_each_entry_of_a_batch_has_its_own_output(repository: Path) -> None:
    network = DoverNetwork(load_definitions(repository)).eval()
    aesthetic, technical = views(1)
    with torch.no_grad():
        scores = network(torch.cat([aesthetic, 2 * aesthetic]), technical)
        alone = network(2 * aesthetic, technical[2:])
    assert [tuple(score.shape) for score in scores] == [(2,), (3,)]
    assert torch.allclose(scores[0][1:], alone[0], atol=1e-6)
    assert torch.allclose(scores[1][2:], alone[1], atol=1e-6)


def test_weights_load_exactly_or_not_at_all(repository: Path, checkpoint: Path, tmp_path: Path) -> None:
    network = DoverNetwork(load_definitions(repository))
    load_checkpoint(network, checkpoint)
    state = torch.load(checkpoint, weights_only=True)
    assert torch.equal(network.state_dict()["technical_head.last.bias"], state["technical_head.last.bias"])
    nested = tmp_path / "nested.pth"
    torch.save({"state_dict": state}, nested)
    load_checkpoint(network, nested)
    wrong = tmp_path / "wrong.pth"
    torch.save({**{key: state[key] for key in list(state)[1:]}, "iqa.weight": torch.zeros(1)}, wrong)
    with pytest.raises(ValueError, match=r"1 entries are foreign \(first: iqa.weight\) and 1 are missing"):
        load_checkpoint(network, wrong)
    with pytest.raises(FileNotFoundError, match="talkvid models fetch dover"):
        load_checkpoint(network, tmp_path / "absent.pth")


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_a_file_with_code_in_it_is_refused_unrun(repository: Path, tmp_path: Path) -> None:
    sprung, path = tmp_path / "sprung", tmp_path / "trap.pth"
    torch.save({"weight": Trap(sprung)}, path)
    with pytest.raises(ValueError, match="not a file of weights"):
        load_checkpoint(DoverNetwork(load_definitions(repository)), path)
    assert not sprung.exists()


@pytest.mark.slow
def test_the_file_gives_what_torch_gives_for_any_number_of_clips(
    repository: Path, checkpoint: Path, tmp_path: Path
) -> None:
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason="the export wants it; pip install onnx onnxscript")
    output = tmp_path / "dover.onnx"
    difference = convert(str(checkpoint), str(repository), str(output))
    assert difference is not None and difference <= 1e-5
    model = DoverModel(output)
    assert model.most_clips is None
    assert model.origin["talkvid.opset"] == "18" and len(model.origin["talkvid.checkpoint_sha256"]) == 64
