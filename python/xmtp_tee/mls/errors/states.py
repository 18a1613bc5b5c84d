"""Why a group refuses an operation, or a saved state."""

from xmtp_tee.mls.errors.base import MlsError


class GroupStateError(MlsError):
    """The group is not in a state for this."""

    code = "mls.state"


class GroupInactiveError(GroupStateError):
    """We were removed, or the group was reinitialised; it takes no more part in anything."""

    code = "mls.inactive"


class CommitPendingError(GroupStateError):
    """Our own commit waits for its confirmation; confirm or discard it first."""

    code = "mls.commit-pending"


class NoCommitPendingError(GroupStateError):
    """There is no commit of our own that could be confirmed."""

    code = "mls.no-commit-pending"


class ProposalsPendingError(GroupStateError):
    """Application data may not be sent while proposals wait for a commit."""

    code = "mls.proposals-pending"


class IntentInvalidError(GroupStateError):
    """What is to be committed or sent is not possible."""

    code = "mls.intent"


class StateCorruptError(GroupStateError):
    """A saved state cannot be read, or belongs to another signature key."""

    code = "mls.state-corrupt"


class StateRolledBackError(GroupStateError):
    """A saved state is older than the newest one known: its keys have been used."""

    code = "mls.state-rolled-back"
