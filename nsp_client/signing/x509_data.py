"""Certificates as they stand in ``ds:KeyInfo``: a claim, not yet trusted.

Source: XML Signature 1.1, 4.5.4 (X509Data).
"""

from __future__ import annotations

import binascii
from base64 import b64decode

from cryptography import x509
from lxml import etree

from nsp_client.errors import UntrustedSignature
from nsp_client.signing.c14n import DS

MAX_CERTIFICATES = 5


def presented_certificates(signature: etree._Element) -> list[x509.Certificate]:
    """Read the certificates a signature brings along, the signer's first.

    Raises:
        UntrustedSignature: more than five, or one that is not a certificate.
    """
    elements = signature.findall(f"{{{DS}}}KeyInfo/{{{DS}}}X509Data/{{{DS}}}X509Certificate")
    if len(elements) > MAX_CERTIFICATES:
        raise UntrustedSignature("too many certificates in the signature")
    return [_load(element.text or "") for element in elements]


def _load(text: str) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(b64decode("".join(text.split()), validate=True))
    except (binascii.Error, ValueError) as error:
        raise UntrustedSignature("the signature holds an unreadable certificate") from error
