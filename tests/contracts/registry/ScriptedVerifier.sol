// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AttestedReport, PlatformJudgement} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IAttestationVerifier} from "../../../contracts/interfaces/IAttestationVerifier.sol";

/// @title ScriptedVerifier
/// @notice Stands at the verifier's interface in tests of the contracts behind it. Answers only what a test
/// has written down for exactly these bytes; everything else is refused.
/// WARNING: verifies nothing. It exists in tests alone.
contract ScriptedVerifier is IAttestationVerifier {
    error EvidenceNotScripted(bytes32 evidenceHash);
    error PlatformNotScripted(bytes20 platform);

    bool public immutable developmentRoot;

    mapping(bytes32 evidenceHash => bytes report) private _reports;
    mapping(bytes20 platform => PlatformJudgement judgement) private _judgements;
    mapping(bytes20 platform => bytes answer) private _answers;
    mapping(bytes20 platform => uint8 manner) private _manners;

    constructor(bool developmentRoot_) {
        developmentRoot = developmentRoot_;
        emit RootPinned(keccak256("scripted"), developmentRoot_);
    }

    function scriptEvidence(bytes memory evidence, AttestedReport memory report) external {
        _reports[keccak256(evidence)] = abi.encode(report);
    }

    function scriptJudgement(bytes20 platform, PlatformJudgement calldata judgement) external {
        _manners[platform] = 1;
        _judgements[platform] = judgement;
    }

    /// @dev The platform's judgement reverts with exactly these bytes.
    function scriptRevert(bytes20 platform, bytes memory data) external {
        _manners[platform] = 2;
        _answers[platform] = data;
    }

    /// @dev The platform's judgement returns exactly these bytes, well-formed or not.
    function scriptReturn(bytes20 platform, bytes memory data) external {
        _manners[platform] = 3;
        _answers[platform] = data;
    }

    /// @dev The platform's judgement burns all its gas.
    function scriptBurn(bytes20 platform) external {
        _manners[platform] = 4;
    }

    function verify(bytes calldata evidence) external view returns (AttestedReport memory report) {
        bytes memory scripted = _reports[keccak256(evidence)];
        if (scripted.length == 0) revert EvidenceNotScripted(keccak256(evidence));
        return abi.decode(scripted, (AttestedReport));
    }

    function judgePlatform(bytes20 platform) external view returns (PlatformJudgement memory judgement) {
        uint8 manner = _manners[platform];
        if (manner == 0) revert PlatformNotScripted(platform);
        if (manner == 1) return _judgements[platform];
        if (manner == 4) {
            assembly {
                invalid()
            }
        }
        bytes memory answer = _answers[platform];
        assembly {
            switch manner
            case 2 { revert(add(answer, 0x20), mload(answer)) }
            default { return(add(answer, 0x20), mload(answer)) }
        }
    }
}
