"""Every setting of the gateway: frozen, with its unit in its name.

This module is the only reader of the environment. Names are upper-cased
field names with the prefix ``GATEWAY_`` (``GATEWAY_PUBLIC_URL``), except
``DATABASE_URL``, which keeps the name every platform uses.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self, get_type_hints


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a process needs to know; the same for api and worker."""

    database_url: str = ""  # the role that owns nothing
    migration_database_url: str = ""  # the schema's owner; used by `gateway migrate` and the demo
    app_role: str = "gateway_app"  # taken on after connecting; empty: as connected

    host: str = "127.0.0.1"
    port: int = 8080
    tls_port: int = 0  # 0: no TLS listener
    metrics_port: int = 0  # 0: metrics are not served
    public_url: str = "http://127.0.0.1:8080"

    master_key_file: Path = Path("keys/master.key")
    audit_key_file: Path = Path("keys/audit.key")
    anchor_file: Path = Path("anchor/heads.jsonl")
    signing_key_file: Path = Path("pki/gateway/signing.key")
    signing_certificate_file: Path = Path("pki/gateway/signing.pem")
    system_key_file: Path = Path("pki/gateway/system.key")
    system_certificate_file: Path = Path("pki/gateway/system.pem")
    server_key_file: Path = Path("pki/gateway/server.key")
    server_certificate_file: Path = Path("pki/gateway/server.pem")
    trusted_sts_file: Path = Path("pki/sts/sts.pem")
    client_ca_file: Path = Path("pki/ca/bundle.pem")

    sts_url: str = ""
    dros_url: str = ""  # base of /iti41 and /iti57; empty: nothing goes to the national service
    registers_url: str = ""  # base of the simple register services
    oidc_issuer: str = ""
    oidc_client_id: str = "journal-note-gateway"
    cvr: str = "44000004"
    system_name: str = "Journaldeling"
    organization_name: str = "Notatdeling ApS"
    source_oid: str = "1.2.208.176.43210.8.10.98"
    repository_oid: str = "1.2.208.176.43210.8.10.99"
    home_community_oid: str = "1.2.208.176.8.1"

    body_limit_bytes: int = 1_000_000
    token_lifetime_seconds: int = 3600
    group_limit_notes: int = 128
    worker_concurrency: int = 4
    timer_interval_seconds: float = 0.5
    seal_interval_seconds: float = 1.0
    stalled_after_seconds: float = 15.0
    pool_size: int = 8
    send_timeout_seconds: float = 60.0
    retry_first_seconds: float = 1.0
    retry_limit_seconds: float = 3600.0
    fact_max_age_seconds: float = 86_400.0

    demo_clock_url: str = ""  # set by `gateway demo` only: obey this clock
    practice_oidc: bool = False  # accept the identity provider's tokens for role practice
    log_json: bool = True

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings.

        Raises:
            ValueError: a value has the wrong type; the text names the variable.
        """
        source = os.environ if environment is None else environment
        hints = get_type_hints(cls)
        values: dict[str, Any] = {}
        for field in fields(cls):
            name = variable_name(field.name)
            if name in source:
                values[field.name] = _convert(name, source[name], hints[field.name])
        return cls(**values)

    def to_environment(self) -> dict[str, str]:
        """The variables that make another process read these very settings."""
        return {
            variable_name(field.name): _text(getattr(self, field.name)) for field in fields(self)
        }


def variable_name(field_name: str) -> str:
    """The environment variable of a field."""
    return "DATABASE_URL" if field_name == "database_url" else f"GATEWAY_{field_name.upper()}"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def _convert(name: str, text: str, wanted: type[Any]) -> Any:
    if wanted is bool:
        if text.lower() not in {"0", "1", "true", "false", "yes", "no"}:
            raise ValueError(f"{name}: write 1 or 0, not {text!r}")
        return text.lower() in {"1", "true", "yes"}
    try:
        return wanted(text)
    except ValueError as error:
        raise ValueError(f"{name}: {text!r} is no {wanted.__name__}") from error
