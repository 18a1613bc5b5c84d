"""Compared with PyPI's epsilon-attestation-verifier 1.1.0, an independent verifier of Nitro documents.

What we accept it accepts. What it refuses we refuse. Where it accepts and we do not, the case stands under LAXITIES
with what it does not look at: each is a rule of ours that can be seen to work.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest

from tests.attestation.nitro.support import (
    DOCUMENT,
    GENUINE,
    GENUINE_DEBUG,
    NOW,
    ROOT,
    aws_root,
    changed,
    recipe,
    shaped,
    with_field,
    without_field,
)
from tests.attestation.support import Genuine, flipped, pem
from xmtp_tee.attestation.nitro.cbor import decode, encode
from xmtp_tee.attestation.nitro.verify import verify_document
from xmtp_tee.attestation.simulator import der
from xmtp_tee.attestation.simulator.certificate import Extension
from xmtp_tee.attestation.simulator.nitro import DevelopmentNitroPki, NitroLevel
from xmtp_tee.attestation.simulator.nitro.document import development_pcrs
from xmtp_tee.errors import InvalidEvidenceError, RefusedByPolicyError

epsilon: Any = pytest.importorskip("epsilon_verifier.verifier")

BANK = development_pcrs()
ATTACKER = DevelopmentNitroPki(b"an attacker's own root")


def duplicate_digest() -> bytes:
    """A payload that says twice with which digest it was measured."""

    def twice(fields: dict[int | str, Any]) -> dict[int | str, Any]:
        fields["digesu"] = "SHA384"
        return fields

    document = recipe(change=twice, indefinite=False)
    payload = decode(document.build(NOW), "the envelope")
    assert isinstance(payload, list)
    assert isinstance(payload[2], bytes)
    return recipe(payload=payload[2].replace(b"digesu", b"digest")).build(NOW)


def at(place: int, value: Any) -> bytes:
    """The genuine envelope with one of its four parts replaced."""
    envelope = decode(DOCUMENT, "the envelope")
    assert isinstance(envelope, list)
    envelope[place] = value
    return encode(envelope)


AGREED: dict[str, bytes] = {
    "genuine": DOCUMENT,
    "definite map": recipe(indefinite=False).build(NOW),
    "all optional fields": recipe(nonce=b"n", public_key=b"k").build(NOW),
    "no optional fields": without_field("nonce").build(NOW),
    "locked register 16": recipe(pcrs={**BANK, 16: bytes(48)}).build(NOW),
    "signed image": recipe(pcrs={**BANK, 8: b"\x08" * 48}).build(NOW),
    "flipped signature": flipped(DOCUMENT, 8 * len(DOCUMENT) - 1),
    "flipped payload": flipped(DOCUMENT, 8 * 600),
    "truncated": DOCUMENT[:-1],
    "empty": b"",
    "three parts": encode([b"", {}, b"p"]),
    "no payload": at(2, None),
    "empty payload": at(2, b""),
    "short signature": at(3, bytes(95)),
    "other signer": recipe(signer=ATTACKER.key("forger")).build(NOW),
    "attacker's chain": recipe().build(NOW, ATTACKER),
    "missing module id": without_field("module_id").build(NOW),
    "missing certificate": without_field("certificate").build(NOW),
    "missing bundle": without_field("cabundle").build(NOW),
    "empty bundle": with_field("cabundle", []).build(NOW),
    "SHA256": with_field("digest", "SHA256").build(NOW),
    "timestamp zero": with_field("timestamp", 0).build(NOW),
    "timestamp text": with_field("timestamp", "1").build(NOW),
    "no registers": with_field("pcrs", {}).build(NOW),
    "register 32": with_field("pcrs", {**BANK, 32: bytes(48)}).build(NOW),
    "register of 47 bytes": with_field("pcrs", {**BANK, 0: bytes(47)}).build(NOW),
    "certificate too long": with_field("certificate", bytes(1025)).build(NOW),
    "user data too long": with_field("user_data", bytes(1025)).build(NOW),
    "nonce of text": with_field("nonce", "text").build(NOW),
    **{
        f"{level.value} signed by an attacker": shaped(level, signing_key=ATTACKER.key("f")).build(
            NOW
        )
        for level in NitroLevel
        if level is not NitroLevel.ROOT
    },
    **{
        f"{level.value} lapsed": shaped(level, not_after=NOW - 1).build(NOW)
        for level in NitroLevel
        if level is not NitroLevel.ROOT
    },
    **{
        f"{level.value} from the future": shaped(level, not_before=NOW + 1).build(NOW)
        for level in NitroLevel
        if level is not NitroLevel.ROOT
    },
    **{
        f"{level.value} is no CA": shaped(level, is_ca=False, path_length=-1).build(NOW)
        for level in (NitroLevel.REGIONAL, NitroLevel.ZONAL, NitroLevel.INSTANCE)
    },
    **{
        f"{level.value} without keyCertSign": shaped(level, key_usage=(b"\x02", 1)).build(NOW)
        for level in (NitroLevel.REGIONAL, NitroLevel.ZONAL, NitroLevel.INSTANCE)
    },
    "path length exceeded": shaped(NitroLevel.ZONAL, path_length=0).build(NOW),
    "leaf without digitalSignature": shaped(NitroLevel.ENCLAVE, key_usage=(b"\x40", 6)).build(NOW),
}

LAXITIES: dict[str, tuple[str, bytes]] = {
    "debug": (
        "policy on registers is the caller's there",
        recipe(pcrs={**BANK, 0: bytes(48), 1: bytes(48), 2: bytes(48)}).build(NOW),
    ),
    "tagged": ("CBOR tag 18 is taken", b"\xd2" + DOCUMENT),
    "unprotected header": ("it is ignored", at(1, {4: b"kid"})),
    "long form": (
        "lengths need not be minimal",
        b"\x98\x04" + DOCUMENT[1:],
    ),
    "duplicate key": ("the last one counts", duplicate_digest()),
    "unknown field": ("it is ignored", with_field("debug", False).build(NOW)),
    "sparse registers": ("any one register is enough", with_field("pcrs", {0: BANK[0]}).build(NOW)),
    "unordered registers": (
        "a map has no order there",
        with_field("pcrs", {1: BANK[1], 0: BANK[0], **{i: BANK[i] for i in range(2, 16)}}).build(
            NOW
        ),
    ),
    "SHA-256 register": (
        "32 bytes are taken",
        with_field("pcrs", {**BANK, 5: bytes(32)}).build(NOW),
    ),
    "time of another day": (
        "the timestamp is not looked at",
        recipe(timestamp_ms=1_000).build(NOW),
    ),
    "time in the future": (
        "the timestamp is not looked at",
        recipe(timestamp_ms=(NOW + 9_999) * 1000).build(NOW),
    ),
    "other module's certificate": (
        "module and certificate are not compared",
        with_field("module_id", "i-0de7e109e00000001-enc0de7e109e0000002").build(NOW),
    ),
    "module id without enclave": (
        "any text is a module id",
        with_field("module_id", "anything").build(NOW),
    ),
    "leaf is a CA": ("it only warns", shaped(NitroLevel.ENCLAVE, is_ca=True).build(NOW)),
    "leaf without key usage": (
        "it only warns",
        shaped(NitroLevel.ENCLAVE, without=frozenset({"2.5.29.15"})).build(NOW),
    ),
    "CA without key usage": (
        "it only warns",
        shaped(NitroLevel.REGIONAL, without=frozenset({"2.5.29.15"})).build(NOW),
    ),
    "unknown critical extension": (
        "criticality is not looked at",
        shaped(NitroLevel.ZONAL, extra=(Extension("1.2.3.4", True, b"\x05\x00"),)).build(NOW),
    ),
    "constraints not critical": (
        "criticality is not looked at",
        shaped(NitroLevel.INSTANCE, constraints_critical=False).build(NOW),
    ),
    "authorities in another order": (
        "issuers are searched by name",
        changed(lambda fields: fields["cabundle"].reverse()).build(NOW),  # type: ignore[union-attr]
    ),
    "leaf for certificates": (
        "further usages are taken",
        shaped(NitroLevel.ENCLAVE, key_usage=(b"\x84", 2)).build(NOW),
    ),
    "leaf named by another name": (
        "names of subjects are not looked at",
        shaped(NitroLevel.ENCLAVE, subject_name=der.name((der.COMMON_NAME, "x"))).build(NOW),
    ),
}


class _Clock(datetime):
    """A clock that stands still: epsilon reads the computer's."""

    stands_at = NOW

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> _Clock:
        return cls.fromtimestamp(cls.stands_at, tz or UTC)


