"""Namespaces and fixed words of Den Gode Webservice; those of SOAP are in ``soap.envelope``.

Source: nsp.md 0.3.
"""

from __future__ import annotations

from typing import Final

WSSE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
MEDCOM: Final = "http://www.medcom.dk/dgws/2006/04/dgws-1.0.xsd"
MEDCOM_ANNEX: Final = "http://svn.medcom.dk/svn/releases/Standarder/DGWS/Schemas/medcom-1.0.1.xsd"
"""Printed in the 2018 annex; read, never written."""
SOSI: Final = "http://www.sosi.dk/sosi/2006/04/sosi-1.0.xsd"
WST: Final = "http://schemas.xmlsoap.org/ws/2005/02/trust"
NSI_SERVICE: Final = "urn:dk.nsi.service"
"""Namespace of ``maxAge`` on a reply's header."""

HOLDER_OF_KEY: Final = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"
CARD_ID: Final = "IDCard"
CARD_SIGNATURE_ID: Final = "OCESSignature"
CARD_VERSION: Final = "1.0.1"
