"""One connection to the enclave, without its socket: bytes in, frames out.

=============  ==================  ===========================================  ==============
state          message             answer                                       next state
=============  ==================  ===========================================  ==============
GREETING       Hello, no claim     Welcome                                      SERVING
GREETING       Hello with a claim  Challenge                                    PROVING
GREETING       Hello, old version  Failure(id 0, wire.protocol-version)         CLOSED
GREETING       anything else       Failure(id 0, wire.message-unexpected)       CLOSED
PROVING        Proof               Welcome, protected as all that follows       SERVING
PROVING        a wrong Proof       Failure(id 0, enclave.caller-proof)          CLOSED
PROVING        anything else       Failure(id 0, wire.message-unexpected)       CLOSED
SERVING        Request             Reply, or Failure with the request's id      SERVING
SERVING        anything else       Failure(id 0, wire.message-unexpected)       CLOSED
any            broken bytes        Failure(id 0, wire....)                      CLOSED
=============  ==================  ===========================================  ==============

A caller that the policy does not know gets Failure(id 0, enclave.caller-unknown) in place of Welcome.
"""

from __future__ import annotations

import logging
from enum import Enum, auto

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from xmtp_tee.enclave.callers import Peer
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.channel import Channel, proof_message, transcript
from xmtp_tee.wire.codec import ClientMessageDecoder, encode, protected
from xmtp_tee.wire.errors import MessageUnexpectedError, ProtocolVersionError
from xmtp_tee.wire.faults import to_failure
from xmtp_tee.wire.limits import PROTOCOL_VERSION
from xmtp_tee.wire.refusals import CallerProofError

log = logging.getLogger("xmtp_tee.enclave")


class State(Enum):
    """Where a connection stands."""

    GREETING = auto()
    PROVING = auto()
    SERVING = auto()
    CLOSED = auto()


class Session:
    """The enclave's side of one connection."""

    def __init__(self, enclave: Enclave, peer: Peer) -> None:
        """Serve ``enclave`` to ``peer``, as the socket knows it."""
        self._enclave = enclave
        self._peer = peer
        self._decoder = ClientMessageDecoder()
        self._claim: wire.CallerClaim | None = None
        self._challenge: wire.Challenge | None = None
        self._channel: Channel | None = None
        self.state = State.GREETING

    @property
    def mid_frame(self) -> bool:
        """Whether the client has begun a frame and owes the rest."""
        return self._decoder.pending

    @property
    def buffered(self) -> int:
        """Bytes that the client has sent and that are not worked on yet."""
        return self._decoder.buffered

    def feed(self, data: bytes) -> None:
        """Take bytes in; :meth:`next_answer` works on them."""
        if self.state is not State.CLOSED:
            self._decoder.feed(data)

    def next_answer(self, now: int) -> bytes | None:
        """Handle the next complete message at ``now`` and return the frame of its answer, which
        must not leave before the enclave is flushed.

        None when more bytes are needed, or the connection is over (``state`` tells).
        """
        if self.state is State.CLOSED:
            return None
        try:
            message = self._decoder.next_message()
            if message is None:
                return None
            if self.state is State.SERVING and isinstance(message, wire.Request):
                frame = self._enclave.answer(message, now, self._peer)
            else:
                frame = self._greet(message, now)
        except XmtpTeeError as error:
            self.state = State.CLOSED
            log.warning("connection refused: %s", error.code)
            frame = encode(to_failure(0, error))
        return frame if self._channel is None else protected(frame, self._channel.seal)

    def _greet(self, message: wire.ClientMessage, now: int) -> bytes:
        if self.state is State.GREETING and isinstance(message, wire.Hello):
            return self._hello(message, now)
        if self.state is State.PROVING and isinstance(message, wire.Proof):
            return self._prove(message, now)
        raise MessageUnexpectedError(
            "A message came at the wrong time",
            got=str(message.__struct_config__.tag),
            expected={State.GREETING: "hello", State.PROVING: "proof"}.get(self.state, "a request"),
        )

    def _hello(self, message: wire.Hello, now: int) -> bytes:
        if message.version != PROTOCOL_VERSION:
            raise ProtocolVersionError(
                "The client speaks another version of the protocol",
                got=message.version,
                expected=PROTOCOL_VERSION,
                cause="client and enclave are of different releases",
            )
        if message.caller is None:
            return self._welcome(now)
        self._claim = message.caller
        about = self._enclave.describe()
        self._challenge = wire.Challenge(nonce=self._enclave.random(32), enclave=about)
        self.state = State.PROVING
        return encode(self._challenge)

    def _prove(self, message: wire.Proof, now: int) -> bytes:
        if self._claim is None or self._challenge is None:
            raise MessageUnexpectedError("A proof without a claim", got="proof", expected="hello")
        digest = transcript(self._claim, self._challenge)
        claimed = Peer(self._peer.uid, self._claim.key)
        try:
            key = Ed25519PublicKey.from_public_bytes(self._claim.key)
            key.verify(message.signature, proof_message(digest))
        except (InvalidSignature, ValueError):
            error = CallerProofError(
                "The caller did not prove that it holds the key", got=self._claim.key.hex()
            )
            self._enclave.record_refusal(claimed, error, now)
            raise error from None
        secret = self._enclave.channel_secret(self._claim.share)
        self._peer = claimed
        self._channel = Channel(secret, digest, enclave=True)
        self._decoder.protect(self._channel.open)
        return self._welcome(now)

    def _welcome(self, now: int) -> bytes:
        self._enclave.admit(self._peer, now)
        self.state = State.SERVING
        return encode(wire.Welcome(version=PROTOCOL_VERSION, enclave=self._enclave.describe()))
