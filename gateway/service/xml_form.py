"""The XML form of a stored document, and a signature over it.

The JSON form is the one that is stored, signed and registered. Its XML form follows
from it, byte for byte the same each time, so it is made when someone asks; its own
signature is made then too, and says so in its time.

Source: design.md 2 (XML is the same document with its own signature).
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from gateway.clock import Clock
from gateway.errors import Unavailable
from gateway.pipeline.records import DocumentRecord
from mappers.fhir.xml_writer import write_xml
from nsp_client.signing.keys import SigningKey, UnusableKey
from nsp_client.signing.xades import sign_document

MEDIA_TYPE = "application/fhir+xml"


class XmlForm:
    """Gives documents as XML.

    Args:
        load_key: reads the signing key; called when the first signature is asked for.
    """

    def __init__(self, load_key: Callable[[], SigningKey], clock: Clock) -> None:
        self._load_key = load_key
        self._key: SigningKey | None = None
        self._clock = clock

    def document(self, record: DocumentRecord) -> bytes:
        """The document as FHIR XML in exclusive canonical form.

        Raises:
            MappingError: the stored document has no XML form.
        """
        return write_xml(orjson.loads(record.document))

    def signature(self, record: DocumentRecord) -> bytes:
        """A detached XAdES signature over the XML form, as of now.

        Raises:
            Unavailable: this process can't read the signing key.
            MappingError: the stored document has no XML form.
        """
        return sign_document(
            self.document(record),
            self._signing_key(),
            signed_at=self._clock.now(),
            document_name=record.unique_id,
            mime_type=MEDIA_TYPE,
        )

    def _signing_key(self) -> SigningKey:
        if self._key is None:
            try:
                self._key = self._load_key()
            except (OSError, UnusableKey) as error:
                raise Unavailable("no signing key for the XML form") from error
        return self._key
