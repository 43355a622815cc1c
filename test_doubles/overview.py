"""The page at ``/``: what arrived at the doubles, newest first, in plain HTML."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from test_doubles.clock import iso
from test_doubles.world import World

TEMPLATES = Path(__file__).parent / "templates"
SHOWN_REQUESTS = 200


def template_environment() -> Environment:
    """Jinja2 with escaping always on and no undefined name tolerated."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )


def html_page(text: str, status: int = 200) -> web.Response:
    """An HTML answer that may load nothing from anywhere but its own style element."""
    return web.Response(
        status=status,
        text=text,
        content_type="text/html",
        charset="utf-8",
        headers={
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            "Referrer-Policy": "no-referrer",
        },
    )


class Overview:
    """The overview page.

    Args:
        world: what is shown.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._template = template_environment().get_template("overview.html")

    def routes(self) -> list[web.RouteDef]:
        """The one address."""
        return [web.get("/", self.show)]

    async def show(self, _request: web.Request) -> web.Response:
        """Clock, doubles, fault rules and the newest requests."""
        newest = self._world.recorder.requests(limit=SHOWN_REQUESTS)
        return html_page(
            self._template.render(
                now=iso(self._world.clock.now()),
                services=[
                    (name, sorted({r.operation for r in double.routes() if r.watched}))
                    for name, double in self._world.doubles.items()
                ],
                faults=self._world.faults.listed(),
                requests=[{"record": record, "at": iso(record.at)} for record in reversed(newest)],
            )
        )
