// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TeeKind} from "./AttestationTypes.sol";

/// @notice A stored TCB info or QE identity. All times are unix seconds.
/// @param content The contract whose code, after its first byte, is what was kept of the text.
/// @param issueDate When Intel issued it.
/// @param nextUpdate When Intel will have issued the next one.
/// @param evaluationNumber tcbEvaluationDataNumber.
/// @param signer The index of the TCB signer that signed it.
struct CollateralRecord {
    address content;
    uint32 issueDate;
    uint32 nextUpdate;
    uint24 evaluationNumber;
    uint8 signer;
}

/// @title IDcapCollateral
/// @notice Keeps Intel's TCB info and quoting enclave identities (PCS API v4), accepted from anyone because a
/// certified TCB signer signed them.
/// @dev The submitter brings a compact form; the contract writes the exact JSON text from it and checks the
/// signature over that. WARNING: stored collateral was Intel's newest KNOWN HERE, not Intel's newest: somebody
/// has to bring it. It is used until `nextUpdate` plus the grace chosen at deployment, and then not at all.
interface IDcapCollateral {
    // --- events ------------------------------------------------------------------------------------

    /// @notice A newer TCB info is in force.
    /// @dev Reader invariants: a TCB signer that counted in this very block signed it; per (tee, fmspc, pceid)
    /// neither `issueDate` nor `evaluationNumber` ever decreases; it was not from the future and had not
    /// lapsed. `content` is unchanged exactly when only dates and number changed.
    event TcbInfoAccepted(
        TeeKind indexed tee,
        bytes6 indexed fmspc,
        bytes2 indexed pceid,
        uint40 issueDate,
        uint40 nextUpdate,
        uint24 evaluationNumber,
        address content
    );

    /// @notice A newer identity of a quoting enclave is in force.
    /// @dev Reader invariants: as for {TcbInfoAccepted}, per tee.
    event QeIdentityAccepted(
        TeeKind indexed tee, uint40 issueDate, uint40 nextUpdate, uint24 evaluationNumber, address content
    );

    // --- errors ------------------------------------------------------------------------------------

    /// @notice The TCB signer did not sign the text that the compact form stands for.
    /// @param digest SHA-256 of that text.
    error CollateralSignatureInvalid(bytes32 digest, uint8 signer);
    /// @notice It is issued after the present block.
    error CollateralFromFuture(uint256 issueDate, uint256 time);
    /// @notice It is past nextUpdate plus the grace.
    error CollateralLapsed(uint256 nextUpdate, uint256 time);
    /// @notice nextUpdate does not follow issueDate, or lies after the year 2106.
    error CollateralDatesImpossible(uint256 issueDate, uint256 nextUpdate);
    /// @notice A newer one is in force.
    error CollateralOlder(uint256 gotIssueDate, uint256 recordedIssueDate);
    /// @notice One of a later TCB recovery is in force.
    error EvaluationNumberLower(uint256 got, uint256 recorded);
    /// @notice No TCB info for this kind of platform has been submitted.
    error TcbInfoUnknown(TeeKind tee, bytes6 fmspc, bytes2 pceid);
    /// @notice The TCB info in force is past nextUpdate plus the grace.
    error TcbInfoLapsed(TeeKind tee, bytes6 fmspc, uint256 nextUpdate, uint256 time);
    /// @notice No identity of this TEE's quoting enclave has been submitted.
    error QeIdentityUnknown(TeeKind tee);
    /// @notice The identity in force is past nextUpdate plus the grace.
    error QeIdentityLapsed(TeeKind tee, uint256 nextUpdate, uint256 time);

    // --- submissions (anyone) ----------------------------------------------------------------------

    /// @notice Accepts a TCB info that is newer than the one in force.
    /// @dev The one in force, submitted again, changes nothing.
    /// @param compact Its compact form; contracts/attestation/dcap/TcbInfo.sol defines it.
    /// @param r The first half of Intel's signature (`signature` in the service's answer).
    /// @param s The second half.
    /// @param signer The index of the TCB signer, from {IDcapCertificates-authorityIndex}.
    function submitTcbInfo(bytes calldata compact, bytes32 r, bytes32 s, uint8 signer) external;

    /// @notice Accepts an identity of a quoting enclave that is newer than the one in force.
    /// @dev The one in force, submitted again, changes nothing.
    /// @param compact Its compact form; contracts/attestation/dcap/QeIdentity.sol defines it.
    /// @param r The first half of Intel's signature (`signature` in the service's answer).
    /// @param s The second half.
    /// @param signer The index of the TCB signer, from {IDcapCertificates-authorityIndex}.
    function submitQeIdentity(bytes calldata compact, bytes32 r, bytes32 s, uint8 signer) external;

    // --- views -------------------------------------------------------------------------------------

    /// @notice The TCB info in force, as stored: it may have lapsed. Reverts with {TcbInfoUnknown}.
    /// @return record What is stored.
    /// @return lapsesAt The first second at which it no longer counts, unix seconds.
    function tcbInfo(TeeKind tee, bytes6 fmspc, bytes2 pceid)
        external
        view
        returns (CollateralRecord memory record, uint256 lapsesAt);

    /// @notice The identity in force, as stored: it may have lapsed. Reverts with {QeIdentityUnknown}.
    /// @return record What is stored.
    /// @return lapsesAt The first second at which it no longer counts, unix seconds.
    function qeIdentity(TeeKind tee) external view returns (CollateralRecord memory record, uint256 lapsesAt);

    /// @notice The contract that writes Intel's texts from compact forms.
    function collateralReader() external view returns (address reader);
}
