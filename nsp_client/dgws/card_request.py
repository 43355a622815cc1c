"""Making a self-signed id card, the one the token service exchanges for its own.

Source: nsp.md 1.2 (child order, attributes, NameID), 1.2.3 (times), 1.3.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from datetime import datetime, timedelta

from lxml import etree

from nsp_client.dgws.id_card import (
    CardUser,
    CareProvider,
    NameId,
    SystemIdCard,
    UserIdCard,
    parse_id_card,
)
from nsp_client.dgws.namespaces import (
    CARD_ID,
    CARD_SIGNATURE_ID,
    CARD_VERSION,
    DS,
    HOLDER_OF_KEY,
    SAML,
)
from nsp_client.signing.c14n import utc_text
from nsp_client.signing.keys import SigningKey
from nsp_client.signing.xmldsig import CardAlgorithm, sign_assertion
from nsp_client.xml_text import attribute, text

CARD_LIFE = timedelta(hours=24)
BACKDATING = timedelta(minutes=5)
"""A card starts this far in the past, for receivers whose clock is slow."""


def new_card_id() -> str:
    """Draw a card id: 16 random bytes in base64."""
    return b64encode(secrets.token_bytes(16)).decode("ascii")


def build_system_card(
    key: SigningKey,
    *,
    at: datetime,
    issuer: str,
    it_system_name: str,
    care_provider: CareProvider,
    card_id: str,
    algorithm: CardAlgorithm = CardAlgorithm.RSA_SHA1,
) -> SystemIdCard:
    """Make and sign a system card (level 3).

    Args:
        key: the organisation's RSA key and certificate.
        at: now (aware); the card starts five minutes earlier and lives 24 hours.
        issuer: name of this system, without spaces.
        it_system_name: ``medcom:ITSystemName``.
        care_provider: the organisation; its CVR must be the certificate's.
        card_id: see ``new_card_id``.
        algorithm: also chooses the digest of the certificate in the card.

    Raises:
        UnusableKey: not an RSA key.
        ValueError: an issuer with spaces, or a time without zone.
    """
    name_id = NameId(care_provider.id_format, care_provider.id)
    card = _signed(
        key,
        algorithm,
        _card(
            at,
            issuer,
            name_id,
            (
                _card_data(key, algorithm, card_id, kind="system", level=3),
                _system_log(it_system_name, care_provider),
            ),
        ),
    )
    if not isinstance(card, SystemIdCard):
        raise TypeError("a system card was asked for")
    return card


def build_user_card(
    key: SigningKey,
    *,
    at: datetime,
    issuer: str,
    it_system_name: str,
    care_provider: CareProvider,
    user: CardUser,
    card_id: str,
    algorithm: CardAlgorithm = CardAlgorithm.RSA_SHA1,
) -> UserIdCard:
    """Make and sign a user card (level 4) with the person's own certificate.

    Args, errors: as for ``build_system_card``; ``user.cpr`` must be there.
    """
    if user.cpr is None:
        raise ValueError("a self-signed user card names the user by CPR number")
    card = _signed(
        key,
        algorithm,
        _card(
            at,
            issuer,
            NameId("medcom:cprnumber", user.cpr.value),
            (
                _card_data(key, algorithm, card_id, kind="user", level=4),
                _user_log(user),
                _system_log(it_system_name, care_provider),
            ),
        ),
    )
    if not isinstance(card, UserIdCard):
        raise TypeError("a user card was asked for")
    return card


def _signed(key: SigningKey, algorithm: CardAlgorithm, card: str) -> SystemIdCard | UserIdCard:
    xml = sign_assertion(
        etree.fromstring(card), key, algorithm=algorithm, signature_id=CARD_SIGNATURE_ID
    )
    parsed = parse_id_card(etree.fromstring(xml), xml)
    if not isinstance(parsed, SystemIdCard | UserIdCard):
        raise TypeError("a card is for a system or a user")
    return parsed


def _card(at: datetime, issuer: str, name_id: NameId, statements: tuple[str, ...]) -> str:
    if not issuer or any(character.isspace() or character == ":" for character in issuer):
        raise ValueError("the schema wants an issuer without spaces and colons")
    start = at - BACKDATING
    starts, ends = utc_text(start), utc_text(start + CARD_LIFE)
    return (
        f'<saml:Assertion xmlns:saml="{SAML}" IssueInstant="{starts}" Version="2.0" id="{CARD_ID}">'
        f"<saml:Issuer>{text(issuer)}</saml:Issuer><saml:Subject>"
        f'<saml:NameID Format="{attribute(name_id.format)}">{text(name_id.value)}</saml:NameID>'
        "<saml:SubjectConfirmation>"
        f"<saml:ConfirmationMethod>{HOLDER_OF_KEY}</saml:ConfirmationMethod>"
        f'<saml:SubjectConfirmationData><ds:KeyInfo xmlns:ds="{DS}">'
        f"<ds:KeyName>{CARD_SIGNATURE_ID}</ds:KeyName></ds:KeyInfo></saml:SubjectConfirmationData>"
        "</saml:SubjectConfirmation></saml:Subject>"
        f'<saml:Conditions NotBefore="{starts}" NotOnOrAfter="{ends}"/>'
        f"{''.join(statements)}</saml:Assertion>"
    )


def _card_data(
    key: SigningKey, algorithm: CardAlgorithm, card_id: str, *, kind: str, level: int
) -> str:
    digest = key.certificate_sha1 if algorithm is CardAlgorithm.RSA_SHA1 else key.certificate_sha256
    return _statement(
        "IDCardData",
        _attribute("sosi:IDCardID", card_id),
        _attribute("sosi:IDCardVersion", CARD_VERSION),
        _attribute("sosi:IDCardType", kind),
        _attribute("sosi:AuthenticationLevel", str(level)),
        _attribute("sosi:OCESCertHash", b64encode(digest).decode("ascii")),
    )


def _user_log(user: CardUser) -> str:
    return _statement(
        "UserLog",
        _attribute("medcom:UserCivilRegistrationNumber", user.cpr.value if user.cpr else None),
        _attribute("medcom:UserGivenName", user.given_name),
        _attribute("medcom:UserSurName", user.surname),
        _attribute("medcom:UserEmailAddress", user.email),
        _attribute("medcom:UserRole", user.role),
        _attribute("medcom:UserOccupation", user.occupation),
        _attribute("medcom:UserAuthorizationCode", user.authorization_code),
    )


def _system_log(it_system_name: str, care_provider: CareProvider) -> str:
    return _statement(
        "SystemLog",
        _attribute("medcom:ITSystemName", it_system_name),
        _attribute("medcom:CareProviderID", care_provider.id, care_provider.id_format),
        _attribute("medcom:CareProviderName", care_provider.name),
    )


def _statement(name: str, *attributes: str) -> str:
    return f'<saml:AttributeStatement id="{name}">{"".join(attributes)}</saml:AttributeStatement>'


def _attribute(name: str, value: str | None, name_format: str | None = None) -> str:
    if value is None:
        return ""
    form = "" if name_format is None else f' NameFormat="{attribute(name_format)}"'
    return (
        f'<saml:Attribute Name="{name}"{form}>'
        f"<saml:AttributeValue>{text(value)}</saml:AttributeValue></saml:Attribute>"
    )
