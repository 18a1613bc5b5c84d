"""The old enclave's side of a hand-over."""

from __future__ import annotations

import logging

from xmtp_tee import hpke
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.enclave.handover import (
    INFO,
    claimed,
    handed_data,
    report_data,
    require_successor,
)
from xmtp_tee.enclave.handover_ground import Ground, own_floors
from xmtp_tee.enclave.operations.call import Call
from xmtp_tee.enclave.private_keys import wiped
from xmtp_tee.enclave.recovery import wrap_for_recovery
from xmtp_tee.enclave.sealing import CHECK_SIZE, MAX_WRAPS, Wrap, unseal_store_key
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.store_faults import SuccessorRefusedError

log = logging.getLogger("xmtp_tee.enclave")
_SUITE = hpke.X25519_CHACHA20_POLY1305


def challenge(call: Call, operation: wire.HandOverChallenge) -> wire.HandOverNonce:
    """Issue a nonce for one hand-over."""
    nonce = bytearray(32)
    call.parts.entropy(nonce)
    return wire.HandOverNonce(call.parts.nonces.issue(bytes(nonce), call.now), call.store.store_id)


def hand_over(call: Call, operation: wire.HandOver) -> wire.HandedOver:
    """Seal the store key to a key that an approved successor has attested in this very message."""
    call.parts.nonces.take(operation.nonce, call.now)
    tee = next((kind for kind in TeeKind if kind.label == operation.tee), TeeKind.NONE)
    if tee is TeeKind.NONE:
        raise SuccessorRefusedError("There is no such kind of TEE", got=operation.tee)
    store_id = call.store.store_id
    key, nonce = operation.successor_key, operation.nonce
    workload = require_successor(
        claimed(tee, operation.quote, key, nonce, store_id),
        call.policy.store,
        _ground(call, operation, tee),
    )

    call.begin(operation)

    def entropy(size: int) -> bytes:
        buffer = bytearray(size)
        call.parts.entropy(buffer)
        return bytes(buffer)

    with wiped(unseal_store_key(call.store.wraps(), call.parts.driver, store_id)) as store_key:
        aad = report_data(key, nonce, store_id)
        try:
            enc, sealed = hpke.seal(_SUITE, key, INFO, aad, bytes(store_key), entropy=entropy)
        except hpke.HpkeError:
            raise SuccessorRefusedError("The successor's key is no possible public key") from None
    quote = call.parts.driver.quote(handed_data(key, store_id, enc, sealed))
    log.warning("the store key was handed over to a successor of workload %s", workload.hex())
    return wire.HandedOver(store_id, enc, sealed, call.parts.driver.tee.label, quote)


def _ground(call: Call, operation: wire.HandOver, tee: TeeKind) -> Ground:
    """Return what the successor is judged by; the policy's floors come before the platform's own."""
    driver = call.parts.driver
    floors = own_floors(driver, call.now) if tee is TeeKind.SEV_SNP else {}
    floors |= {
        ProductLine.from_label(each.product): Tcb(
            each.boot_loader, each.tee, each.snp, each.microcode, each.fmc
        )
        for each in call.policy.store.tcb_floors
    }
    return Ground(operation.root, operation.collateral, driver.assurance, call.now, floors)


def export_recovery(call: Call, operation: wire.ExportRecovery) -> wire.WrapAccepted:
    """Seal the store key to a recovery recipient of the policy, and keep that in the store."""
    recipient = operation.recipient.hex()
    if recipient not in call.policy.store.recovery:
        raise SuccessorRefusedError(
            "The policy names no such recovery recipient", got=recipient, expected="store.recovery"
        )
    call.begin(operation)

    def entropy(size: int) -> bytes:
        buffer = bytearray(size)
        call.parts.entropy(buffer)
        return bytes(buffer)

    store_id = call.store.store_id
    with wiped(unseal_store_key(call.store.wraps(), call.parts.driver, store_id)) as store_key:
        wrap = wrap_for_recovery(store_key, operation.recipient, store_id, entropy)
    call.store.put_wrap(wrap)
    log.warning("the store key was sealed to the recovery recipient %s", recipient)
    return wire.WrapAccepted()


def accept_wrap(call: Call, operation: wire.AcceptWrap) -> wire.WrapAccepted:
    """Keep the store key as a successor has wrapped it for its own platform.

    A wrap that was not made with the store key opens nothing and only takes a place.
    """
    made = Wrap.of_platform(operation.provider, operation.check, operation.wrapped)
    if len(operation.check) != CHECK_SIZE:
        raise SuccessorRefusedError("A wrap's check has 16 bytes")
    present = {wrap.name for wrap in call.store.wraps()}
    if made.name not in present and len(present) >= MAX_WRAPS:
        raise SuccessorRefusedError(
            "The store key is wrapped for as many platforms as may be", expected=f"<= {MAX_WRAPS}"
        )
    if made.name in present:
        raise SuccessorRefusedError("This platform has a way in already", got=made.name)
    call.begin(operation)
    call.store.put_wrap(made)
    return wire.WrapAccepted()
