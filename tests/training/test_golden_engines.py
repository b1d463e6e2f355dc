"""Every engine takes the reference implementation's step: loss, gradients, and three steps of AdamW.

With two processes the golden batch of two clips is split between them, and its draws are split alike.
"""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.golden import CASES
from tests.training.launching import ZERO_2, launcher, run

RELATIVE = 1e-5
needs_deepspeed = pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None, reason="deepspeed is not installed"
)
ENGINES = [
    pytest.param(("single", 1), id="single"),
    pytest.param(("ddp", 1), id="ddp in one process", marks=pytest.mark.slow),
    pytest.param(("ddp", 2), id="ddp in two processes"),
    pytest.param(("deepspeed", 1), id="deepspeed through accelerate", marks=needs_deepspeed),
    pytest.param(("deepspeed", 2), id="deepspeed under torchrun", marks=needs_deepspeed),
]


@pytest.fixture(scope="module", params=ENGINES)
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one engine made of all golden cases."""
    engine, processes = request.param
    file: Path = tmp_path_factory.mktemp("golden") / "found.json"
    zero = str(ZERO_2) if engine == "deepspeed" else ""
    worker = ["-m", "tests.training.engine_worker", "golden", str(file), engine, str(processes), zero]
    ended = run([*launcher(processes), *worker])
    assert ended.code == 0, ended.errors[-3000:]
    return {"engine": engine, **json.loads(file.read_text())}


def test_loss_and_gradients_of_each_network_are_those_of_the_reference(found: dict[str, Any]) -> None:
    for name, info in CASES.items():
        assert found[name]["losses"][0] == pytest.approx(info["loss"], rel=RELATIVE), name
        for network, norm in info["grad_norms"].items():
            if "/" in network or network == "total":
                continue
            mine = found[name]["norms"][network] or 0.0
            assert mine == pytest.approx(norm, rel=RELATIVE, abs=1e-7), (name, network)


def test_what_is_clipped_is_the_norm_over_all_networks(found: dict[str, Any]) -> None:
    for name, info in CASES.items():
        assert found[name]["totals"][0] == pytest.approx(info["grad_norms"]["total"], rel=RELATIVE), name


def test_three_steps_follow_the_reference(found: dict[str, Any]) -> None:
    for name, info in CASES.items():
        taken = found[name]
        # DeepSpeed's flat pieces move what an unconditional step left without gradient: later losses differ.
        exact = 1 if found["engine"] == "deepspeed" and any(taken["unconditional"]) else len(taken["losses"])
        expected = info["adamw_lr1e-3_losses"]
        assert taken["losses"][:exact] == pytest.approx(expected[:exact], rel=3 * RELATIVE), name


def test_an_unconditional_step_leaves_the_other_networks_without_gradient(found: dict[str, Any]) -> None:
    # 5.5: plain DDP stopped at parameters without gradient.
    norms = found["stage_3_uncond"]["norms"]
    assert norms["denoising_unet"] > 0
    none = 0.0 if found["engine"] == "deepspeed" else None
    assert [norms[name] for name in ("reference_net", "v_kps_guider", "audio_projection")] == [none] * 3


def test_recomputing_layers_in_backward_changes_nothing(found: dict[str, Any]) -> None:
    assert found["recomputed"]["losses"] == pytest.approx(found["stage_3"]["losses"], rel=RELATIVE)
    for network, norm in found["stage_3"]["norms"].items():
        assert found["recomputed"]["norms"][network] == pytest.approx(norm, rel=RELATIVE), network
