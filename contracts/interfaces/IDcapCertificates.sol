// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What a key that the root certified may do. One key plays one role, for ever.
/// @dev INTERMEDIATE_CA signs PCK certificates and a CRL (Intel's Platform CA and Processor CA); TCB_SIGNER
/// signs TCB info and enclave identities.
enum AuthorityRole {
    NONE,
    INTERMEDIATE_CA,
    TCB_SIGNER
}

/// @notice A key that the root certified, with the state of its certificate and, for a CA, of its CRL.
/// @param role What the key may do; NONE when the index is free.
/// @param revoked Whether the root revoked one of its certificates. Final.
/// @param notAfter The last second of its certificate, unix seconds.
/// @param crlThisUpdate When the newest CRL it signed was issued, unix seconds; 0 before the first.
/// @param crlNextUpdate When the next CRL is due, unix seconds; 0 before the first.
/// @param crlNumber The newest CRL's number; 0 when it has none.
/// @param keyId The certificate's subject key identifier, 20 bytes.
/// @param subject keccak256 of the subject's DER name.
/// @param x The P-256 public key's x.
/// @param y The P-256 public key's y.
struct Authority {
    AuthorityRole role;
    bool revoked;
    uint40 notAfter;
    uint40 crlThisUpdate;
    uint40 crlNextUpdate;
    uint64 crlNumber;
    bytes20 keyId;
    bytes32 subject;
    uint256 x;
    uint256 y;
}

/// @notice What is kept of a PCK certificate: the platform's TCB and the identity under which it is revoked.
/// @dev Two words, big-endian from the top: `componentSvns 16 | pcesvn 2 | fmspc 6 | pceid 2 |
/// ca 1 | notAfter 5` and `revocationKey 16 | ppid 16`.
/// pckId = keccak256(abi.encode(x, y, word1, word2)), which is why evidence may bring all four.
/// @param componentSvns The 16 SGX TCB component SVNs, one byte each, in order; CPUSVN equals them, or the
/// certificate is refused.
/// @param pcesvn The security version of the provisioning certification enclave.
/// @param fmspc Family, model, stepping, platform type and custom SKU: selects the TCB info.
/// @param pceid The provisioning certification enclave's id; the TCB info names it too.
/// @param ca The index of the intermediate CA that issued it: the first byte of the CA's key id (or the next
/// free index, should two authorities share that byte).
/// @param notAfter The last second of validity, unix seconds.
/// @param revocationKey The first 16 bytes of keccak256(authority key id (20) || serial number (32)).
/// @param ppid The platform provisioning id.
struct PckRecord {
    bytes16 componentSvns;
    uint16 pcesvn;
    bytes6 fmspc;
    bytes2 pceid;
    uint8 ca;
    uint40 notAfter;
    bytes16 revocationKey;
    bytes16 ppid;
}

/// @title IDcapCertificates
/// @notice Keeps Intel's certificates and revocation lists (Intel SGX PCK Certificate and Certificate
/// Revocation List Profile Specification; RFC 5280), accepted from anyone because a pinned root signed them.
/// @dev WARNING: a stored certificate was genuine when it was submitted. Whether it counts NOW is decided at
/// use only: validity of it and of every ancestor, its revocation, and the freshness of both CRLs. This
/// contract does not decide whether a platform's TCB is acceptable, and says nothing about quotes.
/// Malformed input reverts with the errors of {ICertificateReader} and of the libraries behind it.
interface IDcapCertificates {
    // --- events ------------------------------------------------------------------------------------

    /// @notice The root has been found to certify a key for a role, or to prolong it.
    /// @dev Reader invariants: the certificate's signature by the pinned root was checked in this very
    /// transaction; one index never changes its key or its role; `notAfter` of an index only grows.
    /// @param index The authority's index.
    /// @param role What the key may do.
    /// @param keyId The subject key identifier.
    /// @param serial The certificate's serial number.
    /// @param notAfter The last second of its validity, unix seconds.
    event AuthorityAccepted(
        uint8 indexed index, AuthorityRole indexed role, bytes20 indexed keyId, uint256 serial, uint40 notAfter
    );

