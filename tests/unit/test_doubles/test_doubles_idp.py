"""Log in as a client would, and judge the tokens with the published key."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient
from joserfc import jwt
from joserfc.errors import BadSignatureError, ExpiredTokenError
from joserfc.jwk import KeySet
from lxml import html

from test_doubles.idp import IdentityProvider
from test_doubles.world import World

Client = TestClient[web.Request, web.Application]
VERIFIER = "a-verifier-of-at-least-forty-three-characters-0123"
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
REDIRECT = "http://127.0.0.1:8080/audit/callback?from=idp"
ASKED = {
    "response_type": "code",
    "client_id": "audit-pages",
    "redirect_uri": REDIRECT,
    "scope": "openid profile",
    "state": "st/åte",
    "nonce": "n-0",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


async def keys_of(client: Client) -> KeySet:
    about = await (await client.get("/idp/.well-known/openid-configuration")).json()
    published = await (await client.get(urlsplit(about["jwks_uri"]).path)).json()
    assert all("d" not in key for key in published["keys"]), "the private key is out"
    return KeySet.import_key_set(published)


async def claims_in(client: Client, token: str) -> dict[str, Any]:
    decoded = jwt.decode(token, await keys_of(client), algorithms=["ES256"])
    assert "kid" in decoded.header
    return dict(decoded.claims)


async def token_for(client: Client, persona: str) -> str:
    answer = await client.post("/idp/token", json={"persona": persona})
    assert answer.status == 200
    document = await answer.json()
    assert document["token_type"] == "Bearer"
    assert document["expires_in"] == 30 * 24 * 3600
    token: str = document["access_token"]
    return token


async def log_in(client: Client, persona: str, **changed: str) -> dict[str, str]:
    """Read the page as a browser does, press the persona's button, follow to the client."""
    page = await client.get("/idp/authorize", params={**ASKED, **changed})
    assert page.status == 200
    (form,) = html.fromstring(await page.text()).forms
    values = [b.get("value") for b in form.iterfind(".//button")]
    assert persona in values
    fields = {i.get("name"): i.get("value") for i in form.iterfind(".//input")}
    assert form.action is not None
    answer = await client.post(
        form.action, data={**fields, "persona": persona}, allow_redirects=False
    )
    assert answer.status == 303
    location = urlsplit(answer.headers["Location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == REDIRECT.partition("?")[0]
    return {name: values[0] for name, values in parse_qs(location.query).items()}


async def authorize(client: Client, method: str, asked: dict[str, str]) -> ClientResponse:
    if method == "GET":
        return await client.get("/idp/authorize", params=asked, allow_redirects=False)
    return await client.post("/idp/authorize", data=asked, allow_redirects=False)


def exchange(code: str, **changed: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "client_id": "audit-pages",
        "code_verifier": VERIFIER,
        **changed,
    }


async def test_the_short_cut_gives_the_claims_of_the_contract(client: Client) -> None:
    claims = await claims_in(client, await token_for(client, "doctor-1"))
    assert claims["sub"] == "doctor-1"
    assert claims["role"] == "professional"
    assert claims["cpr"] == "1708699997"
    assert claims["loa"] == "SUBSTANTIAL"
    assert claims["authorization_id"] == "ZTA02"
    assert claims["profession"] == "DOCTOR"
    assert claims["sor"] == "61811000016001"
    assert claims["aud"] == "journal-note-gateway"
    assert claims["iss"] == f"{str(client.make_url('')).rstrip('/')}/idp"


async def test_a_citizen_has_no_professional_claims(client: Client) -> None:
    claims = await claims_in(client, await token_for(client, "patient-1"))
    assert claims["role"] == "citizen"
    assert not {"authorization_id", "profession", "sor", "on_behalf_of"} & set(claims)


async def test_an_assistant_names_the_responsible_doctor(client: Client) -> None:
    claims = await claims_in(client, await token_for(client, "secretary-1"))
    assert claims["on_behalf_of"]["authorization_id"] == "ZTA02"


async def test_a_token_is_good_before_and_after_the_clock_moves(
    client: Client, world: World
) -> None:
    claims = await claims_in(client, await token_for(client, "patient-1"))
    month = 30 * 24 * 3600
    for moment in (time.time(), world.clock.now().timestamp()):
        assert claims["iat"] <= moment
        assert claims["exp"] >= moment + month - 60


async def test_the_code_flow_ends_with_tokens_for_the_chosen_persona(client: Client) -> None:
    back = await log_in(client, "compliance-1")
    assert back["state"] == "st/åte"
    assert back["from"] == "idp"
    answer = await client.post("/idp/token", data=exchange(back["code"]))
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    tokens = await answer.json()
    access = await claims_in(client, tokens["access_token"])
    identity = await claims_in(client, tokens["id_token"])
    assert (access["sub"], access["role"]) == ("compliance-1", "compliance")
    assert access["aud"] == "journal-note-gateway"
    assert identity["sub"] == "compliance-1"
    assert identity["aud"] == "audit-pages"
    assert identity["nonce"] == "n-0"
    assert back["iss"] == identity["iss"]


async def test_a_code_is_good_for_one_try(client: Client) -> None:
    code = (await log_in(client, "patient-1"))["code"]
    assert (await client.post("/idp/token", data=exchange(code))).status == 200
    again = await client.post("/idp/token", data=exchange(code))
    assert again.status == 400
    assert await again.json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"code_verifier": VERIFIER + "x"},
        {"code_verifier": ""},
        {"client_id": "other"},
        {"redirect_uri": "http://127.0.0.1:8080/other"},
        {"code": "guess"},
    ],
)
async def test_a_code_is_bound_to_client_address_and_verifier(
    client: Client, wrong: dict[str, str]
) -> None:
    code = (await log_in(client, "patient-1"))["code"]
    answer = await client.post("/idp/token", data=exchange(code) | wrong)
    assert answer.status == 400
    assert await answer.json() == {"error": "invalid_grant"}


