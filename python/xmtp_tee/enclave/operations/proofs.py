"""What the enclave vouches for: itself, by the TEE's quote, and key bundles, by its authority.

What the authority signs is built here from the store's own records; no digest ever comes from
outside.
"""

from __future__ import annotations

from xmtp_tee.attestation.binding import EnclaveBinding
from xmtp_tee.attestation.certificate import KeyBundleCertificate
from xmtp_tee.attestation.statements import KeyAttestation
from xmtp_tee.enclave.operations.call import ZERO_ADDRESS, Call, require_registry
from xmtp_tee.enclave.operations.identity import usable_pre_key
from xmtp_tee.enclave.private_keys import sign_secp256k1
from xmtp_tee.enclave.purposes import KeyOperation, require_allowed
from xmtp_tee.enclave.views import state_of
from xmtp_tee.wire import messages as wire


def get_attestation(call: Call, operation: wire.GetAttestation) -> wire.Quote:
    """Have a TEE quote authority and transport key, bound to chain, registry and block.

    What is bound is the same for every kind of TEE, so that all of them vouch for one enclave.
    """
    parts = call.parts
    driver = parts.driver_for(operation.tee)
    for record in (parts.authority, parts.transport):
        require_allowed(record.purpose, KeyOperation.ATTEST, record.id)
    require_registry(operation.enclave_registry)
    binding = EnclaveBinding(
        chain_id=operation.chain_id,
        enclave_registry=operation.enclave_registry,
        authority=parts.authority_address,
        transport_key=parts.transport.public_key,
        block_number=operation.block_number,
        block_hash=operation.block_hash,
    )
    return wire.Quote(
        tee=driver.tee.label,
        quote=driver.quote(binding.report_data()),
        authority=binding.authority,
        transport_key=binding.transport_key,
        chain_id=binding.chain_id,
        enclave_registry=binding.enclave_registry,
        block_number=binding.block_number,
        block_hash=binding.block_hash,
    )


def attest_key(call: Call, operation: wire.AttestKey) -> wire.AttestedKey:
    """Vouch for a key's public record, by the authority."""
    record = call.find(operation.key_id)
    statement = KeyAttestation(
        store_id=call.store.store_id,
        key_id=record.id,
        key_type=record.key_type.value,
        purpose=record.purpose.value,
        owner=record.owner or ZERO_ADDRESS,
        public_key=record.public_key,
        version=record.version,
        provenance=record.provenance.label,
        state=state_of(record),
        created_at=record.created_at,
        time=call.now,
        challenge=operation.challenge,
    )
    return wire.AttestedKey(
        store_id=statement.store_id,
        key_id=statement.key_id,
        key_type=statement.key_type,
        purpose=statement.purpose,
        owner=statement.owner,
        public_key=statement.public_key,
        version=statement.version,
        provenance=statement.provenance,
        state=statement.state,
        created_at=statement.created_at,
        time=statement.time,
        challenge=statement.challenge,
        signature=call.parts.sign_statement(statement.digest()),
    )


def certify_key_bundle(call: Call, operation: wire.CertifyKeyBundle) -> wire.Certificate:
    """Certify a bundle out of the store's own records."""
    identity = call.active(operation.identity_key_id, KeyOperation.CERTIFY_AS_IDENTITY)
    authority = call.parts.authority
    require_allowed(authority.purpose, KeyOperation.SIGN_CERTIFICATE, authority.id)
    require_registry(operation.key_registry)
    signed = usable_pre_key(call, operation.pre_key_id, identity)
    certificate = KeyBundleCertificate(
        chain_id=operation.chain_id,
        key_registry=operation.key_registry,
        owner=signed.owner,
        identity_key=signed.identity_key,
        pre_key=signed.public_key,
        pre_key_signature=signed.signature,
        epoch=signed.epoch,
        expires_at=signed.expires_at,
        provenance=identity.provenance,
    )
    with call.store.secret(authority) as secret:
        signature = sign_secp256k1(secret, certificate.digest())
    return wire.Certificate(
        chain_id=certificate.chain_id,
        key_registry=certificate.key_registry,
        owner=certificate.owner,
        identity_key=certificate.identity_key,
        pre_key=certificate.pre_key,
        pre_key_signature=certificate.pre_key_signature,
        epoch=certificate.epoch,
        expires_at=certificate.expires_at,
        provenance=certificate.provenance.label,
        authority=call.parts.authority_address,
        signature=signature,
    )
