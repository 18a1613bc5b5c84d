"""The quoting enclave as Intel's QE identity describes it, version 2: QE for SGX, TD_QE for TDX.

Source: Intel PCS API v4, "Get Quoting Enclave Identity". Fields are compared under their masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xmtp_tee.attestation.errors import (
    CollateralInvalidError,
    QuotingEnclaveRefusedError,
    TcbLevelNotFoundError,
)
from xmtp_tee.attestation.levels import PartLevel, Standing, part_standing, read_part_levels
from xmtp_tee.attestation.reports import SgxReport

SGX_FLAG_DEBUG = 0x02


@dataclass(frozen=True, slots=True)
class QeIdentity:
    """Who the quoting enclave must be: MISCSELECT 4 bytes, ATTRIBUTES 16, MRSIGNER 32."""

    misc_select: bytes
    misc_select_mask: bytes
    attributes: bytes
    attributes_mask: bytes
    mr_signer: bytes
    isv_prod_id: int
    levels: tuple[PartLevel, ...]

    def standing(self, report: SgxReport) -> Standing:
        """Return the standing of the quoting enclave with this report.

        :raises QuotingEnclaveRefusedError: it is another enclave, under debug, or below every level
        """
        compared = (
            ("MISCSELECT", report.misc_select, self.misc_select, self.misc_select_mask),
            ("ATTRIBUTES", report.attributes, self.attributes, self.attributes_mask),
            ("MRSIGNER", report.mr_signer, self.mr_signer, b"\xff" * 32),
        )
        for name, got, expected, mask in compared:
            if _masked(got, mask) != _masked(expected, mask):
                raise QuotingEnclaveRefusedError(
                    f"The quoting enclave's {name} is another.",
                    got=got.hex(),
                    expected=f"{expected.hex()} under {mask.hex()}",
                )
        if report.attributes[0] & SGX_FLAG_DEBUG:
            raise QuotingEnclaveRefusedError("The quoting enclave runs in debug mode.")
        if report.isv_prod_id != self.isv_prod_id:
            raise QuotingEnclaveRefusedError(
                "The quoting enclave is another product.",
                got=report.isv_prod_id,
                expected=self.isv_prod_id,
            )
        try:
            return part_standing("quoting enclave", self.levels, report.isv_svn)
        except TcbLevelNotFoundError as error:
            raise QuotingEnclaveRefusedError(
                error.message, got=error.got, expected=error.expected
            ) from error


def read_qe_identity(document: dict[str, Any]) -> QeIdentity:
    """Read a QE identity.

    :raises CollateralInvalidError: a member is missing or malformed
    """

    def member(name: str, size: int) -> bytes:
        value = document[name]
        if not isinstance(value, str) or len(value) != 2 * size:
            raise ValueError(name)
        return bytes.fromhex(value)

    try:
        product = document["isvprodid"]
        if isinstance(product, bool) or not isinstance(product, int):
            raise ValueError("isvprodid")
        return QeIdentity(
            misc_select=member("miscselect", 4),
            misc_select_mask=member("miscselectMask", 4),
            attributes=member("attributes", 16),
            attributes_mask=member("attributesMask", 16),
            mr_signer=member("mrsigner", 32),
            isv_prod_id=product,
            levels=read_part_levels("QE identity", document),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise CollateralInvalidError(
            "The QE identity cannot be read.", cause=repr(error)[:200]
        ) from error


def _masked(value: bytes, mask: bytes) -> bytes:
    return bytes(a & b for a, b in zip(value, mask, strict=True))
