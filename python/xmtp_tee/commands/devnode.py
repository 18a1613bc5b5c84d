"""``xmtp-tee devnode``: a local XMTP network, for development and tests."""

from __future__ import annotations

import signal
import threading

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.options import json_option
from xmtp_tee.errors import UsageError


@click.command("devnode")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5556,
    show_default=True,
    help="Where to listen on 127.0.0.1; 0 takes a free port. XMTP clients look for the "
    "environment `local` at 5556.",
)
@json_option
def devnode(port: int, console: Console) -> None:
    """Run a local XMTP network until it is stopped: one node, in memory, on the loopback interface.

    For development and tests alone: it keeps nothing, has no TLS, and answers whoever reaches it.
    """
    try:
        from xmtp_tee.devnode import DevNode
    except ImportError as error:
        raise UsageError(
            "The local node needs grpcio",
            cause=str(error),
            next_command="pip install 'xmtp-tee[devnode]'",
        ) from error
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with DevNode(port) as node:
        console.say("DEVELOPMENT: no production node, and it forgets everything.", colour="yellow")
        console.result({"url": node.url, "development": True}, node.url)
        stop.wait()
