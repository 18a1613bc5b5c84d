// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AttestedReport, PlatformJudgement, TeeKind} from "../interfaces/AttestationTypes.sol";
import {IAttestationRouter} from "../interfaces/IAttestationRouter.sol";
import {IAttestationVerifier} from "../interfaces/IAttestationVerifier.sol";
import {EvidenceRouting} from "./EvidenceRouting.sol";

/// @title AttestationVerifier
/// @notice Leads evidence to the verifier of its TEE; see {IAttestationRouter}.
contract AttestationVerifier is IAttestationRouter, EvidenceRouting {
    address private immutable SGX_VERIFIER;
    address private immutable TDX_VERIFIER;
    address private immutable NITRO_VERIFIER;
    address private immutable SEV_SNP_VERIFIER;
    /// @dev The verifier when all routes lead to one, else zero. Then a handle needs no route of its own, and
    /// judging a platform reads no storage here.
    address private immutable SOLE_VERIFIER;
    bool private immutable DEVELOPMENT_ROOT;

    /// @dev Only kept with several verifiers: which of them gave this handle.
    mapping(bytes20 platform => TeeKind kind) private _kindOf;

    /// @notice Fixes the routes.
    /// @dev Reverts: RoutesMismatch, RouteKindMissing, RouteDuplicate, RouteNotAContract, MixedRoots.
    /// @param kinds The kinds of environment, each at most once.
    /// @param verifiers Their verifiers; one verifier may serve several kinds.
    constructor(TeeKind[] memory kinds, address[] memory verifiers) {
        if (kinds.length == 0 || kinds.length != verifiers.length) {
            revert RoutesMismatch(kinds.length, verifiers.length);
        }
        address[5] memory routes;
        address sole = verifiers[0];
        bool development;
        for (uint256 i = 0; i < kinds.length; ++i) {
            (TeeKind kind, address verifier) = (kinds[i], verifiers[i]);
            if (kind == TeeKind.NONE) revert RouteKindMissing(i);
            if (routes[uint256(kind)] != address(0)) revert RouteDuplicate(kind);
            if (verifier.code.length == 0) revert RouteNotAContract(kind, verifier);
            bool pinsDevelopment = IAttestationVerifier(verifier).developmentRoot();
            if (i == 0) development = pinsDevelopment;
            if (pinsDevelopment != development) revert MixedRoots(kind, pinsDevelopment);
            routes[uint256(kind)] = verifier;
            if (verifier != sole) sole = address(0);
            emit RouteFixed(kind, verifier, pinsDevelopment);
        }
        SGX_VERIFIER = routes[uint256(TeeKind.SGX)];
        TDX_VERIFIER = routes[uint256(TeeKind.TDX)];
        NITRO_VERIFIER = routes[uint256(TeeKind.NITRO)];
        SEV_SNP_VERIFIER = routes[uint256(TeeKind.SEV_SNP)];
        SOLE_VERIFIER = sole;
        DEVELOPMENT_ROOT = development;
    }

    /// @inheritdoc IAttestationVerifier
    // NOTE: open to everyone. The evidence decides, and all that is remembered was verified.
    function verify(bytes calldata evidence) external returns (AttestedReport memory report) {
        report = _verify(_evidenceKind(evidence), evidence);
        if (SOLE_VERIFIER == address(0)) _rememberRoute(report.platform, report.tee);
    }

    /// @inheritdoc IAttestationVerifier
    function judgePlatform(bytes20 platform) external view returns (PlatformJudgement memory judgement) {
        address verifier = SOLE_VERIFIER;
        if (verifier == address(0)) verifier = _verifierOf(_kindOf[platform]);
        if (verifier == address(0)) revert PlatformUnknown(platform);
        return IAttestationVerifier(verifier).judgePlatform(platform);
    }

    /// @inheritdoc IAttestationVerifier
    function developmentRoot() external view returns (bool development) {
        return DEVELOPMENT_ROOT;
    }

    /// @inheritdoc IAttestationRouter
    function route(TeeKind kind) external view returns (address verifier) {
        return _verifierOf(kind);
    }

    /// @inheritdoc EvidenceRouting
    function _verifierOf(TeeKind kind) internal view override returns (address verifier) {
        if (kind == TeeKind.TDX) return TDX_VERIFIER;
        if (kind == TeeKind.SGX) return SGX_VERIFIER;
        if (kind == TeeKind.NITRO) return NITRO_VERIFIER;
        if (kind == TeeKind.SEV_SNP) return SEV_SNP_VERIFIER;
    }

    function _rememberRoute(bytes20 platform, TeeKind kind) private {
        TeeKind recorded = _kindOf[platform];
        if (recorded == kind) return;
        if (recorded != TeeKind.NONE) revert PlatformAmbiguous(platform, kind, recorded);
        _kindOf[platform] = kind;
    }
}
