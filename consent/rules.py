"""Which rules these are: a version and a hash that go into every decision.

The version is raised by whoever changes a rule. The hash is taken over the
rows (codes, conditions in words, outcomes, kinds, sources, in order) and over
the code of the modules that evaluate them, with comments, docstrings and
layout left out, so that a changed condition can't pass under an old hash.

Source: sharing-rules 11.1 (policy version), 16, 17 point 11 (replay).
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import resources
from typing import Any

from consent.gates import (
    DEFAULT_DENIAL,
    GATE_A,
    GATE_B,
    GATE_C,
    GATE_D_CITIZEN,
    GATE_D_HP,
    GATE_E,
    GATE_F,
)
from consent.publication import FEED_ROWS, NATIONAL_ROWS, REPOSITORY_ROWS
from consent.rows import Row

RULES_VERSION = "1.0.0"

_EVALUATING_MODULES = (
    "disclosure",
    "gate_facts",
    "gates",
    "organisations",
    "publication",
    "publication_facts",
    "registrations",
    "rows",
    "times",
)


def all_rows() -> Iterator[tuple[str, Row[Any]]]:
    """Every row with the name of its table, in the order of evaluation."""
    tables: list[tuple[str, Iterable[Row[Any]]]] = [
        ("patient_feed", FEED_ROWS),
        ("professional_repository", REPOSITORY_ROWS),
        ("national", NATIONAL_ROWS),
        ("A", GATE_A),
        *((f"B/{role}", rows) for role, rows in GATE_B.items()),
        ("C", GATE_C),
        ("D/citizen", GATE_D_CITIZEN),
        ("D/HP", GATE_D_HP),
        *((f"E/{role}", rows) for role, rows in GATE_E.items()),
        ("F/HP", (*GATE_F, DEFAULT_DENIAL)),
    ]
    for name, rows in tables:
        for row in rows:
            yield name, row


@lru_cache(maxsize=1)
def rules_hash() -> str:
    """SHA-256 over rows and evaluating code, 64 hexadecimal digits; worked out once."""
    digest = hashlib.sha256()
    for table, row in all_rows():
        fields = (table, row.code, row.when, row.decision, "+".join(row.kind), row.source)
        digest.update("\x1f".join(fields).encode() + b"\n")
    package = resources.files("consent")
    for module in _EVALUATING_MODULES:
        source = package.joinpath(f"{module}.py").read_text(encoding="utf-8")
        digest.update(_bare_code(source).encode())
    return digest.hexdigest()


def _bare_code(source: str) -> str:
    """The code without comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
