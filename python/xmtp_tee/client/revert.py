"""Turns revert data into a typed refusal."""

from __future__ import annotations

from typing import cast

from xmtp_tee.client.abi import canonical_type, errors_by_selector
from xmtp_tee.client.chain_errors import ContractRefused, refusal

# The name of a refusal that came without data: the call ran out of gas, or a bare revert.
NO_REASON = "0x (no reason given)"


def decode_revert(
    data: bytes, *, gas_used: int | None = None, transaction: str | None = None
) -> ContractRefused:
    """Return the exception for revert data: selector (4 bytes), then ABI-encoded arguments.

    Data that no known error fits becomes a refusal named by its selector; it is never dropped.
    """
    from eth_abi.abi import decode, encode
    from eth_abi.exceptions import DecodingError, EncodingError

    if len(data) < 4:
        name = "0x" + data.hex() if data else NO_REASON
        return refusal(name, {}, gas_used=gas_used, transaction=transaction)
    entry = errors_by_selector().get(data[:4])
    if entry is None:
        return refusal("0x" + data[:4].hex(), {}, gas_used=gas_used, transaction=transaction)
    types = [canonical_type(item) for item in entry["inputs"]]
    names = [item["name"] or f"arg{i}" for i, item in enumerate(entry["inputs"])]
    try:
        values = decode(types, data[4:])
        exact = encode(types, values) == data[4:]
    except (DecodingError, EncodingError):
        exact = False
    if not exact:
        # The library reads missing bytes as zero; what is shown must be what was returned.
        names, values = ["undecodable"], (data[4:],)
    args = cast("dict[str, object]", dict(zip(names, values, strict=True)))
    return refusal(str(entry["name"]), args, gas_used=gas_used, transaction=transaction)
