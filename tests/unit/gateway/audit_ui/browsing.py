"""A client that goes through the compliance pages as a browser does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from tests.support.audit_pages import (
    PATIENT_CPR,
    SECRET_TEXT,
    SECRET_TITLE,
    House,
)

SEARCH = {
    "cpr": PATIENT_CPR,
    "case_number": "2026-0417",
    "reason": "COMPLAINT",
    "ground": "Patienten har klaget over et opslag",
}


@dataclass(slots=True)
class Answer:
    """A page that was read whole."""

    status: int
    headers: Any
    text: str
    url: str

    def field(self, name: str) -> str:
        """The first hidden field of that name."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        assert found is not None, f"no field {name} on the page"
        return unescape(found[1])


class Browser:
    """A client that keeps cookies and posts forms as a browser does."""

    def __init__(self, home: House) -> None:
        self.home = home
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def get(self, path: str, **options: Any) -> Answer:
        return await self._ask("GET", path, **options)

    async def post(self, path: str, **form: str) -> Answer:
        return await self._ask("POST", path, data=form)

    async def _ask(self, method: str, path: str, **options: Any) -> Answer:
        url = path if path.startswith("http") else self.home.url + path
        async with self.session.request(method, url, **options) as response:
            return Answer(
                response.status, response.headers, await response.text(), str(response.url)
            )

    async def start_login(self) -> dict[str, str]:
        """Follow the button as far as the provider; what was asked of it."""
        answer = await self.get("/audit/login", allow_redirects=False)
        assert answer.status == 303
        query = parse_qs(urlsplit(answer.headers["Location"]).query)
        return {name: values[0] for name, values in query.items()}

    async def choose(self, asked: dict[str, str], persona: str) -> str:
        """Log in at the provider; the address it sends the browser back to."""
        answer = await self._ask(
            "POST",
            f"{self.home.idp.issuer}/authorize",
            data={**asked, "persona": persona},
            allow_redirects=False,
        )
        return str(answer.headers["Location"])

    async def log_in(self, persona: str = "compliance-1") -> Answer:
        return await self.get(await self.choose(await self.start_login(), persona))

    async def search(self, **changes: str) -> Answer:
        form = await self.get("/audit")
        return await self.post("/audit/search", csrf=form.field("csrf"), **{**SEARCH, **changes})


@pytest.fixture
async def browser(home: House) -> AsyncIterator[Browser]:
    made = Browser(home)
    yield made
    await made.session.close()


def assert_nothing_leaks(answer: Answer) -> None:
    assert SECRET_TEXT not in answer.text
    assert SECRET_TITLE not in answer.text
    assert PATIENT_CPR not in answer.text
    assert PATIENT_CPR not in answer.url
