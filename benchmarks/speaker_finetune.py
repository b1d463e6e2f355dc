"""Does a short fine-tune on one speaker lower the loss on clips of that speaker which it never saw?

    talkvid preprocess --input_dir SPEAKER --name speaker --size 128 --speech_encoder log-mel
    python benchmarks/speaker_finetune.py --start exp/demo/stage_3 --train data/speaker.json \
        --held_out data/held.json [--steps 50] [--rank 16] [section.key=value ...]

Trains src/configs/speaker_finetune_example.yaml in fp32 from the start folder through the same door as
`talkvid train`, once whole and once by adapters (LoRA). Then it loads what each left and measures the
denoising loss, with all conditions, on the same windows of the held-out clips with the same noise and time
steps: with the lips weighted as in training, and with every pixel alike. `again` is the LoRA file alone,
added to the start. `--others` is the control: as many whole steps on clips of other people.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from talkvid.config import load_config
from talkvid.dataset.batch import SampleKey, collate
from talkvid.dataset.talking_face import TalkingFaceDataset
from talkvid.model.adapters import adapter_file_name, apply_adapters, read_adapters
from talkvid.model.bundle import ModelBundle, load_bundle
from talkvid.model.bundle_config import BundleConfig
from talkvid.training.clips import usable_clips, window_settings
from talkvid.training.config import TrainConfig
from talkvid.training.randomness import StepRandom
from talkvid.training.run import run_training
from talkvid.training.run_folder import stage_folder
from talkvid.training.task import TalkingHeadTask

CONFIG = Path(__file__).resolve().parents[1] / "src" / "configs" / "speaker_finetune_example.yaml"
COLUMNS = (
    f"{'what':>12} {'lips x':>12} {'plain':>8} {'change':>8} {'trained':>9} {'files':>9} {'CPU s/step':>10}"
)


def settings_of(args: argparse.Namespace, work: Path, *, name: str, rank: int, rate: float) -> TrainConfig:
    """Return the settings of one training."""
    model = BundleConfig.from_file(args.start)
    return load_config(
        TrainConfig,
        CONFIG,
        overrides=[
            f"run.output_root={work}",
            f"run.train={name}",
            "run.device=cpu",
            "run.precision=fp32",
            "run.save_gpu_memory=false",
            "run.ema_decay=0",
            "run.trackers=[]",
            f"run.max_steps={args.steps}",
            f"model.start_from={args.start}",
            f"data.meta_paths=[{args.others if name == 'others' else args.train}]",
            f"data.width={model.width}",
            f"data.height={model.height}",
            "data.num_workers=0",
            f"optimizer.learning_rate={rate}",
            "optimizer.accumulation=1",
            f"lora.rank={rank}",
            *args.settings,
        ],
    )


@torch.no_grad()
def held_out_losses(
    bundle: ModelBundle, config: TrainConfig, held_out: Path, *, windows: int
) -> tuple[float, float]:
    """Return the mean loss over windows of the held-out clips, (lips weighted, every pixel alike)."""
    clips = usable_clips(config, [str(held_out)])
    dataset = TalkingFaceDataset(clips, window_settings(config, bundle, augmented=False), seed=1)
    weighted = TalkingHeadTask(bundle, loss=config.loss)
    plain = TalkingHeadTask(bundle, loss=replace(config.loss, lip_weight=1.0))
    sums = [0.0, 0.0]
    for number in range(windows):
        batch = collate([dataset[SampleKey(epoch=number // len(clips), number=number % len(clips))]])
        for place, task in enumerate((weighted, plain)):
            sums[place] += task.validation_loss(batch, StepRandom.of_validation(1, batch=number))
    return sums[0] / windows, sums[1] / windows


def row(
    name: str,
    losses: tuple[float, float],
    before: tuple[float, float] | None,
    trained: str,
    size: str,
    cost: str,
) -> None:
    """Print one line of the table."""
    change = "" if before is None else f"{losses[0] / before[0] - 1:+.1%}"
    print(
        f"{name:>12} {losses[0]:12.4f} {losses[1]:8.4f} {change:>8} {trained:>9} {size:>9} {cost:>10}",
        flush=True,
    )


def main() -> None:
    """Print a row for the start and for each way of training."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--start", type=Path, required=True, help="run or checkpoint folder to start from")
    parser.add_argument("--train", type=Path, required=True, help="JSON list of the speaker's clips")
    parser.add_argument(
        "--held_out", type=Path, required=True, help="JSON list of further clips of the speaker"
    )
    parser.add_argument("--others", type=Path, help="JSON list of other people's clips, for the control")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--windows", type=int, default=48, help="held-out windows, spread over the clips")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--learning_rate", type=float, default=1e-4)
    parser.add_argument("--lora_learning_rate", type=float, default=1e-3)
    parser.add_argument("settings", nargs="*", metavar="section.key=value")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        ways = {"whole": (0, args.learning_rate), "lora": (args.rank, args.lora_learning_rate)}
        if args.others is not None:
            ways["others"] = (0, args.learning_rate)
        configs = {
            name: settings_of(args, work, name=name, rank=rank, rate=rate)
            for name, (rank, rate) in ways.items()
        }
        print(
            f"{args.steps} steps, rates {args.learning_rate:g} and {args.lora_learning_rate:g} (LoRA), ",
            end="",
        )
        print(f"{args.windows} held-out windows of {configs['whole'].data.num_frames} frames, one thread")
        print(COLUMNS)
        start = load_bundle(args.start)
        before = held_out_losses(start, configs["whole"], args.held_out, windows=args.windows)
        row("start", before, None, "", "", "")
        for name, config in configs.items():
            began = time.process_time()
            run_training(config)
            cost = f"{(time.process_time() - began) / args.steps:.2f}"
            folder = stage_folder(work, name, config.run.stage)
            files = [path for path in folder.glob(f"*-{args.steps}.safetensors")]
            if config.lora.rank:
                files = [folder / adapter_file_name(args.steps)]
            size = f"{sum(path.stat().st_size for path in files) / 1e6:.1f} MB"
            trained = f"{trained_parameters(folder, config) / 1e6:.2f} M"
            learned = held_out_losses(load_bundle(folder), config, args.held_out, windows=args.windows)
            row(name, learned, before, trained, size, cost)
        adapters = read_adapters(stage_folder(work, "lora", 3) / adapter_file_name(args.steps))
        apply_adapters(start.modules, adapters, name=start.config.name)
        again = held_out_losses(start, configs["lora"], args.held_out, windows=args.windows)
        row("again", again, before, "", "", "")


def trained_parameters(folder: Path, config: TrainConfig) -> int:
    """Return how many numbers the training changed."""
    if config.lora.rank:
        return read_adapters(folder / adapter_file_name(config.run.max_steps)).num_parameters
    task = TalkingHeadTask(load_bundle(folder), loss=config.loss)
    task.network.enter_stage(config.run.stage, recipe=config.run.recipe, zero=False)
    return sum(entry.numel() for entry in task.network.parameters() if entry.requires_grad)


if __name__ == "__main__":
    main()
