"""The rules that hold for every submission, whatever the validation level.

Each function yields what is wrong and changes nothing. Contexts name
attributes and ids, never a patient.

Source: IHE ITI TF-2 3.41, 3.42, 3.57; ihe-xds 3.5, 3.7, 3.8, 4.2, 4.3, 9.1;
nsp 3.9, 3.10.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping

from test_doubles import ebrim
from test_doubles.ebrim import Association, RegistryObject, Submission
from test_doubles.holdings import Holdings
from test_doubles.metadata_checks import Problem

REPLACING = frozenset({ebrim.RPLC, ebrim.XFRM_RPLC})
_POINTING_BACK = frozenset({ebrim.APND, ebrim.XFRM, ebrim.SIGNS})
_STATUSES = frozenset({ebrim.APPROVED, ebrim.DEPRECATED})


def submit_problems(
    held: Holdings, submission: Submission, documents: Mapping[str, bytes]
) -> Iterator[Problem]:
    """What is wrong with a submission of documents (ITI-41)."""
    yield from _set_structure(held, submission)
    if _is_resent(held, submission):
        # Named by its set alone: all else it holds is known by now and would be reported too.
        for entry in submission.entries:
            yield from _unique_id_problems(held, entry, documents.get(entry.id))
        return
    if submission.folders:
        yield Problem("XDSRegistryError", "folders are not kept here")
    if not submission.entries:
        yield Problem("XDSRegistryMetadataError", "no DocumentEntry in the submission")
    yield from _pairing(submission, documents)
    members = {
        a.target: a
        for a in submission.associations
        if a.type == ebrim.HAS_MEMBER and a.source in {s.id for s in submission.sets}
    }
    for entry in submission.entries:
        yield from _entry_structure(held, entry, submission)
        yield from _hash_problems(entry, documents.get(entry.id))
        yield from _unique_id_problems(held, entry, documents.get(entry.id))
        member = members.get(entry.id)
        if member is None or member.slots.get("SubmissionSetStatus") != ("Original",):
            yield Problem(
                "XDSRegistryMetadataError",
                "HasMember with SubmissionSetStatus Original is missing",
                entry.id,
            )
    for association in submission.associations:
        yield from _association_problems(held, association, submission)
    replaced = Counter(a.target for a in submission.associations if a.type in REPLACING)
    for target, times in replaced.items():
        if times > 1:
            yield Problem("XDSRegistryMetadataError", "an entry is replaced twice", target)


def _is_resent(held: Holdings, submission: Submission) -> bool:
    return any(s.identifier(ebrim.SET_UNIQUE_ID) in held.sets for s in submission.sets)


def _set_structure(held: Holdings, submission: Submission) -> Iterator[Problem]:
    """One marked set, ids used once, references inside the message."""
    if len(submission.sets) != 1 or submission.unmarked:
        yield Problem(
            "XDSRegistryMetadataError",
            f"{len(submission.sets)} submission sets, {len(submission.unmarked)} packages"
            " without a mark; exactly one set is wanted",
        )
    ids = submission.ids()
    if len(set(ids)) != len(ids) or "" in ids:
        yield Problem("XDSRegistryMetadataError", "an id is empty or used twice in the message")
    for package in submission.sets:
        unique_id = package.identifier(ebrim.SET_UNIQUE_ID)
        if unique_id in held.sets:
            yield Problem(
                "XDSDuplicateUniqueIdInRegistry",
                f"SubmissionSet.uniqueId {unique_id}",
                package.id,
            )
        elif package.id.lower() in held.known_ids:
            yield _known_id(package)
        for scheme in (ebrim.SET_PATIENT_ID, ebrim.SET_UNIQUE_ID, ebrim.SET_SOURCE_ID):
            if not package.identifier(scheme):
                yield Problem(
                    "XDSRegistryMetadataError",
                    f"identifier {scheme} is wanted exactly once",
                    package.id,
                )
        if package.foreign_owners:
            yield _foreign(package)


def _entry_structure(
    held: Holdings, entry: RegistryObject, submission: Submission
) -> Iterator[Problem]:
    if entry.object_type != ebrim.STABLE:
        yield Problem("XDSRegistryMetadataError", "objectType is not the stable one", entry.id)
    for scheme in (ebrim.ENTRY_PATIENT_ID, ebrim.ENTRY_UNIQUE_ID):
        if not entry.identifier(scheme):
            yield Problem(
                "XDSRegistryMetadataError",
                f"identifier {scheme} is wanted exactly once",
                entry.id,
            )
    if entry.foreign_owners:
        yield _foreign(entry)
    if entry.id.lower() in held.known_ids:
        yield _known_id(entry)
    for package in submission.sets:
        if package.identifier(ebrim.SET_PATIENT_ID) != entry.identifier(ebrim.ENTRY_PATIENT_ID):
            yield Problem("XDSPatientIdDoesNotMatch", "SubmissionSet and DocumentEntry", entry.id)


def _pairing(submission: Submission, documents: Mapping[str, bytes]) -> Iterator[Problem]:
    ids = {e.id for e in submission.entries}
    for entry in submission.entries:
        if entry.id not in documents:
            yield Problem("XDSMissingDocument", "an entry without a document", entry.id)
    for name in documents:
        if name not in ids:
            yield Problem("XDSMissingDocumentMetadata", "a document without an entry", name)
    counted = Counter(e.identifier(ebrim.ENTRY_UNIQUE_ID) for e in submission.entries)
    for unique_id, times in counted.items():
        if times > 1:
            yield Problem(
                "XDSRepositoryDuplicateUniqueIdInMessage", "uniqueId occurs twice", unique_id
            )


def _unique_id_problems(
    held: Holdings, entry: RegistryObject, document: bytes | None
) -> Iterator[Problem]:
    """Same uniqueId: the same bytes are a second entry, other bytes a mistake."""
    if document is None:
        return
    unique_id = entry.identifier(ebrim.ENTRY_UNIQUE_ID)
    sha1 = hashlib.sha1(document).hexdigest()
    if any(stored.hash != sha1 for stored in held.by_unique_id(unique_id)):
        yield Problem("XDSNonIdenticalHash", "uniqueId is known with another hash", unique_id)


def _association_problems(
    held: Holdings, association: Association, submission: Submission
) -> Iterator[Problem]:
    own = {e.id for e in submission.entries}
    source, target = association.source, association.target
    if association.type == ebrim.HAS_MEMBER:
        if source not in {s.id for s in submission.sets} or target not in own:
            yield Problem("UnresolvedReferenceException", "HasMember", association.id)
    elif association.type in REPLACING | _POINTING_BACK:
        if source not in own:
            yield Problem("XDSRegistryMetadataError", "the source is no new entry", association.id)
        elif association.type == ebrim.SIGNS and target in own:
            return
        else:
            new = next(e for e in submission.entries if e.id == source)
            yield from _target_problems(held, association, new)
    else:
        yield Problem(
            "XDSRegistryMetadataError", "association type is not taken here", association.id
        )


def _target_problems(
    held: Holdings, association: Association, new: RegistryObject
) -> Iterator[Problem]:
    """Rules for the old end of RPLC and its kin. Source: ihe-xds 3.8."""
    target = held.entries.get(association.target)
    if target is None:
        code = "XDSReplaceFailed" if held.old_replace_code else "UnresolvedReferenceException"
        yield Problem(code, "the target is not registered", association.target)
        return
    if target.status != ebrim.APPROVED:
        code = "XDSReplaceFailed" if held.old_replace_code else "XDSRegistryDeprecatedDocumentError"
        yield Problem(code, "the target is not Approved", association.target)
    if target.patient_id != new.identifier(ebrim.ENTRY_PATIENT_ID):
        yield Problem("XDSPatientIdDoesNotMatch", "target of another patient", association.target)
    if target.unique_id == new.identifier(ebrim.ENTRY_UNIQUE_ID):
        yield Problem(
            "XDSRegistryMetadataError", "a new version needs a new uniqueId", association.target
        )


def update_problems(held: Holdings, submission: Submission) -> Iterator[Problem]:
    """What is wrong with a change of availability statuses (ITI-57)."""
    yield from _set_structure(held, submission)
    if _is_resent(held, submission):
        return
    if submission.entries or submission.folders:
        yield Problem("XDSMetadataUpdateError", "only status changes are taken here")
    if not submission.associations:
        yield Problem("XDSMetadataUpdateError", "nothing to change")
    own = {s.id for s in submission.sets}
    addressed: set[str] = set()
    for association in submission.associations:
        if association.type != ebrim.UPDATE_STATUS or association.source not in own:
            yield Problem(
                "XDSMetadataUpdateError",
                "wanted: UpdateAvailabilityStatus from the set to an entry",
                association.id,
            )
            continue
        if association.target in addressed:
            yield Problem("XDSMetadataUpdateOperationError", "addressed twice", association.target)
        addressed.add(association.target)
        yield from _status_problems(held, association, submission)


def _status_problems(
    held: Holdings, association: Association, submission: Submission
) -> Iterator[Problem]:
    target = held.entries.get(association.target)
    if target is None:
        yield Problem(
            "UnresolvedReferenceException", "the target is not registered", association.target
        )
        return
    original = association.slots.get("OriginalStatus", ())
    new = association.slots.get("NewStatus", ())
    if original != (target.status,):
        yield Problem(
            "XDSMetadataUpdateError", "OriginalStatus is not the present one", target.entry_uuid
        )
    if len(new) != 1 or new[0] not in _STATUSES or new == original:
        yield Problem("XDSMetadataUpdateError", "NewStatus", target.entry_uuid)
    for package in submission.sets:
        if package.identifier(ebrim.SET_PATIENT_ID) != target.patient_id:
            yield Problem("XDSPatientIdDoesNotMatch", "SubmissionSet and target", package.id)


def _hash_problems(entry: RegistryObject, document: bytes | None) -> Iterator[Problem]:
    """What was said of the bytes must be true of them. Source: ihe-xds 4.2, 5."""
    if document is None:
        return
    claimed = entry.slot("hash")
    if "hash" in entry.slots and claimed.lower() != hashlib.sha1(document).hexdigest():
        yield Problem("XDSRepositoryMetadataError", "hash does not match the document", entry.id)
    if "size" in entry.slots and entry.slot("size") != str(len(document)):
        yield Problem("XDSRepositoryMetadataError", "size does not match the document", entry.id)


def _known_id(owner: RegistryObject) -> Problem:
    return Problem("XDSRegistryMetadataError", "the entryUUID is registered already", owner.id)


def _foreign(owner: RegistryObject) -> Problem:
    return Problem(
        "XDSRegistryMetadataError",
        "a classification or identifier belongs to another object",
        owner.id,
    )
