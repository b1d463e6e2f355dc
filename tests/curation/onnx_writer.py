"""ONNX files written byte by byte, so that the tests need neither the onnx package nor stored models."""

from collections.abc import Mapping, Sequence

Dimension = int | str
FLOAT, ATTRIBUTE_INT, ATTRIBUTE_INTS = 1, 2, 7


def varint(number: int) -> bytes:
    """Return a whole number in protobuf's form of 7 bits a byte."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: int | str | bytes) -> bytes:
    """Return one protobuf field: a number as varint, text and messages with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str, shape: Sequence[Dimension]) -> bytes:
    """Return the description of an input or output: names in `shape` are free dimensions."""
    dims = b"".join(field(1, field(1 if isinstance(dim, int) else 2, dim)) for dim in shape)
    kind = field(1, field(1, FLOAT) + field(2, dims))
    return field(1, name) + field(2, kind)


def mean_node(source: str, target: str) -> bytes:
    """Return a node that takes the mean over everything but the first dimension."""
    axes = field(1, "axes") + b"".join(field(8, axis) for axis in (1, 2, 3, 4)) + field(20, ATTRIBUTE_INTS)
    keep = field(1, "keepdims") + field(3, 0) + field(20, ATTRIBUTE_INT)
    return field(1, source) + field(2, target) + field(4, "ReduceMean") + field(5, axes) + field(5, keep)


def mean_model(
    inputs: Mapping[str, Sequence[Dimension]],
    outputs: Sequence[str] = ("aesthetic", "technical"),
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """Return a model that gives the mean of each of its inputs, one number per entry of the batch."""
    pairs = list(zip(inputs, outputs, strict=True))
    graph = b"".join(field(1, mean_node(name, output)) for name, output in pairs) + field(2, "means")
    graph += b"".join(field(11, tensor(name, shape)) for name, shape in inputs.items())
    graph += b"".join(field(12, tensor(output, inputs[name][:1])) for name, output in pairs)
    model = field(1, 8) + field(8, field(1, "") + field(2, 13)) + field(7, graph)
    entries = (metadata or {}).items()
    return model + b"".join(field(14, field(1, key) + field(2, value)) for key, value in entries)
