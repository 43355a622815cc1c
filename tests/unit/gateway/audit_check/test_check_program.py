"""The outsider's checker as a program, alone and behind ``gateway audit verify``."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import audit_check, cli
from gateway.audit_check import TrustedKey, Unusable
from tests.unit.gateway.audit_check.specimens import (
    OTHER_SIGNER,
    SIGNER,
    Log,
    body_of,
    entry_id,
)


def test_the_checker_imports_nothing_of_the_service() -> None:
    folder = Path(audit_check.__file__).parent
    allowed = set(sys.stdlib_module_names) | {"cryptography"}
    for module in folder.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [str(node.module)]
            else:
                assert not isinstance(node, ast.ImportFrom) or node.level == 1
                continue
            assert {name.split(".")[0] for name in names} <= allowed, module.name


def _paths(log: Log, folder: Path) -> list[str]:
    export, anchor = log.write(folder)
    key = folder / "log.pub.pem"
    key.write_bytes(SIGNER.public_pem)
    return [str(export), "--anchor", str(anchor), "--key", str(key)]


def test_it_runs_alone_away_from_the_service(log: Log, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(Path(audit_check.__file__).parent, tmp_path / "audit_check")
    done = subprocess.run(
        [sys.executable, "-m", "audit_check", *_paths(log, tmp_path)],
        cwd=tmp_path,
        env={"PYTHONSAFEPATH": "", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "OK: the log is whole." in done.stdout


def test_the_exit_code_tells_whole_broken_and_unusable_apart(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = _paths(log, tmp_path)
    assert audit_check.main(arguments) == 0
    log.lines[log.at(7)]["body"] = body_of(7, "other")
    assert audit_check.main(_paths(log, tmp_path)) == 1
    printed = capsys.readouterr().out
    assert f"ALTERED: leaf 7, entry {entry_id(7)}: " in printed
    for missing in (0, 2, 4):
        changed = list(arguments)
        changed[missing] = str(tmp_path / "no-such-file")
        assert audit_check.main(changed) == 2
    swapped = [arguments[2], *arguments[1:]]
    assert audit_check.main(swapped) == 2
    assert "cannot check" in capsys.readouterr().err


def test_the_report_can_be_read_by_a_program(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit_check.main([*_paths(log, tmp_path), "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["ok"] is True
    assert (whole["entries"], whole["anchored_size"], whole["first_entry"]) == (10, 10, None)
    del log.lines[log.at(3)]
    assert audit_check.main([*_paths(log, tmp_path), "--json"]) == 1
    broken = json.loads(capsys.readouterr().out)
    assert broken["ok"] is False
    assert broken["first_entry"]["kind"] == "removed"
    assert broken["first_entry"]["leaf_index"] == 3
    assert broken["first_entry"]["entry_id"] == str(entry_id(3))
    assert broken["findings"][0] == broken["first_entry"]


def test_the_gateways_own_command_line_offers_it(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["audit", "verify", *_paths(log, tmp_path)]) == 0
    log.lines.pop()
    assert cli.main(["audit", "verify", *_paths(log, tmp_path), "--json"]) == 1
    printed = capsys.readouterr().out
    assert '"kind": "cut_off"' in printed


@pytest.mark.parametrize("pem", [b"", b"no key", OTHER_SIGNER.public_pem[:-40]])
def test_a_key_that_is_none_is_refused(pem: bytes) -> None:
    with pytest.raises(Unusable):
        TrustedKey(pem)
