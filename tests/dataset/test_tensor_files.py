import struct
from pathlib import Path

import numpy as np
from safetensors import safe_open

from talkvid.dataset.tensor_files import save_arrays
from talkvid.records import Array


def test_equal_content_gives_equal_bytes_in_whatever_order_it_is_told(tmp_path: Path) -> None:
    arrays: dict[str, Array] = {
        "b": np.arange(6.0, dtype=np.float32).reshape(2, 3),
        "a": np.ones(5, np.uint8),
    }
    metadata = {f"key{number}": str(number) for number in range(12)}
    save_arrays(tmp_path / "x", arrays, metadata)
    turned_arrays = dict(reversed(list(arrays.items())))
    turned_metadata = dict(reversed(list(metadata.items())))
    for number in range(5):
        save_arrays(tmp_path / f"y{number}", turned_arrays, turned_metadata)
        assert (tmp_path / f"y{number}").read_bytes() == (tmp_path / "x").read_bytes()
    (length,) = struct.unpack("<Q", (tmp_path / "x").read_bytes()[:8])
    assert length % 8 == 0
    with safe_open(tmp_path / "x", framework="numpy") as file:
        assert file.metadata() == metadata
        for name, values in arrays.items():
            assert np.array_equal(file.get_tensor(name), values)
