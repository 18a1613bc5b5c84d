"""JSON from outside, with one meaning: bounded in size and depth, no member twice, no NaN.

The standard parser recurses; in a process whose recursion limit a library has raised, deep nesting overflows
the C stack and kills it. So the depth is counted first.
"""

from __future__ import annotations

import json
import re
from typing import Any

MAX_SIZE = 1 << 21
MAX_DEPTH = 32
# A whole string (or the rest of an unfinished one), or one bracket.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|[\[\]{}]', re.DOTALL)


class JsonTextError(ValueError):
    """The text is not JSON of the accepted kind. Callers turn it into an error of their own."""


def load_json(text: str) -> Any:
    """Return what a JSON text says.

    :raises JsonTextError: not JSON, too long, too deep, a member that occurs twice, or a number that is none
    """
    require_bounded(text)
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except ValueError as error:
        raise JsonTextError(str(error)[:200]) from error


def require_bounded(text: str) -> None:
    """Refuse a text that a recursive parser should not see.

    :raises JsonTextError: too long or too deep
    """
    if not isinstance(text, str):
        raise JsonTextError("not text")
    if len(text) > MAX_SIZE:
        raise JsonTextError(f"longer than {MAX_SIZE} characters")
    require_shallow(text)


def require_shallow(text: str) -> None:
    """Refuse a text that would have a recursive parser overflow the stack, however long it may be.

    :raises JsonTextError: too deep
    """
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for token in _TOKEN.finditer(text):
        if token.group() in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise JsonTextError(f"nested deeper than {MAX_DEPTH}")
        elif token.group() in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise JsonTextError("a member occurs twice")
    return result


def _no_constant(name: str) -> Any:
    raise JsonTextError(f"{name} is not a JSON number")
