"""Starting, stopping, and what the node says to a request that it refuses."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

grpc = pytest.importorskip("grpc", reason="grpcio is not installed")

from xmtp_tee.devnode import DevNode  # noqa: E402
from xmtp_tee.devnode.errors import DevNodeStartError  # noqa: E402
from xmtp_tee.xmtp.proto import identity_api, mls_api  # noqa: E402


def call(node: DevNode, service: str, method: str, request: bytes) -> bytes:
    with grpc.insecure_channel(node.url.removeprefix("http://")) as channel:
        return channel.unary_unary(f"/{service}/{method}")(request, timeout=10)


def test_a_node_starts_and_stops_and_starts_again() -> None:
    node = DevNode()
    with node:
        port = int(node.url.rpartition(":")[2])
        assert port
        assert call(node, mls_api.SERVICE, "QueryGroupMessages", b"")
    node.stop()
    with DevNode(port) as again:
        assert again.url == node.url


def test_a_node_listens_on_the_loopback_interface_alone() -> None:
    with DevNode() as node:
        port = int(node.url.rpartition(":")[2])
        assert node.url.startswith("http://127.0.0.1:")
        for address in {
            info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
        }:
            if not str(address).startswith("127."):
                with socket.socket() as probe, pytest.raises(OSError, match="refused"):
                    probe.connect((address, port))


def test_a_taken_port_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(DevNodeStartError, match="could not start"):
            DevNode(taken.getsockname()[1]).start()


@pytest.mark.parametrize(
    ("service", "method", "request_bytes"),
    [
        (identity_api.SERVICE, "PublishIdentityUpdate", b""),
        (identity_api.SERVICE, "PublishIdentityUpdate", b"\x0a\x01\xff"),
        (identity_api.SERVICE, "GetInboxIds", b"\xff"),
        (mls_api.SERVICE, "UploadKeyPackage", b""),
        (mls_api.SERVICE, "UploadKeyPackage", b"\x0a\x02\x0a\x00"),
        (mls_api.SERVICE, "SendGroupMessages", b"\x0a\x00"),
        (mls_api.SERVICE, "SendWelcomeMessages", b"\x0a\x00"),
    ],
)
def test_a_request_against_the_rules_is_an_invalid_argument(
    service: str, method: str, request_bytes: bytes
) -> None:
    with DevNode() as node, pytest.raises(grpc.RpcError) as refused:
        call(node, service, method, request_bytes)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_contract_wallet_is_never_believed() -> None:
    request = identity_api.VerifySmartContractWalletSignaturesRequest(
        signatures=(identity_api.WalletSignatureRequest(account_id="eip155:1:0x00"),)
    )
    with DevNode() as node:
        answer = call(
            node,
            identity_api.SERVICE,
            "VerifySmartContractWalletSignatures",
            request.encode(),
        )
    decoded = identity_api.VerifySmartContractWalletSignaturesResponse.decode(answer)
    assert [response.is_valid for response in decoded.responses] == [False]


def test_the_command_says_where_it_listens_and_what_it_is() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "xmtp_tee.cli", "devnode", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.terminate()
        assert process.wait(10) == 0
        assert "no production node" in process.stderr.read()
