"""A PCCS on the loopback, and a verifier in memory: what the collateral tests stand on.

The verifier in memory keeps what it is given without verifying: the tests that use it are about what is read and
sent. The contracts themselves stand in tests/cli/test_collateral_on_chain.py.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import quote, urlsplit

from cryptography import x509
from eth_abi import encode

from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.dcap.pck import parse_pck_certificate
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.simulator import CollateralRecipe, development_pki
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.chain_errors import ContractRefused
from xmtp_tee.client.collateral import CollateralSync
from xmtp_tee.client.deployment import CONTRACTS, Deployment
from xmtp_tee.client.logs import event_entry, topic_of
from xmtp_tee.hashing import keccak256

NOW = 1_800_000_000
ISSUED_AT = NOW - 86_400
DAY = 86_400
PKI = development_pki()

# --- a collateral service -------------------------------------------------------------------------


@dataclass
class Answer:
    """What the service says to one path; ``query`` None stands for any."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200


@dataclass
class Pccs:
    """Answers by path and query; ``asked`` collects the requests."""

    answers: dict[str, Answer]
    url: str = ""
    asked: list[str] = field(default_factory=list)


def answers_for(collateral: Collateral, tee: TeeKind, ca: str) -> dict[str, Answer]:
    """Intel's API for one platform family, from made collateral."""
    name = "sgx" if tee is TeeKind.SGX else "tdx"

    def signed(member: str, text: str, signature: bytes) -> bytes:
        return f'{{"{member}":{text},"signature":"{signature.hex()}"}}'.encode()

    def chain(header: str, pem: str) -> dict[str, str]:
        return {header: quote(pem)}

    tcb_info = signed("tcbInfo", collateral.tcb_info, collateral.tcb_info_signature)
    identity = signed("enclaveIdentity", collateral.qe_identity, collateral.qe_identity_signature)
    return {
        f"/{name}/certification/v4/tcb?fmspc=de7e10000000": Answer(
            tcb_info, chain("TCB-Info-Issuer-Chain", collateral.tcb_info_issuer_chain)
        ),
        f"/{name}/certification/v4/qe/identity": Answer(
            identity,
            chain("SGX-Enclave-Identity-Issuer-Chain", collateral.qe_identity_issuer_chain),
        ),
        f"/sgx/certification/v4/pckcrl?ca={ca}&encoding=der": Answer(
            collateral.pck_crl, chain("SGX-PCK-CRL-Issuer-Chain", collateral.pck_crl_issuer_chain)
        ),
        # PCCS answers in hexadecimal here.
        "/sgx/certification/v4/rootcacrl": Answer(collateral.root_ca_crl.hex().encode()),
    }


