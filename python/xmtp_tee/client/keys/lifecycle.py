"""The life of keys after their birth."""

from __future__ import annotations

from typing import Any

from xmtp_tee.client.errors import EnclaveMismatchError
from xmtp_tee.client.keys.base import EnclaveClient, M
from xmtp_tee.client.models import KeyInfo, KeyLimits
from xmtp_tee.wire import messages as wire


class KeyLifecycle(EnclaveClient):
    """Every method returns the key as it is then, and raises KeyNotFoundError,
    OperationNotAllowedError, KeyDeletedError or KeyDestroyedError where they apply.
    """

    def rotate_key(self, key_id: str, *, idempotency_key: str | None = None) -> KeyInfo:
        """Have the key's next version made. Older ones still open and check, down to the minimum.

        :raises KeyLimitError: if it keeps 64 versions; trim it
        """
        return self._changed(wire.RotateKey, key_id, idempotency_key)

    def set_minimum_version(self, key_id: str, version: int) -> KeyInfo:
        """Have versions below this one refused from now on.

        :raises KeyVersionError: if it is above the current one, or below the present minimum
        """
        return self._changed(wire.SetMinimumVersion, key_id, version=version)

    def trim_key(self, key_id: str) -> KeyInfo:
        """Have the private halves of all versions below the minimum destroyed."""
        return self._changed(wire.TrimKey, key_id)

    def delete_key(
        self, key_id: str, waiting: int | None = None, *, idempotency_key: str | None = None
    ) -> KeyInfo:
        """Take the key out of use. ``waiting``: seconds until it can be destroyed, by default the
        policy's minimum.

        :raises WaitingTimeError: if that is less than the policy's minimum
        """
        return self._changed(wire.DeleteKey, key_id, idempotency_key, waiting=waiting)

    def restore_key(self, key_id: str, *, idempotency_key: str | None = None) -> KeyInfo:
        """Put a deleted key back into use.

        :raises KeyNotDeletedError: if it is not deleted
        """
        return self._changed(wire.RestoreKey, key_id, idempotency_key)

    def destroy_key(self, key_id: str, *, idempotency_key: str | None = None) -> KeyInfo:
        """Have a deleted key's private half destroyed, for ever.

        :raises KeyNotDeletedError: if it is not deleted
        :raises WaitingTimeError: if its waiting time is not over
        """
        return self._changed(wire.DestroyKey, key_id, idempotency_key)

    def update_key(
        self, key_id: str, *, label: str | None = None, limits: KeyLimits | None = None
    ) -> KeyInfo:
        """Give the key another label, other limits, or both.

        :raises LimitsInvalidError: impossible limits
        """
        return self._changed(
            wire.UpdateKey,
            key_id,
            label=label,
            limits=None if limits is None else limits.to_wire(),
        )

    def get_versions(self, key_id: str) -> dict[int, bytes]:
        """Return the public key of each version that is kept and not refused."""
        answer = self._ask(wire.GetVersions, wire.Versions, key_id=key_id)
        return {v.number: v.public_key for v in answer.versions if v.number >= answer.minimum}

    def _changed(
        self, kind: type[M], key_id: str, idempotency_key: str | None = None, **fields: Any
    ) -> KeyInfo:
        made = self._ask(kind, wire.Key, key_id=key_id, idempotency_key=idempotency_key, **fields)
        if made.id != key_id:
            raise EnclaveMismatchError("Another key came back", got=made.id, expected=key_id)
        return KeyInfo.from_wire(made)
