"""Map and sign: a note version becomes a document that is never changed again.

Pure but for the signature's randomness: ids and time are passed in. The same
bytes are served at every door and pushed to every destination.

Source: design.md sections 2 and 5; medcom-shared-notes 16.1 (stable ids).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from gateway.pipeline.records import DocumentRecord
from mappers.fhir.bundle import assemble_bundle
from mappers.fhir.ids import document_ids
from mappers.note import JournalNote
from nsp_client.signing.keys import SigningKey
from nsp_client.signing.xades import sign_document

MEDIA_TYPE: Final = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class DocumentMaker:
    """What making a document takes besides the note.

    Args:
        signing_key: signs every document.
        id_namespace: secret that the documents' stable identifiers hang on.
    """

    signing_key: SigningKey
    id_namespace: bytes

    def make(
        self,
        note: JournalNote,
        *,
        note_id: UUID,
        patient_key: bytes,
        generation: int,
        bundle_identifier: UUID,
        assembled_at: datetime,
        name_protected: bool,
    ) -> DocumentRecord:
        """Assemble and sign one version.

        Args:
            patient_key: keyed hash of the patient, never the CPR number.
            generation: 0 for the first document of a version; counts up when
                demographics change or the note is shared again.
            name_protected: write no real name of the patient.

        Raises:
            MappingError: the note can't be written without losing something.
        """
        ids = document_ids(
            note,
            id_namespace=self.id_namespace,
            patient_key=patient_key,
            bundle_identifier=bundle_identifier,
            generation=generation,
        )
        document = assemble_bundle(
            note, ids, assembled_at=assembled_at, name_protected=name_protected
        )
        sha256 = hashlib.sha256(document).digest()
        unique_id = f"urn:uuid:{ids.composition_identifier}"
        signature = sign_document(
            document,
            self.signing_key,
            signed_at=assembled_at,
            document_name=unique_id,
            mime_type=MEDIA_TYPE,
            document_sha256=sha256,
        )
        return DocumentRecord(
            note_id=note_id,
            version=note.version,
            generation=generation,
            unique_id=unique_id,
            entry_uuid=ids.bundle_id,
            media_type=MEDIA_TYPE,
            assembled_at=assembled_at,
            name_protected=name_protected,
            sha1=hashlib.sha1(document, usedforsecurity=False).digest(),
            sha256=sha256,
            size_bytes=len(document),
            signing_key=self.signing_key.certificate_sha256.hex(),
            document=document,
            signature=signature,
        )
