"""An owner's account signs an intent: through a node, or offline with a key that this process holds."""

from __future__ import annotations

from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.client.accounts import LocalSender, Sender
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.chain_errors import SenderError
from xmtp_tee.client.intents import OwnerIntent


def sign_intent(intent: OwnerIntent, owner: Sender, chain: Chain) -> OwnerIntent:
    """Return the intent with its owner's signature (an account's; contract wallets sign elsewhere).

    :raises SenderError: the account is not the intent's owner
    """
    _require_signer(intent, owner.address)
    return intent.signed(owner.sign_typed_data(chain.web3, intent.typed_data()))


def sign_intent_offline(intent: OwnerIntent, owner: LocalSender) -> OwnerIntent:
    """The same with a key that this process holds: no chain is needed."""
    _require_signer(intent, owner.address)
    return intent.signed(owner.sign_offline(intent.typed_data()))


def _require_signer(intent: OwnerIntent, account: str) -> None:
    if parse_address(account) != intent.owner:
        raise SenderError(
            "the intent is another owner's",
            got=f"account {account}",
            expected=f"owner {checksum_address(intent.owner)}",
        )
