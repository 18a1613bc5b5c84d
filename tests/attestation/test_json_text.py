"""JSON from outside: one meaning, and no text that can hurt the process."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.attestation.json_text import MAX_DEPTH, MAX_SIZE, JsonTextError, load_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(values)
def test_load_json_agrees_with_the_standard_parser(value: object) -> None:
    assert load_json(json.dumps(value)) == value


@pytest.mark.parametrize("bracket", ["[", '{"a":', '[{"":'])
def test_load_json_refuses_deep_nesting_even_where_the_recursion_limit_was_raised(
    bracket: str,
) -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    try:
        with pytest.raises(JsonTextError, match="deeper"):
            load_json(bracket * 200_000)
    finally:
        sys.setrecursionlimit(limit)


def test_load_json_counts_brackets_outside_of_strings_only() -> None:
    assert load_json('["' + "[" * 100 + '\\"[[[' + '"]') == ["[" * 100 + '"[[[']
    assert load_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    with pytest.raises(JsonTextError):
        load_json('["\\\\"' + ",[" * (MAX_DEPTH + 1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nope",
        '{"a":1,"a":2}',
        '{"b":{"a":1,"a":1}}',
        "NaN",
        "[Infinity]",
        "1 2",
        '"unfinished',
        '"' + "x" * MAX_SIZE + '"',
    ],
    ids=lambda text: text[:20],
)
def test_load_json_refuses_other_texts(text: str) -> None:
    with pytest.raises(JsonTextError):
        load_json(text)
