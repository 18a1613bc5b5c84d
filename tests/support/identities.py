"""An ERC-8004 identity registry in 38 bytes: ``ownerOf`` reads the slot of the token's number, all else is 0."""

from __future__ import annotations

from tests.support.world import World

IDENTITIES = "0x" + "80" * 18 + "8004"

# calldataload(0) >> 224 == 0x6352211e ? return sload(calldataload(4)) : return 0
CODE = bytes.fromhex("60003560e01c636352211e14601957600060005260206000f35b6004355460005260206000f3")


def give(world: World, agent_id: int, holder: str) -> None:
    """Make ``holder`` the agent's holder."""
    world.chain.request(
        "anvil_setStorageAt", IDENTITIES, f"0x{agent_id:064x}", "0x" + "00" * 12 + holder[2:]
    )
