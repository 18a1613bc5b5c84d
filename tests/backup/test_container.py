"""The backup container: what opens it, and that nothing else does."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import combinations

import msgspec
import pytest

from tests.backup.support import FACTS, NOW, PASSWORD, SECRET, STORE, for_password, sealed
from xmtp_tee import hpke
from xmtp_tee.backup import passwords, sealing
from xmtp_tee.backup.container import (
    MAGIC,
    MAX_CONTAINER,
    Header,
    PasswordWay,
    encode_header,
    parse,
    prefix,
)
from xmtp_tee.backup.passwords import CEILING, FLOOR, Argon2Parameters
from xmtp_tee.backup.ways import SUITES, ForPassword, ForPublicKey, ForShares
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.wire.backup_faults import (
    BackupDoesNotOpenError,
    BackupKdfError,
    BackupMalformedError,
    BackupPasswordError,
    BackupRecipientError,
    BackupSharesInvalidError,
    BackupVersionError,
    BackupWayMissingError,
)


def reheaded(data: bytes, **changes: object) -> bytes:
    """Attack: other facts over the same body."""
    container = parse(data)
    return encode_header(msgspec.structs.replace(container.header, **changes)) + container.body


def test_password_opens_what_it_sealed() -> None:
    data, shares = sealed()
    container = parse(data)
    assert container.header.key == FACTS
    assert (container.header.store_id, container.header.exported_at) == (STORE, NOW)
    assert shares == []
    assert sealing.open_with_password(container, PASSWORD) == SECRET


@pytest.mark.parametrize("kem", sorted(SUITES))
def test_private_key_opens_what_was_sealed_to_its_public_key(kem: int) -> None:
    private, public = hpke.derive_key_pair(SUITES[kem], os.urandom(32))
    container = parse(sealed(ForPublicKey(public))[0])
    assert sealing.open_with_private_key(container, private, public) == SECRET
    other, other_public = hpke.derive_key_pair(SUITES[kem], os.urandom(32))
    with pytest.raises(BackupDoesNotOpenError):
        sealing.open_with_private_key(container, other, public)
    with pytest.raises(BackupWayMissingError):
        sealing.open_with_private_key(container, other, other_public)


def test_any_threshold_of_shares_opens_and_fewer_do_not() -> None:
    data, (mnemonics,) = sealed(ForShares(3, 4))
    container = parse(data)
    for some in combinations(mnemonics, 3):
        assert sealing.open_with_shares(container, some) == SECRET
    for few in (*combinations(mnemonics, 2), ()):
        with pytest.raises(BackupSharesInvalidError):
            sealing.open_with_shares(container, few)


def test_shares_of_another_set_or_mistyped_are_refused_without_being_repeated() -> None:
    data, (mnemonics,) = sealed(ForShares(2, 3))
    _, (others,) = sealed(ForShares(2, 3))
    words = mnemonics[0].split()
    words[8] = "academic" if words[8] != "academic" else "acid"
    for wrong in ([mnemonics[0], others[1]], [" ".join(words), mnemonics[1]], ["zebra"], [""]):
        with pytest.raises(BackupSharesInvalidError) as caught:
            sealing.open_with_shares(parse(data), wrong)
        assert "academic" not in repr(caught.value.as_dict())
    with pytest.raises(BackupDoesNotOpenError):
        sealing.open_with_shares(parse(data), others[:2])


def test_every_way_opens_a_container_with_all_of_them() -> None:
    private, public = hpke.derive_key_pair(hpke.X25519_CHACHA20_POLY1305, os.urandom(32))
    data, (mnemonics,) = sealed(for_password(), ForPublicKey(public), ForShares(2, 2))
    container = parse(data)
    for opened in (
        sealing.open_with_password(container, PASSWORD),
        sealing.open_with_private_key(container, private, public),
        sealing.open_with_shares(container, mnemonics),
        sealing.open_with_data_key(container, sealing.unwrap_data_key(container, private, public)),
    ):
        assert opened == SECRET


def test_wrong_password_does_not_open() -> None:
    with pytest.raises(BackupDoesNotOpenError):
        sealing.open_with_password(parse(sealed()[0]), PASSWORD + b"!")


def test_way_that_the_container_does_not_have_is_refused() -> None:
    shares_only = parse(sealed(ForShares(2, 2))[0])
    with pytest.raises(BackupWayMissingError, match="password"):
        sealing.open_with_password(shares_only, PASSWORD)
    with pytest.raises(BackupWayMissingError, match="shares"):
        sealing.open_with_shares(parse(sealed()[0]), [])


SWAPS: dict[str, dict[str, object]] = {
    "owner": {"owner": b"\x12" * 20},
    "purpose": {"purpose": "wallet"},
    "provenance": {"provenance": "imported"},
    "public key": {"public_key": b"\x23" * 32},
    "epoch of its pre-keys": {"pre_key_epoch": 0},
    "version": {"version": 2},
    "label": {"label": "other"},
}


@pytest.mark.parametrize("fact", SWAPS)
def test_other_facts_over_the_same_body_do_not_open(fact: str) -> None:
    data, _ = sealed()
    changed = reheaded(data, key=msgspec.structs.replace(FACTS, **SWAPS[fact]))
    with pytest.raises(BackupDoesNotOpenError):
        sealing.open_with_password(parse(changed), PASSWORD)


def test_ways_and_bodies_of_two_backups_cannot_be_mixed() -> None:
    one, two = parse(sealed()[0]), parse(sealed()[0])
    for header, body in (
        (msgspec.structs.replace(one.header, ways=two.header.ways), one.body),
        (one.header, two.body),
        (msgspec.structs.replace(one.header, commitment=two.header.commitment), one.body),
        (msgspec.structs.replace(one.header, exported_at=0), one.body),
        (msgspec.structs.replace(one.header, store_id=bytes(16)), one.body),
    ):
        with pytest.raises(BackupDoesNotOpenError):
            sealing.open_with_password(parse(encode_header(header) + body), PASSWORD)


def test_added_way_is_noticed_although_the_first_one_still_unwraps() -> None:
    """Attack: a way of the attacker's is put beside the genuine one."""
    one, two = parse(sealed()[0]), parse(sealed(ForShares(2, 2))[0])
    ways = (*one.header.ways, *two.header.ways)
    mixed = encode_header(msgspec.structs.replace(one.header, ways=ways)) + one.body
    with pytest.raises(BackupDoesNotOpenError):
        sealing.open_with_password(parse(mixed), PASSWORD)


