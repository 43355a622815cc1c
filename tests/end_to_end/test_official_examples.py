"""Both official examples of MedCom: refused as they are, published once repaired.

Their mistakes are listed in medcom-shared-notes 19. Those that the profiles
forbid are named in a refusal, the others in a warning; one repair mends all.
"""

from __future__ import annotations

import copy
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from uuid import uuid4

import pytest

from consent.times import COPENHAGEN
from gateway.demo.client import Reply
from tests.support.client import NOTES, Caller, Json
from tests.support.system import System

pytestmark = pytest.mark.postgres

DATA = Path(__file__).parents[3] / "shared" / "data" / "medcom"
# Half an hour after each document was made, and the midnight that follows.
MADE = {
    "minimal": datetime(2026, 12, 10, 11, 0, tzinfo=COPENHAGEN),
    "maximum": datetime(2026, 12, 12, 15, 30, tzinfo=COPENHAGEN),
}
TEXT = "PROFILE-{}-TEXT"


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """A system on the day of the older example."""
    with System(start=MADE["minimal"] - timedelta(hours=2)) as running:
        yield running


def official(name: str) -> Json:
    """An official example as it is."""
    path = DATA / f"example-{name}.json"
    if not path.is_file():
        pytest.skip("the official MedCom examples are not beside this repository")
    parsed: Json = json.loads(path.read_bytes())
    return parsed


def resource(bundle: Json, kind: str) -> Json | None:
    """The resource of a type, if the document has one."""
    found = (entry["resource"] for entry in bundle["entry"])
    return next((each for each in found if each["resourceType"] == kind), None)


def repaired(bundle: Json) -> Json:
    """The document with every mistake of the list mended."""
    mended = copy.deepcopy(bundle)
    observation = resource(mended, "Observation")
    composition = resource(mended, "Composition")
    assert observation is not None
    assert composition is not None
    observation["effectiveDateTime"] = composition["event"][0]["period"]["start"]
    observation["identifier"][0]["value"] = f"urn:uuid:{uuid4()}"
    text = json.dumps(mended, ensure_ascii=False)
    mended = dict(json.loads(text.replace(observation["id"], str(uuid4()))))
    mended["timestamp"] = max(
        (mended["timestamp"], composition["date"]), key=datetime.fromisoformat
    )
    mended["meta"]["profile"] = [_unversioned(mended["meta"]["profile"][0])]
    for entry in mended["entry"]:
        each = entry["resource"]
        entry["fullUrl"] = entry["fullUrl"].replace(
            "http://medcomfhir.dk/ig/dk-medcom-notes", "https://klinik.example/fhir"
        )
        version = "|1.0" if each["resourceType"] == "Composition" else ""
        each["meta"]["profile"] = [_unversioned(each["meta"]["profile"][0]) + version]
        for identifier in each["identifier"] if isinstance(each["identifier"], list) else []:
            if identifier["system"] == "urn:oid:1.2.208.176.1.4":
                identifier["value"] = identifier["value"].zfill(6)
        each["text"] = _narrative(each)
    return mended


def _unversioned(profile: str) -> str:
    return profile.partition("|")[0]


def _readable(data: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", b64decode(data).decode()).split())


def _narrative(each: Json) -> Json:
    """All that the resource says, in words."""
    words: list[str] = []

    def gather(value: object) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                # The note's own text: readable, as the rest.
                gather(_readable(inner) if name == "data" else inner)
        elif isinstance(value, list):
            for inner in value:
                gather(inner)
        else:
            words.append(str(value))

    gather({name: value for name, value in each.items() if name != "meta"})
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{escape(" ".join(words))}</div>'
    return {"status": "generated", "div": div}


async def post_bundle(client: Caller, bundle: Json, name: str, *, validate: bool = False) -> Reply:
    """Post a document with what it cannot carry beside it."""
    context = {"source_note_id": f"medcom-{name}", "version": 1, "contact_type": "consultation"}
    headers = {"Content-Type": "application/fhir+json", "Note-Context": json.dumps(context)}
    body = json.dumps(bundle, ensure_ascii=False).encode()
    url = NOTES + (":validate" if validate else "")
    return await client.call("POST", url, body=body, headers=headers, persona="practice-1")


@pytest.mark.parametrize("name", ["minimal", "maximum"])
async def test_as_it_is_an_example_is_refused_and_each_mistake_is_named(
    client: Caller, name: str
) -> None:
    bundle = official(name)
    await client.move_clock(MADE[name])
    for validate in (True, False):
        answer = (await post_bundle(client, bundle, name, validate=validate)).require(422).json()
        named = {(each["code"], each["path"]) for each in answer["errors"]}
        expected = {
            (
                TEXT.format(each["resource"]["resourceType"].upper()),
                f"Bundle.entry[{at}].resource.text",
            )
            for at, each in enumerate(bundle["entry"])
        }
        if name == "maximum":
            expected.add(("PROFILE-PERIOD-START", "Bundle.entry[0].resource.event[0].period.start"))
        assert named == expected
        for each in answer["errors"]:
            assert each["rule"]
            assert each["message_da"] != each["message_en"]
        assert "3001749995" not in json.dumps(answer)


@pytest.mark.parametrize("name", ["minimal", "maximum"])
async def test_repaired_an_example_is_taken_and_published_after_midnight(
    system: System, client: Caller, name: str
) -> None:
    bundle = repaired(official(name))
    await client.move_clock(MADE[name])
    valid = (await post_bundle(client, bundle, name, validate=True)).require(200).json()
    receipt = (await post_bundle(client, bundle, name)).require(202).json()
    assert valid["warnings"] == receipt["warnings"]
    warned = {each["code"] for each in receipt["warnings"]}
    # What the repair must leave: the text is the author's.
    assert warned == ({"PROFILE-BODY-PLAIN"} if name == "minimal" else set())
    note_id = receipt["note_id"]
    await client.until_documented(note_id)
    assert note_id not in await client.feed_ids()

    midnight = (MADE[name] + timedelta(days=1)).replace(hour=0, minute=0)
    await client.move_clock(midnight)
    (shown,) = (
        each for each in (await client.feed("patient-1"))["notes"] if each["note_id"] == note_id
    )
    words = "BT 138/82 mmHg"
    assert words in shown["html"]
    assert shown["document"]["sha256"] in {
        each["sha256"] for each in (await until_there(client, note_id)).values()
    }
    documents = await client.soap_read("doctor-1", "patient-1")
    assert len(documents) == len(await client.feed_ids())


async def until_there(client: Caller, note_id: str) -> dict[str, Json]:
    """The national entries, once this note is there."""
    await client.until_nationally(note_id, "present")
    return await client.dros_entries()
