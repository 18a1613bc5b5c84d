"""Quotes in Intel's format under a development PKI. Every field is a parameter, so that attacks can be built.

A recipe is an immutable value: start from the defaults, which a verifier accepts, and change what the test is
about with :func:`dataclasses.replace`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from xmtp_tee.attestation.quote import (
    ATTESTATION_KEY_ECDSA_P256,
    BODY_TYPE_TD_10,
    BODY_TYPE_TD_15,
    CERTIFICATION_PCK_CHAIN,
    CERTIFICATION_QE_REPORT,
    INTEL_QE_VENDOR_ID,
    QE_REPORT_SIZE,
    QUOTE_VERSION_SGX,
    QUOTE_VERSION_TDX,
    QUOTE_VERSION_TDX_15,
    TEE_TYPE_SGX,
    TEE_TYPE_TDX,
)
from xmtp_tee.attestation.reports import SGX_REPORT_SIZE, TD_REPORT_15_SIZE, TD_REPORT_SIZE
from xmtp_tee.attestation.simulator.pki import (
    DevelopmentPki,
    Issued,
    Platform,
    development_pki,
    public_key_bytes,
    sign_raw,
)

TD_ATTRIBUTE_SEPT_VE_DISABLE = 1 << 28
TD_ATTRIBUTE_DEBUG = 1

SGX_FLAG_INIT = 0x01
SGX_FLAG_DEBUG = 0x02
SGX_FLAG_MODE64BIT = 0x04
SGX_FLAG_PROVISION_KEY = 0x10
SGX_FLAG_EINITTOKEN_KEY = 0x20

DEVELOPMENT_QE_MR_SIGNER = hashlib.sha256(b"xmtp-tee development quoting enclave signer").digest()


@dataclass(frozen=True, slots=True)
class TdRecipe:
    """The TD report. Byte strings as in :class:`xmtp_tee.attestation.reports.TdReport`.

    ``td_attributes`` is an integer of 64 bits, written little-endian; bit 0 is DEBUG. ``tee_tcb_svn_2`` (the same as
    ``tee_tcb_svn`` unless given) and ``mr_service_td`` are written for TD 1.5 only.
    """

    report_data: bytes = bytes(64)
    tee_tcb_svn: bytes = bytes([6, 1, 3]) + bytes(13)
    mr_seam: bytes = hashlib.sha384(b"xmtp-tee development TDX module").digest()
    mr_signer_seam: bytes = bytes(48)
    seam_attributes: bytes = bytes(8)
    td_attributes: int = TD_ATTRIBUTE_SEPT_VE_DISABLE
    xfam: bytes = bytes.fromhex("e702060000000000")
    mr_td: bytes = hashlib.sha384(b"xmtp-tee development workload").digest()
    mr_config_id: bytes = bytes(48)
    mr_owner: bytes = bytes(48)
    mr_owner_config: bytes = bytes(48)
    rtmr: tuple[bytes, bytes, bytes, bytes] = (bytes(48), bytes(48), bytes(48), bytes(48))
    tee_tcb_svn_2: bytes | None = None
    mr_service_td: bytes = bytes(48)

    def build_15(self) -> bytes:
        """Return the 648 bytes of the report of TD 1.5."""
        svn = self.tee_tcb_svn if self.tee_tcb_svn_2 is None else self.tee_tcb_svn_2
        return _exactly(self.build() + svn + self.mr_service_td, TD_REPORT_15_SIZE, "TD report")

    def build(self) -> bytes:
        """Return the 584 bytes of the report of TD 1.0."""
        report = b"".join(
            (
                self.tee_tcb_svn,
                self.mr_seam,
                self.mr_signer_seam,
                self.seam_attributes,
                self.td_attributes.to_bytes(8, "little"),
                self.xfam,
                self.mr_td,
                self.mr_config_id,
                self.mr_owner,
                self.mr_owner_config,
                *self.rtmr,
                self.report_data,
            )
        )
        return _exactly(report, TD_REPORT_SIZE, "TD report")


@dataclass(frozen=True, slots=True)
class SgxRecipe:
    """The SGX report of the enclave that is attested.

    ``flags`` is an integer of 64 bits, written little-endian: INIT 1, DEBUG 2, MODE64BIT 4, PROVISION_KEY 0x10,
    EINITTOKEN_KEY 0x20. The rest are byte strings of the report's sizes.
    """

    report_data: bytes = bytes(64)
    cpu_svn: bytes = bytes.fromhex("03030202040100050000000000000000")
    misc_select: bytes = bytes(4)
    isv_ext_prod_id: bytes = bytes(16)
    flags: int = SGX_FLAG_INIT | SGX_FLAG_MODE64BIT
    xfrm: bytes = bytes.fromhex("e700000000000000")
    mr_enclave: bytes = hashlib.sha256(b"xmtp-tee development workload").digest()
    mr_signer: bytes = hashlib.sha256(b"xmtp-tee development workload signer").digest()
    config_id: bytes = bytes(64)
    isv_prod_id: int = 1
    isv_svn: int = 1
    config_svn: int = 0
    isv_family_id: bytes = bytes(16)

    def build(self) -> bytes:
        """Return the 384 bytes of the report."""
        report = b"".join(
            (
                self.cpu_svn,
                self.misc_select,
                bytes(12),
                self.isv_ext_prod_id,
                self.flags.to_bytes(8, "little"),
                self.xfrm,
                self.mr_enclave,
                bytes(32),
                self.mr_signer,
                bytes(32),
                self.config_id,
                self.isv_prod_id.to_bytes(2, "little"),
                self.isv_svn.to_bytes(2, "little"),
                self.config_svn.to_bytes(2, "little"),
                bytes(42),
                self.isv_family_id,
                self.report_data,
            )
        )
        return _exactly(report, SGX_REPORT_SIZE, "SGX report")


@dataclass(frozen=True, slots=True)
class QuotingEnclave:
    """The quoting enclave's SGX report.

    ``report_data`` replaces the 64 bytes sha256(attestation key || auth data) || zeros.
    """

    cpu_svn: bytes = bytes.fromhex("0303191b04ff00060000000000000000")
    misc_select: bytes = bytes(4)
    attributes: bytes = bytes.fromhex("1500000000000000e700000000000000")
    mr_enclave: bytes = hashlib.sha256(b"xmtp-tee development quoting enclave").digest()
    mr_signer: bytes = DEVELOPMENT_QE_MR_SIGNER
    isv_prod_id: int = 2
    isv_svn: int = 6
    report_data: bytes | None = None

    def build(self, attestation_key: bytes, auth_data: bytes) -> bytes:
        """Return the 384 bytes of the report."""
        report_data = self.report_data
        if report_data is None:
            report_data = hashlib.sha256(attestation_key + auth_data).digest() + bytes(32)
        report = b"".join(
            (
                self.cpu_svn,
                self.misc_select,
                bytes(28),
                self.attributes,
                self.mr_enclave,
                bytes(32),
                self.mr_signer,
                bytes(96),
                self.isv_prod_id.to_bytes(2, "little"),
                self.isv_svn.to_bytes(2, "little"),
                bytes(60),
                report_data,
            )
        )
        return _exactly(report, QE_REPORT_SIZE, "QE report")


SGX_QUOTING_ENCLAVE = QuotingEnclave(
    mr_enclave=hashlib.sha256(b"xmtp-tee development SGX quoting enclave").digest(), isv_prod_id=1
)
"""The quoting enclave of SGX: product 1, where that of TDX is product 2."""


@dataclass(frozen=True, slots=True)
class QuoteRecipe:
    """A whole quote: TDX version 4 unless made by :meth:`sgx_v3`, :meth:`tdx_v5` or :meth:`tdx_v5_td_10`.

    The layout is version 3's when there is ``sgx``, version 5's when there is a ``body_type``; ``version`` and
    ``tee_type`` are only what the header says. ``body_size`` replaces the size that version 5 states.
    ``pck`` signs the QE report and heads the chain (issued for ``platform`` unless given);
    ``qe_report_signer`` and ``quote_signer`` swap the signing keys without changing what the quote carries;
    ``pem_chain`` replaces the chain; ``padding`` zero bytes follow the quote.
    """

    td: TdRecipe = field(default_factory=TdRecipe)
    quoting_enclave: QuotingEnclave = field(default_factory=QuotingEnclave)
    platform: Platform = field(default_factory=Platform)
    version: int = QUOTE_VERSION_TDX
    attestation_key_type: int = ATTESTATION_KEY_ECDSA_P256
    tee_type: int = TEE_TYPE_TDX
    reserved: bytes = bytes(4)
    qe_vendor_id: bytes = INTEL_QE_VENDOR_ID
    user_data: bytes = bytes(20)
    auth_data: bytes = bytes(range(32))
    pck: Issued | None = None
    issuer: Issued | None = None
    attestation_key_label: str = "attestation-key"
    qe_report_signer: ec.EllipticCurvePrivateKey | None = field(default=None, repr=False)
    quote_signer: ec.EllipticCurvePrivateKey | None = field(default=None, repr=False)
    certification_type: int = CERTIFICATION_QE_REPORT
    chain_type: int = CERTIFICATION_PCK_CHAIN
    pem_chain: bytes | None = None
    padding: int = 0
    sgx: SgxRecipe | None = None
    body_type: int | None = None
    body_size: int | None = None

    @classmethod
    def sgx_v3(cls, sgx: SgxRecipe | None = None, **changes: Any) -> QuoteRecipe:
        """Return the recipe of an SGX quote of version 3."""
        defaults = {
            "version": QUOTE_VERSION_SGX,
            "tee_type": TEE_TYPE_SGX,
            "quoting_enclave": SGX_QUOTING_ENCLAVE,
        }
        return cls(sgx=sgx or SgxRecipe(), **{**defaults, **changes})

    @classmethod
    def tdx_v5(cls, td: TdRecipe | None = None, **changes: Any) -> QuoteRecipe:
        """Return the recipe of a TDX quote of version 5 with a TD report of TD 1.5."""
        defaults = {"version": QUOTE_VERSION_TDX_15, "body_type": BODY_TYPE_TD_15}
        return cls(td=td or TdRecipe(), **{**defaults, **changes})

    @classmethod
    def tdx_v5_td_10(cls, td: TdRecipe | None = None, **changes: Any) -> QuoteRecipe:
        """Return the recipe of a TDX quote of version 5 with a TD report of TD 1.0."""
        return cls.tdx_v5(td, **{"body_type": BODY_TYPE_TD_10, **changes})

    def body(self) -> bytes:
        """Return what follows the header: the report, in version 5 after its type and size."""
        if self.sgx is not None:
            return self.sgx.build()
        if self.body_type is None:
            return self.td.build()
        report = self.td.build() if self.body_type == BODY_TYPE_TD_10 else self.td.build_15()
        size = len(report) if self.body_size is None else self.body_size
        return self.body_type.to_bytes(2, "little") + size.to_bytes(4, "little") + report

    def build(self, pki: DevelopmentPki | None = None) -> bytes:
        """Return the quote under ``pki`` (the development PKI unless given)."""
        pki = pki or development_pki()
        issuer = self.issuer or pki.platform_ca
        pck = self.pck or pki.issue_pck(self.platform, issuer=issuer)
        attestation_key = pki.key(self.attestation_key_label)
        public_key = public_key_bytes(attestation_key)
        signed = self._header() + self.body()
        qe_report = self.quoting_enclave.build(public_key, self.auth_data)
        chain = self.pem_chain
        if chain is None:
            chain = (pck.pem + issuer.pem + pki.root.pem).encode() + b"\x00"
        certification = b"".join(
            (
                qe_report,
                sign_raw(self.qe_report_signer or pck.key, qe_report),
                _sized(2, self.auth_data),
                self.chain_type.to_bytes(2, "little"),
                _sized(4, chain),
            )
        )
        if self.sgx is None:
            certification = self.certification_type.to_bytes(2, "little") + _sized(4, certification)
        signature = sign_raw(self.quote_signer or attestation_key, signed)
        signature_data = signature + public_key + certification
        return signed + _sized(4, signature_data) + bytes(self.padding)

    def _header(self) -> bytes:
        header = b"".join(
            (
                self.version.to_bytes(2, "little"),
                self.attestation_key_type.to_bytes(2, "little"),
                self.tee_type.to_bytes(4, "little"),
                self.reserved,
                self.qe_vendor_id,
                self.user_data,
            )
        )
        return _exactly(header, 48, "quote header")


def _sized(width: int, data: bytes) -> bytes:
    return len(data).to_bytes(width, "little") + data


def _exactly(data: bytes, size: int, what: str) -> bytes:
    if len(data) != size:
        raise ValueError(f"{what} of {len(data)} bytes instead of {size}")
    return data
