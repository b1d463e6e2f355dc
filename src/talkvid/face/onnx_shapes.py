"""Free the picture size of an ONNX network exported at one fixed size, without the onnx package.

Works on the protocol-buffer fields of ModelProto and GraphProto as defined in onnx.proto: the listed weights
are taken out of the graph's inputs (so that the runtime may fold them) and the sizes of the remaining
inputs and outputs become free.
"""

from collections.abc import Iterator

MODEL_IR_VERSION, MODEL_GRAPH = 1, 7
GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_VALUE_INFO = 5, 11, 12, 13
TENSOR_NAME, VALUE_NAME = 8, 1
FLOAT = 1
IR_WITH_CONSTANT_WEIGHTS = 4
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def free_picture_size(model: bytes) -> bytes:
    """Return the same network with free sizes for its four-axis float inputs and outputs."""
    parts = []
    for field, wire, value in _fields(model):
        if field == MODEL_GRAPH and isinstance(value, bytes):
            value = _free_graph(value)
        elif field == MODEL_IR_VERSION and isinstance(value, int):
            value = max(value, IR_WITH_CONSTANT_WEIGHTS)
        parts.append(_field(field, wire, value))
    return b"".join(parts)


def _free_graph(graph: bytes) -> bytes:
    fields = list(_fields(graph))
    weights = {
        _name(value, TENSOR_NAME)
        for field, _, value in fields
        if field == GRAPH_INITIALIZER and isinstance(value, bytes)
    }
    parts = []
    for field, wire, value in fields:
        if field == GRAPH_VALUE_INFO:
            continue
        if field in (GRAPH_INPUT, GRAPH_OUTPUT) and isinstance(value, bytes):
            name = _name(value, VALUE_NAME)
            if name in weights:
                continue
            value = _free_value(name)
        parts.append(_field(field, wire, value))
    return b"".join(parts)


def _free_value(name: bytes) -> bytes:
    """Return a ValueInfoProto: a float tensor of that name with four axes of unknown length."""
    shape = b"".join(_field(1, BYTES, _field(2, BYTES, name + b"_axis%d" % axis)) for axis in range(4))
    tensor = _field(1, VARINT, FLOAT) + _field(2, BYTES, shape)
    return _field(VALUE_NAME, BYTES, name) + _field(2, BYTES, _field(1, BYTES, tensor))


def _name(message: bytes, number: int) -> bytes:
    for field, _, value in _fields(message):
        if field == number and isinstance(value, bytes):
            return value
    return b""


def _fields(message: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Yield (field number, wire type, value) of a serialised message."""
    position = 0
    while position < len(message):
        key, position = _read_varint(message, position)
        field, wire = key >> 3, key & 7
        value: int | bytes
        if wire == VARINT:
            value, position = _read_varint(message, position)
        else:
            if wire == BYTES:
                length, position = _read_varint(message, position)
            elif wire in (FIXED32, FIXED64):
                length = 4 if wire == FIXED32 else 8
            else:
                raise ValueError(f"not an ONNX model: wire type {wire} at byte {position}")
            value, position = message[position : position + length], position + length
        yield field, wire, value


def _field(number: int, wire: int, value: int | bytes) -> bytes:
    key = _varint(number << 3 | wire)
    if isinstance(value, int):
        return key + _varint(value)
    return key + (_varint(len(value)) if wire == BYTES else b"") + value


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = message[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7


def _varint(number: int) -> bytes:
    out = bytearray()
    while True:
        byte, number = number & 0x7F, number >> 7
        out.append(byte | (0x80 if number else 0))
        if not number:
            return bytes(out)
