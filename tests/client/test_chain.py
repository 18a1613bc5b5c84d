"""What a node's HTTP failures become: a request that was too much, or a node that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from xmtp_tee.client.chain import Chain
from xmtp_tee.client.chain_errors import ChainUnavailable, RequestRefused
from xmtp_tee.errors import ExitCode


@contextmanager
def node(status: int, body: bytes = b"") -> Iterator[str]:
    """A node that answers everything with one status and body."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v2/ACCESS-KEY"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def asked(url: str) -> ChainUnavailable:
    chain = Chain(url)
    # web3 tries again for seconds.
    chain.web3.provider.exception_retry_configuration = None  # type: ignore[attr-defined]
    with pytest.raises(ChainUnavailable) as failure:
        chain.request("eth_getLogs", {})
    assert "ACCESS-KEY" not in str(failure.value) + repr(failure.value.as_dict())
    assert failure.value.exit_code is ExitCode.UNAVAILABLE
    return failure.value


@pytest.mark.parametrize("status", [400, 413, 503])
def test_too_much_at_once_is_refused_so_that_less_can_be_asked(status: int) -> None:
    with node(status) as url:
        error = asked(url)
    assert isinstance(error, RequestRefused)
    assert str(status) in str(error)


@pytest.mark.parametrize("status", [401, 403, 404, 429])
def test_access_denied_is_no_reason_to_ask_for_less(status: int) -> None:
    with node(status) as url:
        error = asked(url)
    assert not isinstance(error, RequestRefused)


def test_json_rpc_error_is_refused() -> None:
    body = b'{"jsonrpc":"2.0","id":0,"error":{"code":-32005,"message":"more than 10000 results"}}'
    with node(200, body) as url:
        error = asked(url)
    assert isinstance(error, RequestRefused)
    assert "10000" in str(error)


def test_answer_that_is_no_json_is_unavailable() -> None:
    with node(200, b"<html>") as url:
        asked(url)


def test_nobody_listening_is_unavailable() -> None:
    error = asked("http://127.0.0.1:1/v2/ACCESS-KEY")
    assert not isinstance(error, RequestRefused)