@pytest.fixture
def epsilon_accepts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ask epsilon about a document under a root, at a time."""
    path = tmp_path / "root.pem"

    def ask(document: bytes, root: bytes, now: int) -> bool:
        path.write_text(pem(root))
        monkeypatch.setattr(_Clock, "stands_at", now)
        monkeypatch.setattr(epsilon, "datetime", _Clock)
        text = base64.b64encode(document).decode()
        return bool(epsilon.verify_attestation(text, aws_root_cert_path=str(path)).valid)

    return ask


def accepted(document: bytes, root: bytes, now: int) -> bool:
    """Whether we accept a document."""
    try:
        verify_document(document, root, now)
    except (InvalidEvidenceError, RefusedByPolicyError):
        return False
    return True


@pytest.mark.parametrize("name", AGREED)
def test_both_verifiers_agree(name: str, epsilon_accepts: Any) -> None:
    document = AGREED[name]
    assert accepted(document, ROOT, NOW) == epsilon_accepts(document, ROOT, NOW)


@pytest.mark.parametrize("name", LAXITIES)
def test_what_epsilon_does_not_look_at_is_refused_here(name: str, epsilon_accepts: Any) -> None:
    document = LAXITIES[name][1]
    assert epsilon_accepts(document, ROOT, NOW)
    assert not accepted(document, ROOT, NOW)


@pytest.mark.parametrize("name", GENUINE)
def test_both_verifiers_accept_genuine_documents_in_their_hour(
    genuine: Genuine, name: str, epsilon_accepts: Any
) -> None:
    document, root, made_at = genuine.read(name), aws_root(genuine), GENUINE[name]
    for now in (made_at, made_at - 86_400, made_at + 86_400):
        assert (
            accepted(document, root, now)
            == epsilon_accepts(document, root, now)
            == (now == made_at)
        )


def test_epsilon_leaves_the_debug_enclave_to_its_caller(
    genuine: Genuine, epsilon_accepts: Any
) -> None:
    name, made_at = GENUINE_DEBUG
    document, root = genuine.read(name), aws_root(genuine)
    assert epsilon_accepts(document, root, made_at)
    assert not accepted(document, root, made_at)
