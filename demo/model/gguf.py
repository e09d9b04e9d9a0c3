"""Writes and reads the parts of GGUF version 3 that the demo models use."""

import struct

import numpy as np

ALIGNMENT = 32
F32, Q8_0 = 0, 8
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9
_FIXED = {_UINT32: "<I", _INT32: "<i", _FLOAT32: "<f", _BOOL: "<?"}
_BLOCK = 32


class U32(int):
    """An integer that is stored as UINT32; a plain int is stored as INT32."""


def _string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value):
    """The type number and the bytes of a metadata value."""
    if isinstance(value, bool):
        return _BOOL, struct.pack("<?", value)
    if isinstance(value, U32):
        return _UINT32, struct.pack("<I", value)
    if isinstance(value, int):
        return _INT32, struct.pack("<i", value)
    if isinstance(value, float):
        return _FLOAT32, struct.pack("<f", value)
    if isinstance(value, str):
        return _STRING, _string(value)
    kinds, items = zip(*(_value(item) for item in value))
    return _ARRAY, struct.pack("<IQ", kinds[0], len(items)) + b"".join(items)


def quantise(matrix):
    """Q8_0 bytes: per 32 values a half-precision step and 32 signed bytes."""
    blocks = np.asarray(matrix, np.float32).reshape(-1, _BLOCK)
    step = np.abs(blocks).max(1, keepdims=True) / np.float32(127)
    inverse = np.divide(np.float32(1), step, out=np.zeros_like(step), where=step != 0)
    scaled = blocks * inverse
    # Halves go away from zero, as roundf does.
    rounded = np.copysign(np.floor(np.abs(scaled) + np.float32(0.5)), scaled).astype(np.int8)
    return np.hstack((step.astype("<f2").view(np.uint8), rounded.view(np.uint8))).tobytes()


def dequantise(data, shape):
    blocks = np.frombuffer(data, np.uint8).reshape(-1, _BLOCK + 2)
    steps = blocks[:, :2].copy().view("<f2").astype(np.float32)
    return (steps * blocks[:, 2:].view(np.int8).astype(np.float32)).reshape(shape)


def write(path, metadata, tensors, quantised):
    """Writes a model; matrices become Q8_0 when `quantised`, everything else stays F32."""
    head = [struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata))]
    for key, value in metadata.items():
        kind, data = _value(value)
        head.append(_string(key) + struct.pack("<I", kind) + data)
    body, offset = [], 0
    for name, tensor in tensors.items():
        kind = Q8_0 if quantised and tensor.ndim == 2 else F32
        data = quantise(tensor) if kind == Q8_0 else np.asarray(tensor, "<f4").tobytes()
        sizes = tensor.shape[::-1]
        head.append(_string(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, kind,
                                                offset))
        data += bytes(-len(data) % ALIGNMENT)
        body.append(data)
        offset += len(data)
    start = b"".join(head)
    with open(path, "wb") as file:
        file.write(start + bytes(-len(start) % ALIGNMENT) + b"".join(body))


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values[0] if len(values) == 1 else values

    def string(self):
        length = self.take("<Q")
        self.at += length
        return self.data[self.at - length:self.at].decode()

    def value(self, kind):
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            item, count = self.take("<IQ")
            return [self.value(item) for _ in range(count)]
        return self.take(_FIXED[kind])


def read(path):
    """The metadata, the tensors as float32 arrays, and the stored bytes of every tensor."""
    with open(path, "rb") as file:
        reader = _Reader(file.read())
    magic, version, tensor_count, key_count = reader.take("<4sIQQ")
    if magic != b"GGUF" or version != 3:
        raise ValueError(f"{path} is not a GGUF version 3 file")
    metadata = {}
    for _ in range(key_count):
        key = reader.string()
        metadata[key] = reader.value(reader.take("<I"))
    places = []
    for _ in range(tensor_count):
        name, dimensions = reader.string(), reader.take("<I")
        sizes = [reader.take("<Q") for _ in range(dimensions)]
        places.append((name, sizes[::-1], *reader.take("<IQ")))
    start = reader.at + -reader.at % ALIGNMENT
    tensors, stored = {}, {}
    for name, shape, kind, offset in places:
        count = int(np.prod(shape))
        size = {F32: count * 4, Q8_0: count // _BLOCK * (_BLOCK + 2)}[kind]
        data = stored[name] = reader.data[start + offset:start + offset + size]
        tensors[name] = (dequantise(data, shape) if kind == Q8_0
                         else np.frombuffer(data, "<f4").reshape(shape))
    return metadata, tensors, stored
