"""Endings before the last step: a signal to stop, and memory that does not suffice."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch

logger = logging.getLogger(__name__)

TERMINATED = 128 + signal.SIGTERM
"""Exit code of a run that was told to stop."""
_MEMORY_WORDS = ("can't allocate memory", "not enough memory", "cannot allocate memory", "CUDA out of memory")


class StopRequest:
    """Whether this process was told to stop (SIGTERM, as clusters do before they take a machine back).

    Inside the context the first signal is noted, so that the step under way can be finished and saved; a
    second one leaves at once. Outside the main thread, signals are left as they are.
    """

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> "StopRequest":
        self.active = threading.current_thread() is threading.main_thread()
        if self.active:
            self.before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self.active:
            signal.signal(signal.SIGTERM, self.before)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise SystemExit(TERMINATED)
        self.asked = True
        logger.warning("told to stop: finishing this step and saving it (a second signal leaves at once)")


@contextmanager
def memory_advice() -> Iterator[None]:
    """Turn an error for want of memory into a ValueError that names the settings that need less."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ValueError(_advice(error)) from error
    except RuntimeError as error:
        if any(words.lower() in str(error).lower() for words in _MEMORY_WORDS):
            raise ValueError(_advice(error)) from error
        raise


def _advice(error: BaseException) -> str:
    where = "the GPU" if isinstance(error, torch.OutOfMemoryError) else "the machine"
    return (
        f"{where} has not enough memory: lower data.train_bs (and raise optimizer.accumulation for it), set "
        "run.gradient_checkpointing=true, run.offload=optimizer (run.engine=deepspeed) or both with "
        "run.save_gpu_memory=true, or choose run.precision=bf16"
    )
