"""AWS Nitro Enclaves: attestation documents of the Nitro Secure Module, verified down to AWS's root.

- :mod:`.cbor`: strict CBOR
- :mod:`.document`: the COSE_Sign1 envelope and the document in it
- :mod:`.chain`: the certificates, from the pinned root to the document's key
- :mod:`.verify`: is this document genuine, and not a debug enclave's?
- :mod:`.revocation`: AWS's revocation lists
- :mod:`.judge`: the verdict, a line per link
"""

from __future__ import annotations

from xmtp_tee.attestation.nitro.document import NitroDocument, parse_document
from xmtp_tee.attestation.nitro.roots import AWS_ROOT_KEY_HASH, NitroRoot, read_nitro_root
from xmtp_tee.attestation.nitro.verify import VerifiedDocument, verify_document
from xmtp_tee.attestation.nitro.workload import nitro_workload_id

__all__ = [
    "AWS_ROOT_KEY_HASH",
    "NitroDocument",
    "NitroRoot",
    "VerifiedDocument",
    "nitro_workload_id",
    "parse_document",
    "read_nitro_root",
    "verify_document",
]