@contextmanager
def serve(answers: dict[str, Answer]) -> Iterator[Pccs]:
    """Serve on a free port of the loopback until the block ends."""
    service = Pccs(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.asked.append(self.path)
            answer = service.answers.get(self.path, Answer(b"not found", status=404))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def host_of(service: Pccs) -> str:
    return urlsplit(service.url).netloc


# --- a verifier -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Block:
    timestamp: int
    number: int = 1


@dataclass(frozen=True)
class _Receipt:
    gas_used: int


def _refused(name: str) -> ContractRefused:
    return ContractRefused(name, {})


class MemoryVerifier:
    """The views, events and submissions of the contract that the client uses, kept in dictionaries."""

    def __init__(self, *, now: int = NOW, grace: int = 0, root: bytes | None = None) -> None:
        self.now = now
        self.grace = grace
        self.root_key_hash = keccak256(PKI.root.public_key if root is None else root)
        self.sent: list[str] = []
        self.authorities: dict[int, dict[str, Any]] = {}
        self.root_crl = (0, 0, 0)
        self.texts: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        self.known: set[bytes] = set()
        self.events: list[tuple[str, dict[str, Any]]] = []

    def get_function_by_name(self, name: str) -> Any:
        return lambda *arguments: (name, arguments)

    def call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        if name == "COLLATERAL_GRACE":
            return self.grace
        if name == "rootKeyHash":
            return self.root_key_hash
        if name == "rootCrl":
            return self.root_crl
        if name == "authorityIndex":
            for index, stored in self.authorities.items():
                if stored["keyId"] == arguments[0]:
                    return index
            raise _refused("IssuerUnknown")
        if name == "authority":
            fields = ("role", "revoked", "notAfter", "crlThisUpdate", "crlNextUpdate", "crlNumber")
            return tuple(self.authorities[arguments[0]][field] for field in fields)
        if name in ("tcbInfo", "qeIdentity"):
            if (name, *arguments) not in self.texts:
                raise _refused("TcbInfoUnknown" if name == "tcbInfo" else "QeIdentityUnknown")
            record = self.texts[(name, *arguments)]
            return record, record[2] + self.grace
        if name in ("pckRecord", "platform"):
            if arguments[0] not in self.known:
                raise _refused("PckUnknown" if name == "pckRecord" else "PlatformUnknown")
            return ()
        raise AssertionError(name)

    def take(self, name: str, arguments: tuple[Any, ...], collateral: Collateral) -> None:
        """Keep what a submission brings."""
        self.sent.append(name)
        if name in ("submitIntermediateCa", "submitTcbSigner"):
            certificate = x509.load_der_x509_certificate(arguments[0])
            key_id = certificate.extensions.get_extension_for_class(
                x509.SubjectKeyIdentifier
            ).value.digest
            role = 1 if name == "submitIntermediateCa" else 2
            self.authorities[key_id[0]] = {
                "role": role,
                "revoked": False,
                "notAfter": int(certificate.not_valid_after_utc.timestamp()),
                "crlThisUpdate": 0,
                "crlNextUpdate": 0,
                "crlNumber": 0,
                "keyId": key_id,
            }
            self.events.append(("AuthorityAccepted", {"index": key_id[0], "keyId": key_id}))
        elif name == "submitCrl":
            self._take_crl(x509.load_der_x509_crl(arguments[0]))
        elif name == "submitPckCertificate":
            self.known.add(parse_pck_certificate(arguments[0]).pck_id)
        else:
            self._take_text(name, arguments[3], collateral)

    def _take_crl(self, crl: x509.CertificateRevocationList) -> None:
        key_id = crl.extensions.get_extension_for_class(
            x509.AuthorityKeyIdentifier
        ).value.key_identifier
        assert crl.next_update_utc is not None
        this_update = int(crl.last_update_utc.timestamp())
        next_update = int(crl.next_update_utc.timestamp())
        number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        for stored in self.authorities.values():
            if stored["keyId"] == key_id:
                stored |= {
                    "crlThisUpdate": this_update,
                    "crlNextUpdate": next_update,
                    "crlNumber": number,
                }
                return
        self.root_crl = (this_update, next_update, number)

    def _take_text(self, name: str, signer: int, collateral: Collateral) -> None:
        import json
        from datetime import datetime

        tcb = name == "submitTcbInfo"
        document = json.loads(collateral.tcb_info if tcb else collateral.qe_identity)
        issued, until = (
            int(datetime.fromisoformat(document[member]).timestamp())
            for member in ("issueDate", "nextUpdate")
        )
        tee = TeeKind.TDX if document.get("id") in ("TDX", "TD_QE") else TeeKind.SGX
        record = ("0x", issued, until, document["tcbEvaluationDataNumber"], signer)
        if tcb:
            fmspc, pce_id = (bytes.fromhex(document[m]) for m in ("fmspc", "pceId"))
            self.texts[("tcbInfo", tee, fmspc, pce_id)] = record
            self.events.append(
                ("TcbInfoAccepted", {"tee": int(tee), "fmspc": fmspc, "pceid": pce_id})
            )
        else:
            self.texts[("qeIdentity", tee)] = record
            self.events.append(("QeIdentityAccepted", {"tee": int(tee)}))


def _nothing(item: dict[str, Any]) -> int | bytes | str:
    if item["type"] == "address":
        return "0x" + "00" * 20
    return b"" if item["type"].startswith("bytes") else 0


class MemoryChain:
    """The part of :class:`xmtp_tee.client.chain.Chain` that the client's collateral uses."""

    def __init__(self, verifier: MemoryVerifier) -> None:
        self.verifier = verifier
        self.collateral = CollateralRecipe().build(ISSUED_AT)

    def require_chain(self, _: int) -> None:
        return

    def contract(self, *_: object) -> MemoryVerifier:
        return self.verifier

    def block(self) -> _Block:
        return _Block(self.verifier.now)

    def read(self, function: tuple[str, tuple[Any, ...]]) -> Any:
        return self.verifier.call(*function)

    def request(self, method: str, query: dict[str, Any]) -> list[dict[str, Any]]:
        assert method == "eth_getLogs"
        return [
            self._log(index, name, made, query["address"])
            for index, (name, made) in enumerate(self.verifier.events)
            if query["topics"] == ["0x" + topic_of(event_entry("DcapVerifier", name)).hex()]
        ]

    def _log(self, index: int, name: str, made: dict[str, Any], address: str) -> dict[str, Any]:
        """The event as a node shows it; what the verifier in memory does not keep is zero."""
        entry = event_entry("DcapVerifier", name)
        indexed = [item for item in entry["inputs"] if item["indexed"]]
        values = [
            encode([item["type"]], [made.get(item["name"], _nothing(item))]) for item in indexed
        ]
        plain = [item for item in entry["inputs"] if not item["indexed"]]
        data = encode([item["type"] for item in plain], [_nothing(item) for item in plain])
        return {
            "address": address,
            "topics": ["0x" + topic.hex() for topic in (topic_of(entry), *values)],
            "data": "0x" + data.hex(),
            "blockNumber": "0x1",
            "blockHash": "0x" + "00" * 32,
            "transactionHash": "0x" + "00" * 32,
            "logIndex": hex(index),
        }

    def transact(self, function: tuple[str, tuple[Any, ...]], _: object) -> _Receipt:
        self.verifier.take(*function, self.collateral)
        return _Receipt(100_000)


DEPLOYMENT = Deployment(
    network="memory",
    chain_id=31_337,
    development_root=True,
    deployed_at_block=0,
    contracts={name: f"0x{index + 1:040x}" for index, name in enumerate(CONTRACTS)},
)


class Desk:
    """A client before a verifier in memory."""

    def __init__(self, **options: Any) -> None:
        self.verifier = MemoryVerifier(**options)
        self.chain = MemoryChain(self.verifier)
        self.sync = CollateralSync(cast("Chain", self.chain), DEPLOYMENT)

    def submit(self, collateral: Collateral, leaf: bytes | None = None) -> list[Any]:
        self.chain.collateral = collateral
        return self.sync.submit(collateral, cast("Any", None), leaf)

    def bring(self, recipe: CollateralRecipe | None = None, issued_at: int = ISSUED_AT) -> None:
        self.submit((recipe or CollateralRecipe()).build(issued_at))
