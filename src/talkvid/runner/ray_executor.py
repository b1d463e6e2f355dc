"""The same map over the actors of a ray cluster; the only file that knows ray (extra `ray`)."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from talkvid.extras import require
from talkvid.runner.local import portable
from talkvid.runner.outcome import ERROR, TIMEOUT, WORKER_DIED, Item, Outcome, Setup, Work, attempt


def execute(
    items: Sequence[Item],
    work: Work,
    *,
    setup: Setup | None,
    workers: int,
    deadline_s: float | None,
    gpus_per_worker: float = 0.0,
) -> Iterator[Outcome]:
    """Yield one outcome per item, computed by up to `workers` actors that each called `setup` once.

    An actor that dies or is late costs the item it held and is replaced; a cluster that is already
    initialised is used, else one is started on this machine (or at RAY_ADDRESS). Each actor reserves
    `gpus_per_worker` GPUs, which may be a fraction; ValueError when the cluster has fewer.
    """
    ray = require("ray", extra="ray")
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False)
    there = ray.cluster_resources().get("GPU", 0.0)
    if gpus_per_worker > there:
        raise ValueError(f"a worker wants {gpus_per_worker:g} GPUs, the ray cluster has {there:g}")
    actor_class = ray.remote(_Actor).options(num_gpus=gpus_per_worker)
    waiting = deque(range(len(items)))
    idle: list[Any] = []
    busy: dict[Any, tuple[Any, int, float]] = {}
    try:
        while waiting or busy:
            while waiting and len(busy) < workers:
                actor = idle.pop() if idle else _start(ray, actor_class, work, setup)
                index = waiting.popleft()
                busy[actor.attempt.remote(items[index])] = (actor, index, time.monotonic())
            for reference in _finished(ray, busy, deadline_s):
                actor, index, begin = busy.pop(reference)
                wall_s = time.monotonic() - begin
                payload, reason, fault = _collect(ray, reference, deadline_s)
                if fault in (TIMEOUT, WORKER_DIED):
                    ray.kill(actor)
                else:
                    idle.append(actor)
                yield Outcome(index, payload, reason, wall_s, fault)
    finally:
        for actor in idle + [held[0] for held in busy.values()]:
            ray.kill(actor)


class _Actor:
    """One process of the cluster with what `setup` made."""

    def __init__(self, work: Work, setup: Setup | None) -> None:
        self._work = work
        self._setup = setup
        self._state: tuple[Any, ...] = ()

    def ready(self) -> Exception | None:
        """Return None once `setup` is through, or what it raised; ray hides what `__init__` raises."""
        try:
            self._state = () if self._setup is None else (self._setup(),)
        except Exception as error:
            return portable(error)
        return None

    def attempt(self, item: Item) -> tuple[str | None, str]:
        """Return the result as JSON text and the reason of a failure."""
        return attempt(self._work, item, self._state)


def _start(ray: Any, actor_class: Any, work: Work, setup: Setup | None) -> Any:
    """Return an actor whose `setup`, which no deadline counts, is through; raise what that raised."""
    actor = actor_class.remote(work, setup)
    try:
        failure = ray.get(actor.ready.remote())
    except ray.exceptions.RayError as error:
        raise RuntimeError(f"a worker died while starting ({type(error).__name__})") from error
    if failure is not None:
        ray.kill(actor)
        raise failure
    return actor


def _finished(ray: Any, busy: dict[Any, tuple[Any, int, float]], deadline_s: float | None) -> list[Any]:
    """Return the calls that ended or are late; wait until there is one."""
    timeout = None
    if deadline_s is not None:
        timeout = max(0.0, min(begin for _, _, begin in busy.values()) + deadline_s - time.monotonic())
    ended, _ = ray.wait(list(busy), num_returns=1, timeout=timeout)
    now = time.monotonic()
    late = [
        reference
        for reference, (_, _, begin) in busy.items()
        if deadline_s is not None and now - begin >= deadline_s and reference not in ended
    ]
    return [*ended, *late]


def _collect(ray: Any, reference: Any, deadline_s: float | None) -> tuple[str | None, str, str]:
    """Return (JSON text, reason, fault); after TIMEOUT and WORKER_DIED the actor is of no more use."""
    try:
        payload, reason = ray.get(reference, timeout=0.1)
    except ray.exceptions.GetTimeoutError:
        return None, f"not finished after {deadline_s:g} s", TIMEOUT
    except ray.exceptions.RayActorError:
        return None, "the worker died", WORKER_DIED
    return payload, reason, "" if payload is not None else ERROR
