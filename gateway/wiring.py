"""Builds each object once from the settings. No logic, and the only such place."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from consent.authorization import AuthorizationClient
from consent.custody import CprClient
from consent.facts import FactSources
from consent.mandates import MandateClient
from consent.minspaerring import MinSpaerringClient
from consent.organisations import OrganisationTree
from consent.relation import RelationClient
from gateway.api.principals import Tokens
from gateway.api.services import Services
from gateway.clock import Clock, SystemClock
from gateway.demo_clock import DemoClock
from gateway.destinations.xds import Dros
from gateway.errors import ConfigurationFault
from gateway.keys import KeyRing
from gateway.pipeline.document import DocumentMaker
from gateway.service.deliver import Deliverer, Patience
from gateway.service.disclose import Discloser
from gateway.service.feed import PatientFeed
from gateway.service.process import Processor
from gateway.service.receive import Intake
from gateway.service.steer import Steering
from gateway.service.work import Workshop
from gateway.service.xml_form import XmlForm
from gateway.settings import Settings
from gateway.storage.audit_signer import AnchorFile, AuditSigner
from gateway.storage.database import Database
from gateway.worker import Worker
from nsp_client.dgws.id_card import CareProvider
from nsp_client.dgws.sts import CardIdentity, StsClient
from nsp_client.signing.keys import SigningKey, TrustAnchors
from nsp_client.soap.transport import HttpTransport


@dataclass(slots=True)
class Base:
    """What api and worker both need; closed by :meth:`close`."""

    settings: Settings
    ring: KeyRing
    database: Database
    transport: HttpTransport
    clock: Clock
    demo_clock: DemoClock | None
    sources: FactSources

    async def close(self) -> None:
        """Give back connections."""
        if self.demo_clock is not None:
            await self.demo_clock.stop()
        await self.transport.close()
        await self.database.close()


async def build_base(settings: Settings, process_name: str) -> Base:
    """Open what both kinds of process share.

    Raises:
        ConfigurationFault: a setting or file is missing.
        TimeoutError: under ``gateway demo``, the clock service does not answer.
    """
    if not settings.database_url:
        raise ConfigurationFault("DATABASE_URL is not set (gateway demo brings its own server)")
    ring = KeyRing.from_file(settings.master_key_file)
    clock, demo_clock = await _clock(settings, process_name)
    database = Database(settings.database_url, app_role=settings.app_role, size=settings.pool_size)
    await database.open()
    transport = HttpTransport(_client_tls(settings))
    return Base(
        settings,
        ring,
        database,
        transport,
        clock,
        demo_clock,
        _fact_sources(settings, ring, transport),
    )


async def _clock(settings: Settings, process_name: str) -> tuple[Clock, DemoClock | None]:
    if not settings.demo_clock_url:
        return SystemClock(), None
    demo_clock = DemoClock(settings.demo_clock_url, process_name)
    await demo_clock.start()
    return demo_clock.clock, demo_clock


def _client_tls(settings: Settings) -> ssl.SSLContext | None:
    """For https to the national services: their CA, and our certificate."""
    if not settings.client_ca_file.exists():
        return None
    context = ssl.create_default_context(cafile=str(settings.client_ca_file))
    if settings.system_certificate_file.exists():
        context.load_cert_chain(settings.system_certificate_file, settings.system_key_file)
    return context


def _fact_sources(settings: Settings, ring: KeyRing, transport: HttpTransport) -> FactSources:
    url = settings.registers_url

    def person_id(cpr: str) -> str:
        return str(ring.person_id(cpr))

    return FactSources(
        patients=CprClient(transport, url, person_id),
        mandates=MandateClient(transport, url, person_id),
        authorizations=AuthorizationClient(transport, url, person_id),
        relations=RelationClient(transport, url),
        consents=MinSpaerringClient(transport, url, person_id),
    )


def build_services(base: Base) -> Services:
    """The api's services."""
    settings = base.settings
    discloser = Discloser(base.database, base.ring, base.clock, base.sources, OrganisationTree())
    return Services(
        settings=settings,
        clock=base.clock,
        ring=base.ring,
        database=base.database,
        tokens=Tokens(
            base.ring,
            base.clock,
            base.transport,
            own_issuer=settings.public_url,
            oidc_issuer=settings.oidc_issuer,
            practice_oidc=settings.practice_oidc,
            lifetime_seconds=settings.token_lifetime_seconds,
        ),
        intake=Intake(base.database, base.ring, base.clock, group_limit=settings.group_limit_notes),
        steering=Steering(base.database, base.clock),
        discloser=discloser,
        feed=PatientFeed(discloser, base.ring),
        xml_form=XmlForm(
            lambda: SigningKey.from_pem_files(
                settings.signing_key_file, settings.signing_certificate_file
            ),
            base.clock,
        ),
        trusted_sts=TrustAnchors.from_pem(pinned=settings.trusted_sts_file.read_bytes())
        if settings.trusted_sts_file.exists()
        else None,
        transport=base.transport,
    )


def build_worker(base: Base) -> Worker:
    """The worker, with the national destination if one is configured."""
    settings = base.settings
    maker = DocumentMaker(
        SigningKey.from_pem_files(settings.signing_key_file, settings.signing_certificate_file),
        sha256(base.ring.id_namespace).digest(),
    )
    deliverer = _deliverer(base) if settings.dros_url else None
    workshop = Workshop(
        database=base.database,
        ring=base.ring,
        clock=base.clock,
        processor=Processor(base.ring, base.clock, maker, has_national=deliverer is not None),
        deliverer=deliverer,
        register=base.sources.patients,
        audit_signer=AuditSigner.from_file(settings.audit_key_file),
        anchor=AnchorFile(settings.anchor_file),
        fact_max_age=timedelta(seconds=settings.fact_max_age_seconds),
    )
    return Worker(settings, base.database, workshop)


def _deliverer(base: Base) -> Deliverer:
    settings = base.settings
    sts = StsClient(
        base.transport,
        settings.sts_url,
        SigningKey.from_pem_files(settings.system_key_file, settings.system_certificate_file),
        base.clock.now,
        identity=CardIdentity(
            issuer=settings.system_name,
            it_system_name=settings.system_name,
            care_provider=CareProvider(
                settings.cvr, "medcom:cvrnumber", settings.organization_name
            ),
        ),
        trust=TrustAnchors.from_pem(pinned=settings.trusted_sts_file.read_bytes()),
    )
    dros = Dros(
        base.transport,
        sts,
        base.clock,
        url=settings.dros_url,
        source_oid=settings.source_oid,
        home_community_oid=settings.home_community_oid,
        send_seconds=settings.send_timeout_seconds,
    )
    return Deliverer(
        base.database,
        base.ring,
        base.clock,
        dros,
        Patience(
            lease_seconds=settings.send_timeout_seconds * 1.25 + 2,
            first_wait_seconds=settings.retry_first_seconds,
            longest_wait_seconds=settings.retry_limit_seconds,
        ),
    )
