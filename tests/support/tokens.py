"""How a practice system gets a token, for the tests of the token endpoint."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from gateway.demo.client import Reply
from tests.support.client import NOTES, Caller
from tests.support.system import System

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def key_of(system: System, practice: str) -> ECKey | RSAKey:
    """The private key of a practice system, as the doubles made it."""
    pki = system.folder / "pki" / "practices"
    pem = (pki / f"{practice}.key.pem").read_bytes()
    public = json.loads((pki / f"{practice}.jwks.json").read_text(encoding="utf-8"))["keys"][0]
    kind: type[ECKey | RSAKey] = ECKey if public["kty"] == "EC" else RSAKey
    return kind.import_key(pem, {"kid": public["kid"]})


async def assertion(system: System, client: Caller, key: ECKey | RSAKey, **changes: Any) -> str:
    """An assertion of practice-1, right but for the changes."""
    sor = (await client.persona("practice-1"))["sor"]
    now = int((await client.now()).timestamp())
    claims = {
        "iss": sor,
        "sub": sor,
        "aud": f"{system.settings.public_url}/oauth/token",
        "jti": str(uuid4()),
        "iat": now,
        "exp": now + 120,
    }
    header = {"alg": {"EC": "ES256", "RSA": "RS256"}[key.key_type]}
    return jwt.encode(header | ({"kid": key.kid} if key.kid else {}), claims | changes, key)


async def ask(client: Caller, asserted: str, **changes: str) -> Reply:
    """Ask for a token."""
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": JWT_BEARER,
        "client_assertion": asserted,
    }
    body = urlencode(form | changes).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return await client.call("POST", "/oauth/token", body=body, headers=headers)


async def post_with(client: Caller, token: str) -> Reply:
    """Post a note with a token of one's own."""
    body = json.dumps(await client.note()).encode()
    headers = {"Authorization": f"Bearer {token}"}
    return await client.call("POST", NOTES, body=body, headers=headers)
