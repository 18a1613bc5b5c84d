"""What makes a ratchet tree or an update path invalid (RFC 9420, section 7)."""

from xmtp_tee.mls.errors.base import MlsError


class TreeInvalidError(MlsError):
    """A ratchet tree or an update path contradicts itself or the group."""

    code = "mls.tree"


class TreeHashError(TreeInvalidError):
    """The ratchet tree is not the one that the group's context commits to."""

    code = "mls.tree-hash"


class ParentHashError(TreeInvalidError):
    """A parent hash does not fit its tree."""

    code = "mls.parent-hash"


class UnmergedLeavesError(TreeInvalidError):
    """A parent's list of unmerged leaves is unsorted, or names a blank or foreign leaf."""

    code = "mls.unmerged-leaves"


class PathShapeError(TreeInvalidError):
    """An update path has another number of nodes or ciphertexts than the tree demands."""

    code = "mls.path-shape"


class PathSecretError(TreeInvalidError):
    """A path secret does not lead to the public keys beside it."""

    code = "mls.path-secret"


class LeafIndexError(TreeInvalidError):
    """A leaf index is outside the tree, or its leaf is blank."""

    code = "mls.leaf-index"


class TreeMissingError(TreeInvalidError):
    """No ratchet tree came, neither in the group info nor beside it."""

    code = "mls.tree-missing"
