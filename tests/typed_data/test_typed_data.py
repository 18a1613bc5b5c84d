"""EIP-712 against eth-account, and everything that is not EIP-712 refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.hashing import keccak256
from xmtp_tee.typed_data import encode_type, parse_type, parse_typed_data
from xmtp_tee.wire.refusals import TypedDataInvalidError

DOMAIN_TYPE = [
    {"name": "name", "type": "string"},
    {"name": "chainId", "type": "uint256"},
]
MAIL: dict[str, Any] = {
    "types": {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "Person": [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}],
        "Mail": [
            {"name": "from", "type": "Person"},
            {"name": "to", "type": "Person"},
            {"name": "contents", "type": "string"},
        ],
    },
    "primaryType": "Mail",
    "domain": {
        "name": "Ether Mail",
        "version": "1",
        "chainId": 1,
        "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
    },
    "message": {
        "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
        "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
        "contents": "Hello, Bob!",
    },
}


def digest_of(document: object) -> bytes:
    return parse_typed_data(json.dumps(document).encode()).digest


def independent(document: dict[str, Any]) -> bytes:
    made = encode_typed_data(full_message=document)
    return keccak256(b"\x19" + made.version + made.header + made.body)


def test_example_of_the_eip() -> None:
    expected = "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"
    assert digest_of(MAIL).hex() == expected
    parsed = parse_typed_data(json.dumps(MAIL).encode())
    assert parsed.type == (
        "Mail(Person from,Person to,string contents)Person(string name,address wallet)"
    )
    assert [path for path, _, _ in parsed.leaves] == [
        *("from.name", "from.wallet", "to.name", "to.wallet", "contents"),
    ]


def atomic(kind: str) -> st.SearchStrategy[Any]:
    if kind == "bool":
        return st.booleans()
    if kind == "string":
        return st.text(max_size=8).filter(lambda t: not any(0xD800 <= ord(c) < 0xE000 for c in t))
    if kind == "address":
        return st.binary(min_size=20, max_size=20).map(lambda b: "0x" + b.hex())
    if kind.startswith("bytes"):
        size = int(kind[5:]) if kind[5:] else None
        return st.binary(min_size=size or 0, max_size=size or 40).map(lambda b: "0x" + b.hex())
    bits = int(kind.removeprefix("u").removeprefix("int"))
    if kind.startswith("u"):
        return st.integers(0, 2**bits - 1)
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


KINDS = ["bool", "string", "address", "bytes", "bytes1", "bytes32", "uint8", "uint256", "int16"]
KINDS += ["int256"]


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Typed data with nested structs and arrays."""
    structs: dict[str, list[dict[str, str]]] = {}
    makers: dict[str, dict[str, Any]] = {}
    for name in ("Inner", "Middle", "Outer"):
        kinds = draw(st.lists(st.sampled_from(KINDS + sorted(structs)), min_size=1, max_size=4))
        fields, values = [], {}
        for number, base in enumerate(kinds):
            suffix = draw(st.sampled_from(["", "", "[]", "[2]", "[][]"]))
            fields.append({"name": f"f{number}", "type": base + suffix})
            values[f"f{number}"] = (base, suffix)
        structs[name], makers[name] = fields, values

    def value(base: str, suffix: str) -> Any:
        if suffix == "[2]":
            return [value(base, "") for _ in range(2)]
        if suffix == "[]":
            return [value(base, "") for _ in range(draw(st.integers(0, 2)))]
        if suffix == "[][]":
            return [value(base, "[]") for _ in range(draw(st.integers(1, 2)))]
        if base in makers:
            return {name: value(*each) for name, each in makers[base].items()}
        return draw(atomic(base))

    message = {name: value(*each) for name, each in makers["Outer"].items()}
    used, pending = set(), ["Outer"]
    while pending:
        name = pending.pop()
        if name not in used:
            used.add(name)
            pending += [base for base, _ in makers[name].values() if base in makers]
    return {
        "types": {"EIP712Domain": DOMAIN_TYPE} | {name: structs[name] for name in used},
        "primaryType": "Outer",
        "domain": {"name": draw(st.text("abc", max_size=3)), "chainId": draw(st.integers(0, 9))},
        "message": message,
    }


@given(documents())
def test_digest_is_eth_accounts(document: dict[str, Any]) -> None:
    assert digest_of(document) == independent(document)


def bent(**changes: object) -> dict[str, object]:
    return MAIL | changes


