"""Is this Nitro document genuine, and not a debug enclave's?

The rules are the contract's (contracts/attestation/nitro). AWS publishes no security levels: what is genuine is up to
date, and what AWS wants gone it revokes or lets expire, the enclave's certificate within three hours.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from xmtp_tee.attestation.binding import REPORT_DATA_SIZE
from xmtp_tee.attestation.collateral_facts import Window
from xmtp_tee.attestation.ecdsa384 import is_signed_p384, p384_key
from xmtp_tee.attestation.errors import (
    DebugEnabledError,
    DocumentTimeError,
    NitroDocumentMalformedError,
    QuoteNotGenuineError,
)
from xmtp_tee.attestation.kinds import TcbStatus, TeeKind
from xmtp_tee.attestation.nitro.chain import NitroChain, verify_chain
from xmtp_tee.attestation.nitro.document import (
    CODE_PCRS,
    PCR_SIZE,
    NitroDocument,
    parse_document,
)
from xmtp_tee.attestation.nitro.roots import NitroRoot, read_nitro_root
from xmtp_tee.attestation.nitro.workload import instance_of, workload_of
from xmtp_tee.attestation.x509 import Revoked
from xmtp_tee.dates import show_time

MAX_CLOCK_SKEW = 300
"""How far a document may come from the future, in seconds: the device's clock against the judge's."""


@dataclass(frozen=True, slots=True)
class VerifiedDocument:
    """What a verified document says; every field comes from signed bytes.

    ``workload`` is the 32-byte workload id, ``instance`` the 16 bytes under which its EC2 instance can be denied,
    ``made_at`` unix seconds. ``shortest`` names the certificate that expires first. ``development`` is true when the
    pinned root is not AWS's: then nothing here is evidence of hardware.
    """

    tee: TeeKind
    status: TcbStatus
    workload: bytes
    instance: bytes
    made_at: int
    shortest: Window
    development: bool
    chain: NitroChain
    document: NitroDocument

    @property
    def report_data(self) -> bytes:
        """The 64 bytes that the enclave bound: its user_data.

        :raises NitroDocumentMalformedError: there is none, or it has another size
        """
        return report_data_of(self.document)


def verify_document(
    document: bytes | NitroDocument,
    root_ca_der: bytes,
    now: int,
    revoked: Collection[Revoked] = (),
) -> VerifiedDocument:
    """Verify a document completely under a pinned root at ``now`` (unix seconds), or raise.

    :raises InvalidEvidenceError: malformed, or not genuine
    :raises RefusedByPolicyError: genuine, and refused: debug, or a certificate that is not valid at this time
    :raises FieldError: the root is not a root certificate
    """
    parsed = document if isinstance(document, NitroDocument) else parse_document(document)
    root = read_nitro_root(root_ca_der)
    chain = verify_signatures(parsed, root, now, frozenset(revoked))
    require_production(parsed)
    shortest = chain.shortest
    return VerifiedDocument(
        tee=TeeKind.NITRO,
        status=TcbStatus.UP_TO_DATE,
        workload=workload_of(parsed),
        instance=instance_of(parsed),
        made_at=parsed.timestamp_ms // 1000,
        shortest=Window(shortest.name, shortest.not_before, shortest.not_after),
        development=root.development,
        chain=chain,
        document=parsed,
    )


def verify_signatures(
    document: NitroDocument, root: NitroRoot, now: int, revoked: frozenset[Revoked]
) -> NitroChain:
    """Verify chain, signature and timestamp: all but what policy refuses.

    :raises QuoteNotGenuineError: no valid chain of signatures, or a timestamp that does not fit
    :raises EvidenceExpiredError: a certificate is not valid at ``now``
    """
    chain = verify_chain(document, root, now, revoked)
    if not is_signed_p384(p384_key(chain.leaf), document.signature, document.signed):
        raise QuoteNotGenuineError("The enclave's certified key did not sign the document.")
    require_timestamp(document, chain, now)
    return chain


def require_timestamp(document: NitroDocument, chain: NitroChain, now: int) -> None:
    """Refuse a document that was made outside of its key's validity, or later than ``now`` and the skew allow.

    The document counts milliseconds, the certificates seconds.

    :raises DocumentTimeError: it was
    """
    made_at = document.timestamp_ms // 1000
    latest = min(chain.leaf.not_after, now + MAX_CLOCK_SKEW)
    if not chain.leaf.not_before <= made_at <= latest:
        raise DocumentTimeError(
            "The document's time does not fit its certificate, or lies in the future.",
            got=f"{document.timestamp_ms} ms",
            expected=f"{show_time(chain.leaf.not_before)} to {show_time(latest)}",
        )


def require_production(document: NitroDocument) -> None:
    """Refuse a debug enclave: its console is the parent's to read, and its code is not measured.

    In debug mode PCR0, PCR1 and PCR2 are zero. No image measures so: each of them alone is refused.

    :raises DebugEnabledError: one of them is zero
    """
    zero = [f"PCR{index}" for index in CODE_PCRS if document.pcrs[index] == bytes(PCR_SIZE)]
    if zero:
        raise DebugEnabledError(
            "The enclave runs in debug mode.",
            got=f"{', '.join(zero)} zero",
            expected="measured code",
        )


def report_data_of(document: NitroDocument) -> bytes:
    """Return a document's user_data where it is 64 bytes of report data.

    :raises NitroDocumentMalformedError: there is none, or it has another size
    """
    user_data = document.user_data
    if user_data is None or len(user_data) != REPORT_DATA_SIZE:
        raise NitroDocumentMalformedError(
            "The document's user_data is not report data.",
            got="none" if user_data is None else f"{len(user_data)} bytes",
            expected=f"{REPORT_DATA_SIZE} bytes",
        )
    return user_data
