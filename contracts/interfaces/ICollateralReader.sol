// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TeeKind} from "./AttestationTypes.sol";

/// @notice Which TCB info a text is, and from when to when it counts. All times are unix seconds.
/// @param version 2 or 3.
/// @param tee SGX or TDX (`id`); version 2 is of SGX.
/// @param fmspc The platform family it judges.
/// @param pceid The provisioning certification enclave's id.
/// @param issueDate When Intel issued it.
/// @param nextUpdate When Intel will have issued the next one.
/// @param evaluationNumber tcbEvaluationDataNumber: grows with each TCB recovery event.
struct TcbInfoSummary {
    uint8 version;
    TeeKind tee;
    bytes6 fmspc;
    bytes2 pceid;
    uint40 issueDate;
    uint40 nextUpdate;
    uint24 evaluationNumber;
}

/// @notice Which enclave identity a text is, and from when to when it counts. All times are unix seconds.
/// @param tee SGX for the identity "QE", TDX for "TD_QE".
/// @param issueDate When Intel issued it.
/// @param nextUpdate When Intel will have issued the next one.
/// @param evaluationNumber tcbEvaluationDataNumber: grows with each TCB recovery event.
struct QeIdentitySummary {
    TeeKind tee;
    uint40 issueDate;
    uint40 nextUpdate;
    uint24 evaluationNumber;
}

/// @title ICollateralReader
/// @notice Writes the exact JSON text of Intel's collateral from a compact form, and says what it means.
/// @dev Stateless. WARNING: it says nothing about who signed the text. Only a signature over `digest` by a
/// certified TCB signer makes the meaning Intel's.
interface ICollateralReader {
    /// @notice Rebuilds a TCB info (PCS API v4, version 3, SGX or TDX; PCS API v3, version 2, SGX).
    /// @param compact The compact form; contracts/attestation/dcap/TcbInfo.sol defines it.
    /// @return summary Which TCB info it is.
    /// @return digest SHA-256 of the exact text of the `tcbInfo` object.
    /// @return levels What is needed to judge a platform; TcbInfo.sol defines the layout.
    function readTcbInfo(bytes calldata compact)
        external
        view
        returns (TcbInfoSummary memory summary, bytes32 digest, bytes memory levels);

    /// @notice Rebuilds a quoting enclave's identity (PCS API v4, version 2, "QE" or "TD_QE").
    /// @param compact The compact form; contracts/attestation/dcap/QeIdentity.sol defines it.
    /// @return summary Which identity it is.
    /// @return digest SHA-256 of the exact text of the `enclaveIdentity` object.
    /// @return identity What is needed to judge a quoting enclave; QeIdentity.sol defines the layout.
    function readQeIdentity(bytes calldata compact)
        external
        view
        returns (QeIdentitySummary memory summary, bytes32 digest, bytes memory identity);

    /// @notice The exact text of the `tcbInfo` object that the compact form stands for.
    function tcbInfoText(bytes calldata compact) external pure returns (string memory text);

    /// @notice The exact text of the `enclaveIdentity` object that the compact form stands for.
    function qeIdentityText(bytes calldata compact) external pure returns (string memory text);
}
