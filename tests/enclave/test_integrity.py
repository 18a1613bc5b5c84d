"""The hash tree against a plain dictionary, over a host that forgets and lies; the history likewise."""

from __future__ import annotations

from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.enclave.integrity.history import GENESIS, History, Link, Point
from xmtp_tee.enclave.integrity.tree import NO_NODE, Tree
from xmtp_tee.wire.store_faults import StoreForkedError, StoreRolledBackError, StoreTamperedError


def mac16(label: bytes, data: bytes) -> bytes:
    return blake2b(data, key=b"k", person=label, digest_size=16).digest()


def mac32(label: bytes, data: bytes) -> bytes:
    return blake2b(data, key=b"k", person=label, digest_size=32).digest()


class Host:
    def __init__(self) -> None:
        self.nodes: dict[bytes, bytes] = {}
        self.links: dict[int, Link] = {}

    def node(self, path: bytes) -> bytes | None:
        return self.nodes.get(path)

    def link(self, epoch: int) -> Link | None:
        return self.links.get(epoch)


def update(tree: Tree, host: Host, changes: dict[bytes, bytes | None]) -> None:
    root, nodes, known = tree.updated(changes)
    host.nodes.update(nodes)
    tree.adopt(root, known)


# Few first bytes, so that facts meet in nodes and leaves.
places = st.builds(
    lambda a, b, rest: bytes((a, b)) + rest * 14,
    st.integers(0, 2), st.integers(0, 2), st.sampled_from([b"x", b"y", b"\x00"]),
)  # fmt: skip
values = st.one_of(st.none(), st.binary(min_size=16, max_size=16))


@given(st.lists(st.dictionaries(places, values, max_size=6), max_size=8), places)
def test_tree_answers_as_a_dictionary_does(
    mutations: list[dict[bytes, bytes | None]], absent: bytes
) -> None:
    host, model = Host(), dict[bytes, bytes]()
    tree = Tree(host, mac16, NO_NODE)
    for changes in mutations:
        update(tree, host, changes)
        for place, value in changes.items():
            if value is None:
                model.pop(place, None)
            else:
                model[place] = value
        fresh = Tree(host, mac16, tree.root)
        for place in {*model, *changes, absent}:
            assert fresh.value(place) == tree.value(place) == model.get(place)
        assert fresh.count() == len(model)
    if not model:
        assert tree.root == NO_NODE


@given(
    st.lists(st.dictionaries(places, values, min_size=1, max_size=6), min_size=2, max_size=6),
    st.integers(0, 2**32),
    st.sampled_from(["older", "changed", "removed", "moved"]),
)
def test_node_that_is_not_todays_is_refused_or_does_not_matter(
    mutations: list[dict[bytes, bytes | None]], pick: int, attack: str
) -> None:
    host, model = Host(), dict[bytes, bytes | None]()
    tree = Tree(host, mac16, NO_NODE)
    older: dict[bytes, bytes] = {}
    for changes in mutations:
        older = dict(host.nodes)
        update(tree, host, changes)
        model |= changes
    path = sorted(host.nodes)[pick % len(host.nodes)]
    match attack:
        case "older":
            host.nodes[path] = older.get(path, b"")
        case "changed":
            host.nodes[path] = host.nodes[path][:-1] + b"\xff" if host.nodes[path] else b"\xff"
        case "removed":
            del host.nodes[path]
        case _:
            host.nodes[path] = host.nodes[sorted(host.nodes)[(pick + 1) % len(host.nodes)]]
    fresh = Tree(host, mac16, tree.root)
    for place, value in model.items():
        try:
            found = fresh.value(place)
        except StoreTamperedError:
            continue
        assert found == value


def history(length: int) -> tuple[History, Host, list[Point]]:
    host = Host()
    made, points = History(host, mac32), [Point(0, GENESIS)]
    for number in range(length):
        point, link = made.next(points[-1], b"state %d" % number)
        host.links[link.epoch] = link
        points.append(point)
    return made, host, points


def test_every_state_descends_from_every_earlier_one() -> None:
    made, _, points = history(70)
    for later in points:
        for earlier in points[: later.epoch + 1]:
            made.require_descent(later, earlier)


def test_walk_back_is_short() -> None:
    made, host, points = history(3000)
    asked = 0

    def counting(epoch: int) -> Link | None:
        nonlocal asked
        asked += 1
        return host.links.get(epoch)

    host.link = counting  # type: ignore[method-assign]
    for epoch in (0, 1, 7, 1023, 1024, 1025, 2047, 2998):
        asked = 0
        made.require_descent(points[3000], points[epoch])
        assert asked < 100


def test_state_that_is_later_or_another_is_refused() -> None:
    made, _, points = history(20)
    with pytest.raises(StoreRolledBackError):
        made.require_descent(points[10], points[11])
    with pytest.raises(StoreForkedError):
        made.require_descent(points[20], Point(10, bytes(32)))


@given(st.integers(1, 30), st.sampled_from(["state", "previous", "skip", "epoch", "absent"]))
def test_changed_link_breaks_the_walks_that_pass_it_and_no_other(epoch: int, field: str) -> None:
    made, host, points = history(30)
    link = host.links[epoch]
    # No field may be what it is already: the first link's ``previous`` is zero.
    fields = {"state": b"x", "previous": b"\x02" * 32, "skip": b"\x01" * 32, "epoch": epoch + 1}
    if field == "absent":
        del host.links[epoch]
    else:
        parts = {n: getattr(link, n) for n in ("epoch", "state", "previous", "skip")}
        host.links[epoch] = Link(**(parts | {field: fields[field]}))
    with pytest.raises(StoreForkedError):
        made.ancestor(points[epoch], epoch - 1)
    for target in range(31):
        try:
            found = made.ancestor(points[30], target)
        except StoreForkedError:
            continue
        assert found == points[target]
