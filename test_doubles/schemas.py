"""The published schemas, when a directory of them is at hand.

Layout: ``dgws/*.xsd`` and ``xds/strict/{ebRS,IHE}/*.xsd``. The signature
schema of DGWS is left out on purpose: it lists SHA-1 only and must not refuse
a message (nsp 1.3, rule 6), so an open one stands in its place.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from pathlib import Path

from lxml import etree

from test_doubles.mtom import INCLUDE
from test_doubles.soap import MEDCOM, WSSE, Message, SoapFault

_OPEN_SIGNATURE_SCHEMA = """\
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
    targetNamespace="http://www.w3.org/2000/09/xmldsig#" elementFormDefault="qualified">
  <xs:element name="Signature" type="xs:anyType"/>
  <xs:element name="KeyInfo" type="xs:anyType"/>
</xs:schema>
"""
_DGWS_FILES = ("medcom.xsd", "saml.xsd", "wsse.xsd", "wsu.xsd")


class Schemas:
    """The schemas of the header and of the submissions.

    Raises:
        OSError: a file is missing. ``lxml.etree.XMLSchemaParseError``: one is broken.
    """

    def __init__(self, directory: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="dgws-schemas-") as place:
            for name in _DGWS_FILES:
                shutil.copyfile(directory / "dgws" / name, Path(place) / name)
            (Path(place) / "ds.xsd").write_text(_OPEN_SIGNATURE_SCHEMA, encoding="utf-8")
            self._security = _load(Path(place) / "wsse.xsd")
            self._medcom = _load(Path(place) / "medcom.xsd")
        strict = directory / "xds" / "strict"
        self._provide = _load(strict / "IHE" / "XDS.b_DocumentRepository.xsd")
        self._submit = _load(strict / "ebRS" / "lcm.xsd")

    def check_header(self, message: Message) -> None:
        """Check wsse:Security and medcom:Header.

        Raises:
            SoapFault: ``syntax_error``, with place and rule.
        """
        for schema, block in (
            (self._security, message.block(WSSE, "Security")),
            (self._medcom, message.block(MEDCOM, "Header")),
        ):
            if block is not None:
                # A copy: foreign attributes of SOAP would fail the block's own schema.
                copied = copy.deepcopy(block)
                for name in [n for n in copied.attrib if str(n).startswith("{")]:
                    del copied.attrib[name]
                _check(schema, copied)

    def check_submission(self, body: etree._Element, *, provide: bool) -> None:
        """Check the body of ITI-41 (``provide``) or of the other submissions.

        Raises:
            SoapFault: ``syntax_error``, with place and rule.
        """
        if not provide:
            _check(self._submit, copy.deepcopy(body))
            return
        # The schema knows base64 only; what an Include stands for is checked elsewhere.
        copied = copy.deepcopy(body)
        for include in list(copied.iter(INCLUDE)):
            parent = include.getparent()
            if parent is not None:
                parent.remove(include)
                parent.text = "AA=="
        _check(self._provide, copied)


def _load(file: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(file))


def _check(schema: etree.XMLSchema, element: etree._Element) -> None:
    if schema.validate(element):
        return
    # The schema's own words may repeat a value; only place and kind are told.
    error = schema.error_log[0]
    raise SoapFault("syntax_error", f"not valid against its schema: {error.type_name} {error.path}")
