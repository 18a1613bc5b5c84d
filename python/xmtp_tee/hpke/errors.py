"""What can go wrong in HPKE.

The tree::

    HpkeError (exit 2: the bytes are not what they claim to be)
    ├── HpkePublicKeyInvalidError       hpke.public-key-invalid
    ├── HpkePrivateKeyInvalidError      hpke.private-key-invalid
    ├── HpkeEncapsulationInvalidError   hpke.encapsulation-invalid
    ├── HpkeOpenError                   hpke.open-failed
    ├── HpkeMessageLimitError           hpke.message-limit
    ├── HpkeExportLengthError           hpke.export-length
    └── HpkePskInvalidError             hpke.psk-invalid
"""

from xmtp_tee.errors import InvalidEvidenceError


class HpkeError(InvalidEvidenceError):
    """Hybrid public key encryption failed."""

    code = "hpke.error"


class HpkePublicKeyInvalidError(HpkeError):
    """A recipient's public key has a wrong length, is not canonical, or is of low order."""

    code = "hpke.public-key-invalid"


class HpkePrivateKeyInvalidError(HpkeError):
    """A private key, or what one is derived from, has a wrong length."""

    code = "hpke.private-key-invalid"


class HpkeEncapsulationInvalidError(HpkeError):
    """An encapsulated key has a wrong length, or leads to an all-zero shared secret."""

    code = "hpke.encapsulation-invalid"


class HpkeOpenError(HpkeError):
    """A ciphertext is not authentic under this key, info, associated data and position."""

    code = "hpke.open-failed"


class HpkeMessageLimitError(HpkeError):
    """A context has been used as often as its nonces allow."""

    code = "hpke.message-limit"


class HpkeExportLengthError(HpkeError):
    """More bytes are to be exported than HKDF can give (255 * 32)."""

    code = "hpke.export-length"


class HpkePskInvalidError(HpkeError):
    """A pre-shared key is shorter than 32 bytes, or its id is empty."""

    code = "hpke.psk-invalid"