WRONG: dict[str, object] = {
    "not an object": [1],
    "a field too many": MAIL | {"extra": 1},
    "a field missing": {name: MAIL[name] for name in ("types", "domain", "message")},
    "unknown primary type": bent(primaryType="Letter"),
    "domain as primary type": bent(primaryType="EIP712Domain"),
    "domain with an unknown field": bent(domain=MAIL["domain"] | {"note": "x"}),
    "empty domain": bent(domain={}),
    "domain of another type than stated": bent(domain={"name": "Ether Mail"}),
    "message with a field too many": bent(message=MAIL["message"] | {"cc": "x"}),
    "message without a field": bent(message={"contents": "x"}),
    "null struct": bent(message=MAIL["message"] | {"to": None}),
    "number for a text": bent(message=MAIL["message"] | {"contents": 5}),
    "wrong checksum": bent(
        message=MAIL["message"]
        | {"to": {"name": "x", "wallet": "0xBbBBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"}}
    ),
    "type with a strange name": bent(types=MAIL["types"] | {"A(b": []}),
    "type that shadows an atomic one": bent(types=MAIL["types"] | {"uint256": []}),
    "field of an unknown type": bent(types=MAIL["types"] | {"X": [{"name": "a", "type": "Y"}]}),
    "uint7": bent(types=MAIL["types"] | {"X": [{"name": "a", "type": "uint7"}]}),
    "two fields of one name": bent(
        types=MAIL["types"] | {"X": [{"name": "a", "type": "bool"}, {"name": "a", "type": "bool"}]}
    ),
    "array of length zero": bent(types=MAIL["types"] | {"X": [{"name": "a", "type": "bool[0]"}]}),
}


@pytest.mark.parametrize("name", WRONG)
def test_document_that_is_no_typed_data_is_refused(name: str) -> None:
    with pytest.raises(TypedDataInvalidError):
        digest_of(WRONG[name])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff",
        b'{"a": 1, "a": 2}',
        b'{"message": 1e5}',
        b'{"message": NaN}',
        b"[" * 5000,
        b" " * 20_000,
        json.dumps(MAIL).replace('"Hello, Bob!"', '"\\ud800"').encode(),
        json.dumps(MAIL).replace('"chainId": 1', '"chainId": 1.0').encode(),
        json.dumps(MAIL).replace('"chainId": 1', '"chainId": true').encode(),
        json.dumps(MAIL)
        .replace('"contents": "Hello', '"contents": "x", "contents": "Hello')
        .encode(),
    ],
    ids=lambda text: repr(text[:24]),
)
def test_text_that_is_no_document_is_refused(text: bytes) -> None:
    with pytest.raises(TypedDataInvalidError):
        parse_typed_data(text)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint8", 256),
        ("uint8", -1),
        ("uint8", "0x100"),
        ("uint8", "1e2"),
        ("uint8", "01"),
        ("int8", 128),
        ("int8", -129),
        ("bool", 1),
        ("bool", "true"),
        ("bytes4", "0x112233"),
        ("bytes4", "11223344"),
        ("bytes", "0x1"),
        ("address", "0x11"),
        ("bool[2]", [True]),
        ("bool[]", {"0": True}),
        ("bool[]", [True] * 1025),
    ],
)
def test_value_that_does_not_fit_its_type_is_refused(kind: str, value: object) -> None:
    document = {
        "types": {"EIP712Domain": DOMAIN_TYPE, "X": [{"name": "a", "type": kind}]},
        "primaryType": "X",
        "domain": {"name": "d", "chainId": 1},
        "message": {"a": value},
    }
    with pytest.raises(TypedDataInvalidError):
        digest_of(document)


def test_struct_inside_itself_is_refused() -> None:
    document = {
        "types": {"EIP712Domain": DOMAIN_TYPE, "X": [{"name": "a", "type": "X[]"}]},
        "primaryType": "X",
        "domain": {"name": "d", "chainId": 1},
        "message": {"a": [{"a": [{"a": [{"a": [{"a": [{"a": []}]}]}]}]}]},
    }
    with pytest.raises(TypedDataInvalidError, match="deep"):
        digest_of(document)


@given(st.binary(max_size=100) | st.text(max_size=100).map(lambda t: json.dumps(t).encode()))
def test_fuzzed_document_raises_only_its_error(data: bytes) -> None:
    with pytest.raises(TypedDataInvalidError):
        parse_typed_data(data)


@pytest.mark.parametrize(
    "text", ["", "A", "A(", "A()B", "A(uint256)", "A(uint256 a,)", "B(A a)A(bool b) ", "A(B b)"]
)
def test_text_that_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(TypedDataInvalidError):
        parse_type(text)


def test_type_out_of_order_is_refused() -> None:
    with pytest.raises(TypedDataInvalidError, match="order"):
        parse_type("M(C c,B b)C(bool x)B(bool y)")
    primary, types = parse_type("M(C c,B b)B(bool y)C(bool x)")
    assert encode_type(primary, types) == "M(C c,B b)B(bool y)C(bool x)"