    /// @notice A platform's PCK certificate has been verified down to the pinned root and stored.
    /// @dev Reader invariants: emitted once per id; the record behind the id never changes. It may be
    /// expired or revoked by the time this is read.
    /// @param pckId The id under which evidence names it.
    /// @param fmspc The platform's FMSPC.
    /// @param ppid The platform provisioning id.
    /// @param ca The index of its issuer.
    event PckCertificateAccepted(bytes32 indexed pckId, bytes6 indexed fmspc, bytes16 indexed ppid, uint8 ca);

    /// @notice A newer CRL is in force.
    /// @dev Reader invariants: `thisUpdate` never decreases per issuer; every serial number of the list is
    /// revoked when this is emitted.
    /// @param issuerKeyId The key id of the CA that signed it.
    /// @param thisUpdate When it was issued, unix seconds.
    /// @param nextUpdate When the next one is due, unix seconds.
    /// @param entries How many certificates it lists.
    event CrlAccepted(bytes20 indexed issuerKeyId, uint40 thisUpdate, uint40 nextUpdate, uint256 entries);

    /// @notice A certificate has been revoked.
    /// @dev Reader invariants: emitted once per (issuer, serial); final, whatever later lists leave out.
    /// @param issuerKeyId The key id of the CA that issued and revoked it.
    /// @param serial The certificate's serial number.
    event SerialRevoked(bytes20 indexed issuerKeyId, uint256 serial);

    // --- errors ------------------------------------------------------------------------------------

    /// @notice The grace after nextUpdate exceeds the bound.
    error GraceTooLong(uint64 got, uint64 limit);
    /// @notice The certificate given as the root does not name itself as its issuer.
    error RootNotSelfIssued(bytes32 issuer, bytes32 subject);
    /// @notice The certificate given as the root has no key id, or names another as its issuer's.
    error RootKeyIdMismatch(bytes20 authorityKeyId, bytes20 subjectKeyId);
    /// @notice The signature does not verify under the issuer's key.
    error SignatureInvalid(bytes20 issuerKeyId);
    /// @notice The issuer's name is not the subject name of the CA whose key id the certificate names.
    error IssuerMismatch(bytes32 got, bytes32 expected);
    /// @notice The authority key identifier is not the root's.
    error NotIssuedByRoot(bytes20 got, bytes20 expected);
    /// @notice No authority with this key id is known.
    error IssuerUnknown(bytes20 keyId);
    /// @notice The certificate has no subject key identifier.
    error KeyIdMissing();
    /// @notice Another key, another name or the root has this key id already.
    error KeyIdTaken(bytes20 keyId);
    /// @notice All indices are taken.
    error TooManyAuthorities(uint256 limit);
    /// @notice The authority at this index has another role.
    error AuthorityRoleMismatch(uint8 index, AuthorityRole got, AuthorityRole expected);
    /// @notice basicConstraints says CA where an end entity is required, or the other way round.
    error BasicConstraintsMismatch(bool ca, bool expected);
    /// @notice The path length constraint is not the one required; 2^256 - 1 when it is absent.
    error PathLengthMismatch(uint256 got, uint256 expected);
    /// @notice keyUsage lacks a required bit or grants a forbidden one. First octet of the bit string on top.
    error KeyUsageMismatch(uint16 got, uint16 required, uint16 forbidden);
    /// @notice The certificate is not valid yet.
    error CertificateNotYetValid(uint256 notBefore, uint256 time);
    /// @notice The certificate has expired.
    error CertificateExpired(uint256 notAfter, uint256 time);
    /// @notice The pinned root's certificate has expired.
    error RootExpired(uint256 notAfter, uint256 time);
    /// @notice The certificate of the authority at this index has expired.
    error AuthorityExpired(uint8 index, uint256 notAfter, uint256 time);
    /// @notice The issuer has revoked this certificate.
    error CertificateRevoked(bytes16 revocationKey);
    /// @notice The authority's certificate has been revoked by the root.
    error AuthorityRevoked(uint8 index);
    /// @notice No PCK certificate with this id has been submitted, and no platform recorded that has it.
    error PckUnknown(bytes32 pckId);
    /// @notice No CRL of this CA has been submitted.
    error CrlMissing(bytes20 issuerKeyId);
    /// @notice The CA's newest known CRL is past nextUpdate plus the grace.
    error CrlExpired(bytes20 issuerKeyId, uint256 nextUpdate, uint256 time);
    /// @notice The CRL is from the future.
    error CrlNotYetValid(bytes20 issuerKeyId, uint256 thisUpdate, uint256 time);
    /// @notice A newer CRL of this CA is in force.
    error CrlOlder(bytes20 issuerKeyId, uint256 got, uint256 current);
    /// @notice The CRL number is lower than that of the CRL in force.
    error CrlNumberLower(bytes20 issuerKeyId, uint256 got, uint256 current);

