"""An enclave ends its own service: its authority signs this, by EIP-712, and anyone may bring it to the chain.

Domain: name ``XMTP TEE EnclaveRegistry``, version ``1``, the chain id, and the EnclaveRegistry as verifying contract.
WARNING: it is final. A retired authority is never attested again.
"""

from __future__ import annotations

from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.certificate import DOMAIN_TYPE, recover_authority
from xmtp_tee.attestation.errors import CertificateSignerMismatchError
from xmtp_tee.attestation.fields import address_word, require_length, require_uint, uint_word
from xmtp_tee.hashing import keccak256

DOMAIN_NAME = "XMTP TEE EnclaveRegistry"
DOMAIN_VERSION = "1"
RETIREMENT_TYPE = "RetireEnclave(address authority)"


def retirement_digest(chain_id: int, enclave_registry: bytes, authority: bytes) -> bytes:
    """Return the 32-byte EIP-712 digest; the addresses are 20 bytes.

    :raises FieldError: the chain id or an address is out of range
    """
    require_uint("chain id", chain_id, 256)
    require_length("enclave registry", enclave_registry, 20)
    require_length("authority", authority, 20)
    domain = keccak256(
        keccak256(DOMAIN_TYPE.encode())
        + keccak256(DOMAIN_NAME.encode())
        + keccak256(DOMAIN_VERSION.encode())
        + uint_word(chain_id)
        + address_word(enclave_registry)
    )
    struct = keccak256(keccak256(RETIREMENT_TYPE.encode()) + address_word(authority))
    return keccak256(b"\x19\x01" + domain + struct)


def require_retirement_signed(
    chain_id: int, enclave_registry: bytes, authority: bytes, signature: bytes
) -> None:
    """Refuse a signature (65 bytes r || s || v, low s) that is not the authority's over its own retirement.

    :raises CertificateSignerMismatchError: another key signed, or something else was signed
    :raises SignatureMalformedError: it is not a signature
    """
    digest = retirement_digest(chain_id, enclave_registry, authority)
    recovered = recover_authority(digest, signature)
    if recovered != authority:
        raise CertificateSignerMismatchError(
            "The retirement was not signed by the enclave's authority.",
            got=checksum_address(recovered),
            expected=checksum_address(authority),
        )
