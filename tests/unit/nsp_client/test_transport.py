"""The transport against a real server on a local port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from aiohttp import web

from nsp_client.errors import HttpRefusal, MessageTooLarge, NoAnswer
from nsp_client.soap.transport import HttpTransport

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Start = Callable[[Handler], Awaitable[str]]


@pytest_asyncio.fixture
async def serve() -> AsyncIterator[Start]:
    runners: list[web.AppRunner] = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        host, port = runner.addresses[0][:2]
        return f"http://{host}:{port}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest_asyncio.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    async with HttpTransport(max_response_bytes=10_000) as made:
        yield made


async def test_bytes_and_headers_go_over_and_the_answer_comes_back(
    serve: Start, transport: HttpTransport
) -> None:
    seen: dict[str, object] = {}

    async def handler(request: web.Request) -> web.Response:
        seen.update(request.headers)
        seen["body"], seen["path"] = await request.read(), request.raw_path
        return web.Response(
            status=500, body=b"\x00\r\n<f/>", headers={"Content-Type": "text/xml; a=b"}
        )

    url = await serve(handler)
    answer = await transport.post(
        f"{url}/dros/iti41?x=%2F",
        b"\r\n\x00\xff",
        {"SOAPAction": '"urn:a"', "Content-Type": "text/xml"},
    )
    assert (answer.status, answer.content_type, answer.body) == (
        500,
        "text/xml; a=b",
        b"\x00\r\n<f/>",
    )
    assert seen["body"] == b"\r\n\x00\xff"
    assert seen["SOAPAction"] == '"urn:a"'
    assert seen["path"] == "/dros/iti41?x=%2F"


async def test_a_connection_is_used_again(serve: Start, transport: HttpTransport) -> None:
    ports: set[int] = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.Response(body=b"ok")

    url = await serve(handler)
    for _ in range(5):
        await transport.post(url, b"x", {})
    assert len(ports) == 1


async def test_redirects_are_not_followed(serve: Start, transport: HttpTransport) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    assert (await transport.post(await serve(handler), b"x", {})).status == 307


async def test_no_server_means_nothing_was_sent(transport: HttpTransport) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NoAnswer) as caught:
        await transport.post(f"http://127.0.0.1:{port}/", b"x", {})
    assert caught.value.sent is False
    assert caught.value.retry == "later"


async def test_a_late_answer_is_no_answer(serve: Start, transport: HttpTransport) -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    url = await serve(handler)
    with pytest.raises(NoAnswer) as caught:
        await transport.post(url, b"x", {}, read_timeout_seconds=0.05)
    assert caught.value.sent is None


async def test_a_connection_dropped_after_reading_is_no_answer(
    serve: Start, transport: HttpTransport
) -> None:
    async def handler(request: web.Request) -> web.Response:
        await request.read()
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    url = await serve(handler)
    with pytest.raises(NoAnswer) as caught:
        await transport.post(url, b"x", {})
    assert caught.value.sent is None


async def test_an_answer_cut_off_in_the_middle_is_no_answer(
    serve: Start, transport: HttpTransport
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    url = await serve(handler)
    with pytest.raises(NoAnswer):
        await transport.post(url, b"x", {})


@pytest.mark.parametrize("chunked", [True, False])
async def test_an_answer_beyond_the_limit_is_refused(
    serve: Start, transport: HttpTransport, chunked: bool
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if not chunked:
            return web.Response(body=b"x" * 10_001)
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for _ in range(11):
            await response.write(b"x" * 1_000)
        return response

    url = await serve(handler)
    with pytest.raises(MessageTooLarge):
        await transport.post(url, b"x", {})


async def test_json_there_and_back(serve: Start, transport: HttpTransport) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.json_response({"now": "2026"})
        assert request.content_type == "application/json"
        return web.json_response({"got": await request.json()})

    url = await serve(handler)
    assert await transport.post_json(url, {"navn": "Ærø"}) == {"got": {"navn": "Ærø"}}
    assert await transport.get_json(url) == {"now": "2026"}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (500, "{}", NoAnswer),
        (503, "down", NoAnswer),
        (200, "<html>", NoAnswer),
        (404, "{}", HttpRefusal),
    ],
)
async def test_json_that_does_not_come(
    serve: Start, transport: HttpTransport, status: int, body: str, error: type[Exception]
) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    url = await serve(handler)
    with pytest.raises(error):
        await transport.post_json(url, {})
    with pytest.raises(error):
        await transport.get_json(url)


async def test_what_is_no_address_is_no_answer(transport: HttpTransport) -> None:
    for url in ("nonsense", "http://", "ftp://x/"):
        with pytest.raises(NoAnswer) as caught:
            await transport.post(url, b"", {})
        assert caught.value.sent is False


async def test_a_closed_transport_opens_again_and_closes_twice(serve: Start) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=b"ok")

    url = await serve(handler)
    transport = HttpTransport()
    await transport.close()
    assert (await transport.post(url, b"", {})).body == b"ok"
    await transport.close()
    await transport.close()
