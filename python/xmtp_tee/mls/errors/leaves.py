"""What makes a leaf node or a key package invalid (RFC 9420, sections 7.3 and 10.1)."""

from xmtp_tee.mls.errors.base import MlsError


class LeafNodeInvalidError(MlsError):
    """A leaf node or a key package is not valid in its place."""

    code = "mls.leaf-node"


class CredentialRefusedError(LeafNodeInvalidError):
    """The application does not accept a credential, or not as its predecessor's successor."""

    code = "mls.credential-refused"


class LeafSourceError(LeafNodeInvalidError):
    """A leaf node says that it comes from somewhere else than it does."""

    code = "mls.leaf-source"


class LifetimeError(LeafNodeInvalidError):
    """A leaf node is not valid yet, or not any more."""

    code = "mls.lifetime"


class CapabilityMissingError(LeafNodeInvalidError):
    """A leaf node lacks a capability that the group requires or uses."""

    code = "mls.capability-missing"


class CredentialUnsupportedError(LeafNodeInvalidError):
    """A credential's type is not supported by every member."""

    code = "mls.credential-unsupported"


class ExtensionUnsupportedError(LeafNodeInvalidError):
    """An extension is used that the leaf nodes concerned do not list."""

    code = "mls.extension-unsupported"


class ExtensionRepeatedError(LeafNodeInvalidError):
    """An extension type occurs twice in one list."""

    code = "mls.extension-repeated"


class KeyRepeatedError(LeafNodeInvalidError):
    """A public key occurs twice in a tree, or stays where it must change."""

    code = "mls.key-repeated"


class InitKeyReusedError(LeafNodeInvalidError):
    """A key package's init key is its encryption key."""

    code = "mls.init-key-reused"
