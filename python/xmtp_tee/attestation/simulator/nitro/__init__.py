"""Nitro without Nitro: documents in AWS's format under a development root, and the device that makes them.

WARNING: the seed is public, so anybody can make such documents; their assurance level is ``simulated``.
"""

from __future__ import annotations

from xmtp_tee.attestation.simulator.nitro.document import DocumentRecipe
from xmtp_tee.attestation.simulator.nitro.nsm import EmulatedNsm
from xmtp_tee.attestation.simulator.nitro.pki import (
    CertificateShape,
    DevelopmentNitroPki,
    NitroLevel,
    development_nitro_pki,
    development_nitro_root,
)

__all__ = [
    "CertificateShape",
    "DevelopmentNitroPki",
    "DocumentRecipe",
    "EmulatedNsm",
    "NitroLevel",
    "development_nitro_pki",
    "development_nitro_root",
]
