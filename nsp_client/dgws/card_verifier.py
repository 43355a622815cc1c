"""Verifying id cards for a service, remembering those already verified.

One card is shown with every call of a working day; its signature is checked
once. What depends on the message or on the time is checked every time.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from datetime import datetime

from lxml import etree

from nsp_client.dgws.id_card import VerifiedIdCard, verify_id_card
from nsp_client.signing.c14n import exclusive
from nsp_client.signing.keys import TrustAnchors
from nsp_client.signing.xmldsig import UnknownSigner, check_single_bearer


class CardVerifier:
    """Verifies cards against one set of trust anchors. Safe to share between threads.

    Args:
        trust: certificates of known card issuers; only ``pinned`` counts.
        allow_sha1: the token service signs with RSA-SHA1.
        remembered: how many verified cards to keep; 0 keeps none.
    """

    def __init__(
        self, trust: TrustAnchors, *, allow_sha1: bool = True, remembered: int = 2000
    ) -> None:
        self._trust = trust
        self._allow_sha1 = allow_sha1
        self._remembered = remembered
        self._known: OrderedDict[bytes, VerifiedIdCard] = OrderedDict()
        self._lock = threading.Lock()

    def verify(self, assertion: etree._Element, at: datetime) -> VerifiedIdCard:
        """Verify a card inside the message it came in.

        Args:
            assertion: the element, still in its whole document.
            at: the instant the issuer's certificate must hold (aware).

        Raises:
            UntrustedSignature, MalformedMessage: see ``verify_id_card``.
        """
        # Depends on the whole message, so a remembered card does not excuse it.
        check_single_bearer(assertion)
        # Signature included: only the very same signed card is ever found again.
        digest = hashlib.sha256(exclusive(assertion)).digest()
        with self._lock:
            known = self._known.get(digest)
            if known is not None:
                self._known.move_to_end(digest)
        if known is not None:
            if not known.signer.not_valid_before_utc <= at <= known.signer.not_valid_after_utc:
                raise UnknownSigner("the signer's certificate is not valid at this time")
            return known
        verified = verify_id_card(assertion, self._trust, at, allow_sha1=self._allow_sha1)
        with self._lock:
            self._known[digest] = verified
            while len(self._known) > self._remembered:
                self._known.popitem(last=False)
        return verified
