"""Placeholder until the pages are built."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.routing import Route

ROUTES: list[Route] = []


def mount_static(app: FastAPI) -> None:
    """Nothing yet."""
