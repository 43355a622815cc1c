"""The services a process offers its handlers, built once by ``wiring``."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.api.principals import Tokens
from gateway.clock import Clock
from gateway.keys import KeyRing
from gateway.service.disclose import Discloser
from gateway.service.feed import PatientFeed
from gateway.service.receive import Intake
from gateway.service.steer import Steering
from gateway.service.xml_form import XmlForm
from gateway.settings import Settings
from gateway.storage.database import Database
from nsp_client.signing.keys import TrustAnchors
from nsp_client.soap.transport import HttpTransport


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the api needs."""

    settings: Settings
    clock: Clock
    ring: KeyRing
    database: Database
    tokens: Tokens
    intake: Intake
    steering: Steering
    discloser: Discloser
    feed: PatientFeed
    xml_form: XmlForm
    trusted_sts: TrustAnchors | None  # whose id cards the SOAP doors accept
    transport: HttpTransport
