"""What makes a proposal or a list of them invalid (RFC 9420, sections 12.1 and 12.2)."""

from xmtp_tee.mls.errors.base import MlsError


class ProposalInvalidError(MlsError):
    """A proposal, or a list of proposals, is not valid."""

    code = "mls.proposal"


class ProposalUnknownError(ProposalInvalidError):
    """A commit refers to a proposal that has not been received in this epoch."""

    code = "mls.proposal-unknown"


class ProposalUnsupportedError(ProposalInvalidError):
    """A proposal's type is not supported by every member."""

    code = "mls.proposal-unsupported"


class ProposalSenderError(ProposalInvalidError):
    """A sender of this kind may not make this proposal."""

    code = "mls.proposal-sender"


class ProposalMisplacedError(ProposalInvalidError):
    """A proposal may not be in a commit of this kind, or not beside these others."""

    code = "mls.proposal-misplaced"


class UpdateByCommitterError(ProposalInvalidError):
    """A commit holds an update of the committer's own leaf."""

    code = "mls.update-by-committer"


class CommitterRemovedError(ProposalInvalidError):
    """A commit removes its own committer."""

    code = "mls.committer-removed"


class LeafTwiceError(ProposalInvalidError):
    """Two proposals update or remove the same leaf."""

    code = "mls.leaf-twice"


class ClientTwiceError(ProposalInvalidError):
    """Two adds bring the same client, or one brings a member."""

    code = "mls.client-twice"


class PskTwiceError(ProposalInvalidError):
    """The same pre-shared key is named twice."""

    code = "mls.psk-twice"


class PskNonceError(ProposalInvalidError):
    """A pre-shared key's nonce has not as many bytes as the hash."""

    code = "mls.psk-nonce"


class PskUsageError(ProposalInvalidError):
    """A resumption key's usage does not fit its place."""

    code = "mls.psk-usage"


class PskUnknownError(ProposalInvalidError):
    """A pre-shared key is needed that is not held here."""

    code = "mls.psk-unknown"


class GroupContextExtensionsTwiceError(ProposalInvalidError):
    """A commit replaces the group's extensions twice."""

    code = "mls.extensions-twice"


class ReInitNotAloneError(ProposalInvalidError):
    """A reinitialisation stands beside other proposals."""

    code = "mls.reinit-not-alone"


class ReInitVersionError(ProposalInvalidError):
    """A reinitialisation goes to an older protocol version."""

    code = "mls.reinit-version"


class ExternalInitError(ProposalInvalidError):
    """An external commit has not exactly one external init, or a member's commit has one."""

    code = "mls.external-init"


class ExternalSenderUnknownError(ProposalInvalidError):
    """The group's context names no such external sender."""

    code = "mls.external-sender"


class AppDataError(ProposalInvalidError):
    """An update of application data is contradictory, misplaced or refused by its component."""

    code = "mls.app-data"
