"""Who the enclave is."""

from __future__ import annotations

from xmtp_tee import __version__
from xmtp_tee.enclave.operations.call import Call, Parts
from xmtp_tee.wire import messages as wire


def ping(call: Call, operation: wire.Ping) -> wire.Pong:
    """Answer."""
    return wire.Pong()


def describe(call: Call, operation: wire.Describe) -> wire.EnclaveDescription:
    """Return who this enclave is."""
    return description(call.parts)


def description(parts: Parts) -> wire.EnclaveDescription:
    """Return who the enclave of these parts is."""
    return wire.EnclaveDescription(
        authority=parts.authority_address,
        authority_key_id=parts.authority.id,
        transport_key=parts.transport.public_key,
        transport_key_id=parts.transport.id,
        tee=parts.driver.tee.label,
        assurance=parts.driver.assurance.label,
        further_tees=tuple(driver.tee.label for driver in parts.further),
        store_id=parts.store.store_id.hex(),
        software_version=__version__,
    )
