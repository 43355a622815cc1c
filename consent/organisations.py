"""Which organisation lies within which, and named groups of organisations.

Source: sharing-rules 7.3 (organisation match, group match).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol


class Organisations(Protocol):
    """What the rules need to know of organisations."""

    def is_within(self, unit: str, ancestor: str) -> bool | None:
        """Is ``unit`` the ancestor or a descendant of it? None: not known."""

    def is_in_group(self, unit: str, group: str) -> bool | None:
        """Is ``unit`` a member of the group or a descendant of one? None: not known."""


class OrganisationTree:
    """A table of parents and groups, worked out once and only read afterwards.

    Args:
        parents: unit to its parent; None for a root. Loops are tolerated: a
            unit in a loop lies within every unit of the loop.
        groups: group to its members.
        complete: True when the table holds every organisation there is, so that
            a unit it does not name lies within none other. False: nothing is
            known of such a unit, and a block on an organisation with its
            sub-units then binds it, as unknown is restrictive.
    """

    __slots__ = ("_ancestors", "_complete", "_groups")

    def __init__(
        self,
        parents: Mapping[str, str | None] | None = None,
        groups: Mapping[str, Iterable[str]] | None = None,
        *,
        complete: bool = False,
    ) -> None:
        parents = dict(parents or {})
        for parent in list(parents.values()):
            if parent is not None:
                parents.setdefault(parent, None)
        self._complete = complete
        self._ancestors = {unit: _chain(unit, parents) for unit in parents}
        self._groups = {name: frozenset(members) for name, members in (groups or {}).items()}

    def is_within(self, unit: str, ancestor: str) -> bool | None:
        """See ``Organisations``."""
        if unit == ancestor:
            return True
        chain = self._ancestors.get(unit)
        if chain is None:
            return False if self._complete else None
        return ancestor in chain

    def is_in_group(self, unit: str, group: str) -> bool | None:
        """See ``Organisations``. An unknown group has unknown members."""
        members = self._groups.get(group)
        if members is None:
            return None
        if unit in members:
            return True
        chain = self._ancestors.get(unit)
        if chain is None:
            return False if self._complete else None
        return not chain.isdisjoint(members)


def _chain(unit: str, parents: Mapping[str, str | None]) -> frozenset[str]:
    """The unit and everything above it."""
    seen: set[str] = set()
    current: str | None = unit
    while current is not None and current not in seen:
        seen.add(current)
        current = parents.get(current)
    return frozenset(seen)
