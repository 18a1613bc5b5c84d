"""XMTP for Python people: a client whose keys stay in the enclave.

This half is the host's: it moves bytes between the network and the enclave, and sees ciphertext but for the
messages that the enclave's policy releases to the application.
"""

from xmtp_tee.client.xmtp.client import Conversations, PeerRegistry, XmtpClient
from xmtp_tee.client.xmtp.conversation import Conversation
from xmtp_tee.client.xmtp.create import create_client
from xmtp_tee.client.xmtp.models import (
    Consent,
    ConversationInfo,
    Member,
    Message,
    PeerStanding,
)
from xmtp_tee.client.xmtp.peers import ChainPeers

__all__ = [
    "ChainPeers",
    "Consent",
    "Conversation",
    "ConversationInfo",
    "Conversations",
    "Member",
    "Message",
    "PeerRegistry",
    "PeerStanding",
    "XmtpClient",
    "create_client",
]
