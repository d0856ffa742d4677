# SPDX-License-Identifier: MIT
"""A tree of Topic Names or Topic Filters by level, for matching in both directions."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

__all__ = ["LevelTree", "Search", "Walk"]

T = TypeVar("T")

# Values in place of a number of levels: from here on, no name matches, or every name matches.
_NONE: Final = -1
_ALL: Final = -2

_STEP: Final = 64
"""Nodes between two looks at whether a search takes too long."""
_EVERY: Final = 1 << 60
"""More nodes than there can be."""
_LEVELS: Final = 16
"""Levels of a chain that cost as much as a node."""


class _Node(Generic[T]):
    """The end of a key, or a place where keys part, or both. So there are fewer than twice as many nodes as keys.

    `rest` holds the levels between the one under which the parent keeps this node and this node itself, joined by `/`,
    or None if there are none. So a chain of levels that belongs to one key costs no more than its text.
    """

    __slots__ = ("below", "rest", "value")

    def __init__(self, rest: str | None, value: T | None, below: dict[str, _Node[T]] | None) -> None:
        self.rest: str | None = rest
        self.value: T | None = value
        self.below: dict[str, _Node[T]] | None = below


class LevelTree(Generic[T]):
    """Values under keys that consist of levels. Nothing here recurses: a key may have 65,536 levels.

    A faulty broker switches off a rule: `dollar_apart`, that a wildcard in front matches no `$` topic, or `parent_too`,
    that `#` matches its parent level. `visits` is the number of nodes that the last complete search looked at.

    Cites: MQTT5-4.7.2-1
    """

    __slots__ = ("_count", "_root", "dollar_apart", "parent_too", "visits")

    def __init__(self, dollar_apart: bool = True, parent_too: bool = True) -> None:
        self._count: int = 0
        self._root: _Node[T] = _Node(None, None, None)
        self.dollar_apart: bool = dollar_apart
        self.parent_too: bool = parent_too
        self.visits: int = 0

    def __len__(self) -> int:
        return self._count

    def nodes(self) -> int:
        """Return the number of nodes, for tests: 1 when empty."""
        count = 0
        todo = [self._root]
        while todo:
            node = todo.pop()
            count += 1
            if node.below:
                todo.extend(node.below.values())
        return count

    def insert(self, key: str, value: T) -> None:
        """Store a value under a key, in place of an older one."""
        levels = key.split("/")
        n = len(levels)
        node = self._root
        i = 0
        while i < n:
            below = node.below
            if below is None:
                below = node.below = {}
            level = levels[i]
            i += 1
            child = below.get(level)
            if child is None:
                below[level] = _Node("/".join(levels[i:]) if i < n else None, value, None)
                self._count += 1
                return
            rest = child.rest
            if rest is not None:
                # Split off as many levels as the key can have in common, and one to compare. The rest stays whole.
                parts = rest.split("/", n - i + 1)
                same = 0
                while same < len(parts) and i < n and parts[same] == levels[i]:
                    same += 1
                    i += 1
                if same < len(parts):
                    # The keys part inside the chain. The node stays above, so that a `Walk` still finds both.
                    lower = _Node(
                        "/".join(parts[same + 1 :]) if same + 1 < len(parts) else None, child.value, child.below
                    )
                    child.rest = "/".join(parts[:same]) if same else None
                    child.value = None
                    child.below = {parts[same]: lower}
            node = child
        if node.value is None:
            self._count += 1
        node.value = value

    def remove(self, key: str) -> bool:
        """Remove a key and every node that only it needed. Return False if there is no such key."""
        levels = key.split("/")
        n = len(levels)
        parent = self._root
        node = self._root
        parent_level = ""
        i = 0
        while i < n:
            if node.below is None:
                return False
            level = levels[i]
            child = node.below.get(level)
            if child is None:
                return False
            i += 1
            if child.rest is not None:
                for part in child.rest.split("/"):
                    if i == n or levels[i] != part:
                        return False
                    i += 1
            parent, parent_level = node, level
            node = child
        if node.value is None:
            return False
        node.value = None
        self._count -= 1
        if node.below:
            _join(node)
            return True
        siblings = parent.below
        assert siblings is not None
        del siblings[parent_level]
        if not siblings:
            parent.below = None
        elif parent is not self._root:
            _join(parent)
        return True

    def matching(self, topic: str) -> list[T]:
        """Return the values of all keys that, as filters, match this name (`topics.matches` defines that)."""
        found = self.matching_within(topic, _EVERY)
        assert found is not None
        return found

    def matching_within(self, topic: str, most: int) -> list[T] | None:
        """Return the values of all keys that, as filters, match this name. None if that takes more than `most` nodes.

        A level matches an equal level, character by character, or `+`. A chain that ends in `#` matches from its parent
        on. Only the slash separates levels.

        Cites: MQTT5-4.7.2-1, MQTT311-4.7.2-1, MQTT5-4.7.3-4, MQTT311-4.7.3-4, X5-topic-match-exact,
        X311-topic-match-exact, X5-multi-level-wildcard-matches, X311-multi-level-wildcard,
        X5-single-level-wildcard-matches, X311-single-level-wildcard, X311-wildcards-supported, X5-topic-level-empty,
        X311-topic-separator, X311-topic-empty-level, X5-topic-slash-distinct, X311-topic-outer-slash,
        X5-topic-only-slash, X311-topic-slash-only, X5-topic-case-sensitive, X311-topic-case, X5-topic-space,
        X311-topic-space
        """
        found: list[T] = []
        below = self._root.below
        visits = 1
        if below is None:
            self.visits = visits
            return found
        levels = topic.split("/")
        n = len(levels)
        # The nodes to visit; each is reached when `at` levels of the topic are used up.
        nodes: list[_Node[T]] = []
        at: list[int] = []
        i = 0
        node = self._root
        wild = not (self.dollar_apart and topic.startswith("$"))
        while True:
            # `below` is not None here.
            if wild:
                child = below.get("#")
                # `#` matches its parent level too.
                if child is not None and child.value is not None and (i < n or self.parent_too):
                    found.append(child.value)
                if i < n:
                    child = below.get("+")
                    if child is not None:
                        nodes.append(child)
                        at.append(i + 1)
            wild = True
            if i < n:
                child = below.get(levels[i])
                if child is not None:
                    nodes.append(child)
                    at.append(i + 1)
            while True:
                if not nodes:
                    self.visits = visits
                    return found
                visits += 1
                if visits > most:
                    self.visits = visits
                    return None
                node = nodes.pop()
                i = at.pop()
                if node.rest is not None:
                    visits += len(node.rest) // (2 * _LEVELS)
                    i = _along(node, levels, i, found, self.parent_too)
                    if i < 0:
                        continue
                if i == n and node.value is not None:
                    found.append(node.value)
                if node.below is not None:
                    below = node.below
                    break

    def matched(self, topic_filter: str, patience: int = -1) -> list[T] | None:
        """Return the values of all keys that, as names, this filter matches.

        Return None if the search visits more than about `patience` nodes in vain. A negative `patience` sets no limit.
        """
        walk = self.walk(topic_filter)
        while not walk.step(_STEP if patience >= 0 else _EVERY):
            if patience >= 0 and walk.visits > patience + 2 * len(walk.found) + 1:
                return None
        self.visits = walk.visits
        return walk.found

    def search(self, topic: str) -> Search[T]:
        """Begin a search for the keys that, as filters, match this name. Its result is that of `matching`."""
        return Search(self._root, topic, self.dollar_apart, self.parent_too)

    def walk(self, topic_filter: str) -> Walk[T]:
        """Begin a search for the keys that, as names, this filter matches."""
        return Walk(self._root, topic_filter, self.dollar_apart, self.parent_too)


class Search(Generic[T]):
    """A search of a tree for the filters that match a name, which can be interrupted after any number of nodes.

    The tree may change meanwhile. A key that is there all the time is found once. A key added or removed during the
    search may be found or not.

    Attributes:
        found: the values found so far.
        visits: the nodes that were looked at.
    """

    __slots__ = ("_at", "_levels", "_nodes", "_parent_too", "_root", "_wild", "found", "visits")

    def __init__(self, root: _Node[T], topic: str, dollar_apart: bool, parent_too: bool) -> None:
        self.found: list[T] = []
        self.visits: int = 0
        self._root: _Node[T] = root
        self._levels: list[str] = topic.split("/")
        self._wild: bool = not (dollar_apart and topic.startswith("$"))
        """True if a wildcard in front matches."""
        self._parent_too: bool = parent_too
        # The nodes that are yet to be looked at; each is reached when `at` levels of the name are used up.
        self._nodes: list[_Node[T]] = [root]
        self._at: list[int] = [0]

    def step(self, most: int) -> bool:
        """Look at about `most` further nodes. Return True if the search is over."""
        found = self.found
        levels = self._levels
        n = len(levels)
        nodes = self._nodes
        at = self._at
        end = self.visits + most
        while nodes and self.visits < end:
            node = nodes.pop()
            i = at.pop()
            self.visits += 1
            if node.rest is not None:
                self.visits += len(node.rest) // (2 * _LEVELS)
                i = _along(node, levels, i, found, self._parent_too)
                if i < 0:
                    continue
            if i == n and node.value is not None:
                found.append(node.value)
            below = node.below
            if below is None:
                continue
            if self._wild or node is not self._root:
                child = below.get("#")
                if child is not None and child.value is not None and (i < n or self._parent_too):
                    found.append(child.value)
                if i < n:
                    child = below.get("+")
                    if child is not None:
                        nodes.append(child)
                        at.append(i + 1)
            if i < n:
                child = below.get(levels[i])
                if child is not None:
                    nodes.append(child)
                    at.append(i + 1)
        return not nodes


class Walk(Generic[T]):
    """A search of a tree for the names that a filter matches, which can be interrupted after any number of nodes.

    The tree may change meanwhile. A key that is there all the time is found once. A key added or removed during the
    search may be found or not.

    Attributes:
        found: the values found so far.
        visits: the nodes that were looked at.
    """

    __slots__ = ("_at", "_dollar_apart", "_levels", "_nodes", "_parent_too", "_root", "found", "visits")

    def __init__(self, root: _Node[T], topic_filter: str, dollar_apart: bool, parent_too: bool) -> None:
        self.found: list[T] = []
        self.visits: int = 0
        self._root: _Node[T] = root
        self._levels: list[str] = topic_filter.split("/")
        self._dollar_apart: bool = dollar_apart
        self._parent_too: bool = parent_too
        # The nodes that are yet to be looked at; each is reached when `at` levels of the filter are used up.
        self._nodes: list[_Node[T]] = [root]
        self._at: list[int] = [0]

    def step(self, most: int) -> bool:
        """Look at no more than `most` further nodes. Return True if the search is over."""
        found = self.found
        levels = self._levels
        n = len(levels)
        nodes = self._nodes
        at = self._at
        end = self.visits + most
        while nodes and self.visits < end:
            node = nodes.pop()
            i = at.pop()
            self.visits += 1
            if node.rest is not None and i != _ALL:
                i = _through(node.rest, levels, i)
                if i == _NONE:
                    continue
            value = node.value
            if i == n:
                if value is not None:
                    found.append(value)
                continue
            level = "#" if i == _ALL else levels[i]
            if value is not None and level == "#" and (i == _ALL or self._parent_too):
                found.append(value)
            below = node.below
            if below is None:
                continue
            if level != "#" and level != "+":
                child = below.get(level)
                if child is not None:
                    nodes.append(child)
                    at.append(i + 1)
                continue
            then = _ALL if level == "#" else i + 1
            if node is self._root and self._dollar_apart:
                for first, other in below.items():
                    if not first.startswith("$"):
                        nodes.append(other)
                        at.append(then)
            else:
                nodes.extend(below.values())
                at.extend([then] * len(below))
        return not nodes


def _join(node: _Node[T]) -> None:
    """Let a node without value that has one child take that in. It stays itself, so that a `Walk` still finds it."""
    below = node.below
    if node.value is not None or below is None or len(below) != 1:
        return
    for between, child in below.items():
        rest = between if node.rest is None else f"{node.rest}/{between}"
        node.rest = rest if child.rest is None else f"{rest}/{child.rest}"
        node.value = child.value
        node.below = child.below


def _along(node: _Node[T], levels: list[str], i: int, found: list[T], parent_too: bool) -> int:
    """Follow the chain of a filter. Return how many levels of the name are used up, or -1 if the search ends here.

    It ends if the chain does not match, or if it ends in `#`.
    """
    n = len(levels)
    assert node.rest is not None
    for part in node.rest.split("/", n - i):
        if part == "#":
            if node.value is not None and (i < n or parent_too):
                found.append(node.value)
            return -1
        if i == n or (part != "+" and part != levels[i]):
            return -1
        i += 1
    return i


def _through(rest: str, levels: list[str], i: int) -> int:
    """Follow the chain of a name. Return how many levels of the filter are used up, or `_NONE`, or `_ALL` at `#`."""
    n = len(levels)
    for part in rest.split("/", n - i):
        if i == n:
            return _NONE
        level = levels[i]
        if level == "#":
            return _ALL
        if level != "+" and level != part:
            return _NONE
        i += 1
    return i
