"""The simulator: a development PKI that makes quotes and collateral in Intel's genuine formats.

It is not a mock: the verifiers, on chain and off, check every byte of what it makes, and only the pinned root
differs. WARNING: the seed of the development root is public, so anybody can make such evidence. It shows that
the software works and nothing else; the assurance level is ``simulated``.
"""

from __future__ import annotations

from xmtp_tee.attestation.simulator.collateral import (
    CollateralRecipe,
    QeIdentityRecipe,
    QeLevel,
    TcbInfoRecipe,
    TcbLevel,
    TdxModuleIdentity,
    TdxModuleLevel,
)
from xmtp_tee.attestation.simulator.pki import (
    DEVELOPMENT_SEED,
    CertificateShape,
    DevelopmentPki,
    Issued,
    Platform,
    development_pki,
    development_root_certificate,
    unrelated_serials,
)
from xmtp_tee.attestation.simulator.quote import (
    QuoteRecipe,
    QuotingEnclave,
    SgxRecipe,
    TdRecipe,
)

__all__ = [
    "DEVELOPMENT_SEED",
    "CertificateShape",
    "CollateralRecipe",
    "DevelopmentPki",
    "Issued",
    "Platform",
    "QeIdentityRecipe",
    "QeLevel",
    "QuoteRecipe",
    "QuotingEnclave",
    "SgxRecipe",
    "TcbInfoRecipe",
    "TcbLevel",
    "TdRecipe",
    "TdxModuleIdentity",
    "TdxModuleLevel",
    "development_pki",
    "development_root_certificate",
    "unrelated_serials",
]
