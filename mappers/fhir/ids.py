"""The ids of a document: stable where the source data are, new where XDS needs it.

All are UUIDs of version 5 form. The name that is hashed holds the sender's
patient key (never the CPR number) and the note's key, so ids of two patients
cannot be linked and a CPR number cannot be guessed from an id.

Source: medcom-shared-notes 16.1; RFC 4122 4.3 (form); RFC 7693 (keyed BLAKE2b,
which makes the ids: as strong as an HMAC here at a quarter of its cost).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final
from uuid import UUID

from mappers.errors import MappingError
from mappers.note import Author, JournalNote

_VERSION_5: Final = 5
_LEAST_KEY: Final = 16
_FIELD: Final = b"\x1f"
"""Between the parts of a name; control characters are refused in all of them."""


@dataclass(frozen=True, slots=True)
class DocumentIds:
    """Every id of one document.

    ``bundle_id``, the composition's two and all ``…_id`` belong to one version
    and generation; ``observation_identifier`` to the note; the practitioner's and
    the role's identifiers to the person in the source system;
    ``bundle_identifier`` to this one assembly.
    """

    bundle_id: UUID
    bundle_identifier: UUID
    composition_id: UUID
    composition_identifier: UUID
    observation_id: UUID
    observation_identifier: UUID
    patient_id: UUID
    organization_id: UUID
    practitioner_id: UUID
    practitioner_identifier: UUID
    role_id: UUID
    role_identifier: UUID


@dataclass(frozen=True, slots=True)
class IdTexts:
    """The same ids as they are written, each turned into text once."""

    bundle_id: str
    bundle_identifier: str
    composition_id: str
    composition_identifier: str
    observation_id: str
    observation_identifier: str
    patient_id: str
    organization_id: str
    practitioner_id: str
    practitioner_identifier: str
    role_id: str
    role_identifier: str


def texts_of(ids: DocumentIds) -> IdTexts:
    """The ids as text, in canonical form."""
    return IdTexts(
        str(ids.bundle_id),
        str(ids.bundle_identifier),
        str(ids.composition_id),
        str(ids.composition_identifier),
        str(ids.observation_id),
        str(ids.observation_identifier),
        str(ids.patient_id),
        str(ids.organization_id),
        str(ids.practitioner_id),
        str(ids.practitioner_identifier),
        str(ids.role_id),
        str(ids.role_identifier),
    )


def document_ids(
    note: JournalNote,
    *,
    id_namespace: bytes,
    patient_key: bytes,
    bundle_identifier: UUID,
    generation: int = 0,
) -> DocumentIds:
    """Compute the ids of the document of one note version; the same input gives the same ids.

    Args:
        note: the note version.
        id_namespace: secret of this gateway, 16 to 64 bytes; another secret gives ids
            that cannot be linked to these.
        patient_key: the patient's own key, never the CPR number itself; for example
            its keyed hash.
        bundle_identifier: a fresh random UUID for each assembly, passed in because this
            module holds no random source.
        generation: counts re-makings of one version from changed demographics.

    Returns:
        The ids. A named author whose id is ``urn:uuid:…`` keeps that UUID as the
        practitioner's identifier; an author known by role alone keeps it as the role's.

    Raises:
        MappingError: the secret is too short or too long.

    Source: medcom-shared-notes 16.1.
    """
    if not _LEAST_KEY <= len(id_namespace) <= blake2b.MAX_KEY_SIZE:
        raise MappingError("id_namespace", "the secret is not 16 to 64 bytes")
    source = note.organization.sor_code.encode()
    note_name = _FIELD.join((source, patient_key, note.source_note_id.encode()))
    version_name = b"%b\x1f%d\x1f%d" % (note_name, note.version, generation)
    documents = _digest(id_namespace, b"version-1\x1f" + version_name)
    parties = _digest(id_namespace, b"version-2\x1f" + version_name)
    observation = _digest(id_namespace, b"note\x1f" + note_name)
    practitioner, role = _person_identifiers(note, source, id_namespace)
    return DocumentIds(
        bundle_id=_uuid(documents, 0),
        bundle_identifier=bundle_identifier,
        composition_id=_uuid(documents, 16),
        composition_identifier=_uuid(documents, 32),
        observation_id=_uuid(documents, 48),
        observation_identifier=_uuid(observation, 0),
        patient_id=_uuid(parties, 0),
        organization_id=_uuid(parties, 16),
        practitioner_id=_uuid(parties, 32),
        practitioner_identifier=practitioner,
        role_id=_uuid(parties, 48),
        role_identifier=role,
    )


def _person_identifiers(note: JournalNote, source: bytes, key: bytes) -> tuple[UUID, UUID]:
    author = note.author
    role = "" if author is None else author.role or author.role_text or ""
    # A protected author's role must not be traceable to the person either.
    person = b"" if author is None or note.author_name_protected else _person_name(author)
    name = source + _FIELD + person
    digest = _digest(key, b"role\x1f" + name + _FIELD + role.encode())
    practitioner, own_role = _uuid(digest, 0), _uuid(digest, 16)
    if author is None or note.author_name_protected:
        return practitioner, own_role
    given_id = _given_uuid(author.id)
    if not (author.family and author.given):
        return practitioner, given_id or own_role
    if given_id is not None:
        return given_id, own_role
    return _uuid(_digest(key, b"person\x1f" + name), 0), own_role


def _person_name(author: Author) -> bytes:
    """Name a person within a clinic by the best key at hand."""
    parts: tuple[str, ...]
    if author.id:
        parts = ("id", author.id)
    elif author.authorization_id:
        parts = ("authorization", author.authorization_id)
    else:
        parts = ("name", author.family or "", *author.given)
    return "\x1f".join(parts).encode()


def _given_uuid(author_id: str | None) -> UUID | None:
    if author_id is None or not author_id.startswith("urn:uuid:"):
        return None
    try:
        return UUID(author_id[9:])
    except ValueError:
        return None


def _digest(key: bytes, name: bytes) -> bytes:
    """Give 64 bytes that nobody without the key can compute or undo."""
    return blake2b(name, key=key).digest()


_CLEAR: Final = ~((0xF << 76) | (0x3 << 62)) & ((1 << 128) - 1)
_MARK: Final = (_VERSION_5 << 76) | (0x2 << 62)


def _uuid(digest: bytes, at: int) -> UUID:
    """Cut a UUID of version 5 form out of a digest."""
    return UUID(int=(int.from_bytes(digest[at : at + 16], "big") & _CLEAR) | _MARK)
