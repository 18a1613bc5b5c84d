// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AttestedReport, TeeKind} from "../interfaces/AttestationTypes.sol";
import {IAttestationRouter} from "../interfaces/IAttestationRouter.sol";
import {IAttestationVerifier} from "../interfaces/IAttestationVerifier.sol";

/// @title EvidenceRouting
/// @notice Leads evidence, `TEE kind 1 | rest`, to the verifier of its kind. For the router, which fixes the routes,
/// and for who has copied them and saves the call in between.
abstract contract EvidenceRouting {
    /// @dev Reverts: every error of the verifier, {IAttestationRouter.TeeKindMismatch}.
    /// @param kind What {_evidenceKind} says of the evidence.
    function _verify(TeeKind kind, bytes calldata evidence) internal returns (AttestedReport memory report) {
        report = IAttestationVerifier(_verifierOf(kind)).verify(evidence[1:]);
        if (report.tee != kind) revert IAttestationRouter.TeeKindMismatch(report.tee, kind);
    }

    /// @dev The kind that evidence says it is of, for which there is a verifier. Reverts:
    /// {IAttestationRouter.EvidenceEmpty}, {IAttestationRouter.TeeKindUnsupported}.
    function _evidenceKind(bytes calldata evidence) internal view returns (TeeKind kind) {
        if (evidence.length == 0) revert IAttestationRouter.EvidenceEmpty();
        uint8 byte0 = uint8(evidence[0]);
        if (byte0 > uint8(type(TeeKind).max)) revert IAttestationRouter.TeeKindUnsupported(byte0);
        kind = TeeKind(byte0);
        if (_verifierOf(kind) == address(0)) revert IAttestationRouter.TeeKindUnsupported(byte0);
    }

    /// @dev The verifier of a kind's evidence, zero when there is none. Never changes.
    function _verifierOf(TeeKind kind) internal view virtual returns (address verifier);
}
