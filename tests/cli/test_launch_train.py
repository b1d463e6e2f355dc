"""The variables of scripts/train.sh become the right launcher, with the right number of processes."""

import argparse
from pathlib import Path

import pytest

from talkvid.cli.launch_train import TrainLaunch, read_launch, train_command

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "src/train.py"


def read(folder: Path = ROOT, nvidia: bool = False, /, **variables: str) -> TrainLaunch:
    return read_launch(variables, root=ROOT, folder=folder, nvidia=nvidia, cores=8)


def command(*arguments: str, **variables: str) -> list[str]:
    return train_command("python", read(ROOT, False, **variables), arguments)


def parts(words: list[str]) -> tuple[dict[str, str], list[str], list[str]]:
    """Environment, launcher and its arguments, arguments of the script."""
    assert words[0] == "/usr/bin/env"
    python, script = words.index("python"), words.index(SCRIPT)
    variables = dict(word.split("=", 1) for word in words[1:python])
    return variables, words[python + 1 : script], words[script + 1 :]


def test_a_cpu_is_one_plain_process() -> None:
    variables, launcher, arguments = parts(command(STAGE="2", TRAIN="Mine", GPU="cpu"))
    assert variables == {"CUDA_VISIBLE_DEVICES": ""} and launcher == []
    assert arguments == [
        "--config",
        "src/configs/stage_2.yaml",
        "run.train=Mine",
        "run.device=cpu",
        "run.engine=single",
        "run.num_processes=1",
    ]


def test_several_cpu_processes_share_the_cores_under_torchrun() -> None:
    variables, launcher, arguments = parts(command(GPU="cpu,cpu"))
    assert launcher == ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    # accelerate would otherwise take each process for a run of its own
    assert variables["ACCELERATE_USE_CPU"] == "true" and variables["OMP_NUM_THREADS"] == "4"
    assert {"run.engine=ddp", "run.num_processes=2"} <= set(arguments)
    assert parts(command(GPU="cpu,cpu", OMP_NUM_THREADS="3"))[0]["OMP_NUM_THREADS"] == "3"


def test_deepspeed_on_several_cpu_processes_needs_torchrun_and_its_own_variable() -> None:
    variables, launcher, arguments = parts(command(GPU="cpu,cpu", ENGINE="deepspeed"))
    assert launcher[:2] == ["-m", "torch.distributed.run"] and variables["DS_ACCELERATOR"] == "cpu"
    # with it accelerate would take the launch for plain DDP, without ZeRO
    assert "ACCELERATE_USE_CPU" not in variables
    assert "run.deepspeed_config=src/configs/zero2_config.json" in arguments


def accelerate_arguments(launcher: list[str]) -> argparse.Namespace:
    from accelerate.commands.launch import launch_command_parser

    assert launcher[:2] == ["-m", "accelerate.commands.launch"]
    return launch_command_parser().parse_args([*launcher[2:], SCRIPT])


@pytest.mark.parametrize("gpus", ["0", "0,1", "2,5,7"])
def test_gpus_run_deepspeed_through_accelerate(gpus: str) -> None:
    variables, launcher, arguments = parts(command(GPU=gpus))
    count = len(gpus.split(","))
    known = accelerate_arguments(launcher)
    assert known.use_deepspeed and not known.multi_gpu and known.num_processes == count
    assert known.deepspeed_config_file == "src/configs/zero2_config.json"
    assert known.main_process_port == 0  # a free one: two runs share a machine
    assert variables == {"CUDA_VISIBLE_DEVICES": gpus}
    assert {"run.device=cuda", "run.engine=deepspeed", f"run.num_processes={count}"} <= set(arguments)


def test_ddp_on_gpus_is_accelerates_multi_gpu() -> None:
    _, launcher, arguments = parts(command(GPU="0,1", ENGINE="ddp"))
    known = accelerate_arguments(launcher)
    assert known.multi_gpu and not known.use_deepspeed and known.num_processes == 2
    assert not [word for word in arguments if "deepspeed" in word]


def test_one_gpu_can_do_without_a_launcher() -> None:
    variables, launcher, _ = parts(command(GPU="3", ENGINE="single"))
    assert launcher == [] and variables == {"CUDA_VISIBLE_DEVICES": "3"}


