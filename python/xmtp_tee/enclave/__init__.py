"""The process inside the TEE: the trusted computing base.

==================  ===============================================================================
module              its one job
==================  ===============================================================================
``purposes``        what a key may do: the table, default deny
``private_keys``    make, use and wipe private keys
``records``         what is remembered of a key; the associated data of its sealed parts
``sealing``         AEAD and key derivation from the platform's seal root
``storage``         sealed rows in a database: SQLite, or PostgreSQL for several enclaves
``integrity``       the hash tree over all facts of the store, the chain over all its states
``anchors``         where the last state is kept outside of the store
``store``           the sealed key store
``callers``         who calls, and what the policy grants
``operations``      what is done on request, a module per family, and the table of them
``audit``           the log of every request, sealed and chained
``service``         requests in, answers out, through all gates
``handles``         secrets in memory for one caller
``usage``           how often and how fast keys are used
``derivation``      keys from keys; ``agreement``: shared secrets; ``symmetric``: AEAD and codes
``wallet``          what a wallet key may sign
``session``         one connection, without its socket
``listener``        the Unix socket and the state directory, safe or refused
``server``          connections, limits, timeouts
``handover``        who may get the store; ``successor``: the other side of it
``hygiene``         no core dumps, no tracing, no swap; ``landlock``, ``seccomp``: nothing else in reach
``process``         start, serve, stop
==================  ===============================================================================

It imports neither ``xmtp_tee.client`` nor ``xmtp_tee.cli``, and nothing that talks to a chain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xmtp_tee.enclave.config import EnclaveConfig
    from xmtp_tee.enclave.process import run

__all__ = ["EnclaveConfig", "run"]


def __getattr__(name: str) -> Any:
    """Import on first use, so that a command that only asks for help stays quick."""
    if name == "EnclaveConfig":
        from xmtp_tee.enclave.config import EnclaveConfig

        return EnclaveConfig
    if name == "run":
        from xmtp_tee.enclave.process import run

        return run
    raise AttributeError(name)
