"""Callers: known by the kernel or by their key, granted what the policy says, refused the rest."""

from __future__ import annotations

import os

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from tests.enclave.operating import SELF, Desk, own_policy
from tests.enclave.support import OWNER, STRANGER
from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.enclave.callers import Access, Peer, PolicyInForce
from xmtp_tee.enclave.session import Session, State
from xmtp_tee.policy.document import Caller, Grant
from xmtp_tee.policy.operations import ADMINISTRATIVE, OPEN, OPERATIONS
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.channel import Channel, proof_message, transcript
from xmtp_tee.wire.codec import (
    ServerMessageDecoder,
    decode_result,
    encode_request,
    request,
)
from xmtp_tee.wire.limits import PROTOCOL_VERSION
from xmtp_tee.wire.refusals import CallerNotAllowedError, CallerUnknownError

KEY = Ed25519PrivateKey.from_private_bytes(b"c" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
APP = Caller(
    name="app",
    key=PUBLIC.hex(),
    grants=(Grant(operations=("*",), owners=(checksum_address(OWNER),)),),
)


def no_reserve(caller: str, block: int, most: int) -> int:
    raise AssertionError("nothing is to be counted")


APP_PEER = Peer(uid=os.geteuid(), key=PUBLIC)


@pytest.fixture
def shared(desk: Desk) -> Desk:
    """An enclave that knows the app, which is granted one owner's keys."""
    desk.apply(own_policy(callers=(*own_policy().callers, APP)))
    return desk


def test_unknown_user_and_unknown_key_are_refused(desk: Desk) -> None:
    for peer in (Peer(uid=4242), Peer(uid=4242, key=PUBLIC), Peer()):
        with pytest.raises(CallerUnknownError):
            desk.ask(wire.Ping(), wire.Pong, peer)


def test_key_grants_nothing_of_the_users_beside(desk: Desk) -> None:
    """A proven key that the policy does not name is unknown, though its user is known."""
    with pytest.raises(CallerUnknownError):
        desk.ask(wire.Ping(), wire.Pong, APP_PEER)


def test_grant_reaches_the_keys_of_its_owner_and_no_others(shared: Desk) -> None:
    own, other = shared.identity(), shared.identity(STRANGER)
    pre_key = shared.ask(wire.GeneratePreKey(identity_key_id=other.id), wire.PreKey)
    mac = shared.make("mac", owner=STRANGER)
    shared.ask(wire.Sign(key_id=own.id, message=b""), wire.Signature, APP_PEER)
    for operation in (
        wire.Sign(key_id=other.id, message=b""),
        wire.GetKey(key_id=other.id),
        wire.GetKey(key_id=pre_key.id),
        wire.GetIdentityKey(owner=STRANGER),
        wire.GeneratePreKey(identity_key_id=other.id),
        wire.GetPreKeys(identity_key_id=other.id),
        wire.GenerateIdentityKey(owner=b"\x33" * 20),
        wire.GenerateKey(purpose="mac", owner=STRANGER),
        wire.GenerateKey(purpose="wallet"),
        wire.ComputeMac(key_id=mac.id, message=b""),
        wire.DeleteKey(key_id=mac.id),
        wire.ListKeys(owner=STRANGER),
        wire.AttestKey(key_id=mac.id, challenge=bytes(32)),
        wire.DeriveInstallationKey(identity_key_id=other.id, device_id="d"),
        wire.GetVersions(key_id=mac.id),
        wire.CertifyKeyBundle(
            identity_key_id=own.id, pre_key_id=pre_key.id, chain_id=1, key_registry=OWNER
        ),
    ):
        with pytest.raises(CallerNotAllowedError):
            shared.ask(operation, wire.Message, APP_PEER)


def test_list_shows_only_what_the_caller_may_see(shared: Desk) -> None:
    own, other = shared.identity(), shared.identity(STRANGER)
    page = shared.ask(wire.ListKeys(), wire.KeyPage, APP_PEER)
    ids = {key.id for key in page.keys}
    assert own.id in ids
    assert other.id not in ids


def test_star_does_not_include_administration(shared: Desk) -> None:
    for operation in (wire.GetPolicy(), wire.ApplyPolicy(document=b""), wire.ReadAudit()):
        with pytest.raises(CallerNotAllowedError):
            shared.ask(operation, wire.Message, APP_PEER)
    assert {"apply-policy", "get-policy", "read-audit"} <= ADMINISTRATIVE <= OPERATIONS
    dangerous = ("apply-", "export-", "import-", "hand-over", "accept-")
    assert {name for name in OPERATIONS if name.startswith(dangerous)} <= ADMINISTRATIVE


def test_caller_without_grants_may_only_ask_what_tells_nothing() -> None:
    access = Access(Caller(name="nobody", uid=1))
    assert {"ping", "describe", "batch"} == OPEN
    for operation in OPERATIONS:
        if operation in OPEN:
            assert access.require(operation, 0, no_reserve) == frozenset()
            continue
        with pytest.raises(CallerNotAllowedError):
            access.require(operation, 0, no_reserve)


names = st.sampled_from([*sorted(OPERATIONS), "*"])
grants = st.lists(
    st.builds(
        Grant,
        operations=st.lists(names, min_size=1, max_size=4).map(tuple),
        owners=st.lists(
            st.sampled_from(["*", checksum_address(OWNER), checksum_address(STRANGER)]), max_size=2
        ).map(tuple),
    ),
    max_size=4,
)


@given(grants, st.sampled_from(sorted(OPERATIONS)), st.sampled_from([OWNER, STRANGER]))
def test_access_is_what_the_grants_say_and_nothing_more(
    given_grants: list[Grant], operation: str, owner: bytes
) -> None:
    """Against a plain model: an operation on an owner's key is granted if one grant has both."""
    access = Access(Caller(name="c", uid=1, grants=tuple(given_grants)))

    def names_operation(grant: Grant) -> bool:
        star = "*" in grant.operations and operation not in ADMINISTRATIVE
        return star or operation in grant.operations

    allowed = [grant for grant in given_grants if names_operation(grant)]
    if not allowed and operation not in OPEN:
        with pytest.raises(CallerNotAllowedError):
            access.require(operation, 0, no_reserve)
        return
    owners = access.require(operation, 0, no_reserve)
    expected = any(
        "*" in grant.owners or checksum_address(owner) in grant.owners for grant in allowed
    )
    assert (owners is None or owner in owners) == expected


def test_policy_of_many_callers_is_ready_at_once() -> None:
    callers = tuple(
        Caller(name=f"c{n}", uid=n, grants=(Grant(operations=("*",), owners=("*",)),))
        for n in range(2000)
    )
    assert PolicyInForce(own_policy(callers=callers)).access(Peer(uid=1999)).name == "c1999"


# --- the challenge --------------------------------------------------------------------------------


class Client:
    """A client's side of one connection, written out by hand."""

    def __init__(self, desk: Desk, key: Ed25519PrivateKey = KEY, uid: int | None = 0) -> None:
        self.session = Session(desk.enclave, Peer(uid=uid))
        self.decoder = ServerMessageDecoder()
        self.now = desk.now
        self.key = key
        self.share = X25519PrivateKey.generate()
        self.claim = wire.CallerClaim(
            key=key.public_key().public_bytes_raw(),
            share=self.share.public_key().public_bytes_raw(),
        )
        self.channel: Channel | None = None

    def send(self, message: wire.ClientMessage, seal: bool = True) -> wire.ServerMessage:
        sealer = self.channel.seal if self.channel is not None and seal else None
        return self.raw(encode_request(message, sealer))

    def raw(self, frame: bytes) -> wire.ServerMessage:
        self.session.feed(frame)
        answer = self.session.next_answer(self.now)
        assert answer is not None
        self.decoder.feed(answer)
        message = self.decoder.next_message()
        assert message is not None
        return message

    def challenge(self) -> wire.Challenge:
        answer = self.send(wire.Hello(version=PROTOCOL_VERSION, caller=self.claim))
        assert isinstance(answer, wire.Challenge)
        return answer

    def prove(self, challenge: wire.Challenge, **bent: object) -> wire.ServerMessage:
        seen = msgspec.structs.replace(challenge, **bent)
        digest = transcript(self.claim, seen)
        secret = self.share.exchange(X25519PublicKey.from_public_bytes(seen.enclave.transport_key))
        proof = wire.Proof(signature=self.key.sign(proof_message(digest)))
        frame = encode_request(proof)
        self.channel = Channel(secret, digest, enclave=False)
        self.decoder.protect(self.channel.open)
        return self.raw(frame)


def failed(client: Client, message: wire.ClientMessage) -> str:
    answer = client.send(message)
    assert isinstance(answer, wire.Failure)
    assert client.session.state is State.CLOSED
    return answer.code


def test_caller_proves_its_key_and_speaks_protected(shared: Desk) -> None:
    key = shared.identity()
    client = Client(shared)
    welcome = client.prove(client.challenge())
    assert isinstance(welcome, wire.Welcome)
    answer = client.send(request(1, wire.Sign(key_id=key.id, message=b"m")))
    assert isinstance(answer, wire.Reply)
    assert isinstance(decode_result(answer), wire.Signature)
    answer = client.send(request(2, wire.GetPolicy()))
    assert isinstance(answer, wire.Failure)
    assert answer.code == "enclave.caller-not-allowed"


def test_proof_by_another_key_is_refused_and_recorded(shared: Desk) -> None:
    client = Client(shared)
    challenge = client.challenge()
    stranger = Ed25519PrivateKey.generate()
    signature = stranger.sign(proof_message(transcript(client.claim, challenge)))
    assert failed(client, wire.Proof(signature=signature)) == "enclave.caller-proof"
    shared.enclave.flush()
    page = shared.ask(wire.ReadAudit(), wire.AuditPage)
    assert b"enclave.caller-proof" in page.entries[-1]


def test_proof_for_another_challenge_is_refused(shared: Desk) -> None:
    """Attack: a proof that was made on another connection is replayed here."""
    first, second = Client(shared), Client(shared)
    digest = transcript(first.claim, first.challenge())
    second.claim = first.claim
    second.challenge()
    replayed = wire.Proof(signature=KEY.sign(proof_message(digest)))
    assert failed(second, replayed) == "enclave.caller-proof"


def test_nonces_do_not_repeat(shared: Desk) -> None:
    assert len({Client(shared).challenge().nonce for _ in range(20)}) == 20


def test_proof_for_another_enclave_is_refused(shared: Desk) -> None:
    """Attack: the challenge is relayed to a client that means to speak to another enclave."""
    client = Client(shared)
    challenge = client.challenge()
    other = msgspec.structs.replace(challenge.enclave, authority=STRANGER)
    seen = msgspec.structs.replace(challenge, enclave=other)
    signature = KEY.sign(proof_message(transcript(client.claim, seen)))
    assert failed(client, wire.Proof(signature=signature)) == "enclave.caller-proof"


def test_key_that_the_policy_does_not_name_is_refused_after_its_proof(desk: Desk) -> None:
    client = Client(desk)
    answer = client.prove(client.challenge())
    assert isinstance(answer, wire.Failure)
    assert answer.code == "enclave.caller-unknown"
    assert client.session.state is State.CLOSED


def test_share_of_low_order_is_refused(shared: Desk) -> None:
    client = Client(shared)
    client.claim = wire.CallerClaim(key=PUBLIC, share=bytes(32))
    digest = transcript(client.claim, client.challenge())
    signature = KEY.sign(proof_message(digest))
    assert failed(client, wire.Proof(signature=signature)) == "enclave.public-key-invalid"


@pytest.mark.parametrize("attack", ["plain", "replayed", "flipped", "reflected", "dropped"])
def test_somebody_in_between_cannot_add_change_repeat_or_drop_a_request(
    shared: Desk, attack: str
) -> None:
    client = Client(shared)
    client.prove(client.challenge())
    assert client.channel is not None
    ping = request(1, wire.Ping())
    first = encode_request(ping, client.channel.seal)
    if attack == "plain":
        frame = encode_request(ping)
    elif attack == "flipped":
        frame = first[:-1] + bytes([first[-1] ^ 1])
    elif attack == "replayed":
        client.raw(first)
        frame = first
    elif attack == "reflected":
        client.session.feed(first)
        frame = client.session.next_answer(shared.now) or b""
    else:
        frame = encode_request(ping, client.channel.seal)  # the second, without the first
    client.session.feed(frame)
    assert client.session.next_answer(shared.now)
    assert client.session.state is State.CLOSED


def test_request_before_the_proof_ends_the_connection(shared: Desk) -> None:
    client = Client(shared)
    client.challenge()
    assert failed(client, request(1, wire.Ping())) == "wire.message-unexpected"


def test_proof_without_a_claim_ends_the_connection(shared: Desk) -> None:
    client = Client(shared)
    assert failed(client, wire.Proof(signature=bytes(64))) == "wire.message-unexpected"


def test_caller_that_is_struck_from_the_policy_is_refused_on_its_open_connection(
    shared: Desk,
) -> None:
    """The bug of others (dstack 115): a service that is kept from seeing a removal goes on
    serving."""
    client = Client(shared)
    client.prove(client.challenge())
    assert isinstance(client.send(request(1, wire.Ping())), wire.Reply)
    shared.change(callers=own_policy().callers)
    answer = client.send(request(2, wire.Ping()))
    assert isinstance(answer, wire.Failure)
    assert answer.code == "enclave.caller-unknown"
    assert SELF.uid is not None
