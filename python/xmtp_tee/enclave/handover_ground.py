"""What one enclave of a hand-over judges the other's evidence by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.offline import Trust
from xmtp_tee.attestation.rsa_pss import rsa_modulus
from xmtp_tee.attestation.sevsnp.anchors import AMD_ANCHORS, Anchor, anchor_of
from xmtp_tee.attestation.sevsnp.certificate_table import parse_evidence
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.sevsnp.verify import verify_signatures
from xmtp_tee.attestation.x509 import read_x509
from xmtp_tee.enclave.errors import ConfigurationError
from xmtp_tee.hashing import keccak256


@dataclass(frozen=True, slots=True)
class Ground:
    """``root``: the certificate (DER) under which the evidence shall stand; of SEV-SNP the ARK.
    ``collateral``: of SGX and TDX, as JSON. ``floors``: of SEV-SNP, as :class:`Trust` has them.
    ``own_level``: what the judging enclave's own driver may claim. ``now``: unix seconds.
    """

    root: bytes
    collateral: bytes
    own_level: AssuranceLevel
    now: int
    floors: Mapping[ProductLine, Tcb] = field(default_factory=dict)

    def trust(self, tee: TeeKind) -> Trust:
        """Return by what evidence of this kind is judged.

        :raises FieldError: the collateral cannot be read
        :raises UnicodeDecodeError: it is no text
        :raises InvalidEvidenceError: of SEV-SNP, the root is no ARK that is pinned
        """
        if tee is TeeKind.SEV_SNP:
            root = keccak256(rsa_modulus(read_x509(self.root, "The root")))
            return Trust(anchors=(anchor_of(root, _anchors(self.own_level)),), floors=self.floors)
        given = Collateral.from_json(self.collateral.decode()) if self.collateral else None
        return Trust(root=self.root, collateral=given)


def own_floors(driver: Driver, now: int) -> dict[ProductLine, Tcb]:
    """Return the least TCB that a SEV-SNP enclave asks of another of its product line: its own.

    AMD signs no list of what is up to date. To the keys it makes no difference: they stand on this
    platform as well, and whoever relies on them judges it by a floor of his own.

    :raises XmtpTeeError: the platform makes no evidence, or none that verifies
    """
    if driver.tee is not TeeKind.SEV_SNP:
        return {}
    evidence = parse_evidence(driver.quote(bytes(64)))
    anchors = _anchors(driver.assurance)
    chain, tcb = verify_signatures(evidence, anchors, now, frozenset(), ())
    return {chain.anchor.product: tcb}


def own_root(driver: Driver) -> bytes:
    """Return the root certificate (DER) that a SEV-SNP platform's own evidence carries, unverified.

    :raises ConfigurationError: another TEE's, whose evidence stands under one root for all platforms
    :raises XmtpTeeError: the platform makes no evidence
    """
    if driver.tee is not TeeKind.SEV_SNP:
        raise ConfigurationError(
            "A hand-over needs the root of the evidence", got=driver.tee.label, expected="--root"
        )
    return parse_evidence(driver.quote(bytes(64))).ark


def _anchors(own_level: AssuranceLevel) -> tuple[Anchor, ...]:
    if own_level is not AssuranceLevel.SIMULATED:
        return AMD_ANCHORS
    from xmtp_tee.attestation.simulator.sevsnp.pki import development_anchors

    return (*AMD_ANCHORS, *development_anchors())
