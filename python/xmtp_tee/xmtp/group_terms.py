"""What an XMTP group is to MLS: how members are configured, and what its context's extensions hold."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from xmtp_tee.mls.config import Config
from xmtp_tee.mls.credentials import CredentialType
from xmtp_tee.mls.extensions import Extension, Extensions, RequiredCapabilities
from xmtp_tee.mls.proposals import ProposalType
from xmtp_tee.xmtp.group_state import (
    COMMIT_LOG_SIGNER,
    ExtensionType,
    GroupState,
    Membership,
)
from xmtp_tee.xmtp.key_packages import XmtpIdentities
from xmtp_tee.xmtp.permissions import DIRECT_MESSAGE, Permissions
from xmtp_tee.xmtp.proto.groups import ConversationType

GROUP_ID_SIZE: Final = 16
MAX_GROUP_ID_SIZE: Final = 32
"""Bytes of the longest id that a group of others may have."""

# XMTP's members commit what they propose. A proposal that stands alone neither stops us nor goes into our commits.
CONFIG: Final = Config(
    identities=XmtpIdentities(),
    accept_newcomers_proposals=False,
    # The whole state must fit one sealed document, whatever members send.
    max_skipped=512,
    max_kept_proposals=64,
    max_kept_bytes=64 << 10,
    send_with_pending_proposals=True,
)

_REQUIRED: Final = RequiredCapabilities(
    extensions=(
        ExtensionType.GROUP_MEMBERSHIP,
        ExtensionType.MUTABLE_METADATA,
        ExtensionType.GROUP_PERMISSIONS,
        ExtensionType.IMMUTABLE_METADATA,
        ExtensionType.LAST_RESORT,
        ExtensionType.APPLICATION_ID,
    ),
    proposals=(ProposalType.GROUP_CONTEXT_EXTENSIONS,),
    credentials=(CredentialType.BASIC,),
)


def first_state(
    creator: str,
    sequence_id: int,
    commit_log_signer: bytes,
    *,
    dm_with: str | None,
    permissions: Permissions,
    attributes: Mapping[str, str],
) -> GroupState:
    """Return the state of a new group with its creator alone in it.

    ``sequence_id``: up to which update the creator's log counts. ``commit_log_signer``: 32 random bytes.
    ``dm_with``: the other inbox of a direct message, whose permissions are its own. ``attributes``: metadata.

    :raises GroupStateInvalidError: an attribute is too long
    """
    named = {
        "group_name": "",
        "description": "",
        "group_image_url_square": "",
        COMMIT_LOG_SIGNER: commit_log_signer.hex(),
        **({} if dm_with else {"app_data": ""}),
    }
    state = GroupState(
        conversation_type=ConversationType.DM if dm_with else ConversationType.GROUP,
        creator=creator,
        dm_members=(creator, dm_with) if dm_with else None,
        membership=Membership(MappingProxyType({creator: sequence_id})),
        permissions=DIRECT_MESSAGE if dm_with else permissions,
        attributes=MappingProxyType(named),
        super_admins=() if dm_with else (creator,),
    )
    for name, value in attributes.items():
        state = state.with_attribute(name, value)
    return state


def new_context(state: GroupState) -> Extensions:
    """Return the extensions of a new group's context."""
    encoded = (Extension(kind, data) for kind, data in state.encode().items())
    return (*encoded, _REQUIRED.extension())


def state_of(context: Extensions) -> GroupState:
    """Return the state that a context's extensions hold.

    :raises GroupStateInvalidError: one of XMTP's is missing or cannot be read
    """
    return GroupState.decode({extension.type: extension.data for extension in context})


def with_state(context: Extensions, state: GroupState) -> Extensions:
    """Return a context's extensions with another state in them; what is not XMTP's stays."""
    changed = state.encode()
    return tuple(
        Extension(extension.type, changed.get(extension.type, extension.data))
        for extension in context
    )
