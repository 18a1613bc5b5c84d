"""SEV-SNP without SEV-SNP: reports in AMD's format under development keys, and the interfaces that make them.

WARNING: the seed is public, so anybody can make such reports; their assurance level is ``simulated``.
"""

from __future__ import annotations

from xmtp_tee.attestation.simulator.sevsnp.crl import AmdCrlRecipe
from xmtp_tee.attestation.simulator.sevsnp.guest import EmulatedSevGuest, EmulatedTsm
from xmtp_tee.attestation.simulator.sevsnp.pki import (
    DevelopmentSnpPki,
    EndorsementRecipe,
    development_anchors,
    development_snp_pki,
)
from xmtp_tee.attestation.simulator.sevsnp.report import SnpReportRecipe

__all__ = [
    "AmdCrlRecipe",
    "DevelopmentSnpPki",
    "EmulatedSevGuest",
    "EmulatedTsm",
    "EndorsementRecipe",
    "SnpReportRecipe",
    "development_anchors",
    "development_snp_pki",
]
