"""What a system on one machine consists of: its folder, settings, processes and practices.

``gateway demo`` runs one, and so does each end-to-end test; both start from here and
say only what they do differently.

    FOLDER/keys     master key, key of the audit log
    FOLDER/anchor   the heads of the audit log
    FOLDER/pki      keys and certificates, made by the doubles

Source: design.md 3.5.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from gateway.client_keys import read_key_set
from gateway.demo.client import DemoClient
from gateway.enrol import Enrolment, enrol
from gateway.keys import write_master_key
from gateway.settings import Settings
from gateway.storage.audit_signer import write_audit_key
from gateway.supervisor import ChildSpec, RestartPolicy, http_answers

GATEWAY: Final = (sys.executable, "-m", "gateway.cli")
DOUBLES: Final = (sys.executable, "-m", "test_doubles")
READY_WITHIN_S: Final = 60.0
USUAL_RESTART: Final = RestartPolicy()


def make_keys(folder: Path) -> None:
    """The keys at rest and the places beside them; what is there is left as it is."""
    for name in ("keys", "anchor", "pki"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    write_master_key(folder / "keys" / "master.key")
    write_audit_key(folder / "keys" / "audit.key")


def settings_for(settings: Settings, folder: Path, doubles_url: str) -> Settings:
    """These settings, with every file in the folder and every service at the doubles."""
    gateway = folder / "pki" / "gateway"
    return replace(
        settings,
        master_key_file=folder / "keys" / "master.key",
        audit_key_file=folder / "keys" / "audit.key",
        anchor_file=folder / "anchor" / "heads.jsonl",
        signing_key_file=gateway / "signing.key",
        signing_certificate_file=gateway / "signing.pem",
        system_key_file=gateway / "system.key",
        system_certificate_file=gateway / "system.pem",
        server_key_file=gateway / "server.key",
        server_certificate_file=gateway / "server.pem",
        trusted_sts_file=folder / "pki" / "sts" / "sts.pem",
        client_ca_file=folder / "pki" / "ca" / "bundle.pem",
        sts_url=f"{doubles_url}/sts/services/NewSecurityTokenService",
        dros_url=f"{doubles_url}/dros",
        registers_url=doubles_url,
        oidc_issuer=f"{doubles_url}/idp",
        demo_clock_url=f"{doubles_url}/control/clock",
        practice_oidc=True,
    )


def doubles_process(
    url: str, tls_port: int, folder: Path, start: datetime, environment: Mapping[str, str]
) -> ChildSpec:
    """The doubles of the national services at this URL, their clock set to ``start``."""
    return ChildSpec(
        name="doubles",
        argv=(
            *DOUBLES,
            *("--port", url.rpartition(":")[2]),
            *("--tls-port", str(tls_port)),
            *("--pki", str(folder / "pki")),
            *("--time", start.isoformat()),
        ),
        env=environment,
        is_ready=http_answers(f"{url}/control/clock"),
        ready_within_s=READY_WITHIN_S,
    )


def api_process(
    name: str,
    url: str,
    environment: Mapping[str, str],
    restart: RestartPolicy = USUAL_RESTART,
) -> ChildSpec:
    """An api process at this URL."""
    return ChildSpec(
        name=name,
        argv=(*GATEWAY, "api"),
        env={**environment, "GATEWAY_PORT": url.rpartition(":")[2]},
        is_ready=http_answers(f"{url}/health/ready"),
        ready_within_s=READY_WITHIN_S,
        restart=restart,
    )


def worker_process(
    name: str, environment: Mapping[str, str], restart: RestartPolicy = USUAL_RESTART
) -> ChildSpec:
    """A worker process."""
    return ChildSpec(name=name, argv=(*GATEWAY, "worker"), env=environment, restart=restart)


async def enrol_practices(
    client: DemoClient, settings: Settings, folder: Path, sharing_start: datetime
) -> None:
    """Enrol every practice of the cast with the key that the doubles made for it."""
    clock = await client.clock()
    for persona in await client.personas():
        if persona["role"] == "practice":
            keys = folder / "pki" / "practices" / f"{persona['id']}.jwks.json"
            terms = Enrolment(
                sor_code=persona["sor"],
                provider_number=persona["provider_number"],
                name=persona["organization_name"],
                jwks=read_key_set(keys),
                sharing_start=sharing_start,
            )
            await enrol(settings, terms, clock)
