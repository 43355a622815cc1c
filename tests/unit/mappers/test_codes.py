"""The code tables hold what MedCom published, and no misspelt twin is ever written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mappers.codes import (
    MISSPELT_ROLES,
    REGISTER_ROLES,
    REGISTER_ROLES_SYSTEM,
    ROLE_CODES,
    SKS_ROLES,
    SKS_ROLES_SYSTEM,
    normal_role,
    normal_role_in,
    role_code,
)
from mappers.errors import UnknownCode

PUBLISHED = Path(__file__).parents[4] / "shared" / "data" / "medcom" / "practitionerRoles.json"


def published() -> dict[str, Any]:
    if not PUBLISHED.is_file():
        pytest.skip("MedCom's published role lists are not beside this repository")
    found: dict[str, Any] = json.loads(PUBLISHED.read_bytes())
    return found


@pytest.mark.parametrize(
    ("system", "ours"),
    [(SKS_ROLES_SYSTEM, SKS_ROLES), (REGISTER_ROLES_SYSTEM, REGISTER_ROLES)],
)
def test_a_table_is_the_published_list_less_its_misspelt_twins(
    system: str, ours: tuple[tuple[str, str], ...]
) -> None:
    [listed] = [each for each in published()["codeSystems"] if each["uri"] == system]
    wanted = {item["code"]: item["display"] for item in listed["allCodes"]}
    assert dict(ours) == {
        code: display for code, display in wanted.items() if code not in MISSPELT_ROLES
    }
    assert len(dict(ours)) == len(ours)


def test_every_misspelt_twin_is_published_and_leads_to_a_right_code() -> None:
    codes = {item["code"] for each in published()["codeSystems"] for item in each["allCodes"]}
    assert set(MISSPELT_ROLES) <= codes
    assert set(MISSPELT_ROLES.values()) <= ROLE_CODES
    assert not set(MISSPELT_ROLES) & ROLE_CODES


@pytest.mark.parametrize(("twin", "right"), sorted(MISSPELT_ROLES.items()))
def test_a_misspelt_role_is_read_and_never_written(twin: str, right: str) -> None:
    assert normal_role(twin) == right
    assert normal_role_in(SKS_ROLES_SYSTEM, twin) == right
    assert role_code(twin).code == right


def test_a_role_belongs_to_its_own_code_system() -> None:
    assert normal_role_in(SKS_ROLES_SYSTEM, "laege") is None
    assert normal_role_in(REGISTER_ROLES_SYSTEM, "laege") == "laege"
    assert normal_role_in("urn:oid:1.2.3", "laege") is None
    assert role_code("laege").system == REGISTER_ROLES_SYSTEM
    # In both lists: the administrative one, which is the wider, is written.
    assert role_code("sygeplejerske").system == SKS_ROLES_SYSTEM


@pytest.mark.parametrize("code", ["", "heks", "Laege", "læge"])
def test_an_unknown_role_is_none_to_a_reader_and_an_error_to_a_writer(code: str) -> None:
    assert normal_role(code) is None
    with pytest.raises(UnknownCode):
        role_code(code)
