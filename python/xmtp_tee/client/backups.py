"""Backups through a KeyManager: passwords and shares travel sealed to the enclave's transport key."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

import msgspec

from xmtp_tee import hpke
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.judgement import WORKLOAD
from xmtp_tee.backup import sealing
from xmtp_tee.backup.container import Container, Header, parse
from xmtp_tee.backup.passwords import password_bytes
from xmtp_tee.client.errors import EnclaveMismatchError, EnclaveNotVerifiedError
from xmtp_tee.client.keys.base import EnclaveClient
from xmtp_tee.client.models import KeyInfo
from xmtp_tee.errors import ExitCode
from xmtp_tee.verdict import Verdict
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.backup_faults import BackupRecipientError
from xmtp_tee.wire.messages.backup import (
    SEALED_INPUT_INFO,
    SEALED_OUTPUT_INFO,
    sealed_input_data,
)

_SUITE: Final = hpke.X25519_CHACHA20_POLY1305


@dataclass(frozen=True, slots=True)
class Backup:
    """A key that left sealed. ``shares``: SLIP-39 mnemonics, each for another hand."""

    data: bytes
    shares: tuple[str, ...] = field(default=(), repr=False)


class Backups(EnclaveClient):
    """The part of :class:`~xmtp_tee.client.key_manager.KeyManager` that is about backups."""

    def accept_verdict(self, attestation: Attestation, verdict: Verdict) -> None:
        """Take this connection's enclave for verified by a verdict over its attestation, of any TEE.

        The verdict must have compared the code with a list of trusted workloads: genuine hardware runs any code.

        :raises EnclaveNotVerifiedError: if it is another enclave's attestation, did not verify, or says nothing of
        the code
        """
        enclave = self._connection.enclave
        own = (attestation.authority, attestation.transport_key) == (
            enclave.authority,
            enclave.transport_key,
        )
        if not own or verdict.exit_code is not ExitCode.VERIFIED:
            raise EnclaveNotVerifiedError(
                "The enclave on this connection is not shown to be one", got=verdict.sentence
            )
        if not verdict.passed(WORKLOAD):
            raise EnclaveNotVerifiedError(
                "The verdict does not say that the enclave's code is trusted",
                got=f"{WORKLOAD} not checked",
                expected="a verdict under a list of workloads",
            )
        self._verified = True

    def export_encrypted(
        self,
        key_id: str,
        *,
        password: str | None = None,
        public_keys: Sequence[bytes] = (),
        successors: Sequence[bytes] = (),
        shares: tuple[int, int] | None = None,
        unverified_enclave: bool = False,
    ) -> Backup:
        """Have a key sealed into a container for each of these ways in.

        ``password``: 12 bytes or more, stretched by Argon2id inside. ``public_keys``: X25519 (32
        bytes) or X-Wing (1,216). ``successors``: transport keys of other enclaves. ``shares``:
        SLIP-39, threshold and count. A password asks for a verified enclave (:meth:`verify_attestation`
        on this connection, with the workloads that may have it), or for ``unverified_enclave``.

        :raises EnclaveNotVerifiedError: if a secret would go to an enclave that was not verified
        :raises KeyNotExportableError: if the key may not leave; also while the policy forbids it
        :raises BackupRecipientError: if there is no way in, or an impossible one
        :raises BackupPasswordError: if the password is too short or too long
        """
        reply = os.urandom(32) if shares else None
        operation = wire.ExportKey(
            key_id=key_id,
            public_keys=tuple(public_keys),
            successors=tuple(successors),
            shares=None if shares is None else wire.ShareCount(*shares),
            reply_key=None if reply is None else hpke.public_key(_SUITE, reply),
        )
        if password is not None:
            sealed = self._sealed(password_bytes(password), operation, unverified_enclave)
            operation = msgspec.structs.replace(operation, password=sealed)
        made = self._call(operation, wire.ExportedKey)
        parse(made.data)
        if reply is None:
            return Backup(made.data)
        if made.shares is None:
            raise EnclaveMismatchError("The shares did not come back")
        aad = b"export-key" + key_id.encode()
        text = hpke.open_(
            _SUITE, made.shares.enc, reply, SEALED_OUTPUT_INFO, aad, made.shares.ciphertext
        )
        return Backup(made.data, tuple(text.decode().split("\n")))

    def export_age(self, key_id: str, recipients: Sequence[str]) -> bytes:
        """Have a key sealed into an age file for X25519 recipients (``age1...``).

        :raises BackupRecipientError: if there is none, or one is not an age recipient
        :raises KeyNotExportableError: if the key may not leave
        """
        operation = wire.ExportKey(key_id=key_id, format="age", age_recipients=tuple(recipients))
        return self._call(operation, wire.ExportedKey).data

    def export_keystore(
        self, key_id: str, password: str, *, unverified_enclave: bool = False
    ) -> bytes:
        """Have a secp256k1 key sealed into an Ethereum keystore, version 3 (JSON).

        :raises EnclaveNotVerifiedError: if the enclave was not verified
        :raises BackupRecipientError: if it is no secp256k1 key
        :raises KeyNotExportableError: if the key may not leave
        """
        operation = wire.ExportKey(key_id=key_id, format="keystore")
        sealed = self._sealed(password_bytes(password), operation, unverified_enclave)
        operation = msgspec.structs.replace(operation, password=sealed)
        return self._call(operation, wire.ExportedKey).data

    def import_from_backup(
        self,
        data: bytes,
        *,
        password: str | None = None,
        shares: Sequence[str] | None = None,
        private_key: bytes | None = None,
        exportable: bool = False,
        label: str = "",
        unverified_enclave: bool = False,
    ) -> KeyInfo:
        """Have a key taken in from a container; its provenance is ``imported`` for ever.

        Exactly one of ``password``, ``shares`` and ``private_key`` (X25519 or X-Wing; it is used
        here, only the container's data key goes to the enclave); none of them for a container that
        was made for this enclave's transport key.

        :raises BackupMalformedError: if it is no container
        :raises BackupDoesNotOpenError: if the password or key is wrong or the container was changed
        :raises BackupWayMissingError: if it has no such way in
        :raises BackupKdfError: if its Argon2id parameters are out of bounds
        :raises EnclaveNotVerifiedError: if a secret would go to an enclave that was not verified
        """
        container = parse(data)
        way, secret = "enclave", None
        given = [each is not None for each in (password, shares, private_key)]
        if sum(given) > 1:
            raise BackupRecipientError("A backup is opened in one way", got=f"{sum(given)} ways")
        if password is not None:
            way, secret = "password", password_bytes(password)
        elif shares is not None:
            way, secret = "shares", bytearray("\n".join(shares).encode())
        elif private_key is not None:
            way, secret = "data-key", self._data_key(container, private_key)
        operation = wire.ImportKey(
            container=data,
            way=way,
            exportable=exportable,
            label=label,
        )
        if secret is not None:
            sealed = self._sealed(secret, operation, unverified_enclave)
            operation = msgspec.structs.replace(operation, secret=sealed)
        key = KeyInfo.from_wire(self._call(operation, wire.Key))
        if key.public_key != container.header.key.public_key:
            raise EnclaveMismatchError("Another key came back than the backup's", got=key.id)
        return key

    @staticmethod
    def inspect_backup(data: bytes) -> Header:
        """Return what a container says of itself. WARNING: nothing of it is verified.

        :raises BackupMalformedError: if it is no container
        """
        return parse(data).header

    @staticmethod
    def _data_key(container: Container, private_key: bytes) -> bytearray:
        for suite in (hpke.X25519_CHACHA20_POLY1305, hpke.XWING_CHACHA20_POLY1305):
            public = hpke.public_key(suite, private_key)
            known = {getattr(way, "recipient", None) for way in container.header.ways}
            if sha256(public).digest() in known:
                return sealing.unwrap_data_key(container, private_key, public)
        public = hpke.public_key(hpke.X25519_CHACHA20_POLY1305, private_key)
        return sealing.unwrap_data_key(container, private_key, public)

    def _sealed(
        self, secret: bytearray, operation: wire.ExportKey | wire.ImportKey, unverified: bool
    ) -> wire.SealedInput:
        try:
            if not (self._verified or unverified):
                raise EnclaveNotVerifiedError(
                    "The enclave on this connection has not been verified, and would get a secret",
                    expected="verify_attestation first, with the workloads that may have it",
                )
            enc, ciphertext = hpke.seal(
                _SUITE, self._connection.enclave.transport_key, SEALED_INPUT_INFO,
                sealed_input_data(operation), bytes(secret), entropy=os.urandom,
            )  # fmt: skip
            return wire.SealedInput(enc, ciphertext)
        finally:
            secret[:] = bytes(len(secret))
