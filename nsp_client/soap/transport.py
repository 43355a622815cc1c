"""HTTP out: the only module of this package that opens a connection.

One session with keep-alive serves all services; time and size limits live here.
Redirects are not followed: a SOAP call that is sent elsewhere is a fault of set-up.
Whatever goes wrong below HTTP becomes :class:`~nsp_client.errors.NoAnswer`.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import yarl

from nsp_client.errors import HttpRefusal, MessageTooLarge, NoAnswer

CONNECT_TIMEOUT_SECONDS: Final = 5.0
READ_TIMEOUT_SECONDS: Final = 30.0
MAX_RESPONSE_BYTES: Final = 64_000_000
MAX_JSON_BYTES: Final = 4_000_000
KEEPALIVE_SECONDS: Final = 4.0
"""Shorter than the five seconds many servers keep an idle connection: a request
sent into a closing one would have an unknown outcome for nothing."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back; faults of the service are in ``body``, whatever the status.

    Attributes:
        content_type: the header as it stands, parameters and all, or an empty string.
    """

    status: int
    content_type: str
    body: bytes


class HttpTransport:
    """One session towards all services; safe to use from many tasks of one event loop.

    Make it inside a running event loop, or let the first call do so, and close
    it there.

    Args:
        tls: for https: trust anchors and, for mutual TLS, our certificate. None
            takes the system's trust anchors.
        connections_per_host: beyond that, calls wait for a free one.
        max_response_bytes: a longer answer is refused while it is being read.
    """

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        *,
        connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
        connections_per_host: int = 32,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
    ) -> None:
        self._tls = tls
        self._connect_timeout_seconds = connect_timeout_seconds
        self._connections_per_host = connections_per_host
        self._max_response_bytes = max_response_bytes
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
    ) -> HttpAnswer:
        """Send a request and read the whole answer.

        The answer's status is not judged here: SOAP faults come with 500 and,
        from the token service, with 200.

        Raises:
            NoAnswer: no connection (``sent`` False), or the connection broke or
                time ran out before the answer was complete (``sent`` None).
            MessageTooLarge: the answer goes beyond the limit.
        """
        return await self._request(
            "POST",
            url,
            body,
            headers,
            read_timeout_seconds=read_timeout_seconds,
            max_bytes=self._max_response_bytes,
        )

    async def post_json(
        self,
        url: str,
        payload: Mapping[str, Any],
        *,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
    ) -> Any:
        """Post JSON and read JSON back.

        Raises:
            NoAnswer: as in :meth:`post`, and for a status of 500 or more or an
                answer that is not JSON.
            HttpRefusal: any other status but 2xx.
        """
        answer = await self._request(
            "POST",
            url,
            json.dumps(payload, ensure_ascii=False).encode(),
            {"Content-Type": "application/json", "Accept": "application/json"},
            read_timeout_seconds=read_timeout_seconds,
            max_bytes=MAX_JSON_BYTES,
        )
        return _json_of(answer)

    async def get_json(
        self, url: str, *, read_timeout_seconds: float = READ_TIMEOUT_SECONDS
    ) -> Any:
        """Read JSON; errors as in :meth:`post_json`."""
        answer = await self._request(
            "GET",
            url,
            None,
            {"Accept": "application/json"},
            read_timeout_seconds=read_timeout_seconds,
            max_bytes=MAX_JSON_BYTES,
        )
        return _json_of(answer)

    async def close(self) -> None:
        """Close the session and its connections; calling it again does nothing."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(
                ssl=self._tls if self._tls is not None else True,
                limit=0,
                limit_per_host=self._connections_per_host,
                keepalive_timeout=KEEPALIVE_SECONDS,
            )
            # The environment's proxies and .netrc are not ours to use, and no
            # service here lives on cookies.
            self._session = aiohttp.ClientSession(
                connector=connector,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("User-Agent", "Accept-Encoding", "Accept"),
            )
        return self._session

    async def _request(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        read_timeout_seconds: float,
        max_bytes: int,
    ) -> HttpAnswer:
        timeout = aiohttp.ClientTimeout(
            total=self._connect_timeout_seconds + read_timeout_seconds,
            sock_connect=self._connect_timeout_seconds,
            sock_read=read_timeout_seconds,
        )
        try:
            async with self._open_session().request(
                method,
                yarl.URL(url, encoded=True),
                data=body,
                headers={"Accept-Encoding": "identity", **headers},
                allow_redirects=False,
                timeout=timeout,
            ) as response:
                return HttpAnswer(
                    status=response.status,
                    content_type=response.headers.get("Content-Type", ""),
                    body=await _read_limited(response, max_bytes),
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            # Nothing was written: no connection stood.
            raise NoAnswer(f"no connection: {type(error).__name__}", sent=False) from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise NoAnswer("the address is not a URL", sent=False) from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise NoAnswer(f"connection lost or time ran out: {type(error).__name__}") from error


async def _read_limited(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """Read the body, giving up (and dropping the connection) beyond the limit."""
    announced = response.content_length
    if announced is not None and announced > max_bytes:
        response.close()
        raise MessageTooLarge(f"an answer of {announced} bytes")
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > max_bytes:
            response.close()
            raise MessageTooLarge(f"an answer of more than {max_bytes} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _json_of(answer: HttpAnswer) -> Any:
    if answer.status >= 500:
        raise NoAnswer(f"HTTP {answer.status}", status=answer.status)
    if not 200 <= answer.status < 300:
        raise HttpRefusal(answer.status)
    try:
        return json.loads(answer.body)
    except ValueError as error:
        raise NoAnswer("the answer is not JSON", status=answer.status) from error
