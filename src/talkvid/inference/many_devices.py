"""Which devices share the making of a video."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from talkvid.inference.settings import LoadOptions

MOST_PROCESSES = 64


def check_devices(options: "LoadOptions") -> None:
    """Raise ValueError for options that contradict each other; no device is asked."""
    numbers, many = gpu_numbers(options.gpu_id), options.do_multi_devices_inference
    if not many and len(numbers) > 1:
        raise ValueError(
            f"gpu_id {options.gpu_id}: several GPUs need --do_multi_devices_inference; or give one number"
        )
    if options.num_processes is None:
        if many and options.device == "cpu":
            raise ValueError("do_multi_devices_inference on a CPU: give --num_processes")
        return
    if not many:
        raise ValueError("num_processes: only with --do_multi_devices_inference; leave it out")
    if not 1 <= options.num_processes <= MOST_PROCESSES:
        raise ValueError(f"num_processes: must be from 1 to {MOST_PROCESSES}, got {options.num_processes}")


def gpu_numbers(gpu_id: int | str | None) -> list[int]:
    """Return the numbers in a text such as 0,1; ValueError for anything else and for one named twice."""
    if gpu_id is None:
        return []
    parts = [part.strip() for part in str(gpu_id).split(",")]
    if not all(part.isdigit() for part in parts) or len(set(parts)) < len(parts):
        raise ValueError(f"gpu_id: give a number, or different ones such as 0,1, got {gpu_id!r}")
    return [int(part) for part in parts]


def choose_devices(options: "LoadOptions") -> list[str]:
    """Return the device of every process, the one device there is without do_multi_devices_inference.

    Raises ValueError for devices this machine does not have, and for more processes than GPUs.
    """
    import torch

    from talkvid.inference.device import choose_device

    numbers = gpu_numbers(options.gpu_id)
    first = choose_device(options.device, numbers[0] if numbers else None)
    if not options.do_multi_devices_inference:
        return [str(first)]
    if first.type != "cuda":
        if options.num_processes is None:
            raise ValueError(
                f"do_multi_devices_inference: there is only the device {first}; give --device cpu and "
                "--num_processes, or leave it out"
            )
        return [str(first)] * options.num_processes
    if options.device not in ("auto", "cuda"):
        raise ValueError(
            f"do_multi_devices_inference: give --gpu_id 0,1 instead of --device {options.device}"
        )
    chosen = numbers or list(range(torch.cuda.device_count()))
    devices = [str(choose_device("cuda", number)) for number in chosen]
    count = options.num_processes or len(devices)
    if count > len(devices):
        raise ValueError(f"num_processes {count}: one per GPU at most, and there are {len(devices)}")
    return devices[:count]
