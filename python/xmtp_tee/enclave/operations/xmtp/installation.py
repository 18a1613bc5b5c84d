"""An identity key becomes an XMTP installation: registration, key packages, revocation."""

from __future__ import annotations

from xmtp_tee.enclave.member.installation import Installation
from xmtp_tee.enclave.operations.call import Call
from xmtp_tee.enclave.operations.wallet import judge_identity_text, sign_identity_text
from xmtp_tee.enclave.operations.xmtp.common import (
    NANOSECONDS,
    entropy_of,
    installation_of,
    random_bytes,
)
from xmtp_tee.enclave.purposes import KeyOperation
from xmtp_tee.enclave.records import KeyRecord
from xmtp_tee.enclave.views import owner_of
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.refusals import SigningRefusedError, XmtpNotFoundError
from xmtp_tee.xmtp.key_packages import make_key_package
from xmtp_tee.xmtp.members import Member, inbox_id, nonce_of
from xmtp_tee.xmtp.registration import (
    UnsignedUpdate,
    register_installation,
    revoke_installations,
    with_signatures,
)


def register(call: Call, operation: wire.XmtpRegister) -> wire.XmtpRegistration:
    """Sign the update that brings the installation in, and make its first key package.

    :raises SigningRefusedError: the rules allow one of the two signatures not, or the key is an installation of
        another inbox; nothing has changed
    """
    wallet = call.active(operation.wallet_key_id, KeyOperation.SIGN_IDENTITY_TEXT)
    record = call.active(operation.identity_key_id, KeyOperation.MLS)
    owner = owner_of(wallet)
    if record.owner != owner:
        raise SigningRefusedError("The identity key is another owner's than the wallet key")
    inbox = inbox_id(Member.wallet(owner), operation.nonce)
    rooms = call.parts.rooms
    known = rooms.installation_or_none(call, record)
    if known is not None and known.inbox_id != inbox:
        raise SigningRefusedError(
            "The key is an installation of another inbox", got=inbox, expected=known.inbox_id
        )
    unsigned = register_installation(
        owner,
        record.public_key,
        call.now * NANOSECONDS,
        existing_inbox=inbox if operation.inbox_exists else None,
        nonce=operation.nonce,
    )
    for signer in (wallet, record):
        judge_identity_text(call, signer, unsigned.text.render(), operation.nonce)
    wallet_signature = _sign_text(call, wallet, unsigned, operation.nonce)
    own_signature = _sign_text(call, record, unsigned, operation.nonce)
    installation = known or Installation(inbox, random_bytes(call, 32))
    # Signing was noted in the key's record.
    package = _renewed(call, call.store.get(record.id) or record, installation)
    update = with_signatures(
        unsigned,
        wallet_signature=wallet_signature,
        installation=(record.public_key, own_signature),
    )
    return wire.XmtpRegistration(
        inbox_id=inbox,
        installation=record.public_key,
        identity_update=update.encode(),
        key_package=package,
    )


def new_key_package(call: Call, operation: wire.XmtpNewKeyPackage) -> wire.XmtpKeyPackage:
    """Make the installation's next key package."""
    record, installation = installation_of(call, operation.identity_key_id)
    return wire.XmtpKeyPackage(key_package=_renewed(call, record, installation))


def revoke(call: Call, operation: wire.XmtpRevoke) -> wire.XmtpIdentityUpdate:
    """Sign the update that revokes installations, if the wallet's rules allow it."""
    wallet = call.active(operation.wallet_key_id, KeyOperation.SIGN_IDENTITY_TEXT)
    record, installation = installation_of(call, operation.identity_key_id)
    if record.owner != wallet.owner:
        raise SigningRefusedError("The identity key is another owner's than the wallet key")
    unsigned = revoke_installations(
        installation.inbox_id, operation.installations, call.now * NANOSECONDS
    )
    signature = _sign_text(call, wallet, unsigned, _nonce_of(wallet, installation))
    return wire.XmtpIdentityUpdate(
        identity_update=with_signatures(unsigned, wallet_signature=signature).encode()
    )


def _renewed(call: Call, record: KeyRecord, installation: Installation) -> bytes:
    """Make the next key package and save it with the installation; return what is uploaded."""
    rooms = call.parts.rooms
    package = make_key_package(
        rooms.key(call, record), installation.inbox_id, call.now, entropy=entropy_of(call)
    )
    try:
        with rooms.key_packages(call, record) as packages, call.mutation() as draft:
            rooms.put_installation(draft, record, installation)
            rooms.put_key_packages(draft, record, packages.with_package(package, call.now))
    finally:
        package.wipe()
    return package.encoded


def _sign_text(call: Call, record: KeyRecord, unsigned: UnsignedUpdate, nonce: int) -> bytes:
    """Have the wallet's own operation sign: its rules and its bookkeeping are the same here."""
    signed = sign_identity_text(
        call,
        wire.SignIdentityText(key_id=record.id, text=unsigned.text.render(), nonce=nonce),
    )
    return signed.signature


def _nonce_of(wallet: KeyRecord, installation: Installation) -> int:
    nonce = nonce_of(Member.wallet(owner_of(wallet)), installation.inbox_id)
    if nonce is None:
        raise XmtpNotFoundError("The inbox is not the wallet's own", got=installation.inbox_id)
    return nonce
