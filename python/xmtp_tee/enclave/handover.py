"""The hand-over of a store to a successor enclave: what the successor's evidence must bind, how the old
enclave judges it, and what the two say to each other.

The successor asks for a nonce, makes an X25519 key inside, has its TEE quote both, and sends quote and
key in ONE message, to which the sealed store key is the answer: the key that was attested is the key
that is sealed to, and no other message, connection or endpoint is in between.
"""

from __future__ import annotations

import logging
from typing import Final

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.judgement import Expectations
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.offline import Trust, judge_offline
from xmtp_tee.errors import ExitCode
from xmtp_tee.hashing import keccak256
from xmtp_tee.policy.document import StoreRules
from xmtp_tee.wire.store_faults import HandOverNonceError, SuccessorRefusedError

log = logging.getLogger("xmtp_tee.enclave")

INFO: Final = b"xmtp-tee/hand-over/v1"
"""HPKE's info; the associated data is the report data of the successor's quote."""

LIFETIME: Final = 60
"""Seconds that a nonce is good for."""

MAX_PENDING: Final = 16

_DOMAIN: Final = int.from_bytes(keccak256(INFO), "big")
"""In the place of a chain id: greater than any, so that a quote made for one serves not the other."""


def claimed(
    tee: TeeKind, quote: bytes, successor_key: bytes, nonce: bytes, store_id: bytes
) -> Attestation:
    """Return the successor's evidence with what it must bind: this hand-over, and no registry."""
    return Attestation(
        tee=tee,
        quote=quote,
        authority=keccak256(store_id)[:20],
        transport_key=successor_key,
        chain_id=_DOMAIN,
        enclave_registry=keccak256(INFO)[:20],
        block_number=0,
        block_hash=nonce,
    )


def report_data(successor_key: bytes, nonce: bytes, store_id: bytes) -> bytes:
    """Return the 64 bytes that the successor has quoted."""
    return claimed(TeeKind.TDX, b"", successor_key, nonce, store_id).binding.report_data()


class Nonces:
    """The nonces that are out: each is good for one attempt, within a minute."""

    def __init__(self) -> None:
        self._issued: dict[bytes, int] = {}

    def issue(self, nonce: bytes, now: int) -> bytes:
        """Remember a fresh nonce; of too many the oldest is forgotten."""
        while len(self._issued) >= MAX_PENDING:
            self._issued.pop(next(iter(self._issued)))
        self._issued[nonce] = now
        return nonce

    def take(self, nonce: bytes, now: int) -> None:
        """Use a nonce up, whatever comes of it.

        :raises HandOverNonceError: if it is unknown, used, or too old
        """
        issued = self._issued.pop(nonce, None)
        if issued is None or not 0 <= now - issued <= LIFETIME:
            raise HandOverNonceError(
                "The hand-over's nonce is not good any more",
                got="unknown or used" if issued is None else f"{now - issued} seconds old",
                expected=f"a fresh one, used within {LIFETIME} seconds",
            )


def require_successor(
    attestation: Attestation,
    rules: StoreRules,
    root: bytes,
    collateral: bytes,
    own_level: AssuranceLevel,
    now: int,
) -> bytes:
    """Return the workload id of a successor that the policy approves, on genuine hardware.

    :raises SuccessorRefusedError: naming the first thing that does not hold
    """
    from hashlib import sha256

    if not rules.successors:
        raise SuccessorRefusedError(
            "The policy approves no successor", expected="store.successors, workload ids"
        )
    if sha256(root).hexdigest() not in rules.roots:
        raise SuccessorRefusedError(
            "The policy does not pin the root of the successor's evidence",
            got=f"SHA-256 {sha256(root).hexdigest()}",
            expected="one of store.roots",
        )
    workloads = frozenset(bytes.fromhex(each) for each in rules.successors)
    try:
        given = Collateral.from_json(collateral.decode()) if collateral else None
        trust = Trust(root=root, collateral=given)
        verdict = judge_offline(attestation, trust, now, Expectations(workloads))
    except (FieldError, UnicodeDecodeError) as error:
        raise SuccessorRefusedError(
            "The successor's evidence cannot be judged", got=type(error).__name__
        ) from None
    if verdict.exit_code is not ExitCode.VERIFIED:
        failed = verdict.failed[0] if verdict.failed else None
        raise SuccessorRefusedError(
            "The successor's evidence does not verify",
            got=None if failed is None else f"{failed.name}: {failed.got}",
            expected=None if failed is None else failed.expected,
        )
    if not any(check.name == "workload" and check.result == "pass" for check in verdict.checks):
        raise SuccessorRefusedError("The successor's workload was not judged")
    if verdict.level is AssuranceLevel.SIMULATED and own_level is not AssuranceLevel.SIMULATED:
        raise SuccessorRefusedError("A simulated enclave gets nothing from a genuine one")
    from xmtp_tee.attestation.offline import workload_of_attestation

    return workload_of_attestation(attestation)
