"""The successor's side of a hand-over: ``python -m xmtp_tee.enclave --receive-store-from SOCKET``.

It gets the store key, wraps it for its own platform and has the old enclave keep that wrap in the
store. From then on it opens the store like any enclave; the store key is not kept anywhere else.
"""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from typing import Final, TypeVar

from xmtp_tee import hpke
from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.offline import workload_of_attestation
from xmtp_tee.enclave.handover import (
    INFO,
    claimed,
    handed,
    report_data,
    require_predecessor,
)
from xmtp_tee.enclave.handover_ground import Ground, own_floors, own_root
from xmtp_tee.enclave.predecessors import TCB_FLOORS
from xmtp_tee.enclave.private_keys import wiped
from xmtp_tee.enclave.sealing import KEY_SIZE, provider_of, wrap_store_key
from xmtp_tee.errors import InvalidEvidenceError
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import (
    ServerMessageDecoder,
    decode_result,
    encode_request,
    request,
)
from xmtp_tee.wire.errors import MessageUnexpectedError
from xmtp_tee.wire.faults import to_exception
from xmtp_tee.wire.limits import PROTOCOL_VERSION
from xmtp_tee.wire.store_faults import SuccessorRefusedError

log = logging.getLogger("xmtp_tee.enclave")

_SUITE: Final = hpke.X25519_CHACHA20_POLY1305
_TIMEOUT: Final = 30.0
R = TypeVar("R", bound=wire.Message)


class _Predecessor:
    """One connection to the old enclave."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_TIMEOUT)
        self._decoder = ServerMessageDecoder()
        self._number = 0
        self._socket.connect(os.fspath(path))
        self._socket.sendall(encode_request(wire.Hello(version=PROTOCOL_VERSION)))
        if not isinstance(self._next(), wire.Welcome):
            raise MessageUnexpectedError("The old enclave does not welcome its successor")

    def ask(self, operation: wire.Operation, expected: type[R]) -> R:
        self._number += 1
        self._socket.sendall(encode_request(request(self._number, operation)))
        answer = self._next()
        if not isinstance(answer, wire.Reply) or answer.id != self._number:
            raise MessageUnexpectedError("The old enclave answers another question")
        result = decode_result(answer)
        if not isinstance(result, expected):
            raise MessageUnexpectedError("The old enclave answers another question")
        return result

    def close(self) -> None:
        self._socket.close()

    def _next(self) -> wire.ServerMessage:
        while (message := self._decoder.next_message()) is None:
            data = self._socket.recv(1 << 16)
            if not data:
                raise MessageUnexpectedError("The old enclave hung up")
            self._decoder.feed(data)
        if isinstance(message, wire.Failure):
            raise to_exception(message)
        return message


def receive_store(
    path: Path,
    driver: Driver,
    root: bytes,
    collateral: bytes,
    now: int,
    *,
    predecessor_root: bytes = b"",
) -> str:
    """Have the enclave at ``path`` hand its store over to this platform; return the store's id.

    ``root``: the certificate (DER) under which this platform's evidence stands; SEV-SNP's carries it,
    so there it may be empty. ``predecessor_root``: the old enclave's, unless it is the same one.
    ``collateral``: of SGX and TDX, as JSON. ``now``: unix seconds.

    :raises ConfigurationError: if no root is given, and the platform's evidence carries none
    :raises PredecessorRefusedError: if it is not shown that an enclave of trusted code is at ``path``
    :raises SuccessorRefusedError: if the old enclave's policy does not approve this one
    :raises XmtpTeeError: whatever else it answers
    """
    root = root or own_root(driver)
    floors = {**own_floors(driver, now), **TCB_FLOORS}
    ground = Ground(predecessor_root or root, collateral, driver.assurance, now, floors)
    try:
        old = _Predecessor(path)
    except OSError as error:
        raise SuccessorRefusedError(
            "The old enclave cannot be reached", got=path, cause=error.strerror
        ) from None
    try:
        issued = old.ask(wire.HandOverChallenge(), wire.HandOverNonce)
        private, public = hpke.derive_key_pair(_SUITE, os.urandom(32))
        aad = report_data(public, issued.nonce, issued.store_id)
        answer = old.ask(
            wire.HandOver(
                nonce=issued.nonce,
                successor_key=public,
                tee=driver.tee.label,
                quote=driver.quote(aad),
                collateral=collateral,
                root=root,
            ),
            wire.HandedOver,
        )
        if answer.store_id != issued.store_id:
            raise InvalidEvidenceError("The old enclave speaks of two stores")
        _require_enclave(answer, public, driver, ground)
        opened = hpke.open_(_SUITE, answer.enc, private, INFO, aad, answer.ciphertext)
        with wiped(bytearray(opened)) as store_key, wiped(driver.seal_root()) as seal_root:
            if len(store_key) != KEY_SIZE:
                raise InvalidEvidenceError("What was handed over is no store key")
            wrap = wrap_store_key(store_key, seal_root, issued.store_id, provider_of(driver))
        old.ask(
            wire.AcceptWrap(provider=wrap.provider, check=wrap.check, wrapped=wrap.wrapped),
            wire.WrapAccepted,
        )
    finally:
        old.close()
    log.info("the store %s opens on this platform now", issued.store_id.hex())
    return issued.store_id.hex()


def _require_enclave(
    answer: wire.HandedOver, public: bytes, driver: Driver, ground: Ground
) -> None:
    store_id = answer.store_id
    own = claimed(driver.tee, driver.quote(bytes(64)), public, bytes(32), store_id)
    tee = next((kind for kind in TeeKind if kind.label == answer.tee), TeeKind.NONE)
    evidence = handed(tee, answer.quote, public, store_id, answer.enc, answer.ciphertext)
    require_predecessor(evidence, workload_of_attestation(own), ground)
