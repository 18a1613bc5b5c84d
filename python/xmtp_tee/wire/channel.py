"""The protected part of a connection whose client has proven a key: who it is, and that nobody in between
reads, changes, drops or adds a message.

::

    transcript = SHA-256(domain | version | client key | share | nonce | authority | transport key
                         | store id)
    signature  = Ed25519(client key, "xmtp-tee/caller-proof/v2" || transcript)
    keys       = HKDF-SHA256(X25519(share, transport key), salt = transcript, info = direction)

where ``|`` joins fields that each have their 4-byte length in front. ``share`` is the client's own for
this connection, the nonce the enclave's: neither side can be made to repeat an old greeting. Only the
holder of the transport key's private half, which the enclave's quote binds, comes to the same keys;
only the client whose key the policy names can sign. From the frame after ``Proof`` on, every body is
ChaCha20-Poly1305 under its direction's key, with the number of the frame as nonce.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xmtp_tee.wire.errors import ChannelError
from xmtp_tee.wire.limits import PROTOCOL_VERSION
from xmtp_tee.wire.messages import CallerClaim, Challenge

TAG_SIZE: Final = 16
_DOMAIN: Final = b"xmtp-tee/channel/v2"
_PROOF: Final = b"xmtp-tee/caller-proof/v2"


def transcript(claim: CallerClaim, challenge: Challenge) -> bytes:
    """Return the 32 bytes that stand for the whole greeting."""
    about = challenge.enclave
    fields = (
        _DOMAIN,
        PROTOCOL_VERSION.to_bytes(8, "big"),
        claim.key,
        claim.share,
        challenge.nonce,
        about.authority,
        about.transport_key,
        about.store_id.encode(),
    )
    packed = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return hashlib.sha256(packed).digest()


def proof_message(digest: bytes) -> bytes:
    """Return what the client signs (Ed25519), for a transcript."""
    return _PROOF + digest


class Direction:
    """One direction of a channel: seals, or opens, frame after frame."""

    def __init__(self, secret: bytes, digest: bytes, name: bytes) -> None:
        """``secret``: X25519's output. ``digest``: the transcript. ``name``: the direction."""
        key = HKDF(hashes.SHA256(), 32, digest, _DOMAIN + b"/" + name).derive(secret)
        self._cipher = ChaCha20Poly1305(key)
        self._count = 0

    def seal(self, body: bytes) -> bytes:
        """Return the next frame's body, protected."""
        return self._cipher.encrypt(self._nonce(), body, None)

    def open(self, body: bytes) -> bytes:
        """Return the next frame's body.

        :raises ChannelError: if it is not the one that was sealed next
        """
        try:
            return self._cipher.decrypt(self._nonce(), body, None)
        except InvalidTag:
            raise ChannelError(
                "A protected frame does not open",
                got=f"{len(body)} bytes",
                cause="somebody between client and enclave changed, dropped or added frames",
            ) from None

    def _nonce(self) -> bytes:
        self._count += 1
        return self._count.to_bytes(12, "big")


class Channel:
    """Both directions, from one end."""

    def __init__(self, secret: bytes, digest: bytes, *, enclave: bool) -> None:
        """``enclave``: whether this end is the enclave's."""
        ends = (b"client", b"enclave")
        mine, theirs = reversed(ends) if enclave else ends
        self._out = Direction(secret, digest, mine)
        self._in = Direction(secret, digest, theirs)
        self.seal = self._out.seal
        self.open = self._in.open
