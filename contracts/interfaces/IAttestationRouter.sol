// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TeeKind} from "./AttestationTypes.sol";
import {IAttestationVerifier} from "./IAttestationVerifier.sol";

/// @title IAttestationRouter
/// @notice Leads evidence to the verifier of its TEE. The routes are fixed for ever.
/// @dev Normative description: docs/SPECIFICATION.md, AttestationVerifier.
/// The router pins no root of its own, so {IAttestationVerifier.RootPinned} is emitted by the verifiers it
/// leads to; {RouteFixed} says whose root stands behind a route.
interface IAttestationRouter is IAttestationVerifier {
    /// @notice Evidence of a TEE is verified by this contract, for ever.
    /// @dev Reader invariants: emitted at construction only, once for each kind; `development` is the same
    /// in all of them.
    /// @param kind The kind of environment.
    /// @param verifier The contract that verifies its evidence.
    /// @param development Whether a development root is pinned there.
    event RouteFixed(TeeKind indexed kind, address indexed verifier, bool development);

    /// @notice At least one route, and as many verifiers as kinds.
    error RoutesMismatch(uint256 kinds, uint256 verifiers);
    /// @notice NONE is no kind of environment.
    error RouteKindMissing(uint256 index);
    /// @notice One kind has one verifier.
    error RouteDuplicate(TeeKind kind);
    /// @notice The verifier has no code.
    error RouteNotAContract(TeeKind kind, address verifier);
    /// @notice Development roots and vendors' roots never stand behind one router.
    error MixedRoots(TeeKind kind, bool development);

    /// @notice Evidence begins with one byte that names its TEE.
    error EvidenceEmpty();
    /// @notice No verifier for this kind. `kind` is the byte itself, known or not.
    error TeeKindUnsupported(uint8 kind);
    /// @notice The verifier reported another kind than its route is for.
    error TeeKindMismatch(TeeKind got, TeeKind expected);
    /// @notice Two verifiers gave the same platform handle.
    error PlatformAmbiguous(bytes20 platform, TeeKind got, TeeKind recorded);
    /// @notice No verifier behind this router gave this platform handle.
    error PlatformUnknown(bytes20 platform);

    /// @notice The verifier of a TEE's evidence.
    /// @param kind The kind of environment.
    /// @return verifier Zero when there is none.
    function route(TeeKind kind) external view returns (address verifier);
}