def test_every_flipped_byte_is_refused() -> None:
    data, _ = sealed()
    assert sealing.open_with_password(parse(data), PASSWORD) == SECRET
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x01
        with pytest.raises(XmtpTeeError):
            sealing.open_with_password(parse(bytes(changed)), PASSWORD)


@pytest.mark.parametrize(
    "parameters",
    [
        Argon2Parameters(FLOOR.memory - 1, 3, 1),
        Argon2Parameters(FLOOR.memory, 2, 1),
        Argon2Parameters(FLOOR.memory, 3, 0),
        Argon2Parameters(0, 0, 0),
        Argon2Parameters(CEILING.memory + 1, 3, 1),
        Argon2Parameters(FLOOR.memory, CEILING.iterations + 1, 1),
        Argon2Parameters(FLOOR.memory, 3, CEILING.lanes + 1),
        Argon2Parameters(2**31 - 1, 2**31 - 1, 2**31 - 1),
    ],
)
def test_weak_and_absurd_parameters_are_refused_before_anything_is_computed(
    parameters: Argon2Parameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attack: a container that costs a terabyte to open, or that anyone could open."""
    data, _ = sealed()
    (way,) = parse(data).header.ways
    assert isinstance(way, PasswordWay)
    changed = msgspec.structs.replace(
        way, memory=parameters.memory, iterations=parameters.iterations, lanes=parameters.lanes
    )

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the function ran")

    monkeypatch.setattr(passwords, "Argon2id", never)
    with pytest.raises(BackupKdfError):
        sealing.open_with_password(parse(reheaded(data, ways=(changed,))), PASSWORD)
    with pytest.raises(BackupKdfError):
        sealed(ForPassword(bytearray(PASSWORD), parameters))


@pytest.mark.parametrize(
    ("password", "fits"), [("a" * 11, False), ("a" * 12, True), ("a" * 1025, False)]
)
def test_password_has_a_length(password: str, fits: bool) -> None:
    if fits:
        assert passwords.password_bytes(password) == password.encode()
    else:
        with pytest.raises(BackupPasswordError):
            passwords.password_bytes(password)


def test_password_is_the_same_however_its_characters_are_composed() -> None:
    assert passwords.password_bytes("pässwörd-long") == passwords.password_bytes(
        "pa\u0308sswo\u0308rd-long"
    )


@pytest.mark.parametrize(
    "recipients",
    [
        (),
        (ForShares(1, 1),) * 9,
        (ForPublicKey(bytes(31)),),
        (ForPublicKey(bytes(32)),),
        (ForShares(0, 1),),
        (ForShares(3, 2),),
        (ForShares(1, 3),),
        (ForShares(2, 17),),
    ],
    ids=str,
)
def test_impossible_recipients_are_refused(
    recipients: tuple[ForShares | ForPublicKey, ...],
) -> None:
    with pytest.raises(BackupRecipientError):
        sealing.seal(
            FACTS, bytearray(SECRET), recipients, store_id=STORE, now=NOW, entropy=os.urandom
        )


def _respelled(data: bytes) -> bytes:
    """The same header, its length of the map spelled in three bytes instead of one."""
    head = data[14:]
    assert head[0] & 0xF0 == 0x80
    longer = b"\xde" + (head[0] & 0x0F).to_bytes(2, "big") + head[1:]
    length = int.from_bytes(data[10:14], "big") + 2
    return data[:10] + length.to_bytes(4, "big") + longer


MALFORMED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "magic alone": lambda data: MAGIC,
    "other magic": lambda data: b"Y" + data[1:],
    "without body": lambda data: data[: -32 - 28],
    "cut": lambda data: data[:-1],
    "a byte more": lambda data: data + b"\x00",
    "header too long": lambda data: data[:10] + b"\xff\xff\xff\xff" + data[14:],
    "header empty": lambda data: prefix(b"") + bytes(60),
    "header of zeros": lambda data: prefix(bytes(9)) + bytes(9 + 60),
    "respelled": _respelled,
    "too large": lambda data: data + bytes(MAX_CONTAINER),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_container_is_refused(case: str) -> None:
    with pytest.raises(BackupMalformedError):
        parse(MALFORMED[case](sealed()[0]))


def test_container_of_another_version_is_refused() -> None:
    data = sealed()[0]
    with pytest.raises(BackupVersionError):
        parse(data[:8] + b"\x00\x02" + data[10:])


def test_neither_secret_nor_password_stands_in_container_or_representations() -> None:
    data, (mnemonics,) = sealed(for_password(), ForShares(2, 2))
    shown = repr(parse(data)) + repr(for_password())
    assert SECRET not in data
    assert PASSWORD not in data
    assert PASSWORD.decode() not in shown
    assert repr(SECRET)[2:-1] not in shown
    assert mnemonics[0] not in shown


def test_header_is_decoded_strictly() -> None:
    fields = msgspec.msgpack.decode(parse(sealed()[0]).data[14:])
    for change in ({"extra": 1}, {"ways": [{"type": "other"}]}, {"commitment": bytes(31)}):
        encoded = msgspec.msgpack.encode(fields | change)
        with pytest.raises(BackupMalformedError):
            parse(prefix(encoded) + encoded + bytes(60))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(fields), type=Header).key == FACTS
