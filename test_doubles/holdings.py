"""What the registry double holds: records and look-up, no rules.

Source: IHE ITI TF-3 4.2; ihe-xds 3.1.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from test_doubles import ebrim
from test_doubles.metadata_checks import Problem


@dataclass(slots=True)
class StoredEntry:
    """A document entry in the registry. ``history`` is (when, status), oldest first."""

    entry_uuid: str
    unique_id: str
    patient_id: str
    mime_type: str
    hash: str
    size: int
    sha256: str
    title: str
    submission_set: str
    status: str = ebrim.APPROVED
    replaces: str | None = None
    history: list[tuple[datetime, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StoredSet:
    """A submission set. ``operation`` is ``iti41`` or ``iti57``."""

    unique_id: str
    entry_uuid: str
    source_id: str
    operation: str
    stored_at: datetime
    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A stored association between two entries."""

    type: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Committed:
    """What one submission changed, for the spool."""

    stored_set: StoredSet
    new: tuple[StoredEntry, ...]
    changed: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Errors, or else warnings and what was stored."""

    problems: tuple[Problem, ...]
    committed: Committed | None = None


class Holdings:
    """Entries, sets and links. ``entries`` is by entryUUID, ``sets`` by uniqueId,
    ``links_to`` by the entryUUID of the old end.

    ``known_ids`` are the entryUUIDs of entries and sets, ``stored_count`` is
    how many entries there are of each document uniqueId. With
    ``old_replace_code`` a bad target of RPLC is answered XDSReplaceFailed.
    """

    def __init__(self) -> None:
        self.entries: dict[str, StoredEntry] = {}
        self.sets: dict[str, StoredSet] = {}
        self.links_to: dict[str, list[Link]] = {}
        self.known_ids: set[str] = set()
        self.stored_count: Counter[str] = Counter()
        self.old_replace_code = False
        self._by_unique_id: dict[str, list[str]] = {}

    def by_unique_id(self, unique_id: str) -> list[StoredEntry]:
        """Entries with that uniqueId, in order of storing."""
        return [self.entries[i] for i in self._by_unique_id.get(unique_id, ())]

    def add_entry(self, entry: StoredEntry) -> None:
        """Enter a new entry."""
        self.entries[entry.entry_uuid] = entry
        self.known_ids.add(entry.entry_uuid)
        self._by_unique_id.setdefault(entry.unique_id, []).append(entry.entry_uuid)
        self.stored_count[entry.unique_id] += 1

    def add_set(self, stored: StoredSet) -> None:
        """Enter a new submission set."""
        self.sets[stored.unique_id] = stored
        self.known_ids.add(stored.entry_uuid)

    def add_link(self, link: Link) -> None:
        """Enter an association between two entries."""
        self.links_to.setdefault(link.target, []).append(link)

    def set_status(self, entry: StoredEntry, status: str, now: datetime) -> None:
        """Change an entry's availability status and remember when."""
        entry.status = status
        entry.history.append((now, status))
