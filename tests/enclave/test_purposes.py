"""The table of purposes: every pair that is not in it is denied, by the function and by the
service.
"""

from __future__ import annotations

import pytest

from tests.enclave.support import CHAIN_ID, NOW, OWNER, REGISTRY
from xmtp_tee.enclave.purposes import RULES, KeyOperation, KeyType, Purpose, require_allowed
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import OperationNotAllowedError

# Written out, so that a change of the table has to be made twice.
ALLOWED = {
    ("xmtp-identity", "sign"),
    ("xmtp-identity", "sign-pre-key"),
    ("xmtp-identity", "certify-as-identity"),
    ("pre-key", "certify-as-pre-key"),
    ("authority", "sign-certificate"),
    ("authority", "attest"),
    ("transport", "attest"),
}


@pytest.mark.parametrize("operation", list(KeyOperation))
@pytest.mark.parametrize("purpose", list(Purpose))
def test_every_pair_of_purpose_and_operation(purpose: Purpose, operation: KeyOperation) -> None:
    if (purpose.value, operation.value) in ALLOWED:
        require_allowed(purpose, operation, "id")
        return
    with pytest.raises(OperationNotAllowedError) as caught:
        require_allowed(purpose, operation, "id")
    assert purpose.value in str(caught.value.got)
    assert operation.value in caught.value.message


def test_purpose_that_the_table_lacks_is_denied() -> None:
    with pytest.raises(OperationNotAllowedError):
        require_allowed("wallet", KeyOperation.SIGN, "id")  # type: ignore[arg-type]


def test_every_purpose_has_one_type() -> None:
    assert {purpose: rule.key_type for purpose, rule in RULES.items()} == {
        Purpose.IDENTITY: KeyType.ED25519,
        Purpose.PRE_KEY: KeyType.X25519,
        Purpose.AUTHORITY: KeyType.SECP256K1,
        Purpose.TRANSPORT: KeyType.X25519,
    }


@pytest.fixture
def ids(enclave: Enclave) -> dict[str, str]:
    identity = enclave.handle(wire.GenerateIdentityKey(owner=OWNER), NOW)
    assert isinstance(identity, wire.Key)
    pre_key = enclave.handle(wire.GeneratePreKey(identity_key_id=identity.id), NOW)
    assert isinstance(pre_key, wire.PreKey)
    about = enclave.describe()
    return {
        "xmtp-identity": identity.id,
        "pre-key": pre_key.id,
        "authority": about.authority_key_id,
        "transport": about.transport_key_id,
    }


def attempts(key_id: str, ids: dict[str, str]) -> dict[str, wire.Operation]:
    """The requests by which a client could reach a key, by the operation that each needs."""
    place = {"chain_id": CHAIN_ID, "key_registry": REGISTRY}
    return {
        "sign": wire.Sign(key_id=key_id, message=bytes(32)),
        "sign-pre-key": wire.GeneratePreKey(identity_key_id=key_id),
        "certify-as-identity": wire.CertifyKeyBundle(
            identity_key_id=key_id, pre_key_id=ids["pre-key"], **place
        ),
        "certify-as-pre-key": wire.CertifyKeyBundle(
            identity_key_id=ids["xmtp-identity"], pre_key_id=key_id, **place
        ),
    }


@pytest.mark.parametrize("purpose", [purpose.value for purpose in Purpose])
@pytest.mark.parametrize(
    "operation", ["sign", "sign-pre-key", "certify-as-identity", "certify-as-pre-key"]
)
def test_service_denies_what_the_table_denies(
    enclave: Enclave, ids: dict[str, str], purpose: str, operation: str
) -> None:
    attempt = attempts(ids[purpose], ids)[operation]
    if (purpose, operation) in ALLOWED:
        enclave.handle(attempt, NOW)
        return
    with pytest.raises(OperationNotAllowedError):
        enclave.handle(attempt, NOW)


def test_no_operation_takes_a_digest_for_the_authority() -> None:
    for operation in wire.Operation.__args__:
        names = set(operation.__struct_fields__)
        assert not names & {"digest", "hash", "private_key", "secret", "seed"}
