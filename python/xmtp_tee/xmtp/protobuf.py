"""The protobuf wire format, for the messages that XMTP uses and no more.

A message is a frozen dataclass whose fields come from the functions below::

    @dataclass(frozen=True, kw_only=True)
    class PagingInfo(Message):
        direction: int = uint(1)
        limit: int = uint(2)
        id_cursor: int = uint(3)

Encoding follows proto3: fields in the order of their numbers, scalars left out at their zero unless they are
optional or part of a oneof, repeated unsigned integers packed. Decoding is stricter than protobuf asks:
an overlong or oversized varint, a wrong wire type, a group, text that is not UTF-8, nesting deeper than
``MAX_DEPTH`` and bytes after the end are errors. Unknown fields are skipped, because the network adds some.
A field that occurs twice takes the last value, also where protobuf would merge two submessages.

Source: protobuf.dev, "Encoding", and the proto3 language guide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from enum import Enum, auto
from typing import Any, Final, Self

from xmtp_tee.xmtp.errors import ProtobufMalformedError

MAX_DEPTH: Final = 16
"""How many messages may lie inside each other."""

_VARINT: Final = 0
_FIXED64: Final = 1
_LENGTH: Final = 2
_FIXED32: Final = 5
_MAX_UINT64: Final = (1 << 64) - 1
_MAX_FIELD_NUMBER: Final = (1 << 29) - 1
_METADATA: Final = "protobuf"


class _Kind(Enum):
    UINT = auto()
    BOOL = auto()
    BYTES = auto()
    TEXT = auto()
    MESSAGE = auto()


@dataclass(frozen=True)
class _Field:
    number: int
    kind: _Kind
    repeated: bool = False
    optional: bool = False
    oneof: str | None = None
    message: type[Message] | None = None
    name: str = ""

    @property
    def wire_type(self) -> int:
        return _VARINT if self.kind in (_Kind.UINT, _Kind.BOOL) else _LENGTH


def _declare(spec: _Field, default: object) -> Any:
    if spec.repeated:
        default = ()
    elif spec.optional or spec.oneof is not None:
        default = None
    return field(default=default, metadata={_METADATA: spec})


def uint(
    number: int, *, repeated: bool = False, optional: bool = False, oneof: str | None = None
) -> Any:
    """Declare a field of type uint32, uint64 or an enum."""
    return _declare(_Field(number, _Kind.UINT, repeated, optional, oneof), 0)


def boolean(number: int, *, optional: bool = False) -> Any:
    """Declare a field of type bool."""
    return _declare(_Field(number, _Kind.BOOL, optional=optional), False)


def octets(
    number: int, *, repeated: bool = False, optional: bool = False, oneof: str | None = None
) -> Any:
    """Declare a field of type bytes; also a submessage that is passed on unread."""
    return _declare(_Field(number, _Kind.BYTES, repeated, optional, oneof), b"")


def text(
    number: int, *, repeated: bool = False, optional: bool = False, oneof: str | None = None
) -> Any:
    """Declare a field of type string."""
    return _declare(_Field(number, _Kind.TEXT, repeated, optional, oneof), "")


def message(
    number: int, kind: type[Message], *, repeated: bool = False, oneof: str | None = None
) -> Any:
    """Declare a submessage; None when it is absent."""
    return _declare(_Field(number, _Kind.MESSAGE, repeated, True, oneof, kind), None)


@dataclass(frozen=True, kw_only=True)
class Message:
    """The base of every message."""

    def encode(self) -> bytes:
        """Return the wire format.

        :raises ValueError: two members of a oneof are set, or a number does not fit 64 bits
        """
        output = bytearray()
        chosen: dict[str, str] = {}
        for spec in _layout(type(self)).values():
            value = getattr(self, spec.name)
            if spec.oneof is not None and value is not None:
                if spec.oneof in chosen:
                    raise ValueError(f"{chosen[spec.oneof]} and {spec.name} are alternatives")
                chosen[spec.oneof] = spec.name
            _write_field(output, spec, value)
        return bytes(output)

    @classmethod
    def decode(cls, data: bytes, *, depth: int = 0) -> Self:
        """Read one message, which fills ``data`` to the last byte.

        :raises ProtobufMalformedError: it does not
        """
        if depth > MAX_DEPTH:
            raise _malformed(cls, f"messages nested deeper than {MAX_DEPTH}")
        layout = _layout(cls)
        values: dict[str, Any] = {}
        for number, wire_type, value in _read_fields(cls, data):
            spec = layout.get(number)
            if spec is None:
                continue
            if spec.repeated and spec.wire_type == _VARINT and wire_type == _LENGTH:
                values[spec.name] = (*values.get(spec.name, ()), *_read_packed(cls, value))
                continue
            if wire_type != spec.wire_type:
                raise _malformed(cls, f"field {number} has the wire type {wire_type}")
            item = _read_value(cls, spec, value, depth)
            if spec.repeated:
                values.setdefault(spec.name, []).append(item)
                continue
            if spec.oneof is not None:
                for other in layout.values():
                    if other.oneof == spec.oneof:
                        values.pop(other.name, None)
            values[spec.name] = item
        return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})


_LAYOUTS: Final[dict[type[Message], dict[int, _Field]]] = {}


def _layout(kind: type[Message]) -> dict[int, _Field]:
    """The fields of a message by number, in the order of the numbers."""
    if (known := _LAYOUTS.get(kind)) is not None:
        return known
    found: dict[int, _Field] = {}
    for declared in fields(kind):
        spec: _Field = declared.metadata[_METADATA]
        if spec.number in found:
            raise TypeError(f"{kind.__name__} has two fields with the number {spec.number}")
        found[spec.number] = _Field(
            spec.number,
            spec.kind,
            spec.repeated,
            spec.optional,
            spec.oneof,
            spec.message,
            declared.name,
        )
    _LAYOUTS[kind] = dict(sorted(found.items()))
    return _LAYOUTS[kind]


def _write_field(output: bytearray, spec: _Field, value: Any) -> None:
    if spec.repeated:
        if spec.kind is _Kind.UINT:
            if value:
                packed = bytearray()
                for item in value:
                    _write_varint(packed, item)
                _write_tagged(output, spec.number, bytes(packed))
            return
        for item in value:
            _write_value(output, spec, item)
    elif spec.optional or spec.oneof is not None:
        if value is not None:
            _write_value(output, spec, value)
    elif value:
        _write_value(output, spec, value)


def _write_value(output: bytearray, spec: _Field, value: Any) -> None:
    match spec.kind:
        case _Kind.UINT | _Kind.BOOL:
            _write_varint(output, spec.number << 3 | _VARINT)
            _write_varint(output, int(value))
        case _Kind.BYTES:
            _write_tagged(output, spec.number, value)
        case _Kind.TEXT:
            _write_tagged(output, spec.number, value.encode())
        case _Kind.MESSAGE:
            _write_tagged(output, spec.number, value.encode())


def prefix_of(number: int, size: int) -> bytes:
    """Return what stands in front of ``size`` bytes that are the field of this number."""
    output = bytearray()
    _write_varint(output, number << 3 | _LENGTH)
    _write_varint(output, size)
    return bytes(output)


def _write_tagged(output: bytearray, number: int, data: bytes) -> None:
    _write_varint(output, number << 3 | _LENGTH)
    _write_varint(output, len(data))
    output += data


def _write_varint(output: bytearray, value: int) -> None:
    if not 0 <= value <= _MAX_UINT64:
        raise ValueError(f"{value} does not fit an unsigned 64-bit integer")
    while value > 0x7F:
        output.append(value & 0x7F | 0x80)
        value >>= 7
    output.append(value)


def _read_fields(kind: type[Message], data: bytes) -> Iterator[tuple[int, int, Any]]:
    position = 0
    while position < len(data):
        tag, position = _read_varint(kind, data, position)
        number, wire_type = tag >> 3, tag & 7
        if not 0 < number <= _MAX_FIELD_NUMBER:
            raise _malformed(kind, f"field number {number}")
        if wire_type == _VARINT:
            value, position = _read_varint(kind, data, position)
            yield number, wire_type, value
            continue
        if wire_type == _LENGTH:
            size, position = _read_varint(kind, data, position)
        elif wire_type in (_FIXED64, _FIXED32):
            size = 8 if wire_type == _FIXED64 else 4
        else:
            raise _malformed(kind, f"field {number} has the wire type {wire_type}")
        if size > len(data) - position:
            raise _malformed(kind, f"field {number} announces {size} bytes and there are fewer")
        yield number, wire_type, data[position : position + size]
        position += size


def _read_varint(kind: type[Message], data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise _malformed(kind, "a varint ends early")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and shift:
                raise _malformed(kind, "a varint is longer than it needs to be")
            if value > _MAX_UINT64:
                raise _malformed(kind, "a varint exceeds 64 bits")
            return value, position
    raise _malformed(kind, "a varint exceeds 64 bits")


def _read_packed(kind: type[Message], data: bytes) -> Iterator[int]:
    position = 0
    while position < len(data):
        value, position = _read_varint(kind, data, position)
        yield value


def _read_value(kind: type[Message], spec: _Field, value: Any, depth: int) -> Any:
    match spec.kind:
        case _Kind.UINT:
            return value
        case _Kind.BOOL:
            return bool(value)
        case _Kind.BYTES:
            return value
        case _Kind.TEXT:
            try:
                return value.decode()
            except UnicodeDecodeError:
                raise _malformed(kind, f"field {spec.number} is not UTF-8") from None
        case _Kind.MESSAGE:
            assert spec.message is not None  # noqa: S101  (set by message(), for the type checker)
            return spec.message.decode(value, depth=depth + 1)


def _malformed(kind: type[Message], what: str) -> ProtobufMalformedError:
    return ProtobufMalformedError(f"Not a protobuf {kind.__name__}: {what}")
