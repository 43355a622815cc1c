"""Runs one process: the api with its listeners, or the worker. Ends in order on a signal."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import ssl
from collections.abc import Callable
from typing import Final

import structlog
import uvicorn
import uvloop
from starlette.types import ASGIApp

from gateway.api.health import metrics_app
from gateway.app import build_asgi
from gateway.client_tls import ClientCertificateProtocol
from gateway.logs import configure_logging
from gateway.priority import step_back
from gateway.settings import Settings
from gateway.wiring import build_base, build_services, build_worker

log = structlog.get_logger()
KEEP_ALIVE_SECONDS: Final = 30
SHUTDOWN_SECONDS: Final = 10


class _Server(uvicorn.Server):
    """A server that leaves the signals to us: several share one process."""

    def install_signal_handlers(self) -> None:
        """Nothing: see :func:`_until_signal`."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


def _server(app: ASGIApp, settings: Settings, port: int, *, tls: bool = False) -> _Server:
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=port,
        loop="uvloop",
        http=ClientCertificateProtocol if tls else "httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        ws="none",
    )
    if tls:
        config.ssl_certfile = str(settings.server_certificate_file)
        config.ssl_keyfile = str(settings.server_key_file)
        config.ssl_ca_certs = str(settings.client_ca_file)
        config.ssl_cert_reqs = ssl.CERT_REQUIRED
    return _Server(config)


def _until_signal(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)


async def serve_api(settings: Settings) -> None:
    """The api until a signal comes; requests in hand are finished."""
    base = await build_base(settings, f"api-{settings.port}")
    try:
        app = build_asgi(build_services(base))
        servers = [_server(app, settings, settings.port)]
        if settings.tls_port:
            servers.append(_server(app, settings, settings.tls_port, tls=True))
        if settings.metrics_port:
            servers.append(_server(metrics_app(), settings, settings.metrics_port))

        def stop() -> None:
            for server in servers:
                server.should_exit = True

        _until_signal(stop)
        log.info("api.started", port=settings.port, tls_port=settings.tls_port)
        async with asyncio.TaskGroup() as group:
            for server in servers:
                group.create_task(server.serve())
    finally:
        await base.close()


async def serve_worker(settings: Settings) -> None:
    """The worker until a signal comes; jobs in hand are finished.

    It steps back for the api on a busy machine: someone waits for a receipt, while
    publishing has until midnight.
    """
    step_back()
    base = await build_base(settings, "worker")
    try:
        worker = build_worker(base)
        _until_signal(worker.stop)
        servers = [_server(metrics_app(), settings, settings.metrics_port)]
        log.info("worker.started")
        async with asyncio.TaskGroup() as group:
            if settings.metrics_port:
                group.create_task(servers[0].serve())
            await worker.run()
            servers[0].should_exit = True
    finally:
        await base.close()


def run(kind: str, settings: Settings) -> int:
    """Run a process of this kind (``api`` or ``worker``); returns its exit code."""
    configure_logging(as_json=settings.log_json)
    # What has been loaded stays: no collection needs to look at it again, and
    # the many short-lived records of a batch need no early one (measured: 6 %).
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    serve = serve_api if kind == "api" else serve_worker
    uvloop.run(serve(settings))
    return 0
