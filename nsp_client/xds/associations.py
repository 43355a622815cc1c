"""The associations of a submission, their ids derived from the submission set's.

The same set gives the same ids, so that a resend is the same message again.

Source: IHE ITI TF-3 4.2.2 (kinds), 4.2.1.4 (which end is the source); TF-3 5.5.3
(signs); xds-metadata-dk 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nsp_client.errors import InvalidMetadata
from nsp_client.identifiers import is_urn_uuid
from nsp_client.xds.ebxml import derived_ids
from nsp_client.xds.metadata import Association, AssociationType, DocumentEntry, SubmissionSet


@dataclass(frozen=True, slots=True)
class Relations:
    """How a submitted entry stands to others, each named by its entryUUID.

    Attributes:
        replaces: the entry it takes the place of (RPLC); the registry deprecates it.
        transforms: the entry of the document it renders in another format (XFRM).
        signs: the entries of the documents it is a signature over.
    """

    replaces: str | None = None
    transforms: str | None = None
    signs: Sequence[str] = ()


UNRELATED = Relations()


def submission_associations(
    entry: DocumentEntry, submission_set: SubmissionSet, relations: Relations = UNRELATED
) -> list[Association]:
    """Make the membership of an entry in its set, and its relations to other entries.

    Returns:
        HasMember first; then RPLC, XFRM and signs, each from the entry.

    Raises:
        InvalidMetadata: a target is not the entryUUID of another entry, or is
            signed twice.
    """
    targets = [
        *((AssociationType.RPLC, each) for each in (relations.replaces,) if each is not None),
        *((AssociationType.XFRM, each) for each in (relations.transforms,) if each is not None),
        *((AssociationType.SIGNS, each) for each in relations.signs),
    ]
    for kind, target in targets:
        if not is_urn_uuid(target) or target.lower() == entry.entry_uuid.lower():
            raise InvalidMetadata(kind.name, "the target is not the entryUUID of another entry")
    if len(set(relations.signs)) != len(relations.signs):
        raise InvalidMetadata("SIGNS", "a target is named twice")
    member_id, *ids = derived_ids(submission_set.entry_uuid, 1 + len(targets))
    return [
        Association(
            association_id=member_id,
            association_type=AssociationType.HAS_MEMBER,
            source=submission_set.entry_uuid,
            target=entry.entry_uuid,
            submission_set_status="Original",
        ),
        *(
            Association(
                association_id=own_id,
                association_type=kind,
                source=entry.entry_uuid,
                target=target,
            )
            for own_id, (kind, target) in zip(ids, targets, strict=True)
        ),
    ]
