"""What DROS reads from a body and writes as an answer.

Source: nsp 1.5 (recorded answer of DROS), 3.2; ihe-xds 2.2, 4.1, 4.4, 10.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from aiohttp import web
from lxml import etree

from test_doubles import ebrim, mtom
from test_doubles.ebrim import RS, XDSB
from test_doubles.metadata_checks import Problem
from test_doubles.soap import (
    MEDCOM,
    MEDCOM_ALTERNATIVE,
    WSA,
    Message,
    SoapFault,
    SoapVersion,
    canonical,
    envelope_text,
    linking_header,
    response,
    text_of,
    timestamp_header,
)

ITI41 = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
ITI57 = "urn:ihe:iti:2010:UpdateDocumentSet"
_STATUS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
_SEVERITY = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:"


@dataclass(frozen=True, slots=True)
class Answer:
    """All that an answer is made of, so that it can be given again unchanged."""

    version: SoapVersion
    packaged: bool
    action: str
    relates_to: str
    in_response_to: str
    level: str
    card: str
    body: str
    message_id: str
    wsa_message_id: str
    made_at: datetime


def render(answer: Answer, *, glued: bool) -> web.Response:
    """Write an answer: the same record gives the same envelope every time."""
    header = timestamp_header(answer.made_at, answer.card)
    header += linking_header(answer.message_id, answer.in_response_to, answer.level)
    header += (
        f'<wsa:Action xmlns:wsa="{WSA}">{answer.action}</wsa:Action>'
        f'<wsa:MessageID xmlns:wsa="{WSA}">{answer.wsa_message_id}</wsa:MessageID>'
        f'<wsa:RelatesTo xmlns:wsa="{WSA}">{escape(answer.relates_to)}</wsa:RelatesTo>'
    )
    text = envelope_text(answer.version, header, answer.body)
    return response(answer.version, text, packaged=answer.packaged, glued=glued)


def body_digest(body: etree._Element, documents: Mapping[str, bytes]) -> bytes:
    """What makes two bodies the same: canonical form and documents, not how they are packed."""
    bare = copy.deepcopy(body)
    for document in bare.findall(f"{{{XDSB}}}Document"):
        document.text = None
        for child in list(document):
            document.remove(child)
    digest = hashlib.sha256(canonical(bare))
    for name, content in documents.items():
        digest.update(name.encode())
        digest.update(hashlib.sha256(content).digest())
    return digest.digest()


def message_id_of(message: Message | None) -> str | None:
    """medcom:MessageID of a request, for the fault that answers it."""
    if message is None:
        return None
    for namespace in (MEDCOM, MEDCOM_ALTERNATIVE):
        header = message.block(namespace, "Header")
        if header is not None:
            return text_of(header.find(f"{{{namespace}}}Linking/{{{namespace}}}MessageID")) or None
    return None


def registry_response(problems: tuple[Problem, ...]) -> str:
    """rs:RegistryResponse with these problems. Source: ihe-xds 4.4, 10."""
    failed = any(not p.warning for p in problems)
    status = f"{_STATUS}{'Failure' if failed else 'Success'}"
    declared = f'xmlns:rs="{RS}" status="{status}"'
    if not problems:
        return f"<rs:RegistryResponse {declared}/>"
    highest = f"{_SEVERITY}{'Error' if failed else 'Warning'}"
    errors = "".join(
        f"<rs:RegistryError errorCode={quoteattr(p.code)} codeContext={quoteattr(p.context)} "
        f'severity="{_SEVERITY}{"Warning" if p.warning else "Error"}"'
        + (f" location={quoteattr(p.location)}" if p.location else "")
        + "/>"
        for p in problems
    )
    return (
        f'<rs:RegistryResponse {declared}><rs:RegistryErrorList highestSeverity="{highest}">'
        f"{errors}</rs:RegistryErrorList></rs:RegistryResponse>"
    )


def check_addressing(message: Message, action: str) -> str:
    """WS-Addressing as the profile wants it; gives the request's MessageID.

    Raises:
        SoapFault: of WS-Addressing. Source: ihe-xds 2.2.
    """
    found = message.header_text(WSA, "Action")
    if not found:
        raise SoapFault(None, "wsa:Action is missing", "wsa:MessageAddressingHeaderRequired")
    if found != action:
        raise SoapFault(None, "this address serves another action", "wsa:ActionNotSupported")
    message_id = message.block(WSA, "MessageID")
    if message_id is None or not text_of(message_id):
        raise SoapFault(None, "wsa:MessageID is missing", "wsa:MessageAddressingHeaderRequired")
    reply_to = message.block(WSA, "ReplyTo")
    if reply_to is not None:
        address = text_of(reply_to.find(f"{{{WSA}}}Address")) or text_of(reply_to)
        if address != f"{WSA}/anonymous":
            raise SoapFault(None, "only anonymous replies", "wsa:OnlyAnonymousAddressSupported")
    return message_id.text or ""


def read_body(message: Message, action: str) -> tuple[ebrim.Submission, dict[str, bytes]]:
    """The submission and the bytes of its documents by id.

    Raises:
        SoapFault: ``syntax_error``. BadPackage: a document that cannot be read.
    """
    if mtom.stray_includes(message.envelope, f"{{{XDSB}}}Document"):
        raise SoapFault("syntax_error", "an Include outside a Document")
    if action == ITI57:
        return ebrim.read_submission(message.body), {}
    if message.body.tag != f"{{{XDSB}}}ProvideAndRegisterDocumentSetRequest":
        raise SoapFault("syntax_error", "ProvideAndRegisterDocumentSetRequest is missing")
    request = message.body.find(f"{{{ebrim.LCM}}}SubmitObjectsRequest")
    if request is None:
        raise SoapFault("syntax_error", "SubmitObjectsRequest is missing")
    documents: dict[str, bytes] = {}
    for document in message.body.findall(f"{{{XDSB}}}Document"):
        name = document.get("id", "")
        if name in documents:
            raise SoapFault("syntax_error", "two documents with one id")
        documents[name] = mtom.document_bytes(document, message.parts)
    return ebrim.read_submission(request), documents
