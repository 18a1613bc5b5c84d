"""The hand-over of a store to a successor enclave: what the successor's evidence must bind, how the old
enclave judges it, and what the two say to each other.

The successor asks for a nonce, makes an X25519 key inside, has its TEE quote both, and sends quote and
key in ONE message, to which the sealed store key is the answer: the key that was attested is the key
that is sealed to, and no other message, connection or endpoint is in between.

The answer carries the old enclave's quote over the sealed store key and the successor's key, which is
as fresh as a nonce. The successor takes a store key from nobody else: a host that made a store itself,
with keys that it knows, gets no enclave to vouch for them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.judgement import Expectations
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.offline import judge_offline, workload_of_attestation
from xmtp_tee.enclave.errors import PredecessorRefusedError
from xmtp_tee.enclave.handover_ground import Ground
from xmtp_tee.enclave.predecessors import WORKLOADS
from xmtp_tee.errors import ExitCode, InvalidEvidenceError, RefusedByPolicyError
from xmtp_tee.hashing import keccak256
from xmtp_tee.policy.document import StoreRules
from xmtp_tee.wire.store_faults import HandOverNonceError, SuccessorRefusedError

log = logging.getLogger("xmtp_tee.enclave")

INFO: Final = b"xmtp-tee/hand-over/v1"
"""HPKE's info; the associated data is the report data of the successor's quote."""

INFO_HANDED: Final = b"xmtp-tee/handed-over/v1"
"""What tells the old enclave's evidence from the successor's."""

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


def handed(
    tee: TeeKind,
    quote: bytes,
    successor_key: bytes,
    store_id: bytes,
    enc: bytes,
    ciphertext: bytes,
) -> Attestation:
    """Return the old enclave's evidence with what it must bind: what it has sealed, and to whom."""
    return Attestation(
        tee=tee,
        quote=quote,
        authority=keccak256(store_id)[:20],
        transport_key=successor_key,
        chain_id=_DOMAIN,
        enclave_registry=keccak256(INFO_HANDED)[:20],
        block_number=0,
        block_hash=keccak256(enc + ciphertext),
    )


def handed_data(successor_key: bytes, store_id: bytes, enc: bytes, ciphertext: bytes) -> bytes:
    """Return the 64 bytes that the old enclave has quoted."""
    attestation = handed(TeeKind.TDX, b"", successor_key, store_id, enc, ciphertext)
    return attestation.binding.report_data()


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


def require_successor(attestation: Attestation, rules: StoreRules, ground: Ground) -> bytes:
    """Return the workload id of a successor that the policy approves, on genuine hardware.

    :raises SuccessorRefusedError: naming the first thing that does not hold
    """
    if not rules.successors:
        raise SuccessorRefusedError(
            "The policy approves no successor", expected="store.successors, workload ids"
        )
    root = sha256(ground.root).hexdigest()
    if root not in rules.roots:
        raise SuccessorRefusedError(
            "The policy does not pin the root of the successor's evidence",
            got=f"SHA-256 {root}",
            expected="one of store.roots",
        )
    _require_verified(
        _Claim("successor", SuccessorRefusedError, attestation),
        frozenset(bytes.fromhex(each) for each in rules.successors),
        ground,
    )
    return workload_of_attestation(attestation)


def require_predecessor(attestation: Attestation, own_workload: bytes, ground: Ground) -> None:
    """Return if a store key comes from an enclave of this very code, or of code whose stores this
    release takes over (``predecessors``), on genuine hardware.

    What decides lies in the measured code: the workloads, and that evidence under any other root than
    a vendor's is simulated.

    :raises PredecessorRefusedError: naming the first thing that does not hold
    """
    _require_verified(
        _Claim("old enclave", PredecessorRefusedError, attestation),
        WORKLOADS | {own_workload},
        ground,
    )


@dataclass(frozen=True, slots=True)
class _Claim:
    """Whose evidence it is, and what is raised if it does not hold."""

    who: str
    refusal: type[RefusedByPolicyError]
    attestation: Attestation


def _require_verified(claim: _Claim, workloads: frozenset[bytes], ground: Ground) -> None:
    try:
        trust = ground.trust(claim.attestation.tee)
        verdict = judge_offline(claim.attestation, trust, ground.now, Expectations(workloads))
    except (FieldError, InvalidEvidenceError, UnicodeDecodeError) as error:
        raise claim.refusal(
            f"The {claim.who}'s evidence cannot be judged", got=type(error).__name__
        ) from None
    if verdict.exit_code is not ExitCode.VERIFIED:
        failed = verdict.failed[0] if verdict.failed else None
        raise claim.refusal(
            f"The {claim.who}'s evidence does not verify",
            got=None if failed is None else f"{failed.name}: {failed.got}",
            expected=None if failed is None else failed.expected,
        )
    if not any(check.name == "workload" and check.result == "pass" for check in verdict.checks):
        raise claim.refusal(f"The {claim.who}'s workload was not judged")
    simulated = verdict.level is AssuranceLevel.SIMULATED
    if simulated and ground.own_level is not AssuranceLevel.SIMULATED:
        raise claim.refusal(
            f"The {claim.who} is simulated, and shares nothing with a genuine enclave"
        )
