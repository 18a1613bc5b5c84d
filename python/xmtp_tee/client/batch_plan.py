"""How registrations of many owners are cut into transactions: by gas, and by size. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from eth_abi.abi import encode

from xmtp_tee.client.intents import IntentInvalid, OwnerIntent
from xmtp_tee.client.proof import CERTIFICATE_SIZE

TRANSACTION_GAS_LIMIT = 2**24
"""EIP-7825: no transaction may carry more gas."""
TRANSACTION_SIZE_LIMIT = 120_000
"""Bytes of calldata; nodes take transactions of up to 128 KiB as a whole (geth, txMaxSize)."""
# The registry gives every entry an equal share of what is left and refuses less than 150,000 for each; what a share
# leaves over goes on to the entries behind it. A contract wallet may be deployed and asked, evidence be verified.
_PLAIN_GAS = 152_000
_WALLET_GAS = 800_000
_EVIDENCE_GAS = 8_000_000
_OVERHEAD_GAS = 60_000
_ACCOUNT_SIGNATURE = 65
_REGISTRATION = "(address,bytes,bytes,bytes,bytes,uint256,bytes)"


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries of one transaction: their places among the intents, and the transaction's gas limit."""

    places: tuple[int, ...]
    gas: int


class _Calldata(NamedTuple):
    """An entry's bytes, the gas that they cost (EIP-2028), and the least that they cost in all (EIP-7623)."""

    size: int = 0
    gas: int = 0
    floor: int = 0

    def plus(self, other: _Calldata) -> _Calldata:
        return _Calldata(self.size + other.size, self.gas + other.gas, self.floor + other.floor)


@dataclass(slots=True)
class _Open:
    """A batch that may still grow; every entry gets the largest ``share`` of them."""

    places: list[int] = field(default_factory=list)
    calldata: _Calldata = field(default_factory=_Calldata)
    share: int = 0

    def grown(self, place: int, calldata: _Calldata, share: int) -> _Open:
        return _Open([*self.places, place], self.calldata.plus(calldata), max(self.share, share))

    @property
    def gas(self) -> int:
        return _gas(self.calldata, self.share * len(self.places))

    @property
    def fits(self) -> bool:
        return self.gas < TRANSACTION_GAS_LIMIT and self.calldata.size <= TRANSACTION_SIZE_LIMIT

    def closed(self) -> Batch:
        """What is not used of a gas limit is not paid."""
        return Batch(tuple(self.places), min(self.gas * 4 // 3, TRANSACTION_GAS_LIMIT - 1))


def plan(intents: Sequence[OwnerIntent], *, generosity: int = 1) -> list[Batch]:
    """Cut registrations into transactions below the limits of gas and size, in their order.

    An entry gets ``generosity`` times its usual gas, or all that a transaction has for it.

    :raises IntentInvalid: one alone does not fit
    """
    return list(_planned(intents, generosity))


def require_fits(intent: OwnerIntent) -> None:
    """Refuse a registration that no transaction can bring.

    :raises IntentInvalid: its bytes, or its usual need of gas, are above a transaction's limits
    """
    calldata = _calldata(intent)
    gas = _gas(calldata, _usual_gas(intent))
    if calldata.size > TRANSACTION_SIZE_LIMIT or gas >= TRANSACTION_GAS_LIMIT:
        raise IntentInvalid(
            "the registration does not fit a transaction",
            got=f"{calldata.size} bytes, {gas} gas",
            expected=f"at most {TRANSACTION_SIZE_LIMIT} bytes, and less than {TRANSACTION_GAS_LIMIT} gas",
        )


def brings_evidence(intent: OwnerIntent) -> bool:
    """Whether its proof carries a quote beside the certificate."""
    return len(intent.proof) > CERTIFICATE_SIZE


def _planned(intents: Sequence[OwnerIntent], generosity: int) -> Iterator[Batch]:
    batch = _Open()
    for place, intent in enumerate(intents):
        require_fits(intent)
        calldata = _calldata(intent)
        # At most all that a transaction has for one entry.
        share = min(_usual_gas(intent) * generosity, TRANSACTION_GAS_LIMIT - 1 - _gas(calldata, 0))
        wider = batch.grown(place, calldata, share)
        if not wider.fits:
            yield batch.closed()
            wider = _Open().grown(place, calldata, share)
        batch = wider
    if batch.places:
        yield batch.closed()


def _gas(calldata: _Calldata, shares: int) -> int:
    return max(_OVERHEAD_GAS + calldata.gas + shares, _OVERHEAD_GAS + calldata.floor)


def _usual_gas(intent: OwnerIntent) -> int:
    if brings_evidence(intent):
        return _EVIDENCE_GAS
    return _PLAIN_GAS if len(intent.signature) == _ACCOUNT_SIGNATURE else _WALLET_GAS


def _calldata(intent: OwnerIntent) -> _Calldata:
    encoded = encode([_REGISTRATION], [intent.arguments])
    zeros = encoded.count(0)
    others = len(encoded) - zeros
    return _Calldata(len(encoded), 16 * others + 4 * zeros, 40 * others + 10 * zeros)
