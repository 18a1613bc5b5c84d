// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The kind of trusted execution environment that evidence comes from.
/// @dev Also the first byte of evidence given to the router. Values are part of the wire format: append only.
enum TeeKind {
    NONE,
    SGX,
    TDX,
    NITRO,
    SEV_SNP
}

/// @notice The security level of a platform as the vendor's newest collateral judges it, converged over
/// every part of it (platform, TDX module, quoting enclave).
/// @dev Intel's names (PCS API v4, `tcbStatus`). NONE is never returned by a verifier.
enum TcbStatus {
    NONE,
    UP_TO_DATE,
    SW_HARDENING_NEEDED,
    CONFIGURATION_NEEDED,
    CONFIGURATION_AND_SW_HARDENING_NEEDED,
    OUT_OF_DATE,
    OUT_OF_DATE_CONFIGURATION_NEEDED,
    REVOKED
}

/// @notice What may be claimed of a key, from weakest to strongest.
/// @dev NONE nothing; SIMULATED a development root, for development only; WALLET the account key is in an
/// enclave; CVM the whole program runs in one confidential VM; MEMBER wallet, installation key and MLS
/// state live in the enclave.
enum AssuranceLevel {
    NONE,
    SIMULATED,
    WALLET,
    CVM,
    MEMBER
}

/// @notice Where a private key came from. An imported key has been outside an enclave and says so for ever.
/// @dev NONE is never valid in a certificate.
enum Provenance {
    NONE,
    GENERATED,
    DERIVED,
    IMPORTED
}

/// @notice How a platform stands under the newest collateral known now.
/// @param status The security level, converged over every part; never NONE, never REVOKED.
/// @param advisories What the vendor holds against the platform: a commitment to the advisory lists of the
/// levels that matched, or (AMD lists none) the product and TCB. Zero when `status` is UP_TO_DATE, and when no matching
/// level lists any. Each verifier documents its formula.
/// @param instance The one machine: DCAP's PPID, 16 bytes.
/// @param family The model that it belongs to, left-aligned, the rest zero: DCAP's FMSPC, 6 bytes.
struct PlatformJudgement {
    TcbStatus status;
    bytes32 advisories;
    bytes16 instance;
    bytes16 family;
}

/// @notice What verified evidence says. Every field is taken from bytes that a signature covers.
/// @param tee The kind of environment.
/// @param workload The hash over TEE kind, measurement registers and security-relevant attributes.
/// @param platform The handle under which `judgePlatform` judges the same platform again later.
/// @param reportDataHead Bytes 0 to 31 of the 64 bytes that the enclave bound into its report.
/// @param reportDataTail Bytes 32 to 63.
/// @param judgement How the platform stands now.
struct AttestedReport {
    TeeKind tee;
    bytes32 workload;
    bytes20 platform;
    bytes32 reportDataHead;
    bytes32 reportDataTail;
    PlatformJudgement judgement;
}
