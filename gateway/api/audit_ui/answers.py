"""How a page leaves the house: templates, security headers, one form for refusals.

No script runs on these pages and nothing is fetched from elsewhere; the policy
below says so to the browser. The identity provider stands in ``form-action``
because the login form's redirect leads there.

Source: design.md 3.4, 5 (strict CSP, files vendored).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from consent.texts import Text
from gateway.api.audit_ui.oidc import FORM, issuer_origin
from gateway.api.services import Services
from gateway.api.submissions import read_body

HERE: Final = Path(__file__).parent
FORM_LIMIT_BYTES: Final = 32_000
FORM_LIMIT_FIELDS: Final = 20
RETRY_AFTER_SECONDS: Final = 5

_templates: Final = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

REFUSED: Final = Text(
    "Du har ikke adgang til kontrolsiderne. De er kun for kontrolmedarbejdere.",
    "You have no access to the compliance pages. They are for compliance staff only.",
)
LOGIN_TOO_WEAK: Final = Text(
    "Dit login er ikke stærkt nok. Log ind med sikringsniveau Betydelig eller højere.",
    "Your login is not strong enough. Log in at level Substantial or higher.",
)
LOGIN_BROKEN: Final = Text(
    "Login blev ikke gennemført. Begynd forfra.", "The login did not succeed. Start again."
)
NO_PROVIDER: Final = Text(
    "Login er ikke sat op her. Kontakt driften.",
    "Logging in is not set up here. Contact the operator.",
)
SESSION_OVER: Final = Text(
    "Du er ikke logget ind, eller din session er udløbet. Log ind igen.",
    "You are not logged in, or your session has ended. Log in again.",
)
LOGGED_OUT: Final = Text("Du er logget ud.", "You are logged out.")
FORM_STALE: Final = Text(
    "Formularen hører ikke til denne session. Begynd en ny søgning.",
    "The form does not belong to this session. Start a new search.",
)
ENTRY_UNKNOWN: Final = Text(
    "Posten findes ikke om denne patient.", "There is no such entry about this patient."
)
TRY_AGAIN: Final = Text(
    "Loggen kan ikke skrives eller læses lige nu, så intet er vist. Prøv igen om lidt.",
    "The log can't be written or read right now, so nothing is shown. Try again shortly.",
)


def services_of(request: Request) -> Services:
    """The services of the application this request came to."""
    services: Services = request.app.state.services
    return services


def security_headers(services: Services) -> dict[str, str]:
    """What every page carries."""
    form_action = " ".join(filter(None, ("'self'", issuer_origin(services.settings))))
    return {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; img-src 'self'; "
            f"form-action {form_action}; frame-ancestors 'none'; base-uri 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def page(
    request: Request,
    template: str,
    values: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """A page from its template."""
    return HTMLResponse(
        _templates.get_template(template).render(values or {}),
        status_code=status,
        headers={**security_headers(services_of(request)), **(headers or {})},
    )


def message_page(
    request: Request, text: Text, *, status: int, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """A page that says one thing and leads back to the start."""
    return page(request, "message.html", {"message": text}, status=status, headers=headers)


def login_page(request: Request, notice: Text | None = None, *, status: int = 200) -> HTMLResponse:
    """The page with the one button."""
    return page(request, "login.html", {"notice": notice}, status=status)


def try_again_page(request: Request) -> HTMLResponse:
    """503: nothing was shown."""
    return message_page(
        request, TRY_AGAIN, status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)}
    )


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a posted form; an empty one for anything that is none.

    A repeated field counts once, with its last value. Our own forms never come
    near the limits, so what goes beyond them gets no explanation.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await read_body(request, FORM_LIMIT_BYTES)
    if body is None or media_type != FORM:
        return {}
    try:
        return dict(
            parse_qsl(
                body.decode("ascii"), keep_blank_values=True, max_num_fields=FORM_LIMIT_FIELDS
            )
        )
    except ValueError:
        return {}
