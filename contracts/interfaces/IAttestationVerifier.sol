// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AttestedReport, PlatformJudgement} from "./AttestationTypes.sol";

/// @title IAttestationVerifier
/// @notice Answers one question: is this evidence genuine, down to the vendor's root?
/// @dev Implemented by the router and by the verifier of each TEE. A verifier decides genuineness only.
/// WARNING: it does NOT decide whether the workload is trusted, whether the status is acceptable, whether
/// the evidence is fresh, or what the report data binds. Those are its caller's decisions.
interface IAttestationVerifier {
    /// @notice A root key has been pinned for the life of this contract.
    /// @dev Reader invariants: emitted at construction alone, once for each root: {SevSnpVerifier} pins one for each
    /// product, every other verifier one. `development` is true exactly when the key is not the vendor's, the same in
    /// every such event of a contract, and then nothing this contract accepts is hardware evidence.
    /// @param rootKeyHash keccak256 of the root's public key: x || y on a curve, 48 bytes each on P-384 and 32 on P-256;
    /// the modulus, 512 bytes, of an RSA key (AMD).
    /// @param development Whether the root is a development root.
    event RootPinned(bytes32 indexed rootKeyHash, bool development);

    /// @notice Verifies evidence completely, or reverts with a typed error. There is no third answer.
    /// @dev May remember verified certificates and the platform, so that the next call is cheaper.
    /// @param evidence The evidence in this verifier's encoding.
    /// @return report What the evidence says.
    function verify(bytes calldata evidence) external returns (AttestedReport memory report);

    /// @notice Judges a platform that was verified before, under the newest collateral known now.
    /// @dev Reverts with a typed error when it cannot be judged: the handle is unknown, collateral has
    /// lapsed, a certificate has expired or has been revoked, or no TCB level matches any more.
    /// @param platform The handle from {AttestedReport}.
    /// @return judgement How the platform stands now.
    function judgePlatform(bytes20 platform) external view returns (PlatformJudgement memory judgement);

    /// @notice Whether a development root is pinned: then everything behind this contract is simulated.
    /// @return development True for a development root, false for the vendor's.
    function developmentRoot() external view returns (bool development);
}
