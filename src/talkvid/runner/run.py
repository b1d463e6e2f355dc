"""The map itself: what is already done is skipped, the rest is computed and journalled."""

import functools
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from talkvid import log
from talkvid.runner import local
from talkvid.runner.journal import DONE, FAILED, Journal, Record
from talkvid.runner.outcome import TIMEOUT, WORKER_DIED, Executor, Item, Outcome, Setup, Work

logger = logging.getLogger(__name__)

EXECUTORS = ("local", "inline", "ray")
ItemT = TypeVar("ItemT", bound=Item)


@dataclass(frozen=True)
class Summary:
    """How many items a run met: in = done + skipped + failed, whatever the number of workers."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    results: dict[str, Any] = field(default_factory=dict)
    """Result by id of the items done in this run or an earlier one, in the order of the items."""
    failures: dict[str, str] = field(default_factory=dict)
    """Reason by id of the items that failed in this run, in the order of the items."""

    @property
    def total(self) -> int:
        """Return the number of items that came in."""
        return self.done + self.skipped + self.failed


def run(
    items: Iterable[ItemT],
    work: Work,
    *,
    journal: Path,
    workers: int = 1,
    executor: str = "local",
    deadline_s: float | None = None,
    description: str = "",
    setup: Setup | None = None,
    is_intact: Callable[[ItemT, Any], bool] | None = None,
    attempts: int = 1,
    gpus_per_worker: float = 0.0,
    watch: Callable[[Record], None] | None = None,
    keep_results: bool = True,
) -> Summary:
    """Return what became of every item, doing only those that no earlier run has done.

    Args:
        items: things with an `id` unique among them; a `signature` attribute, where they have one, says what
            the result depends on, and a change of it makes the item be done again; a `partial` attribute is
            what earlier runs found out, recorded as the result when the item fails.
        work: `work(item)`, or `work(item, state)` with a `setup`, returns a JSON value; module-level, as is
            everything sent to a worker process. An exception is that item's failure and reason.
        journal: file that remembers; failed items are tried again by the next run.
        workers: number of processes.
        executor: `local` processes, `inline` (this process), or `ray`.
        deadline_s: seconds one item may take before its worker is ended.
        description: word for the progress bar.
        setup: called once in each worker; what it returns is handed to `work` (a detector, an encoder).
        is_intact: `is_intact(item, result)` says whether what an earlier run made is still there.
        attempts: how often an item is tried whose worker died or was late; the others come first.
        gpus_per_worker: share of a GPU that ray sets aside for each worker.
        watch: is told every record as it is written, instead of the usual progress bar.
        keep_results: False leaves `Summary.results` empty, for runs too large for memory.

    Raises:
        ValueError: two items share an id, or an argument is out of range.
        Whatever `setup` raises: then no item was tried.
    """
    _check(workers, executor, deadline_s, attempts=attempts, gpus_per_worker=gpus_per_worker)
    every = _unique(items)
    with Journal(journal) as memory:
        todo = [item for item in every if not _is_done(item, memory, is_intact)]
        if len(todo) < len(every):
            before = len(every) - len(todo)
            logger.info("%s: %d of %d were done before", description or journal, before, len(every))
        if todo:
            execute = functools.partial(
                _executor(executor, gpus_per_worker), setup=setup, workers=workers, deadline_s=deadline_s
            )
            records = _records(todo, lambda left: execute(left, work), attempts)
            if watch is None:
                records = log.progress(records, total=len(todo), description=description)
            for record in records:
                memory.append(record)
                if watch is not None:
                    watch(record)
        return _summary(every, todo, memory, keep_results=keep_results)


def _records(
    items: Sequence[Item], execute: Callable[[Sequence[Item]], Iterator[Outcome]], attempts: int
) -> Iterator[Record]:
    """Yield the record of every item; those whose worker died or was late are tried again at the end."""
    left = items
    for number in range(1, attempts + 1):
        again: list[Item] = []
        for outcome in execute(left):
            item = left[outcome.index]
            if outcome.fault in (TIMEOUT, WORKER_DIED) and number < attempts:
                logger.warning("%s: %s; it is tried again at the end", item.id, outcome.reason)
                again.append(item)
            else:
                yield _record(item, outcome, number)
        left = again
        if not left:
            return


def _record(item: Item, outcome: Outcome, number: int) -> Record:
    if outcome.payload is None:
        logger.warning("%s failed: %s", item.id, outcome.reason)
    return Record(
        id=item.id,
        state=FAILED if outcome.payload is None else DONE,
        signature=_signature(item),
        result=getattr(item, "partial", None) if outcome.payload is None else json.loads(outcome.payload),
        reason=outcome.reason,
        wall_s=round(outcome.wall_s, 3),
        fault=outcome.fault,
        attempts=number,
    )


def _summary(items: Sequence[Item], todo: Sequence[Item], memory: Journal, *, keep_results: bool) -> Summary:
    failures: dict[str, str] = {}
    results: dict[str, Any] = {}
    for item in items if keep_results else todo:
        record = memory.latest[item.id]
        if record.state == FAILED:
            failures[record.id] = record.reason
        elif keep_results:
            results[record.id] = record.result
    return Summary(
        done=len(todo) - len(failures),
        skipped=len(items) - len(todo),
        failed=len(failures),
        results=results,
        failures=failures,
    )


def _is_done(item: ItemT, memory: Journal, is_intact: Callable[[ItemT, Any], bool] | None) -> bool:
    record = memory.latest.get(item.id)
    if record is None or record.state != DONE or record.signature != _signature(item):
        return False
    return is_intact is None or is_intact(item, record.result)


def _signature(item: Item) -> str:
    return str(getattr(item, "signature", ""))


def _unique(items: Iterable[ItemT]) -> list[ItemT]:
    listed = list(items)
    for name, count in Counter(item.id for item in listed).items():
        if count > 1:
            raise ValueError(f"id '{name}' is used by {count} items; ids must be unique in a run")
    return listed


def _check(
    workers: int, executor: str, deadline_s: float | None, *, attempts: int, gpus_per_worker: float
) -> None:
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if executor not in EXECUTORS:
        raise ValueError(f"executor '{executor}' is unknown; choose one of {', '.join(EXECUTORS)}")
    if deadline_s is not None and deadline_s <= 0:
        raise ValueError(f"deadline_s must be positive, got {deadline_s}")
    if attempts < 1:
        raise ValueError(f"attempts must be at least 1, got {attempts}")
    if gpus_per_worker < 0 or (gpus_per_worker > 0 and executor != "ray"):
        raise ValueError(f"gpus_per_worker is {gpus_per_worker:g}: shares of a GPU need executor 'ray'")


def _executor(name: str, gpus_per_worker: float) -> Executor:
    if name == "ray":
        from talkvid.runner import ray_executor

        return functools.partial(ray_executor.execute, gpus_per_worker=gpus_per_worker)
    return local.execute_inline if name == "inline" else local.execute
