"""``gateway decide``: every form of file, and files that are no JSON."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main

SPEC = Path(__file__).parents[4] / "shared" / "spec" / "sharing-rules.md"
CASES: list[dict[str, Any]] = [
    {"id": "a", "request": {"role": "SELF"}},
    {"id": "b", "note": {"status": "draft"}, "request": {"role": "HP"}},
    {"id": "c", "now": "2027-02-01T20:00:00Z"},
]
Decide = Callable[[bytes], tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def decide(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Decide:
    def run(body: bytes) -> tuple[int, list[dict[str, Any]], str]:
        file = tmp_path / "cases.json"
        file.write_bytes(body)
        code = main(["decide", "--cases", str(file)])
        out, err = capsys.readouterr()
        return code, [json.loads(line) for line in out.splitlines()], err

    return run


def lines(cases: list[dict[str, Any]]) -> bytes:
    return "\n".join(json.dumps(case) for case in cases).encode()


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(CASES).encode(),
        json.dumps(CASES, indent=2).encode(),
        lines(CASES),
        b"\xef\xbb\xbf" + lines(CASES).replace(b"\n", b"\r\n\r\n") + b"\n",
    ],
    ids=["list", "indented list", "lines", "lines with mark, CRLF and blanks"],
)
def test_every_form_of_file_gives_the_same_decisions(decide: Decide, body: bytes) -> None:
    code, decisions, err = decide(body)
    assert (code, err) == (0, "")
    assert [each["id"] for each in decisions] == ["a", "b", "c"]
    assert [each["disclosure"]["code"] for each in decisions] == [
        "D-OK-SELF",
        "D-NOT-AVAILABLE",
        "D-NOT-AVAILABLE",
    ]
    assert decisions[2]["patient_feed"] == {
        "decision": "HOLD",
        "code": "P-HOLD-MIDNIGHT",
        "until": "2027-02-01T23:00:00Z",
    }


def test_one_object_over_several_lines_is_one_case(decide: Decide) -> None:
    code, decisions, _ = decide(json.dumps(CASES[0], indent=2).encode())
    assert code == 0
    assert [each["id"] for each in decisions] == ["a"]


def test_what_is_no_json_is_told_with_its_line_and_the_rest_is_decided(decide: Decide) -> None:
    body = b'{"id": "a"}\n{bad\n{"id": 1, "id": 2}\n{"id": "d", "x": NaN}\n{"id": "e"}'
    code, decisions, err = decide(body)
    assert code == 1
    assert [each["id"] for each in decisions] == ["a", "e"]
    assert [int(line.split(":")[1]) for line in err.splitlines()] == [2, 2, 3, 3, 4, 4]
    assert "ikke gyldig JSON" in err
    assert "occurs twice" in err


def test_a_broken_list_decides_nothing(decide: Decide) -> None:
    code, decisions, err = decide(b'[{"id": "a"},\n {"id": }]')
    assert (code, decisions) == (1, [])
    assert "line 2 column 9" in err


@pytest.mark.parametrize("case", [b"[]", b"1", b'"x"', b"null", b'{"patient": 7}'])
def test_a_case_that_is_none_is_denied(decide: Decide, case: bytes) -> None:
    code, [decision], _ = decide(b"[" + case + b"]")
    assert code == 0
    assert decision["disclosure"]["decision"] == "DENY"
    assert decision["patient_feed"]["decision"] != "PUBLISH"


def test_an_id_that_is_no_plain_value_is_not_given_back(decide: Decide) -> None:
    deep = b"[" * 600 + b"]" * 600
    code, [decision], _ = decide(b'{"id": ' + deep + b"}")
    assert (code, decision["id"]) == (0, None)


def test_a_missing_file_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["decide", "--cases", str(tmp_path / "none")]) != 0
    assert "No such file" in capsys.readouterr().err


@pytest.mark.skipif(not SPEC.exists(), reason="the specification is not at hand")
def test_the_worked_examples_as_they_stand_in_the_specification(decide: Decide) -> None:
    examples = [
        json.loads(line)
        for line in SPEC.read_text(encoding="utf-8").splitlines()
        if line.startswith('{"id": "E')
    ]
    assert len(examples) == 40
    code, decisions, _ = decide(lines(examples))
    assert code == 0
    for example, decision in zip(examples, decisions, strict=True):
        feed, repository, disclosure, obligations = example["expect"]
        assert decision["id"] == example["id"]
        assert _publication(decision["patient_feed"]) == feed, example["id"]
        assert _publication(decision["professional_repository"]) == repository, example["id"]
        assert decision["disclosure"]["code"] == disclosure, example["id"]
        assert decision["disclosure"]["obligations"] == sorted(obligations), example["id"]


def _publication(decision: dict[str, str | None]) -> str:
    until = decision["until"]
    return f"{decision['code']}@{until}" if until else f"{decision['code']}"
