"""The loop: micro-batches, backward, clip, step, log, save; what is learned is the task's business."""

import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from talkvid.files import atomic_path
from talkvid.training.config import OptimizerConfig, RunConfig
from talkvid.training.ema import RunningMean
from talkvid.training.endings import TERMINATED, StopRequest, memory_advice
from talkvid.training.engine import Engine
from talkvid.training.learning import Reader, StepOutput, Task, TrainingBatch
from talkvid.training.logbook import Logbook, Progress
from talkvid.training.randomness import StepRandom
from talkvid.training.run_folder import EMA_FOLDER, RunFolder, read_state
from talkvid.training.trackers import Tracker

logger = logging.getLogger(__name__)

COLUMNS = ("loss", "gradient_norm", "learning_rate", "seconds", "validation_loss")


class Trainer:
    """Trains a task in an opened run folder, from `checkpoint` (what `RunFolder.open` gave) or from step 0.

    Every process of the engine has one; the main one alone logs, validates and writes networks. `batches`
    gives the micro-batches from a place on; `validate` gives losses without gradient, every `validate_every`
    steps, and is only needed in the main process, as are `trackers`; `record` are settings that a resumed run
    must share. `before_step` is told by every process how many steps are done, and is given what exports the
    networks as they are into a folder inside the run's. `columns` are parts of the loss for losses.csv.
    """

    def __init__(
        self,
        task: Task,
        *,
        engine: Engine,
        run: RunConfig,
        optimizer: OptimizerConfig,
        folder: RunFolder,
        checkpoint: Path | None,
        batches: Callable[[Reader], Iterable[Any]],
        validate: Callable[[int], Mapping[str, float]] | None = None,
        validate_every: int = 1000,
        record: Mapping[str, Any] | None = None,
        trackers: Sequence[Tracker] = (),
        before_step: Callable[[int, Callable[[str], None]], None] | None = None,
        columns: Sequence[str] = (),
    ) -> None:
        self.task, self.run_config, self.optimizer_config = task, run, optimizer
        self.engine, self.processes = engine, engine.processes
        self.folder, self.batches = folder, batches
        self.validate, self.validate_every, self.trackers = validate, validate_every, trackers
        self.before_step, self.columns = before_step, (*COLUMNS, *columns)
        self.validates = self.processes.from_main(lambda: validate is not None)
        self.record = {
            **(record or {}),
            "ema_decay": run.ema_decay,
            "engine": engine.name,
            "processes": engine.processes.count,
        }
        self.checkpoint = checkpoint
        self.stop = StopRequest()
        parameters = [entry for entry in task.network.parameters() if entry.requires_grad]
        if not parameters:
            raise ValueError("no parameter trains: check the stage and the model's parts")
        with memory_advice():
            task.to(engine.device)
            self.network = engine.prepare(task.network, parameters)
            keeps_mean = run.ema_decay > 0 and self.processes.is_main
            self.mean = RunningMean(task.network, decay=run.ema_decay) if keeps_mean else None
            self.step = self._restore()

    def train(self) -> list[float]:
        """Run to `max_steps` and return the loss of every step done now, the mean over all processes.

        SystemExit with code 143 after a SIGTERM: the step under way is finished and saved first.
        """
        run = self.run_config
        if self.step >= run.max_steps:
            logger.info("%s is at step %d of %d: nothing to do", self.folder.path, self.step, run.max_steps)
            return []
        reader = Reader(
            first_step=self.step,
            last_step=run.max_steps,
            accumulation=self.optimizer_config.accumulation,
            rank=self.processes.rank,
            processes=self.processes.count,
        )
        with self.stop, self._books() as write:
            return self._steps(iter(self.batches(reader)), write)

    def save(self) -> None:
        """Write the trained modules, then the full state, which counts once it is complete.

        So a state always has its modules; modules behind the last state are those of an unfinished save.
        """
        with self.engine.whole():
            self.processes.from_main(self._export)
        with self.folder.new_checkpoint(
            self.step, self.record, is_main=self.processes.is_main, wait=self.processes.wait
        ) as path:
            self.engine.save(path)
            if self.mean is not None:
                self.mean.save(path)
        if self.processes.is_main:
            self.folder.drop_old_checkpoints(self.run_config.keep_states)
            logger.info("saved step %d in %s", self.step, self.folder.path)

    def export_into(self, name: str) -> None:
        """Write the networks, those of the running mean where there is one, into a folder of the run."""

        def write() -> None:
            with nullcontext() if self.mean is None else self.mean.applied():
                self.task.export(self.folder.companion(name), self.step)

        with self.engine.whole():
            self.processes.from_main(write)

    def _steps(self, stream: Iterator[Any], write: Callable[[dict[str, float]], None]) -> list[float]:
        run = self.run_config
        losses = []
        while self.step < run.max_steps:
            if self.before_step is not None:
                self.before_step(self.step, self.export_into)
            values = self._one_step(stream)
            losses.append(values["loss"])
            if self.validates and self.step % self.validate_every == 0:
                values.update(self._validate())
            write(values)
            stopping = values.pop("stopping") > 0 and self.step < run.max_steps
            if stopping or self._saves_now():
                self.save()
            if stopping:
                logger.warning(
                    "stopped after step %d of %d, as told; everything is saved in %s: continue with "
                    "run.resume=true",
                    self.step,
                    run.max_steps,
                    self.folder.path,
                )
                raise SystemExit(TERMINATED)
        return losses

    def _saves_now(self) -> bool:
        every = self.run_config.save_every
        return every > 0 and (self.step % every == 0 or self.step == self.run_config.max_steps)

    def _one_step(self, stream: Iterator[Any]) -> dict[str, float]:
        started = time.monotonic()
        count = self.optimizer_config.accumulation
        outputs: list[StepOutput] = []
        ids: list[tuple[str, ...]] = []
        with memory_advice():
            for micro in range(count):
                batch: TrainingBatch = next(stream).to(self.engine.device)
                place = micro * self.processes.count + self.processes.rank
                random = StepRandom.of(self.run_config.seed, step=self.step, micro=place)
                with self.engine.micro_batch(last=micro == count - 1):
                    with self.engine.autocast():
                        output = self.task.loss(self.network, batch, random)
                    self.engine.backward(output.loss)
                outputs.append(output)
                ids.append(batch.ids)
            values = self._shared_values(outputs, ids)
            norm = self.engine.update(self.task.complete_gradients)
            if self.mean is not None:
                self.mean.update()
        self.step += 1
        return {
            **values,
            "gradient_norm": norm,
            "learning_rate": self.optimizer_config.learning_rate,
            "seconds": time.monotonic() - started,
        }

    def _shared_values(
        self, outputs: Sequence[StepOutput], ids: Sequence[tuple[str, ...]]
    ) -> dict[str, float]:
        """Return the means over micro-batches and processes, and whether any process was told to stop.

        One exchange between the processes and one wait for the device per step. A loss that is no number
        ends all processes, before it reaches a weight.
        """
        names = ["loss", *outputs[0].parts, "stopping"]
        own = torch.stack(
            [torch.stack([output.loss, *output.parts.values()]).detach().float() for output in outputs]
        )
        asked = own.new_full((1,), float(self.stop.asked))
        numbers = self.processes.mean(torch.cat([own.mean(dim=0), asked])).tolist()
        if not math.isfinite(numbers[0]):
            finite = own[:, 0].isfinite().tolist()
            self._refuse_loss(numbers[0], ids, finite)
        return dict(zip(names, numbers, strict=True))

    def _refuse_loss(self, value: float, ids: Sequence[tuple[str, ...]], finite: Sequence[bool]) -> None:
        """Note which samples gave a loss that is no number, and raise ValueError in every process."""
        own = [name for names, good in zip(ids, finite, strict=True) if not good for name in names]
        guilty = [name for names in self.processes.gather(own) for name in names]
        if not guilty:  # each is a number, their sum is none
            everyone = [name for names in ids for name in names]
            guilty = [name for names in self.processes.gather(everyone) for name in names]
        step = self.step + 1
        path = self.folder.path / f"bad_batch-{step}.json"
        if self.processes.is_main:
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps({"step": step, "loss": str(value), "ids": guilty}) + "\n")
        raise ValueError(
            f"the loss of step {step} is {value} for {', '.join(guilty)} (noted in {path}): "
            "look at these clips, lower optimizer.learning_rate or choose run.precision=bf16"
        )

    def _export(self) -> None:
        self.task.export(self.folder, self.step)
        if self.mean is not None:
            with self.mean.applied():
                self.task.export(self.folder.companion(EMA_FOLDER), self.step)

    def _restore(self) -> int:
        if self.checkpoint is None:
            return 0
        state = read_state(self.checkpoint)
        for name, value in self.record.items():
            if state.get(name) == value:
                continue
            remedy = "resume with the same setting, or choose another run.train"
            if name in ("engine", "processes"):
                remedy += f"; its exported networks can start a new run: model.start_from={self.folder.path}"
            raise ValueError(
                f"{self.checkpoint} was made with {name}={state.get(name)!r}, this run says {value!r}: "
                f"{remedy}"
            )
        self.engine.load(self.checkpoint)
        if self.mean is not None:
            self.mean.load(self.checkpoint)
        logger.info("continuing from %s", self.checkpoint)
        return int(state["step"])

    def _validate(self) -> dict[str, float]:
        """Return what the main process found, in every process; the others wait for it."""

        def look() -> dict[str, float]:
            assert self.validate is not None
            with untouched(self.task.network):
                return dict(self.validate(self.step))

        with self.engine.whole():
            return self.processes.from_main(look)

    @contextmanager
    def _books(self) -> Iterator[Callable[[dict[str, float]], None]]:
        """Give what logs the values of a step that was done; nothing but in the main process."""
        if not self.processes.is_main:
            yield lambda values: None
            return
        run = self.run_config
        columns, trackers = self.columns, self.trackers
        logbook = Logbook(self.folder.path, first_step=self.step, columns=columns, trackers=trackers)
        progress = Progress(self.step, run.max_steps)

        def write(values: dict[str, float]) -> None:
            shown = {name: value for name, value in values.items() if name != "stopping"}
            if self.step % run.log_every == 0 or self.step == run.max_steps or "validation_loss" in shown:
                logbook.add(self.step, shown)
            if self._saves_now():
                logbook.draw()
            progress.update(self.step, {"loss": shown["loss"]})

        try:
            yield write
        finally:
            progress.close()
            logbook.close()


@contextmanager
def untouched(network: nn.Module) -> Iterator[None]:
    """Evaluate inside without a trace: no gradients, and modes and random state as before afterwards."""
    modes = {module: module.training for module in network.modules()}
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        network.eval()
        try:
            yield
        finally:
            for module, mode in modes.items():
                module.training = mode
