"""One video made by several processes, a GPU each: windows are shared out, frames come back in order."""

import contextlib
import datetime
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing import connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed

from talkvid.diffusion.shared_windows import Share, frame_owner
from talkvid.diffusion.windows import window_starts
from talkvid.inference.job import Job
from talkvid.inference.prepare import Portrait
from talkvid.inference.settings import AUDIO_RATE, LoadOptions, PathLike, VideoSettings
from talkvid.inference.timing import Timings
from talkvid.media.audio import spool_audio
from talkvid.records import Array

END_GRACE_S = 1.0
"""One that failed is given this time to end, and its partners to say what they know."""
LONGEST_WAIT_S = 1800.0
"""A process that hears nothing from the others for so long gives up."""


@dataclass(frozen=True)
class Order:
    """What every process is told; each reads its own weights and hears the speech itself."""

    options: LoadOptions
    video: VideoSettings
    audio_file: PathLike
    portrait: Portrait
    poses: Array
    """(F 3 2)"""
    first_frame: int = 0


def shared_frames(order: Order, devices: Sequence[str]) -> Generator[Array, None, None]:
    """Yield the frames (H W 3) uint8 of the video in order, made by one process per device.

    Window w is predicted by process w modulo their number. After each round every process tells the others
    its predictions of frames they share (torch.distributed: nccl between GPUs, gloo else); finished pictures
    go through a pipe to this process, which waits for them in order, so that no process gets far ahead.
    Closing the generator ends the processes. Raises ChildProcessError in one line when one of them dies.
    """
    video, num_frames = order.video, len(order.poses)
    sizes = {"size": video.context_frames, "overlap": video.context_overlap}
    # A process without a window would have nothing to do.
    devices = devices[: len(window_starts(num_frames, **sizes))]
    owner = frame_owner(num_frames, **sizes, count=len(devices))
    with tempfile.TemporaryDirectory(prefix="talkvid-") as folder, contextlib.ExitStack() as stack:
        crew = [
            stack.enter_context(_Member(order, Share(rank, len(devices)), device, Path(folder) / "meeting"))
            for rank, device in enumerate(devices)
        ]
        for frame in range(order.first_frame, num_frames):
            number, picture = _receive(crew, owner(frame))
            assert number == frame, (number, frame)
            yield picture


class _Member:
    """This process's view of one of the others."""

    def __init__(self, order: Order, share: Share, device: str, meeting: Path) -> None:
        context: Any = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
        if sys.platform == "linux":
            # Forked from a server that holds torch and has touched no GPU: quick to start.
            context.set_forkserver_preload(["talkvid.inference.api", "talkvid.inference.shared_pipeline"])
        self.name = f"process {share.rank + 1} of {share.count} ({device})"
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(theirs, dict(os.environ), order, share, device, str(meeting)), daemon=True
        )
        self.process.start()
        theirs.close()

    def __enter__(self) -> "_Member":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.pipe.close()

    def epitaph(self) -> str:
        """Return which signal ended the process, in words."""
        number = -(self.process.exitcode or 0)
        hint = "; out of memory?" if number == signal.SIGKILL else ""
        return f"was killed by {signal.Signals(number).name}{hint}"


def _receive(crew: Sequence[_Member], rank: int) -> tuple[int, Array]:
    """Return the next (number, picture) of one process; raise what went wrong in any of them."""
    wanted = crew[rank].pipe
    while not wanted.poll():
        connection.wait([wanted, *(member.process.sentinel for member in crew if member.process.is_alive())])
        if not wanted.poll() and any(member.process.exitcode for member in crew):
            raise _complaint(crew)
    try:
        message = wanted.recv()
    except (EOFError, ConnectionResetError):
        raise _complaint(crew) from None
    if isinstance(message, Exception):
        raise _complaint(crew, {crew[rank].name: message}) from None
    found: tuple[int, Array] = message
    return found


def _complaint(crew: Sequence[_Member], told: dict[str, Exception] | None = None) -> Exception:
    """Return the error to raise: what went wrong first, not that the others lost their partner."""
    told = dict(told or {})
    for member in crew:
        member.process.join(END_GRACE_S)
        if member.process.exitcode and member.process.exitcode < 0:
            return ChildProcessError(f"{member.name} {member.epitaph()}; the video was not made")
        if member.process.exitcode:
            told |= _last_words(member)
    for error in told.values():
        if isinstance(error, ValueError | FileNotFoundError | ImportError):
            return error
    name, error = next(iter(told.items()), (crew[0].name, RuntimeError("it ended too early")))
    return ChildProcessError(f"{name} failed: {error}; the video was not made")


def _last_words(member: _Member) -> dict[str, Exception]:
    """Return the error, by name, among what an ended process has sent; pictures are left aside."""
    with contextlib.suppress(EOFError, ConnectionResetError):
        while member.pipe.poll():
            message = member.pipe.recv()
            if isinstance(message, Exception):
                return {member.name: message}
    return {}


def _serve(
    pipe: Any, environ: Mapping[str, str], order: Order, share: Share, device: str, meeting: str
) -> None:
    """Make this process's share of the frames; the body of a process."""
    os.environ.update(environ)  # The server it was forked from has the variables of its own beginning.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent(pipe)
    try:
        for message in _share_of_frames(order, share, device, meeting):
            pipe.send(message)
    except BrokenPipeError:
        return
    except Exception as error:
        plain = type(error) in (ValueError, FileNotFoundError, ImportError)
        told = (
            error if plain else RuntimeError(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
        )
        with contextlib.suppress(BrokenPipeError):
            pipe.send(told)
        sys.exit(1)


def _end_with_parent(pipe: Any) -> None:
    """End this process when the other end of its pipe is gone, also in the midst of a collective call."""

    def wait() -> None:
        with contextlib.suppress(EOFError, OSError):
            pipe.recv()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _share_of_frames(
    order: Order, share: Share, device: str, meeting: str
) -> Generator[tuple[int, Array], None, None]:
    from talkvid.inference.api import TalkVidInference
    from talkvid.inference.shared_pipeline import share_of_pictures

    kind = torch.device(device).type
    if kind == "cpu":
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // share.count))
    alone = replace(
        order.options, device=device, gpu_id=None, do_multi_devices_inference=False, num_processes=None
    )
    model = TalkVidInference.from_options(alone)
    with (
        _meeting(share, device, meeting) as exchange,
        spool_audio(order.audio_file, rate=AUDIO_RATE) as waveform,
        Job(order.video, "", order.audio_file, order.portrait, order.poses, waveform, Timings()) as job,
    ):
        bundle = model._load()
        yield from share_of_pictures(
            bundle,
            model.placement,
            job.scene(model._encoder(bundle)),
            order.video,
            share=share,
            exchange=exchange,
            first_frame=order.first_frame,
        )


@contextlib.contextmanager
def _meeting(share: Share, device: str, meeting: str) -> Generator[Any, None, None]:
    """Yield the function that hands everybody's tensors to all: one collective call per round."""
    kind = torch.device(device).type
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all processes are on this machine
    if kind == "cuda":
        torch.cuda.set_device(torch.device(device))
    distributed.init_process_group(
        "nccl" if kind == "cuda" else "gloo",
        store=distributed.FileStore(meeting, share.count),
        rank=share.rank,
        world_size=share.count,
        timeout=datetime.timedelta(seconds=LONGEST_WAIT_S),
    )

    def exchange(own: Tensor) -> list[Tensor]:
        everything = [torch.empty_like(own) for _ in range(share.count)]
        distributed.all_gather(everything, own.contiguous())
        return everything

    try:
        yield exchange
    finally:
        distributed.destroy_process_group()
