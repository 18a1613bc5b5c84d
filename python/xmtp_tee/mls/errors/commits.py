"""What makes a commit, a welcome or a group info invalid (RFC 9420, sections 12.4 and 13)."""

from xmtp_tee.mls.errors.base import MlsError


class CommitInvalidError(MlsError):
    """A commit is not valid."""

    code = "mls.commit"


class PathMissingError(CommitInvalidError):
    """A commit lacks the update path that its proposals demand."""

    code = "mls.path-missing"


class CommitRefusedError(CommitInvalidError):
    """The application's review refuses a commit."""

    code = "mls.commit-refused"


class WelcomeNotForUsError(CommitInvalidError):
    """A welcome holds nothing for this key package."""

    code = "mls.welcome-not-for-us"


class WelcomeInvalidError(CommitInvalidError):
    """A welcome contradicts its key package or its group info."""

    code = "mls.welcome"


class OwnLeafMissingError(CommitInvalidError):
    """The tree of a welcome does not hold the key package's leaf."""

    code = "mls.own-leaf-missing"


class GroupInfoInvalidError(CommitInvalidError):
    """A group info lacks what is needed to join from it."""

    code = "mls.group-info"
