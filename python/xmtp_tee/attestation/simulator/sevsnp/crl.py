"""Revocation lists of a development ARK, in AMD's form."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from xmtp_tee.attestation.rsa_pss import RSA_PSS_SHA384_TRAILER
from xmtp_tee.attestation.simulator import der
from xmtp_tee.attestation.simulator.sevsnp.pki import DevelopmentSnpPki
from xmtp_tee.attestation.simulator.sevsnp.rsa import RsaKey


@dataclass(frozen=True, slots=True)
class AmdCrlRecipe:
    """A list, complete, version 2. Times are unix seconds.

    ``end`` None leaves the next update out. ``number`` and ``key_id`` are extensions, left out as None; ``key_id`` is
    ``b""`` for the ARK's own. ``issuer`` (a DER Name), ``key`` and ``algorithm`` replace the ARK's; ``extra`` are
    further extensions, DER.
    """

    serials: tuple[int, ...]
    start: int
    end: int | None
    number: int | None = 1
    key_id: bytes | None = b""
    version: int = 1
    issuer: bytes | None = None
    key: RsaKey | None = field(default=None, repr=False)
    algorithm: bytes = RSA_PSS_SHA384_TRAILER
    extra: tuple[bytes, ...] = ()

    def build(self, pki: DevelopmentSnpPki) -> bytes:
        """Return the list in DER, signed."""
        ark = pki.ark()
        entries = [
            der.sequence(der.integer(serial), der.utc_time(self.start)) for serial in self.serials
        ]
        tbs = der.sequence(
            der.integer(self.version),
            self.algorithm,
            self.issuer or ark.subject,
            der.utc_time(self.start),
            b"" if self.end is None else der.utc_time(self.end),
            der.sequence(*entries) if entries else b"",
            self._extensions(ark.key),
        )
        signature = (self.key or ark.key).sign(tbs)
        return der.sequence(tbs, self.algorithm, der.bit_string(signature))

    def _extensions(self, ark: RsaKey) -> bytes:
        made = list(self.extra)
        if self.key_id is not None:
            own = hashlib.sha1(ark.key_info, usedforsecurity=False).digest()
            made.append(_extension("2.5.29.35", der.sequence(der.tlv(0x80, self.key_id or own))))
        if self.number is not None:
            made.append(_extension("2.5.29.20", der.integer(self.number)))
        return der.tlv(0xA0, der.sequence(*made)) if made else b""


def _extension(oid: str, value: bytes) -> bytes:
    return der.sequence(der.oid(oid), der.octets(value))
