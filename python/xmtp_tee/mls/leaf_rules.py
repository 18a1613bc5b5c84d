"""Is this leaf valid in this place of this group? (RFC 9420, section 7.3)"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from xmtp_tee.mls.config import Config
from xmtp_tee.mls.errors import (
    CapabilityMissingError,
    CipherSuiteUnsupportedError,
    CredentialUnsupportedError,
    ExtensionUnsupportedError,
    LeafSourceError,
    LifetimeError,
    ProposalUnsupportedError,
)
from xmtp_tee.mls.extensions import DEFAULT_EXTENSIONS, Extensions, RequiredCapabilities
from xmtp_tee.mls.key_package import KeyPackage
from xmtp_tee.mls.leaf_node import LeafNode, LeafSource
from xmtp_tee.mls.proposals import DEFAULT_PROPOSALS
from xmtp_tee.mls.ratchet_tree import RatchetTree
from xmtp_tee.mls.suites import MLS10, CipherSuite


@dataclass(frozen=True)
class Place:
    """A group's parameters that every leaf must fit."""

    suite: CipherSuite
    group_id: bytes
    extensions: Extensions
    required: RequiredCapabilities

    @classmethod
    def of(cls, suite: CipherSuite, group_id: bytes, extensions: Extensions) -> Place:
        """Return the place in a group with these extensions.

        :raises MlsDecodeError: its required capabilities are malformed
        """
        return cls(suite, group_id, extensions, RequiredCapabilities.of(extensions))


def check_leaf(
    leaf: LeafNode, index: int, source: LeafSource | None, place: Place, config: Config
) -> None:
    """Refuse a leaf that is not valid at ``index``. ``source`` None: any source will do.

    :raises LeafNodeInvalidError, MlsCryptoError: as check_leaf_itself and check_capabilities
    """
    check_leaf_itself(leaf, index, source, place, config)
    check_capabilities(leaf, place)


def check_leaf_itself(
    leaf: LeafNode, index: int, source: LeafSource | None, place: Place, config: Config
) -> None:
    """Refuse a leaf that is wrong whatever the group needs.

    :raises SignatureInvalidError, KeyLengthError, KeyUnusableError: its keys or its signature
    :raises LeafSourceError: made for another use
    :raises CredentialRefusedError: by the application
    """
    if source is not None and leaf.source is not source:
        raise LeafSourceError("A leaf's source", got=leaf.source.name, expected=source.name)
    leaf.verify_signature(place.group_id, index)
    config.identities.check_leaf(leaf)


def check_capabilities(leaf: LeafNode, place: Place) -> None:
    """Refuse a leaf that does not support what the group uses, or what it uses itself.

    :raises CapabilityMissingError: the version, the suite, or a required capability
    :raises ExtensionUnsupportedError: its own extension, or one of the group context
    :raises CredentialUnsupportedError: its own credential's type
    """
    own, required = leaf.capabilities, place.required
    _require("version", (MLS10,), own.versions)
    _require("cipher suite", (place.suite.id,), own.cipher_suites)
    _require("extension", required.extensions, own.extensions, DEFAULT_EXTENSIONS)
    _require("proposal", required.proposals, own.proposals, DEFAULT_PROPOSALS)
    _require("credential", required.credentials, own.credentials)
    if leaf.credential.type not in own.credentials:
        raise CredentialUnsupportedError(
            "A leaf does not list its own credential's type", got=leaf.credential.type.name
        )
    for extension in (*leaf.extensions, *place.extensions):
        if extension.type not in DEFAULT_EXTENSIONS and extension.type not in own.extensions:
            raise ExtensionUnsupportedError(
                "A leaf does not list an extension in use", got=f"{extension.type:#06x}"
            )


def _require(
    kind: str, needed: Collection[int], listed: Collection[int], default: Collection[int] = ()
) -> None:
    for number in needed:
        if number not in listed and number not in default:
            raise CapabilityMissingError(
                f"A leaf lacks a {kind} that the group needs", got=f"{number:#06x}"
            )


def check_lifetime(leaf: LeafNode, now: int) -> None:
    """Refuse a key package's leaf outside its lifetime.

    :raises LifetimeError: naming the bounds
    """
    lifetime = leaf.lifetime
    if lifetime is not None and not lifetime.not_before <= now <= lifetime.not_after:
        raise LifetimeError(
            "A leaf is outside its lifetime",
            got=now,
            expected=f"{lifetime.not_before}..{lifetime.not_after}",
        )


def check_key_package(package: KeyPackage, place: Place, config: Config) -> None:
    """Refuse a key package that is wrong whatever the group needs (section 10.1).

    :raises CipherSuiteUnsupportedError: of another suite than the group's
    :raises LeafNodeInvalidError, MlsCryptoError: wrong in itself
    """
    if package.suite != place.suite:
        raise CipherSuiteUnsupportedError(
            "A key package's cipher suite", got=package.suite.id, expected=place.suite.id
        )
    package.verify()
    config.identities.check_leaf(package.leaf)


def check_credentials_supported(tree: RatchetTree) -> None:
    """Refuse a tree in which somebody does not support somebody's credential type.

    :raises CredentialUnsupportedError: naming the leaf
    """
    members = list(tree.members())
    used = {leaf.credential.type for _, leaf in members}
    known = set()
    for index, leaf in members:
        listed = leaf.capabilities.credentials
        if listed in known:
            continue
        for number in used:
            if number not in listed:
                raise CredentialUnsupportedError(
                    f"Leaf {index} does not support a member's credential", got=number.name
                )
        known.add(listed)


def check_proposal_supported(tree: RatchetTree, number: int) -> None:
    """Refuse a proposal type that some member does not list, unless it is a default one.

    :raises ProposalUnsupportedError: naming the leaf
    """
    if number in DEFAULT_PROPOSALS:
        return
    for index, leaf in tree.members():
        if number not in leaf.capabilities.proposals:
            raise ProposalUnsupportedError(
                f"Leaf {index} does not support a proposal", got=f"{number:#06x}"
            )
