"""Failures of signatures, tags and ciphertexts."""

from xmtp_tee.mls.errors.base import MlsError


class MlsCryptoError(MlsError):
    """Something is not authentic."""

    code = "mls.crypto"


class SignatureInvalidError(MlsCryptoError):
    """A signature does not verify."""

    code = "mls.signature"


class MembershipTagError(MlsCryptoError):
    """A public message's membership tag is missing, superfluous or wrong."""

    code = "mls.membership-tag"


class ConfirmationTagError(MlsCryptoError):
    """A confirmation tag is missing, superfluous or wrong."""

    code = "mls.confirmation-tag"


class DecryptionError(MlsCryptoError):
    """A ciphertext is not authentic under the key that should open it."""

    code = "mls.decryption"


class KeyLengthError(MlsCryptoError):
    """A public key or a secret has the wrong length."""

    code = "mls.key-length"


class KeyUnusableError(MlsCryptoError):
    """An X25519 public key is of low order: nothing can be encrypted to it."""

    code = "mls.key-unusable"