async def test_another_grant_is_not_offered(client: Client) -> None:
    answer = await client.post("/idp/token", data=exchange("x", grant_type="password"))
    assert await answer.json() == {"error": "unsupported_grant_type"}


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"client_id": ""}, "invalid_request"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_wrong_request_goes_back_to_the_client(
    client: Client, method: str, changed: dict[str, str], error: str
) -> None:
    asked = {**ASKED, **changed, "persona": "patient-1"}
    answer = await authorize(client, method, asked)
    assert answer.status == 303
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert query["error"] == [error]
    assert query["state"] == ["st/åte"]
    assert "code" not in query


@pytest.mark.parametrize(
    "target",
    ["http://example.org/x", "javascript:alert(1)", "", "http://127.0.0.1/x#f", "//127.0.0.1/x"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nobody_is_sent_to_a_stranger(client: Client, method: str, target: str) -> None:
    asked = {**ASKED, "redirect_uri": target, "persona": "patient-1"}
    answer = await authorize(client, method, asked)
    assert answer.status == 400
    assert "Location" not in answer.headers


async def test_the_page_escapes_what_it_was_asked(client: Client) -> None:
    page = await client.get("/idp/authorize", params={**ASKED, "state": '"><script>x</script>'})
    text = await page.text()
    assert "<script>" not in text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


async def test_logging_out_leads_back_or_says_goodbye(client: Client) -> None:
    page = await client.get("/idp/logout")
    assert page.status == 200
    assert "Logged out" in await page.text()
    back = await client.post(
        "/idp/logout",
        data={"post_logout_redirect_uri": "http://localhost:8080/audit/", "state": "s"},
        allow_redirects=False,
    )
    assert back.headers["Location"] == "http://localhost:8080/audit/?state=s"
    away = await client.get("/idp/logout", params={"post_logout_redirect_uri": "http://e.org/"})
    assert away.status == 400


async def test_an_unknown_persona_is_refused(client: Client) -> None:
    answer = await client.post("/idp/token", json={"persona": "doctor-9"})
    assert answer.status == 404
    assert (await client.post("/idp/token", json={})).status == 400


async def test_state_makes_lapsed_and_weak_tokens(client: Client) -> None:
    answer = await client.put(
        "/control/state/idp",
        json={
            "lifetime_seconds": -31_536_000 * 20,
            "claims": {"patient-1": {"loa": "LOW", "cpr": None}},
        },
    )
    assert answer.status == 200
    lapsed = await client.post("/idp/token", json={"persona": "patient-1"})
    claims = await claims_in(client, (await lapsed.json())["access_token"])
    assert claims["loa"] == "LOW"
    assert "cpr" not in claims
    with pytest.raises(ExpiredTokenError):
        jwt.JWTClaimsRegistry().validate(claims)
    await client.post("/control/reset", json={"service": "idp"})
    claims = await claims_in(client, await token_for(client, "patient-1"))
    assert claims["loa"] == "SUBSTANTIAL"
    jwt.JWTClaimsRegistry(leeway=0).validate(claims)
    wrong = await client.put("/control/state/idp", json={"claims": {"nobody": {}}})
    assert wrong.status == 404


async def test_another_providers_token_does_not_pass(client: Client, world: World) -> None:
    other = IdentityProvider(world)
    token = other._grant(world.personas.get("patient-1"))["access_token"]
    header = token.split(".")[0]
    ours = (await token_for(client, "patient-1")).split(".")[0]
    forged = ".".join([ours, *token.split(".")[1:]])
    assert header != ours
    with pytest.raises(BadSignatureError):
        jwt.decode(forged, await keys_of(client), algorithms=["ES256"])


async def test_refusals_reach_the_token_door(client: Client) -> None:
    await client.post(
        "/control/faults", json={"service": "idp", "operation": "token", "mode": "refuse"}
    )
    assert (await client.post("/idp/token", json={"persona": "patient-1"})).status == 503
    assert (await client.get("/idp/jwks")).status == 200
