"""A run gets the engine, the processes and the DeepSpeed settings that were asked for, or an error."""

import importlib.util
import json
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from talkvid.training import engine as engines
from talkvid.training.config import OptimizerConfig, RunConfig
from talkvid.training.endings import memory_advice
from talkvid.training.engine import build_engine, check_launch, memory_savings
from talkvid.training.engine_deepspeed_settings import deepspeed_settings
from talkvid.training.engine_optimizer import apply_settings, build_optimizer
from tests.training.launching import ZERO_2, run
from tests.training.synthetic import small_settings

PLAIN = OptimizerConfig()


def filled(run_config: RunConfig, *, offload: str = "none", processes: int = 2) -> dict[str, Any]:
    optimizer = OptimizerConfig(accumulation=3, max_grad_norm=0.5)
    return deepspeed_settings(
        run_config, optimizer=optimizer, train_bs=4, processes=processes, offload=offload
    )


def zero_file(folder: Path, **changes: object) -> str:
    path = folder / "zero.json"
    path.write_text(json.dumps({**json.loads(ZERO_2.read_text()), **changes}))
    return str(path)


def test_a_launch_of_another_size_is_refused_with_the_right_command() -> None:
    check_launch(RunConfig(), environment={})
    check_launch(RunConfig(engine="ddp", num_processes=2), environment={"WORLD_SIZE": "2"})
    for asked, environment, found in ((2, {}, 1), (1, {"WORLD_SIZE": "2"}, 2), (2, {"WORLD_SIZE": "4"}, 4)):
        with pytest.raises(
            ValueError, match=rf"run\.num_processes={asked}.* started {found} process"
        ) as error:
            check_launch(RunConfig(engine="ddp", num_processes=asked), environment=environment)
        assert ("torchrun --nproc_per_node 2" in str(error.value)) == (asked == 2)


def test_a_launch_for_another_engine_is_refused() -> None:
    for variable, words in (("ACCELERATE_USE_DEEPSPEED", "DeepSpeed"), ("ACCELERATE_USE_FSDP", "FSDP")):
        with pytest.raises(ValueError, match=rf"run\.engine=single, but the launch asks for {words}"):
            check_launch(RunConfig(), environment={variable: "true"})
    check_launch(RunConfig(engine="deepspeed"), environment={"ACCELERATE_USE_DEEPSPEED": "true"})


def test_an_engine_that_turns_out_to_be_another_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # As when a launcher lets processes run on their own: the settings say two, inside there is one.
    monkeypatch.setattr(engines, "check_launch", lambda run: None)
    asked = RunConfig(engine="ddp", num_processes=2, device="cpu")
    with pytest.raises(
        ValueError, match=r"run\.engine=ddp run\.num_processes=2 on cpu, the launch gave single with 1"
    ):
        build_engine(asked, optimizer=PLAIN)


def test_a_launcher_that_silently_starts_one_process_is_found_out(drawn: Path, tmp_path: Path) -> None:
    launch = ["accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1"]
    settings = [*small_settings(drawn, tmp_path / "exp"), "run.engine=ddp", "run.num_processes=2"]
    program = ["src/train.py", "--config", "src/configs/stage_1.yaml", *settings]
    ended = run([sys.executable, "-m", *launch, *program])
    assert ended.code != 0
    assert "run.num_processes=2, but the launch started 1 process(es)" in ended.errors
    assert not (tmp_path / "exp").exists()


def test_ddp_in_one_process_is_ddp() -> None:
    engine = build_engine(RunConfig(engine="ddp", device="cpu"), optimizer=PLAIN)
    try:
        network = nn.Linear(2, 2)
        wrapped = engine.prepare(network, list(network.parameters()))
        assert isinstance(wrapped, nn.parallel.DistributedDataParallel)
        assert (engine.name, engine.processes.count, engine.processes.gather("me")) == ("ddp", 1, ["me"])
    finally:
        engine.close()
    assert not torch.distributed.is_initialized()


def test_open_entries_of_the_deepspeed_file_are_filled() -> None:
    run_config = RunConfig(engine="deepspeed", precision="bf16", deepspeed_config=str(ZERO_2))
    found = filled(run_config)
    assert found["train_micro_batch_size_per_gpu"] == 4
    assert found["gradient_accumulation_steps"] == 3
    assert found["train_batch_size"] == 24
    assert found["gradient_clipping"] == 0.5
    assert (found["fp16"]["enabled"], found["bf16"]["enabled"]) == (False, True)
    assert "auto" not in json.dumps(found)
    assert found["zero_optimization"]["stage"] == 2 and "offload_optimizer" not in found["zero_optimization"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train_micro_batch_size_per_gpu": 8}, r"train_micro_batch_size_per_gpu=8.*data\.train_bs=4"),
        ({"gradient_accumulation_steps": 1}, r"gradient_accumulation_steps=1.*optimizer\.accumulation=3"),
        ({"train_batch_size": 8}, r"train_batch_size=8.*= 24"),
        ({"gradient_clipping": 1.0}, r"gradient_clipping=1\.0.*optimizer\.max_grad_norm=0\.5"),
        ({"fp16": {"enabled": True}}, r"fp16\.enabled=True.*run\.precision=fp32"),
        ({"optimizer": {"type": "Adam"}}, r"remove 'optimizer'.*optimizer\.name"),
        ({"zero_optimization": {"stage": 4}}, r"stage=4: this trainer runs stages 1, 2 and 3"),
        (
            {"zero_optimization": {"stage": 3, "offload_param": {"device": "nvme"}}},
            r"device=nvme.*offload=none",
        ),
        (
            {"zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}}},
            r"offload_optimizer\.device=cpu.*run\.offload=none",
        ),
    ],
)
def test_a_deepspeed_file_that_contradicts_the_run_names_both(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    path = zero_file(tmp_path, **changes)
    with pytest.raises(ValueError, match=words):
        filled(RunConfig(engine="deepspeed", deepspeed_config=path))


def test_a_deepspeed_file_that_is_absent_or_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"needs run\.deepspeed_config"):
        filled(RunConfig(engine="deepspeed"))
    with pytest.raises(FileNotFoundError, match=r"run\.deepspeed_config=.*none\.json does not exist"):
        filled(RunConfig(engine="deepspeed", deepspeed_config=str(tmp_path / "none.json")))
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ValueError, match=r"broken\.json: not a JSON file"):
        filled(RunConfig(engine="deepspeed", deepspeed_config=str(tmp_path / "broken.json")))


