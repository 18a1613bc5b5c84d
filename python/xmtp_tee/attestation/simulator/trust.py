"""What a judge of simulated evidence goes by: the development roots, and collateral that the simulator issues itself.

WARNING: anybody can make evidence that holds under this trust. A verdict under it says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.offline import Trust
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.simulator.collateral import CollateralRecipe
from xmtp_tee.attestation.simulator.nitro.pki import development_nitro_root
from xmtp_tee.attestation.simulator.pki import development_root_certificate
from xmtp_tee.attestation.simulator.sevsnp.pki import DEVELOPMENT_TCB, development_anchors

COLLATERAL_AGE = 3_600
"""Collateral is issued an hour before it is judged, in seconds, so that no clock is ahead of it."""

DEVELOPMENT_FLOORS: Mapping[ProductLine, Tcb] = dict.fromkeys(ProductLine, DEVELOPMENT_TCB)
"""The simulated platforms' own TCB: they are up to date."""


def development_trust(tee: TeeKind, now: int) -> Trust:
    """Return what evidence of a simulated TEE is judged by at ``now`` (unix seconds)."""
    if tee is TeeKind.SEV_SNP:
        return Trust(anchors=development_anchors(), floors=DEVELOPMENT_FLOORS)
    if tee is TeeKind.NITRO:
        return Trust(root=development_nitro_root())
    recipe = CollateralRecipe.sgx() if tee is TeeKind.SGX else CollateralRecipe()
    collateral = recipe.build(now - COLLATERAL_AGE)
    return Trust(root=development_root_certificate(), collateral=collateral)
