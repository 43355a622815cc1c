"""What ``gateway demo`` prints: where things are, who is who, and eight commands to paste."""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from gateway.demo.options import DemoOptions
from gateway.demo.samples import COPENHAGEN, note_for
from gateway.keys import KeyRing
from gateway.settings import Settings

TOUR_PREFIX: Final = "tour-"


def write_tour_note(settings: Settings, data: Path, cast: dict[str, Any], now: Any) -> str:
    """Write the note of step 1 into the demo's folder; returns the id it will get."""
    local = now.astimezone(COPENHAGEN)
    practice = cast["practice-1"]
    # A new note for every start: what became of an earlier tour's note stays as it is.
    source_note_id = f"{TOUR_PREFIX}{token_hex(4)}"
    note = note_for(
        cast["patient-1"],
        practice,
        source_note_id=source_note_id,
        created_at=(local - timedelta(minutes=20)).isoformat(timespec="seconds"),
        completed_at=(local - timedelta(minutes=5)).isoformat(timespec="seconds"),
        html="<p>Influenzavaccine givet i <b>venstre</b> overarm. Ingen gener.</p>",
    )
    (data / "tour-note.json").write_text(
        json.dumps(note, ensure_ascii=False, indent=1), encoding="utf-8"
    )
    ring = KeyRing.from_file(settings.master_key_file)
    return str(ring.note_id(practice["sor"], source_note_id))


def program() -> str:
    """How the reader starts us: the path they used, when it is a short one."""
    path = Path(sys.argv[0])
    try:
        path = path.resolve().relative_to(Path.cwd())
    except ValueError:
        return "gateway"
    return str(path)


def print_tour(
    settings: Settings, options: DemoOptions, *, seconds: float, note_id: str, midnight: str
) -> None:
    """Print addresses, personas and the tour."""
    here = os.path.relpath(options.data)
    call = f"{program()} demo-call" + ("" if here == ".demo" else f" --data {here}")
    read = f"{program()} demo-read doctor-1 --patient patient-1 --data {here}"
    audit = f"{program()} audit"
    doubles = options.doubles_url
    export = f"{here}/audit.jsonl"
    print(
        f"""
Ready after {seconds:.1f} s. The day is the one before {midnight[:10]}; its clock runs on.

  gateway        {settings.public_url}          audit pages: {settings.public_url}/audit
  gateway (TLS)  https://127.0.0.1:{options.tls_port}
  metrics        http://127.0.0.1:{settings.metrics_port}/metrics; the worker's one port up
  doubles        {doubles}          what arrived there: {doubles}/
  data, logs     {here}/  (logs in {here}/log)

  practice-1   Lægerne Hasseris Bymidte     patient-1     Niels Test Vendelboe
  doctor-1     hospital doctor treating patient-1
  doctor-2     hospital doctor who is not   compliance-1  may read the audit log
  (all: {program()} demo-personas)

The tour: paste into a second terminal, in this folder.

  1 The practice posts a note
      {call} --as practice-1 POST /practice/v1/notes @{here}/tour-note.json
  2 It looks at it: held until midnight, for patient, professionals and the national service
      {call} --as practice-1 GET /practice/v1/notes/{note_id}
  3 Midnight comes
      {call} POST /control/clock '{{"now": "{midnight}"}}'
  4 The patient reads
      {call} --as patient-1 GET /patient/v1/notes
  5 The hospital doctor reads (ITI-18 and ITI-43, id card and HSUID)
      {read}
  6 The practice says: do not share
      {call} --as practice-1 PATCH /practice/v1/notes/{note_id}/markings '{{"do_not_share": true}}'
  7 It is gone, for the patient and for the doctor
      {call} --as patient-1 GET /patient/v1/notes && {read}
  8 All of it is in the audit log, and the log proves itself
      {audit} export --data {here} --out {export} && \\
      {audit} verify {export} --anchor {here}/anchor/heads.jsonl --key {here}/keys/audit.pub.pem
      and in the browser: {settings.public_url}/audit (log in as compliance-1,
      patient 3001749995, any case number and ground)

Ctrl-C stops everything.
""",
        flush=True,
    )
