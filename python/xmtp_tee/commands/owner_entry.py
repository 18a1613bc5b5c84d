"""Judges an owner's entry: by what the registry says, or proven against the hash of a block."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.options import ChainChoice, hex_bytes, open_keys
from xmtp_tee.commands.owners import is_agent, require_owner, resolve_owner
from xmtp_tee.errors import UsageError

if TYPE_CHECKING:
    from xmtp_tee.client.on_chain_key import OnChainKey
    from xmtp_tee.verdict import Verdict


def judge_owner(
    owner: str,
    identity_key: str | None,
    socket: Path | None,
    where: ChainChoice,
    console: Console,
    *,
    accept_simulated: bool,
) -> Verdict:
    """Return the verdict on what the registry says of a bundle; with a socket, compared with the enclave there.

    ``identity_key``: hex, 32 bytes, for an owner with several.
    """
    require_owner(owner)
    named = None if identity_key is None else hex_bytes(identity_key, "--identity-key", 32)
    chain, deployment = where.connect(console)
    from xmtp_tee.client.comparison import judge_registration
    from xmtp_tee.client.registry_reader import RegistryReader

    reader = RegistryReader(chain, deployment)
    with console.progress("asking the registry"):
        owner = resolve_owner(reader, owner)
        key = _only_key(reader.keys_of(owner), owner) if named is None else named
    if socket is None:
        with console.progress("verifying"):
            return judge_registration(reader, owner, key, accept_simulated=accept_simulated)
    with open_keys(socket) as keys, console.progress("verifying"):
        return judge_registration(reader, owner, key, keys=keys, accept_simulated=accept_simulated)


def judge_proven_owner(
    owner: str,
    identity_key: str | None,
    trusted_block: str,
    where: ChainChoice,
    console: Console,
    *,
    accept_simulated: bool,
) -> Verdict:
    """Return the verdict on a bundle, every word proven against the block hash ``trusted_block`` (hex, 32 bytes)."""
    require_owner(owner)
    if is_agent(owner):
        raise UsageError(
            "an agent's handle comes from the node, which is not believed here",
            got=owner,
            expected="the handle itself, an address (`xmtp-tee lookup` with a node that you trust shows it)",
        )
    block = hex_bytes(trusted_block, "--trusted-block", 32)
    named = None if identity_key is None else hex_bytes(identity_key, "--identity-key", 32)
    chain, deployment = where.connect(console)
    from xmtp_tee.client.registry_reader import RegistryReader
    from xmtp_tee.client.state_proof.registries import ProvenBundle, ProvenRegistries
    from xmtp_tee.client.state_proof.verdict import judge_proven

    reader = RegistryReader(chain, deployment)
    owner = resolve_owner(reader, owner)
    registries = ProvenRegistries(chain, deployment, block)

    def signature_of(bundle: ProvenBundle) -> bytes:
        return reader.published_signature(owner, bundle.identity_key, bundle.pre_key)

    with console.progress("proving"):
        key = named
        if key is None:
            key = _one(owner, [bundle.identity_key for bundle in registries.active(owner)])
        return judge_proven(
            registries, deployment, owner, key, signature_of, accept_simulated=accept_simulated
        )


def _only_key(keys: list[OnChainKey], owner: str) -> bytes:
    from xmtp_tee.client.published import KeyState

    active = [key for key in keys if key.state is KeyState.ACTIVE] or keys
    return _one(owner, [key.identity_key for key in active])


def _one(owner: str, identity_keys: list[bytes]) -> bytes:
    from xmtp_tee.client.chain_errors import NotRegistered

    if not identity_keys:
        raise NotRegistered(
            "the registry holds no bundle of this owner",
            got=owner,
            next_command="xmtp-tee register",
        )
    if len(identity_keys) > 1:
        raise UsageError(
            "the owner has several keys",
            got=", ".join("0x" + key.hex() for key in identity_keys),
            expected="one",
            next_command="pass --identity-key",
        )
    return identity_keys[0]
