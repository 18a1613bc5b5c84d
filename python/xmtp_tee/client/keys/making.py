"""Keys: made, derived, found and listed."""

from __future__ import annotations

from xmtp_tee.client.answers import key_of_owner, next_cursor, owner_address, verified_pre_key
from xmtp_tee.client.errors import EnclaveMismatchError
from xmtp_tee.client.keys.base import EnclaveClient
from xmtp_tee.client.models import KeyInfo, KeyLimits, PreKeyInfo
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import ExpiryInvalidError
from xmtp_tee.wire.limits import MAX_EXPIRY


class KeyMaking(EnclaveClient):
    """Making and finding keys."""

    def generate_identity_key(
        self,
        owner: str | bytes,
        *,
        label: str = "",
        exportable: bool = False,
        idempotency_key: str | None = None,
    ) -> KeyInfo:
        """Have the owner's Ed25519 identity key made: its first installation.

        ``exportable``: it may go into a backup, if the policy allows that. ``idempotency_key``: a
        text of the caller's own, best a random one; the same request under it makes no second key.

        :raises IdentityKeyExistsError: if the owner has one
        :raises OwnerInvalidError: if ``owner`` is no address, or the zero address
        """
        raw = owner_address(owner)
        made = self._ask(
            wire.GenerateIdentityKey,
            wire.Key,
            owner=raw,
            label=label,
            exportable=exportable,
            idempotency_key=idempotency_key,
        )
        return key_of_owner(made, raw)

    def generate_pre_key(
        self,
        identity_key_id: str,
        expires_at: int | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> PreKeyInfo:
        """Have the next X25519 pre-key made and signed; the signature is verified here.

        ``expires_at``: unix seconds, by default 90 days from the enclave's now.

        :raises KeyNotFoundError: if there is no such key
        :raises OperationNotAllowedError: if it is no identity key
        :raises ExpiryInvalidError: if the expiry is past or above 2**40 - 1
        :raises PreKeySignatureInvalidError: if the signature that came back does not verify
        """
        if expires_at is not None and not 0 <= expires_at <= MAX_EXPIRY:
            raise ExpiryInvalidError(
                "The pre-key's expiry is not possible",
                got=expires_at,
                expected=f"unix seconds, at most {MAX_EXPIRY}",
            )
        operation = wire.GeneratePreKey(identity_key_id=identity_key_id, expires_at=expires_at)
        made = self._call(operation, wire.PreKey, idempotency_key)
        return verified_pre_key(made, identity_key_id, expires_at)

    def generate_key(
        self,
        purpose: str,
        owner: str | bytes | None = None,
        *,
        key_type: str | None = None,
        label: str = "",
        limits: KeyLimits | None = None,
        releases: bool = False,
        exportable: bool = False,
        idempotency_key: str | None = None,
    ) -> KeyInfo:
        """Have a key made: ``wallet`` (without an owner: it is its own), ``key-agreement``,
        ``hpke``, ``aead``, ``mac`` or ``derivation``.

        ``key_type``: where the purpose has several. ``releases``: its shared secrets may leave.

        :raises PurposeInvalidError: no key is made so for this purpose
        :raises OwnerInvalidError: an owner is missing, superfluous or no address
        :raises LimitsInvalidError: impossible limits
        :raises ReleaseRefusedError: the policy does not allow ``releases`` or ``exportable``
        """
        made = self._ask(
            wire.GenerateKey,
            wire.Key,
            purpose=purpose,
            owner=None if owner is None else owner_address(owner),
            key_type=key_type,
            label=label,
            limits=None if limits is None else limits.to_wire(),
            releases=releases,
            exportable=exportable,
            idempotency_key=idempotency_key,
        )
        return _of_purpose(made, purpose)

    def derive_installation_key(
        self, identity_key_id: str, device_id: str, *, label: str = ""
    ) -> KeyInfo:
        """Derive the identity key's installation key (Ed25519) for a device: the same each time, in
        every enclave that holds the identity key.

        :raises KeyNotFoundError: if there is no such identity key
        :raises DerivationRefusedError: if it has as many installations as it may
        """
        made = self._ask(
            wire.DeriveInstallationKey,
            wire.Key,
            identity_key_id=identity_key_id,
            device_id=device_id,
            label=label,
        )
        if made.derived_from != identity_key_id:
            raise EnclaveMismatchError(
                "The key is derived from another one",
                got=made.derived_from,
                expected=identity_key_id,
            )
        return _of_purpose(made, "xmtp-installation")

    def derive_key(
        self,
        parent_key_id: str,
        purpose: str,
        path: str,
        *,
        key_type: str | None = None,
        label: str = "",
        limits: KeyLimits | None = None,
        releases: bool = False,
    ) -> KeyInfo:
        """Derive a key for ``purpose`` from a ``derivation`` key by ``path`` (1 to 64 characters).

        :raises PurposeInvalidError: nothing of the kind is derived from that key
        :raises DerivationRefusedError: as many are derived from it as there may be
        """
        made = self._ask(
            wire.DeriveKey,
            wire.Key,
            parent_key_id=parent_key_id,
            purpose=purpose,
            path=path,
            key_type=key_type,
            label=label,
            limits=None if limits is None else limits.to_wire(),
            releases=releases,
        )
        return _of_purpose(made, purpose)

    def get_identity_key(self, owner: str | bytes) -> KeyInfo:
        """Return the owner's identity key.

        :raises IdentityKeyNotFoundError: if the owner has none
        :raises OwnerInvalidError: if ``owner`` is no address
        """
        raw = owner_address(owner)
        return key_of_owner(self._call(wire.GetIdentityKey(owner=raw), wire.Key), raw)

    def get_key(self, key_id: str) -> KeyInfo:
        """Return a key's public record.

        :raises KeyNotFoundError: if there is no such key
        """
        key = KeyInfo.from_wire(self._call(wire.GetKey(key_id=key_id), wire.Key))
        if key.id != key_id:
            raise EnclaveMismatchError("Another key came back", got=key.id, expected=key_id)
        return key

    def get_pre_keys(self, identity_key_id: str) -> list[PreKeyInfo]:
        """Return all pre-keys of an identity key, oldest first; every signature is verified here.

        :raises KeyNotFoundError: if there is no such key
        :raises OperationNotAllowedError: if it is no identity key
        :raises PreKeySignatureInvalidError: if a signature does not verify
        """
        found: list[PreKeyInfo] = []
        after: int | None = 0
        while after is not None:
            operation = wire.GetPreKeys(identity_key_id=identity_key_id, after=after)
            page = self._call(operation, wire.PreKeyPage)
            found += [verified_pre_key(key, identity_key_id) for key in page.pre_keys]
            after = next_cursor(after, page.next)
        return found

    def list_keys(
        self,
        owner: str | bytes | None = None,
        *,
        purpose: str | None = None,
        key_type: str | None = None,
        label: str | None = None,
        state: str | None = None,
    ) -> list[KeyInfo]:
        """Return all keys that the caller may see, oldest first, the enclave's own among them; or
        an owner's, without pre-keys.

        ``label``: only keys whose label begins so. ``state``: ``active``, ``deleted`` or
        ``destroyed``.

        :raises OwnerInvalidError: if ``owner`` is no address
        """
        raw = None if owner is None else owner_address(owner)
        found: list[KeyInfo] = []
        after: int | None = 0
        while after is not None:
            page = self._ask(
                wire.ListKeys,
                wire.KeyPage,
                owner=raw,
                after=after,
                purpose=purpose,
                key_type=key_type,
                label=label,
                state=state,
            )
            found += map(KeyInfo.from_wire, page.keys)
            after = next_cursor(after, page.next)
        return found


def _of_purpose(made: wire.Key, purpose: str) -> KeyInfo:
    if made.purpose != purpose:
        raise EnclaveMismatchError(
            "A key of another purpose came back", got=made.purpose, expected=purpose
        )
    return KeyInfo.from_wire(made)
