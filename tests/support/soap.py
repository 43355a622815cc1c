"""Reads what the SOAP doors answer, with lxml and the standard library only.

A stranger's reader: none of our parsers is used, so that a mistake of ours on
the wire shows. Knows SOAP 1.1 and 1.2, plain and MTOM.

Source: ITI TF-2 3.18.4.1.3, 3.43.4.2 (answers); XOP 1.0, 4 (packages).
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from email import message_from_bytes, policy
from urllib.parse import unquote

from lxml import etree

NS = {
    "rim": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0",
    "rs": "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0",
    "xdsb": "urn:ihe:iti:xds-b:2007",
    "xop": "http://www.w3.org/2004/08/xop/include",
}
UNIQUE_ID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True)


class Fault(Exception):
    """The door answered with a SOAP fault; the text is all that the fault says."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the registry, as a document consumer reads it."""

    entry_uuid: str
    unique_id: str
    repository: str
    hash: str
    size: int
    media_type: str
    status: str


def _package(content_type: str, body: bytes) -> tuple[etree._Element, dict[str, bytes]]:
    """The envelope and the attachments by Content-ID."""
    parts: dict[str, bytes] = {}
    if content_type.lower().startswith("multipart/"):
        raw = b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body
        message = message_from_bytes(raw, policy=policy.HTTP)
        found = [
            (str(part["Content-ID"]).strip("<> "), part.get_payload(decode=True))
            for part in message.iter_parts()
        ]
        parts = {name: bytes(payload) for name, payload in found if isinstance(payload, bytes)}
        body = parts[found[0][0]]
    envelope = etree.fromstring(body, _PARSER)
    fault = envelope.find(".//{*}Body/{*}Fault")
    if fault is not None:
        raise Fault(" ".join(str(text).strip() for text in fault.itertext() if str(text).strip()))
    return envelope, parts


def read_entries(content_type: str, body: bytes) -> list[Entry]:
    """The entries in an answer to ITI-18.

    Raises:
        Fault: there is none, but a SOAP fault.
    """
    envelope, _ = _package(content_type, body)
    assert envelope.find(".//rs:RegistryErrorList", NS) is None, etree.tostring(envelope)
    return [_entry(each) for each in envelope.iterfind(".//rim:ExtrinsicObject", NS)]


def _entry(element: etree._Element) -> Entry:
    slots = {
        slot.get("name"): slot.findtext(".//rim:Value", "", NS)
        for slot in element.iterfind("rim:Slot", NS)
    }
    unique = element.find(f"rim:ExternalIdentifier[@identificationScheme='{UNIQUE_ID}']", NS)
    assert unique is not None
    return Entry(
        entry_uuid=element.get("id", ""),
        unique_id=unique.get("value", ""),
        repository=slots["repositoryUniqueId"],
        hash=slots["hash"],
        size=int(slots["size"]),
        media_type=element.get("mimeType", ""),
        status=element.get("status", "").rpartition(":")[2],
    )


def read_documents(content_type: str, body: bytes) -> dict[str, bytes]:
    """The documents in an answer to ITI-43, by document id.

    Raises:
        Fault: there is none, but a SOAP fault.
    """
    envelope, parts = _package(content_type, body)
    documents = {}
    for answer in envelope.iterfind(".//xdsb:DocumentResponse", NS):
        unique_id = answer.findtext("xdsb:DocumentUniqueId", "", NS)
        content = answer.find("xdsb:Document", NS)
        assert content is not None
        include = content.find("xop:Include", NS)
        if include is None:
            documents[unique_id] = b64decode(content.text or "")
        else:
            documents[unique_id] = parts[unquote(include.get("href", "").removeprefix("cid:"))]
    return documents
