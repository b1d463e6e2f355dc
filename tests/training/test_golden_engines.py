"""Every engine takes the reference implementation's step: loss, gradients, and three steps of AdamW.

With two processes the golden batch of two clips is split between them, and its draws are split alike.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.golden import CASES
from tests.training.launching import ZERO_2, divided, launcher, needs_deepspeed, run

RELATIVE = 1e-5
EVERY = tuple(CASES)
BOTH = ("stage_3", "stage_3_uncond")
"""Everything trains, with all conditions and with none."""
ENGINES = [
    pytest.param(("single", 1, "none", EVERY), id="single"),
    pytest.param(("ddp", 2, "none", BOTH), id="ddp in two processes"),
    pytest.param(("deepspeed", 1, "none", BOTH), id="deepspeed through accelerate", marks=needs_deepspeed),
    pytest.param(("deepspeed", 2, "none", BOTH), id="deepspeed under torchrun", marks=needs_deepspeed),
]
SLOW_ENGINES = [
    pytest.param(("ddp", 1, "none", EVERY), id="ddp in one process"),
    pytest.param(("ddp", 2, "none", EVERY), id="ddp, every case"),
    *(
        pytest.param(
            ("deepspeed", processes, offload, EVERY if offload == "none" else BOTH),
            id=f"deepspeed x {processes}, offload {offload}",
            marks=needs_deepspeed,
        )
        for processes in (1, 2)
        for offload in ("none", "parameters")
    ),
]  # fmt: skip


@pytest.fixture(
    scope="module",
    params=[*ENGINES, *(pytest.param(*entry.values, id=entry.id, marks=[*entry.marks, pytest.mark.slow])
                        for entry in SLOW_ENGINES)],
)  # fmt: skip
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one engine made of its golden cases."""
    engine, processes, offload, names = request.param
    folder = tmp_path_factory.mktemp("golden")
    file: Path = folder / "found.json"
    zero = str(divided(folder) if offload == "parameters" else ZERO_2) if engine == "deepspeed" else ""
    worker = ["golden", str(file), ",".join(names), engine, str(processes), zero, offload]
    ended = run([*launcher(processes), "-m", "tests.training.engine_worker", *worker])
    assert ended.code == 0, ended.errors[-3000:]
    return {"engine": engine, "cases": names, **json.loads(file.read_text())}


def test_loss_and_gradients_of_each_network_are_those_of_the_reference(found: dict[str, Any]) -> None:
    for name in found["cases"]:
        info = CASES[name]
        assert found[name]["losses"][0] == pytest.approx(info["loss"], rel=RELATIVE), name
        for network, norm in info["grad_norms"].items():
            if "/" in network or network == "total":
                continue
            mine = found[name]["norms"][network] or 0.0
            assert mine == pytest.approx(norm, rel=RELATIVE, abs=1e-7), (name, network)


def test_what_is_clipped_is_the_norm_over_all_networks(found: dict[str, Any]) -> None:
    for name in found["cases"]:
        info = CASES[name]
        assert found[name]["totals"][0] == pytest.approx(info["grad_norms"]["total"], rel=RELATIVE), name


def test_three_steps_follow_the_reference(found: dict[str, Any]) -> None:
    for name in found["cases"]:
        info = CASES[name]
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