def test_offloading_changes_what_deepspeed_is_told() -> None:
    run_config = RunConfig(engine="deepspeed", offload="optimizer", deepspeed_config=str(ZERO_2))
    found = filled(run_config, offload=memory_savings(run_config).offload)
    assert found["zero_optimization"]["offload_optimizer"]["device"] == "cpu"
    assert found["zero_force_ds_cpu_optimizer"] is False
    # The shipped file says stage 2; dividing the weights is what stage 3 does.
    zero = filled(run_config, offload="parameters")["zero_optimization"]
    assert (zero["stage"], zero["offload_param"]["device"], zero["offload_optimizer"]["device"]) == (
        3,
        "cpu",
        "cpu",
    )


def test_a_running_mean_of_divided_weights_is_refused() -> None:
    asked = RunConfig(engine="deepspeed", offload="parameters", device="cpu", deepspeed_config=str(ZERO_2))
    with pytest.raises(ValueError, match=r"run\.ema_decay=0\.9.*run\.offload=parameters.*zero2_config"):
        build_engine(replace(asked, ema_decay=0.9), optimizer=PLAIN)
    assert not torch.distributed.is_initialized()


def test_offloading_without_deepspeed_is_refused() -> None:
    for name in ("single", "ddp"):
        with pytest.raises(ValueError, match=r"run\.offload=optimizer is DeepSpeed's.*run\.engine=deepspeed"):
            memory_savings(RunConfig(engine=name, offload="optimizer"))


def test_one_switch_saves_memory_and_says_how(caplog: pytest.LogCaptureFixture) -> None:
    assert memory_savings(RunConfig()) == engines.Savings(False, "none")
    assert memory_savings(RunConfig(save_gpu_memory=True)) == engines.Savings(True, "none")
    deepspeed = RunConfig(save_gpu_memory=True, engine="deepspeed")
    assert memory_savings(deepspeed) == engines.Savings(True, "optimizer")
    with caplog.at_level(logging.INFO, logger="talkvid"):
        build_engine(RunConfig(save_gpu_memory=True, device="cpu"), optimizer=PLAIN).close()
    assert "run.gradient_checkpointing=true and run.offload=none" in caplog.text


def test_8_bit_state_cannot_be_offloaded() -> None:
    weights = [nn.Parameter(torch.zeros(2))]
    with pytest.raises(ValueError, match=r"adamw_8bit keeps its state on the GPU.*optimizer\.name=adamw"):
        build_optimizer(weights, OptimizerConfig(name="adamw_8bit"), offloaded=True)


def test_the_settings_of_a_resumed_run_win_over_those_of_its_state() -> None:
    optimizer = build_optimizer([nn.Parameter(torch.zeros(2))], OptimizerConfig(learning_rate=1e-3))
    apply_settings(optimizer, OptimizerConfig(learning_rate=1e-4, beta1=0.5))
    assert optimizer.param_groups[0]["lr"] == 1e-4 and optimizer.param_groups[0]["betas"] == (0.5, 0.999)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: 1 bytes"),
    ],
)
def test_want_of_memory_names_the_settings_that_need_less(error: Exception) -> None:
    with pytest.raises(ValueError, match="has not enough memory") as found, memory_advice():
        raise error
    for key in ("data.train_bs", "optimizer.accumulation", "run.gradient_checkpointing", "run.offload",
                "run.save_gpu_memory", "run.precision"):  # fmt: skip
        assert key in str(found.value)
    with pytest.raises(RuntimeError, match="another"), memory_advice():
        raise RuntimeError("another fault")


@pytest.mark.skipif(importlib.util.find_spec("deepspeed") is not None, reason="deepspeed is installed")
def test_deepspeed_that_is_not_installed_is_named() -> None:
    run_config = RunConfig(engine="deepspeed", device="cpu", deepspeed_config=str(ZERO_2))
    with pytest.raises(ImportError, match=r"talkvid\[deepspeed\]"):
        build_engine(run_config, optimizer=PLAIN)
