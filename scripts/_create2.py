"""Addresses that follow from code and salt alone: CREATE2 through the deterministic deployment proxy.

The proxy is Arachnid's deterministic-deployment-proxy. It has no owner, and stands at the same address wherever
somebody has sent its one transaction, which nobody's key has signed. It takes ``salt (32 bytes) || creation code``.
"""

from __future__ import annotations

import click
from ape import networks
from eth_utils import keccak, to_canonical_address, to_checksum_address

DEPLOYER = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
DEPLOYER_CODE = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f5"
    "8015156039578182fd5b8082525050506014600cf3"
)
# The proxy's own transaction: no chain id, and a signature that was made up, so that no key could sign another.
DEPLOYER_SENDER = "0x3fAB184622Dc19b6109349B94811493BF2a45362"
DEPLOYER_FUNDS = 10**16  # wei: 100,000 gas at 100 gwei
DEPLOYER_TRANSACTION = (
    "0xf8a58085174876e800830186a08080b853604580600e600039806000f350fe"
    + DEPLOYER_CODE.hex()
    + "1ba0"
    + "22" * 32
    + "a0"
    + "22" * 32
)


def create2_address(salt: bytes, creation_code: bytes) -> str:
    """Return where the proxy puts this code under this salt (EIP-1014). ``salt`` has 32 bytes."""
    if len(salt) != 32:
        raise ValueError(f"salt: got {len(salt)} bytes, expected 32")
    digest = keccak(b"\xff" + to_canonical_address(DEPLOYER) + salt + keccak(creation_code))
    return str(to_checksum_address(digest[12:]))


def require_deployer() -> None:
    """Refuse a chain on which the proxy does not stand, and say how it gets there."""
    code = bytes(networks.provider.get_code(DEPLOYER))
    if code == DEPLOYER_CODE:
        return
    if code:
        raise click.ClickException(
            f"another contract stands at {DEPLOYER}: this chain has no deterministic deployment"
        )
    raise click.ClickException(
        f"the deterministic deployment proxy is not on this chain: got no code at {DEPLOYER}\n"
        f"  send 0.01 ether to {DEPLOYER_SENDER}, then anybody may send its transaction:\n"
        f"  cast publish --rpc-url URL {DEPLOYER_TRANSACTION}\n"
        "  (a chain that takes no transaction without a chain id, EIP-155, must have it built in)"
    )
