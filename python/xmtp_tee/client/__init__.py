"""What an application imports. Names are loaded on first use: KeyManager alone never costs web3's
second.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xmtp_tee.client.caller import CallerKey
    from xmtp_tee.client.deployment import Deployment
    from xmtp_tee.client.errors import (
        EnclaveMismatchError,
        EnclaveTimeoutError,
        EnclaveUnavailableError,
    )
    from xmtp_tee.client.key_manager import KeyManager
    from xmtp_tee.client.models import EnclaveInfo, KeyInfo, KeyLimits, PreKeyInfo
    from xmtp_tee.client.receipts import OperationReceipt
    from xmtp_tee.client.registry import RegistrySync
    from xmtp_tee.client.registry_reader import RegistryReader
    from xmtp_tee.client.relay import Relayer

__all__ = [
    "CallerKey",
    "Deployment",
    "EnclaveInfo",
    "EnclaveMismatchError",
    "EnclaveTimeoutError",
    "EnclaveUnavailableError",
    "KeyInfo",
    "KeyLimits",
    "KeyManager",
    "OperationReceipt",
    "PreKeyInfo",
    "RegistryReader",
    "RegistrySync",
    "Relayer",
]

_HOMES = {
    "CallerKey": "caller",
    "Deployment": "deployment",
    "EnclaveInfo": "models",
    "EnclaveMismatchError": "errors",
    "EnclaveTimeoutError": "errors",
    "EnclaveUnavailableError": "errors",
    "KeyInfo": "models",
    "KeyLimits": "models",
    "KeyManager": "key_manager",
    "OperationReceipt": "receipts",
    "PreKeyInfo": "models",
    "RegistryReader": "registry_reader",
    "RegistrySync": "registry",
    "Relayer": "relay",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