    // --- submissions (anyone) ----------------------------------------------------------------------

    /// @notice Accepts a CA between the root and the PCK certificates.
    /// @dev Issued by the root; CA with path length 0; may sign certificates and CRLs and nothing else.
    /// Submitting a known one again changes nothing; a later certificate for the same key prolongs it.
    /// @param der The certificate, X.509 v3, DER.
    /// @return ca Its index.
    function submitIntermediateCa(bytes calldata der) external returns (uint8 ca);

    /// @notice Accepts a signer of TCB info and enclave identities.
    /// @dev Issued by the root; no CA; may make digital signatures but sign neither certificates nor CRLs.
    /// @param der The certificate, X.509 v3, DER.
    /// @return signer Its index.
    function submitTcbSigner(bytes calldata der) external returns (uint8 signer);

    /// @notice Accepts the PCK certificate of a platform.
    /// @dev Issued by a known intermediate CA; no CA; carries Intel's SGX extension.
    /// Submitting a known one again changes nothing.
    /// @param der The certificate, X.509 v3, DER.
    /// @return pckId The id under which evidence names it.
    function submitPckCertificate(bytes calldata der) external returns (bytes32 pckId);

    /// @notice Accepts a CRL of the root or of a known intermediate CA.
    /// @dev Costs about 27,000 gas per serial number that is new, about 5,000 per known one. A list that is
    /// too long for one transaction is brought by {submitCrlEntries} in parts first.
    /// @param der The CRL, X.509 v2, DER.
    function submitCrl(bytes calldata der) external;

    /// @notice Stores some entries of a CRL, which {submitCrl} would accept, ahead of it.
    /// @dev Checks what {submitCrl} checks, but does not put the list in force.
    /// @param der The CRL, X.509 v2, DER.
    /// @param first The index of the first entry to store.
    /// @param count How many to store at most.
    function submitCrlEntries(bytes calldata der, uint256 first, uint256 count) external;

    // --- views -------------------------------------------------------------------------------------

    /// @notice keccak256(x || y) of the pinned root's public key.
    function rootKeyHash() external view returns (bytes32);

    /// @notice The state of the root's CRL.
    /// @return thisUpdate When it was issued, unix seconds; 0 before the first.
    /// @return nextUpdate When the next one is due, unix seconds.
    /// @return number Its CRL number.
    function rootCrl() external view returns (uint40 thisUpdate, uint40 nextUpdate, uint64 number);

    /// @notice An authority by its index, as stored: it may be expired or revoked.
    function authority(uint8 index) external view returns (Authority memory);

    /// @notice The index of the authority with this key id; reverts with {IssuerUnknown}.
    function authorityIndex(bytes20 keyId) external view returns (uint8 index);

    /// @notice The record of a PCK certificate that was submitted by itself, as stored: it may be expired or revoked.
    /// Reverts with {PckUnknown}. Certificates that evidence brought are kept with their platform.
    function pckRecord(bytes32 pckId) external view returns (PckRecord memory);

    /// @notice Whether a certificate has been revoked by its issuer, as far as submitted CRLs say.
    function isRevoked(bytes20 issuerKeyId, uint256 serial) external view returns (bool);
}
