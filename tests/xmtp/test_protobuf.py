"""The protobuf codec: round trips, agreement with Google's, and what it refuses."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.xmtp.errors import ProtobufMalformedError
from xmtp_tee.xmtp.protobuf import MAX_DEPTH, Message, boolean, message, octets, text, uint

U64 = st.integers(0, (1 << 64) - 1)


@dataclass(frozen=True, kw_only=True)
class Inner(Message):
    number: int = uint(1)
    name: str = text(2)


@dataclass(frozen=True, kw_only=True)
class Outer(Message):
    count: int = uint(1)
    maybe: int | None = uint(2, optional=True)
    flag: bool = boolean(3)
    data: bytes = octets(4)
    label: str = text(5)
    numbers: tuple[int, ...] = uint(6, repeated=True)
    chunks: tuple[bytes, ...] = octets(7, repeated=True)
    inner: Inner | None = message(8, Inner)  # noqa: RUF009  (a frozen description)
    inners: tuple[Inner, ...] = message(9, Inner, repeated=True)
    left: str | None = text(10, oneof="side")
    right: bytes | None = octets(11, oneof="side")
    middle: Inner | None = message(2000, Inner, oneof="side")  # noqa: RUF009


inners = st.builds(Inner, number=U64, name=st.text(max_size=5))
sides: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"left": st.text(max_size=5)}),
    st.fixed_dictionaries({"right": st.binary(max_size=5)}),
    st.fixed_dictionaries({"middle": inners}),
)
outers = st.builds(
    lambda side, **rest: Outer(**rest, **side),
    side=sides,
    count=U64,
    maybe=st.none() | U64,
    flag=st.booleans(),
    data=st.binary(max_size=20),
    label=st.text(max_size=20),
    numbers=st.lists(U64, max_size=4).map(tuple),
    chunks=st.lists(st.binary(max_size=4), max_size=4).map(tuple),
    inner=st.none() | inners,
    inners=st.lists(inners, max_size=3).map(tuple),
)


def google_outer() -> Any:
    """The same message type in Google's implementation."""
    descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2")
    descriptor_pool = pytest.importorskip("google.protobuf.descriptor_pool")
    message_factory = pytest.importorskip("google.protobuf.message_factory")
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    kinds = {"UINT": 4, "BOOL": 8, "BYTES": 12, "TEXT": 9, "MESSAGE": 11}
    for kind in (Inner, Outer):
        described = file.message_type.add(name=kind.__name__)
        for declared in dataclasses.fields(kind):
            spec = declared.metadata["protobuf"]
            target = described.field.add(
                name=declared.name,
                number=spec.number,
                type=kinds[spec.kind.name],
                label=3 if spec.repeated else 1,
            )
            if spec.message is not None:
                target.type_name = f".t.{spec.message.__name__}"
            if spec.oneof is not None:
                if not described.oneof_decl:
                    described.oneof_decl.add(name=spec.oneof)
                target.oneof_index = 0
        for declared in dataclasses.fields(kind):
            spec = declared.metadata["protobuf"]
            if spec.optional and not spec.oneof and spec.message is None and not spec.repeated:
                target = next(f for f in described.field if f.name == declared.name)
                target.proto3_optional = True
                target.oneof_index = len(described.oneof_decl)
                described.oneof_decl.add(name=f"_{declared.name}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Outer"))


@given(outers)
def test_decode_gives_back_what_encode_wrote(value: Outer) -> None:
    assert Outer.decode(value.encode()) == value


@given(value=outers)
def test_google_reads_and_writes_the_same_bytes(value: Outer) -> None:
    encoded = value.encode()
    theirs = google_outer().FromString(encoded)
    assert theirs.SerializeToString(deterministic=True) == encoded


@given(st.binary(max_size=60))
def test_decode_of_noise_gives_a_message_or_the_typed_error(noise: bytes) -> None:
    try:
        value = Outer.decode(noise)
    except ProtobufMalformedError:
        return
    assert Outer.decode(value.encode()) == value


@pytest.mark.proof
def test_decode_of_much_noise_gives_a_message_or_the_typed_error() -> None:
    from random import Random

    source = Random(200_000)
    seeds = [
        Outer(count=300, label="text", numbers=(1, 2), inners=(Inner(name="a"),)).encode(),
        Outer(middle=Inner(number=7), chunks=(b"", b"x")).encode(),
    ]
    for _ in range(200_000):
        data = bytearray(source.choice(seeds))
        for _ in range(source.randint(1, 4)):
            data[source.randrange(len(data))] = source.randrange(256)
        try:
            Outer.decode(bytes(data[: source.randint(0, len(data))]))
        except ProtobufMalformedError:
            continue


def test_unknown_fields_are_skipped() -> None:
    extra = bytes.fromhex("a00105") + bytes.fromhex("aa0101ff") + bytes.fromhex("b50100000000")
    assert Outer.decode(Outer(count=1).encode() + extra) == Outer(count=1)


def test_the_last_of_two_values_counts_and_the_last_member_of_a_oneof() -> None:
    assert Outer.decode(Outer(count=1).encode() + Outer(count=2).encode()).count == 2
    both = Outer(left="a").encode() + Outer(right=b"b").encode()
    assert Outer.decode(both) == Outer(right=b"b")


def test_unpacked_repeated_integers_are_read_too() -> None:
    assert Outer.decode(bytes.fromhex("3001") + bytes.fromhex("320102")).numbers == (1, 2)


def test_encode_refuses_two_members_of_a_oneof_and_what_fits_no_integer() -> None:
    with pytest.raises(ValueError, match="alternatives"):
        Outer(left="a", right=b"b").encode()
    with pytest.raises(ValueError, match="64-bit"):
        Outer(count=1 << 64).encode()
    with pytest.raises(ValueError, match="64-bit"):
        Outer(count=-1).encode()


@pytest.mark.parametrize(
    ("encoded", "what"),
    [
        ("08", "varint ends early"),
        ("0880", "varint ends early"),
        ("088000", "longer than it needs"),
        ("08ffffffffffffffffff02", "exceeds 64 bits"),
        ("08ffffffffffffffffffff01", "exceeds 64 bits"),
        ("2205aabb", "there are fewer"),
        ("2a01ff", "not UTF-8"),
        ("0a0100", "wire type 2"),
        ("2001", "wire type 0"),
        ("0b", "wire type 3"),
        ("0c", "wire type 4"),
        ("0f", "wire type 7"),
        ("0001", "field number 0"),
        ("320180", "varint ends early"),
    ],
)
def test_decode_refuses(encoded: str, what: str) -> None:
    with pytest.raises(ProtobufMalformedError, match=what):
        Outer.decode(bytes.fromhex(encoded))


def test_decode_refuses_what_is_nested_too_deep() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Recursive(Message):
        pass

    with pytest.raises(ProtobufMalformedError, match=f"deeper than {MAX_DEPTH}"):
        Recursive.decode(b"", depth=MAX_DEPTH + 1)
