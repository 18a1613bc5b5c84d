// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IPolicyAdministration
/// @notice Answers one question: who may change the policy, and how fast?
/// @dev Normative description: docs/SPECIFICATION.md, EnclavePolicy, administration.
///
/// Additions widen what is trusted: {IEnclavePolicy.addWorkload}, {IEnclavePolicy.allowStatus},
/// {IEnclavePolicy.allowPlatform}, {IEnclavePolicy.allowFamily}, {IEnclavePolicy.relaxKinds} and {addGuardian}. Under a
/// lock the owner announces the very call by {scheduleAddition}, and may send it from {additionDelay} seconds later on, for 14 days, once.
/// Removals narrow what is trusted and act at once.
/// Guardians act where speed matters and nothing can be won: they pause registries that ask {isGuardian}, and cancel
/// what is scheduled. They add nothing, remove nothing and lift no pause.
interface IPolicyAdministration {
    // --- events ------------------------------------------------------------------------------------

    /// @notice How long an addition waits. Zero: there is no lock.
    /// @dev Reader invariants: emitted at construction, once, and never again.
    /// @param additionDelay Seconds: 0, or 1 hour to 30 days.
    event AdditionDelayFixed(uint32 additionDelay);

    /// @notice The owner has announced an addition; it may be made from `executableAt` on.
    /// @dev Reader invariants: `id` is keccak256(`call`); `call` is the canonical calldata of one of the six additions;
    /// no earlier event with this id is pending. Pending means: without a later {AdditionExecuted} or
    /// {AdditionCancelled} of this id or OwnershipTransferred, and before `lapsesAt`.
    /// @param id What names it.
    /// @param call The calldata that the owner will have to send.
    /// @param executableAt The first second at which it may be made, unix seconds.
    /// @param lapsesAt The first second at which it no longer may.
    event AdditionScheduled(bytes32 indexed id, bytes call, uint64 executableAt, uint64 lapsesAt);

    /// @notice A scheduled addition has been made; its own event is in the same transaction.
    /// @dev Reader invariants: an {AdditionScheduled} of this id was pending, and executable.
    /// @param id What names it.
    event AdditionExecuted(bytes32 indexed id);

    /// @notice A scheduled addition will not be made.
    /// @dev Reader invariants: an {AdditionScheduled} of this id was pending, or had lapsed.
    /// @param id What names it.
    /// @param by The owner or a guardian.
    event AdditionCancelled(bytes32 indexed id, address indexed by);

    /// @notice An account may pause and cancel from now on.
    /// @dev Reader invariants: emitted only while it is no guardian.
    /// @param guardian The account.
    event GuardianAdded(address indexed guardian);

    /// @notice An account may no longer pause or cancel.
    /// @dev Reader invariants: emitted only while it is a guardian.
    /// @param guardian The account.
    event GuardianRemoved(address indexed guardian);

    // --- errors ------------------------------------------------------------------------------------

    /// @notice The delay must be 0 (no lock) or `shortest` to `longest` seconds.
    error AdditionDelayOutOfRange(uint256 got, uint256 shortest, uint256 longest);
    /// @notice This policy has no lock: additions are sent at once.
    error AdditionsNotLocked();
    /// @notice Only additions are scheduled. `selector` is the call's first four bytes, zeros where it is shorter.
    error AdditionNotSchedulable(bytes4 selector);
    /// @notice The calldata is not the one encoding that the ABI has for its values.
    error AdditionNotCanonical(bytes4 selector);
    /// @notice The same call is pending already.
    error AdditionAlreadyScheduled(bytes32 id, uint64 executableAt);
    /// @notice This call is not pending: never scheduled by this owner, made already, or cancelled.
    error AdditionNotScheduled(bytes32 id);
    /// @notice The delay is not over.
    error AdditionNotYetExecutable(bytes32 id, uint64 executableAt);
    /// @notice The time in which it could be made is over; it can be scheduled again.
    error AdditionLapsed(bytes32 id, uint64 lapsesAt);
    /// @notice Only the owner and guardians cancel.
    error NeitherOwnerNorGuardian(address account);
    /// @notice The zero address guards nothing.
    error GuardianIsZero();
    /// @notice The account is a guardian already.
    error GuardianAlreadyAdded(address account);
    /// @notice The account is no guardian.
    error NotAGuardian(address account);
    /// @notice A policy without an owner could not stop trusting anything: ownership can only be handed on.
    error OwnershipCannotBeRenounced();

    // --- the lock ----------------------------------------------------------------------------------

    /// @notice Announces an addition.
    /// @dev Owner only. Reverts, in this order: OwnableUnauthorizedAccount, {AdditionsNotLocked},
    /// {AdditionNotSchedulable}, without data when the arguments cannot be decoded, the errors of the addition about its
    /// arguments alone, {AdditionNotCanonical}, {AdditionAlreadyScheduled}.
    /// @param call The calldata of the addition, selector first.
    /// @return id keccak256(`call`).
    function scheduleAddition(bytes calldata call) external returns (bytes32 id);

    /// @notice Takes back an announcement, lapsed or not.
    /// @dev Owner and guardians. Reverts: {NeitherOwnerNorGuardian}, {AdditionNotScheduled}.
    /// @param id What names it.
    function cancelAddition(bytes32 id) external;

    // --- guardians ---------------------------------------------------------------------------------

    /// @notice Lets an account pause and cancel. An addition.
    /// @dev Owner only. Reverts, in this order: OwnableUnauthorizedAccount, the lock's ({AdditionNotScheduled},
    /// {AdditionNotYetExecutable}, {AdditionLapsed}), {GuardianIsZero}, {GuardianAlreadyAdded}.
    /// @param guardian The account.
    function addGuardian(address guardian) external;

    /// @notice Ends that, at once.
    /// @dev Owner only. Reverts: OwnableUnauthorizedAccount, {NotAGuardian}.
    /// @param guardian The account.
    function removeGuardian(address guardian) external;

    // --- views -------------------------------------------------------------------------------------

    /// @notice Who changes the policy, unpauses registries and revokes enclaves.
    /// @return account Never zero.
    function owner() external view returns (address account);

    /// @notice How long an addition waits.
    /// @return seconds_ 0 when there is no lock.
    function additionDelay() external view returns (uint32 seconds_);

    /// @notice When a scheduled addition may be made.
    /// @param id keccak256 of the call.
    /// @return executableAt The first second at which it may be made; 0 when nothing is scheduled under this id.
    /// @return lapsesAt The first second at which it no longer may, passed or not; 0 when nothing is scheduled.
    function scheduledAddition(bytes32 id) external view returns (uint64 executableAt, uint64 lapsesAt);

    /// @notice Whether an account may pause and cancel.
    /// @param account The account.
    /// @return guardian True from {addGuardian} to {removeGuardian}.
    function isGuardian(address account) external view returns (bool guardian);

    /// @notice Every guardian.
    /// @return accounts In no promised order.
    function guardians() external view returns (address[] memory accounts);
}
