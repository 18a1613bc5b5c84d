"""KeyManager: an application's hold on keys that it cannot see."""

from __future__ import annotations

from xmtp_tee.client.backups import Backups
from xmtp_tee.client.keys.governance import KeyGovernance
from xmtp_tee.client.keys.lifecycle import KeyLifecycle
from xmtp_tee.client.keys.making import KeyMaking
from xmtp_tee.client.keys.proofs import KeyProofs
from xmtp_tee.client.keys.secrets import KeySecrets
from xmtp_tee.client.keys.signing import KeySigning
from xmtp_tee.client.keys.state import KeyStoreState
from xmtp_tee.client.models import EnclaveInfo, KeyInfo, KeyLimits, PreKeyInfo

__all__ = ["EnclaveInfo", "KeyInfo", "KeyLimits", "KeyManager", "PreKeyInfo"]


class KeyManager(
    KeyMaking,
    KeyLifecycle,
    KeySigning,
    KeySecrets,
    KeyProofs,
    KeyGovernance,
    KeyStoreState,
    Backups,
):
    """A blocking client of one enclave, connected from construction to :meth:`close`.

    Threads may share one; their requests take turns. Nothing is retried: when the connection is
    lost, make a new one, and ask again under the same ``idempotency_key`` where a method takes one.
    Keys are named by opaque ids. Addresses are texts (``0x...``; EIP-55 is checked in mixed case)
    or 20 bytes.

    Every method raises, besides what it names: EnclaveUnavailableError and EnclaveTimeoutError,
    WireError if the two ends do not understand each other, EnclaveMismatchError if the answer is
    not to the question, FieldError for an argument of a wrong type or range, CallerRefusedError
    (or a subclass) if the policy does not grant the operation, KeyExpiredError, KeyLimitError and
    RateLimitedError by the limits of a key or caller.

    WARNING: the socket's other end is whoever owns the socket. Only a verified attestation whose
    authority and transport key are this enclave's shows that it is an enclave.
    """
