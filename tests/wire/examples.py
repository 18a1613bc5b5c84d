"""An example of each message, made from its type: every field set, at the lower end of its bounds."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

T = TypeVar("T")


def example(kind: type[T]) -> T:
    """Return a message of ``kind`` that its own decoder takes."""
    packed = msgspec.msgpack.encode(_value(inspect.type_info(kind), 0))
    return msgspec.msgpack.decode(packed, type=kind)


def _value(info: inspect.Type, depth: int) -> Any:
    match info:
        case inspect.StructType(tag_field=tag_field, tag=tag, fields=fields):
            values = {field.encode_name: _value(field.type, depth + 1) for field in fields}
            return values if tag_field is None else {tag_field: tag, **values}
        case inspect.BytesType(min_length=low):
            return b"\x07" * (low or 1)
        case inspect.StrType(min_length=low, pattern=pattern):
            return _matching(pattern, low or 1) if pattern else "k" * (low or 1)
        case inspect.IntType(ge=low):
            return low or 0
        case inspect.BoolType():
            return True
        case inspect.VarTupleType(item_type=item, min_length=low):
            return [_value(item, depth + 1)] * (low or 1)
        case inspect.UnionType(types=types):
            return _value(types[0], depth)
        case inspect.RawType() | inspect.AnyType():
            return msgspec.Raw(msgspec.msgpack.encode({"type": "ping"}))
        case inspect.NoneType():
            return None
        case _:
            return _other(info, depth)


def _other(info: inspect.Type, depth: int) -> Any:
    match info:
        case inspect.FloatType():
            return 0.5
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.EnumType(cls=cls):
            return next(iter(cls)).value
        case inspect.DictType():
            return {}
        case inspect.TupleType(item_types=items):
            return [_value(item, depth + 1) for item in items]
        case inspect.ListType(item_type=item):
            return [_value(item, depth + 1)]
    raise NotImplementedError(f"no example of {info}")


def _matching(pattern: str, length: int) -> str:
    """Return a text for the patterns that the messages use: choices of words, digits."""
    words = pattern.strip("^$").strip("()").split("|")
    for text in (*words, "7" * length):
        if len(text) >= length and re.search(pattern, text):
            return text
    raise NotImplementedError(f"no example of {pattern}")
