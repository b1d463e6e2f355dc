"""What an executor is given and what it hands back."""

import json
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Work = Callable[..., Any]
Setup = Callable[[], Any]

ERROR = "ERROR"
TIMEOUT = "TIMEOUT"
WORKER_DIED = "WORKER_DIED"
"""Ways in which an item fails: it raised, it was late, or its process ended."""


class Item(Protocol):
    """Anything with an id that is unique in its run; it must pickle to reach a worker process."""

    @property
    def id(self) -> str:
        """Return the name under which the journal knows the item."""
        ...


@dataclass(frozen=True)
class Outcome:
    """What became of one item in this run."""

    index: int
    """Place of the item in the sequence the executor was given."""
    payload: str | None
    """The result as JSON text; None when the item failed."""
    reason: str = ""
    """Why it failed, in one line."""
    wall_s: float = 0.0
    fault: str = ""
    """`ERROR`, `TIMEOUT` or `WORKER_DIED` of an item that failed."""


class Executor(Protocol):
    """A way to map work over items; yields exactly one outcome per item, in any order."""

    def __call__(
        self,
        items: Sequence[Item],
        work: Work,
        *,
        setup: Setup | None,
        workers: int,
        deadline_s: float | None,
    ) -> Iterator[Outcome]:
        """Yield the outcomes as they come."""
        ...


def attempt(work: Work, item: Item, state: tuple[Any, ...]) -> tuple[str | None, str]:
    """Return (JSON text, "") for an item that worked and (None, reason) for one that raised.

    A result that is not JSON (an object of ours, a NaN) counts as a failure: the journal could not keep it.
    """
    try:
        result = work(item, *state)
    except Exception as error:
        return None, one_line(error)
    try:
        return json.dumps(result, allow_nan=False, ensure_ascii=False), ""
    except (TypeError, ValueError) as error:
        return None, f"the result cannot be kept as JSON: {error}"


def one_line(error: BaseException) -> str:
    """Return the error as one line: messages meant for the user as they are, others with their origin."""
    text = " ".join(str(error).split())
    if text and isinstance(error, ValueError | FileNotFoundError | ImportError):
        return text
    frames = traceback.extract_tb(error.__traceback__)
    origin = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {text}{origin}" if text else f"{type(error).__name__}{origin}"
