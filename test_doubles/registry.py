"""An XDS registry and repository in memory, all or nothing.

``submit`` (ITI-41) and ``update`` (ITI-57) first find every problem; only
when there is no error do they change anything, in one go without giving way.

Source: IHE ITI TF-2 3.41, 3.42, 3.57 (metadata update supplement); ihe-xds
3.8, 4.2-4.4, 9.1; nsp 3.8-3.10.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime

from test_doubles import ebrim
from test_doubles.ebrim import RegistryObject, Submission
from test_doubles.holdings import Committed, Holdings, Link, Outcome, StoredEntry, StoredSet
from test_doubles.metadata_checks import Problem
from test_doubles.registry_rules import REPLACING, submit_problems, update_problems

DOCUMENT_BUDGET_BYTES = 256 * 1024 * 1024
"""Document bytes kept; of older ones only hash and size stay."""

_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


class Registry:
    """The store: ``held`` are the metadata, ``documents`` the bytes by entryUUID."""

    def __init__(self) -> None:
        self.held = Holdings()
        self.documents: dict[str, bytes] = {}
        self._document_bytes = 0

    def submit(
        self,
        submission: Submission,
        documents: Mapping[str, bytes],
        value_problems: tuple[Problem, ...],
        now: datetime,
    ) -> Outcome:
        """Store a submission with its documents.

        Args:
            submission: as read.
            documents: bytes by the id of ``xdsb:Document``.
            value_problems: found by the value rules; they take part in the
                verdict with the severity they carry.
            now: time of storing.
        """
        problems = [*value_problems, *submit_problems(self.held, submission, documents)]
        if any(not p.warning for p in problems):
            return Outcome(tuple(problems))
        return Outcome(tuple(problems), self._commit(submission, documents, now))

    def update(
        self, submission: Submission, value_problems: tuple[Problem, ...], now: datetime
    ) -> Outcome:
        """Change availability statuses as told (ITI-57)."""
        problems = [*value_problems, *update_problems(self.held, submission)]
        if any(not p.warning for p in problems):
            return Outcome(tuple(problems))
        package = submission.sets[0]
        changed = []
        for association in submission.associations:
            target = self.held.entries[association.target]
            self.held.set_status(target, association.slots["NewStatus"][0], now)
            changed.append((target.entry_uuid, target.status))
        stored = self._store_set(package, "iti57", now, {}, ())
        return Outcome(tuple(problems), Committed(stored, (), tuple(changed)))

    def restore(self, committed: Committed) -> None:
        """Put back what a spool holds; the bytes of documents are not in it."""
        stored = committed.stored_set
        self.held.add_set(stored)
        for entry in committed.new:
            self.held.add_entry(entry)
        for entry_uuid, status in committed.changed:
            if entry_uuid in self.held.entries:
                self.held.set_status(self.held.entries[entry_uuid], status, stored.stored_at)

    def _commit(
        self, submission: Submission, documents: Mapping[str, bytes], now: datetime
    ) -> Committed:
        package = submission.sets[0]
        uuids = {i: _permanent(i) for i in submission.ids()}
        replaces = {a.source: a.target for a in submission.associations if a.type in REPLACING}
        stored = self._store_set(
            package, "iti41", now, uuids, tuple(uuids[e.id] for e in submission.entries)
        )
        new = []
        for sent in submission.entries:
            document = documents[sent.id]
            entry = StoredEntry(
                uuids[sent.id],
                sent.identifier(ebrim.ENTRY_UNIQUE_ID),
                sent.identifier(ebrim.ENTRY_PATIENT_ID),
                sent.mime_type,
                hashlib.sha1(document).hexdigest(),
                len(document),
                hashlib.sha256(document).hexdigest(),
                sent.title,
                stored.unique_id,
                replaces=replaces.get(sent.id),
                history=[(now, ebrim.APPROVED)],
            )
            self.held.add_entry(entry)
            self._keep(entry.entry_uuid, document)
            new.append(entry)
        changed: list[tuple[str, str]] = []
        for association in submission.associations:
            if association.type == ebrim.HAS_MEMBER:
                continue
            target = uuids.get(association.target, association.target)
            self.held.add_link(Link(association.type, uuids[association.source], target))
            if association.type in REPLACING:
                changed.extend(self._deprecate(target, now))
        return Committed(stored, tuple(new), tuple(changed))

    def _deprecate(self, entry_uuid: str, now: datetime) -> Iterator[tuple[str, str]]:
        """Deprecate a replaced entry and whatever was appended to or made from it."""
        entry = self.held.entries[entry_uuid]
        if entry.status == ebrim.DEPRECATED:
            return
        self.held.set_status(entry, ebrim.DEPRECATED, now)
        yield entry_uuid, entry.status
        for link in self.held.links_to.get(entry_uuid, ()):
            if link.type in (ebrim.APND, ebrim.XFRM):
                yield from self._deprecate(link.source, now)

    def _store_set(
        self,
        package: RegistryObject,
        operation: str,
        now: datetime,
        uuids: Mapping[str, str],
        entries: tuple[str, ...],
    ) -> StoredSet:
        stored = StoredSet(
            package.identifier(ebrim.SET_UNIQUE_ID),
            uuids.get(package.id) or _permanent(package.id),
            package.identifier(ebrim.SET_SOURCE_ID),
            operation,
            now,
            entries,
        )
        self.held.add_set(stored)
        return stored

    def _keep(self, entry_uuid: str, document: bytes) -> None:
        self.documents[entry_uuid] = document
        self._document_bytes += len(document)
        while self._document_bytes > DOCUMENT_BUDGET_BYTES and len(self.documents) > 1:
            oldest = next(iter(self.documents))
            self._document_bytes -= len(self.documents.pop(oldest))


def _permanent(sent: str) -> str:
    """The id as it stays: a UUID is kept, anything else was symbolic."""
    lowered = sent.lower()
    return lowered if _UUID.fullmatch(lowered) else f"urn:uuid:{uuid.uuid4()}"
