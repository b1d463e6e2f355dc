"""Arrays in a safetensors file whose bytes depend on nothing but its content."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from talkvid.files import atomic_path
from talkvid.records import Array

HEADER_STEP = 8
"""The format aligns its data to this many bytes."""


def save_arrays(path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write the arrays and metadata to `path`, complete or not at all.

    The library writes metadata in an order that changes from run to run; here the header is sorted, so that
    equal content gives equal files whatever process made them.
    """
    from safetensors.numpy import save

    plain = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    stored = save(plain, metadata=dict(metadata))
    (length,) = struct.unpack("<Q", stored[:8])
    header = json.dumps(json.loads(stored[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % HEADER_STEP)
    with atomic_path(path) as temporary:
        temporary.write_bytes(struct.pack("<Q", len(header)) + header + stored[8 + length :])