def test_deepspeed_in_one_cpu_process_goes_through_accelerate() -> None:
    variables, launcher, _ = parts(command(GPU="cpu", ENGINE="deepspeed"))
    known = accelerate_arguments(launcher)
    assert known.use_deepspeed and not known.cpu and variables["DS_ACCELERATOR"] == "cpu"


def test_machines_multiply_the_processes_and_each_starts_its_own() -> None:
    place = {"HOST_NUM": "3", "INDEX": "2", "CHIEF_IP": "10.0.0.1", "CHIEF_PORT": "29511"}
    _, launcher, arguments = parts(command(GPU="0,1,2,3", **place))
    known = accelerate_arguments(launcher)
    assert (known.num_machines, known.machine_rank, known.num_processes) == (3, 2, 12)
    assert (known.main_process_ip, known.main_process_port) == ("10.0.0.1", 29511)
    assert known.deepspeed_multinode_launcher == "standard"  # the default would log into the others by ssh
    assert "run.num_processes=12" in arguments


def test_machines_without_gpus_meet_through_torchrun() -> None:
    from torch.distributed.run import get_args_parser

    _, launcher, arguments = parts(command(GPU="cpu", HOST_NUM="2", INDEX="0", CHIEF_IP="10.0.0.1"))
    known = get_args_parser().parse_args([*launcher[2:], SCRIPT])
    assert (known.nnodes, known.node_rank, known.nproc_per_node) == ("2", 0, "1")
    assert (known.master_addr, known.master_port, known.standalone) == ("10.0.0.1", 29500, False)
    assert {"run.engine=ddp", "run.num_processes=2"} <= set(arguments)


def test_settings_of_the_user_come_last_and_a_deepspeed_file_reaches_the_launcher_too() -> None:
    _, launcher, arguments = parts(command("run.max_steps=5", "run.deepspeed_config=mine.json", GPU="0,1"))
    assert arguments[-2:] == ["run.max_steps=5", "run.deepspeed_config=mine.json"]
    assert accelerate_arguments(launcher).deepspeed_config_file == "mine.json"


def test_without_gpu_variable_the_machine_decides() -> None:
    assert read(ROOT, False).devices == ("cpu",) and read(ROOT, True).devices == ("0",)


def test_config_is_a_folder_of_stages_or_one_file(tmp_path: Path) -> None:
    assert read(CONFIG="src/configs/mini", STAGE="3").config == Path("src/configs/mini/stage_3.yaml")
    mine = tmp_path / "mine.yaml"
    mine.touch()
    assert read(tmp_path, CONFIG="mine.yaml").config == mine
    assert read(CONFIG=str(mine), STAGE="2").config == mine


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"STAGE": "9"}, "STAGE=9"),
        ({"CONFIG": "nowhere"}, "CONFIG=nowhere"),
        ({"GPU": "all"}, "GPU=all"),
        ({"GPU": "0,0"}, "GPU=0,0"),
        ({"GPU": "cpu,0"}, "GPU=cpu,0"),
        ({"GPU": "0,"}, "GPU=0,"),
        ({"ENGINE": "zero"}, "ENGINE=zero"),
        ({"GPU": "0,1", "ENGINE": "single"}, "ENGINE=single"),
        ({"GPU": "0", "ENGINE": "ddp"}, "ENGINE=ddp"),
        ({"HOST_NUM": "0"}, "HOST_NUM=0"),
        ({"HOST_NUM": "two"}, "HOST_NUM=two"),
        ({"HOST_NUM": "2", "CHIEF_IP": "10.0.0.1"}, "INDEX is not set"),
        (
            {"HOST_NUM": "2", "CHIEF_IP": "10.0.0.1", "INDEX": "2"},
            "INDEX=2: must be a whole number from 0 to 1",
        ),
        ({"HOST_NUM": "2", "INDEX": "0"}, "CHIEF_IP is not set"),
        ({"HOST_NUM": "2", "INDEX": "0", "CHIEF_IP": "a", "CHIEF_PORT": "0"}, "CHIEF_PORT=0"),
    ],
)
def test_an_impossible_value_names_its_variable(variables: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match="^" + message.replace(".", r"\.")):
        read(ROOT, False, **{"GPU": "cpu", **variables})
