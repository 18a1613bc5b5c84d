"""What owners sign to change a policy: EIP-712, so that any wallet can show it and sign it.

Domain: name ``XMTP TEE Enclave``, version ``1``; type
``ApplyPolicy(bytes16 storeId,uint64 version,bytes32 digest)``. The digest is SHA-256 over the
policy's encoding. The store id keeps a signature for one enclave from being used at another, the
version from being used again.
"""

from __future__ import annotations

from xmtp_tee.attestation.fields import require_length, uint_word
from xmtp_tee.attestation.statements import DOMAIN_NAME, DOMAIN_VERSION, enclave_digest
from xmtp_tee.hashing import keccak256
from xmtp_tee.policy.document import Policy
from xmtp_tee.policy.text import policy_digest

APPLY_POLICY_TYPE = "ApplyPolicy(bytes16 storeId,uint64 version,bytes32 digest)"
_TYPE_HASH = keccak256(APPLY_POLICY_TYPE.encode())


def approval_digest(store_id: bytes, policy: Policy) -> bytes:
    """Return the 32-byte EIP-712 digest over a policy for the store with this 16-byte id.

    :raises FieldError: the store id has another length
    """
    require_length("store id", store_id, 16)
    return enclave_digest(
        keccak256(
            _TYPE_HASH
            + store_id.ljust(32, b"\x00")
            + uint_word(policy.version)
            + policy_digest(policy)
        )
    )


def approval_typed_data(store_id: bytes, policy: Policy) -> dict[str, object]:
    """Return what wallets take to sign the same (``eth_signTypedData_v4``)."""
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
            ],
            "ApplyPolicy": [
                {"name": "storeId", "type": "bytes16"},
                {"name": "version", "type": "uint64"},
                {"name": "digest", "type": "bytes32"},
            ],
        },
        "primaryType": "ApplyPolicy",
        "domain": {"name": DOMAIN_NAME, "version": DOMAIN_VERSION},
        "message": {
            "storeId": "0x" + store_id.hex(),
            "version": policy.version,
            "digest": "0x" + policy_digest(policy).hex(),
        },
    }
