"""Eight sample notes of our own making, for two practices.

    1 ordinary note            patient-1   read by patient and doctor
    2 corrected note, v1       patient-1   superseded by
    3 corrected note, v2                   its correction
    4 delayed note             patient-1   patient sees it two days later
    5 marked note              patient-2   hidden from professionals
    6 third-party note         patient-2   out of the patient's feed
    7 a child's note           child-9     nobody but a guardian's feed and professionals
    8 result comment           patient-2   read by the patient
    9 today's note             teen-16     held until midnight

Versions 2 and 3 are one note. All but the last are older than the demo's clock by
days, so that they are released. Posting them again changes nothing: they are the
same notes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from gateway.demo.client import DemoClient

COPENHAGEN: Final = ZoneInfo("Europe/Copenhagen")
AUTHOR_1: Final = {
    "id": "urn:uuid:0ee2db70-d972-4497-a156-0a8109aaa771",
    "given": ["Sidsel"],
    "family": "Andersen",
    "role": "speciallaegeipraksis",
    "authorization_id": "ZTA01",
}
AUTHOR_2: Final = {
    "id": "urn:uuid:6a4d4f6e-0b1b-4f0e-9a6b-2d8f0c1e7a11",
    "given": ["Jens", "Peter"],
    "family": "Bruunsgård",
    "role": "laege",
}


def note_for(
    patient: dict[str, Any],
    practice: dict[str, Any],
    *,
    source_note_id: str,
    html: str,
    created_at: str,
    completed_at: str,
    version: int = 1,
    **more: Any,
) -> dict[str, Any]:
    """A note in the plain JSON of design.md section 4."""
    first = practice["id"] == "practice-1"
    return {
        "source_note_id": source_note_id,
        "version": version,
        "status": "final",
        "patient": {
            key: patient[key] for key in ("cpr", "given", "family", "birth_date", "gender")
        },
        "organization": {
            "sor": practice["sor"],
            "provider_number": practice["provider_number"],
            "name": practice["organization_name"],
        },
        "author": AUTHOR_1 if first else AUTHOR_2,
        "contact_type": "consultation",
        "created_at": created_at,
        "completed_at": completed_at,
        "text": {"content_type": "text/html", "html": html},
        **more,
    }


@dataclass(frozen=True, slots=True)
class When:
    """A time of day so many days before the demo's today (negative: after it)."""

    days_back: int
    hour: int
    minute: int = 0

    def on(self, today: date) -> str:
        """The instant as ISO 8601 with the Danish offset."""
        day = today - timedelta(days=self.days_back)
        return datetime.combine(day, time(self.hour, self.minute), COPENHAGEN).isoformat()


@dataclass(frozen=True, slots=True)
class Sample:
    """One version of a sample note; ``more`` holds further keys of design.md section 4."""

    practice: str
    patient: str
    source_note_id: str
    created: When
    completed: When
    html: str
    version: int = 1
    delayed_until: When | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


SAMPLES: Final = (
    Sample(
        *("practice-1", "patient-1", "demo-0001", When(4, 10), When(4, 10, 12)),
        html="<p>Årskontrol: <b>BT 138/82</b> mmHg, HbA1c 51. Fortsætter metformin.</p>",
        more={"icpc2": ["T90"]},
    ),
    Sample(
        *("practice-1", "patient-1", "demo-0002", When(4, 9, 30), When(4, 9, 40)),
        html="<p>Hoste i 2 uger. Penicillin <b>1 MIE x 3</b> i 7 dage.</p>",
    ),
    Sample(
        *("practice-1", "patient-1", "demo-0002", When(4, 9, 30), When(3, 15, 5)),
        html="<p>Hoste i 2 uger. Penicillin <b>1 MIE x 4</b> i 7 dage. (Rettet dosis.)</p>",
        version=2,
    ),
    Sample(
        *("practice-1", "patient-1", "demo-0003", When(2, 11), When(2, 11, 20)),
        html="<p>Svar på biopsi er kommet. Patienten ringes op og får tid til samtale.</p>",
        delayed_until=When(-2, 12),
    ),
    Sample(
        *("practice-2", "patient-2", "demo-0101", When(3, 8, 15), When(3, 8, 30)),
        html="<p>Ønsker ikke, at andre behandlere ser dette. <i>Søvnbesvær.</i></p>",
        more={"markings": {"hide_from_professionals": True}},
    ),
    Sample(
        *("practice-2", "patient-2", "demo-0102", When(3, 13), When(3, 13, 10)),
        html="<p>Datteren ringer: er bekymret for hukommelsen. Oplyst i fortrolighed.</p>",
        more={"contact_type": "phone", "markings": {"third_party_confidential": True}},
    ),
    Sample(
        *("practice-1", "child-9", "demo-0004", When(2, 14), When(2, 14, 15)),
        html="<p>Øreundersøgelse.<br/>Højre trommehinde rød. Ses igen om 2 dage.</p>",
    ),
    Sample(
        *("practice-2", "patient-2", "demo-0104", When(2, 12), When(2, 12, 5)),
        html="<p>Blodprøver: <i>alle værdier normale</i>. Ingen ændringer i medicin.</p>",
        more={"contact_type": "result_comment"},
    ),
    Sample(
        *("practice-2", "teen-16", "demo-0103", When(0, 8, 20), When(0, 8, 35)),
        html="<p>Opfølgning på <u>idrætsskade</u>. <tt>VAS 2</tt>. Træner igen.</p>",
        more={"contact_type": "video"},
    ),
)


def sample_notes(cast: dict[str, dict[str, Any]], today: date) -> list[tuple[str, dict[str, Any]]]:
    """The eight notes (one in two versions), each with the practice that posts it."""
    return [(sample.practice, _note_of(sample, cast, today)) for sample in SAMPLES]


def _note_of(sample: Sample, cast: dict[str, dict[str, Any]], today: date) -> dict[str, Any]:
    more = dict(sample.more)
    if sample.delayed_until is not None:
        more["markings"] = {"delay_until": sample.delayed_until.on(today)}
    return note_for(
        cast[sample.patient],
        cast[sample.practice],
        source_note_id=sample.source_note_id,
        version=sample.version,
        created_at=sample.created.on(today),
        completed_at=sample.completed.on(today),
        html=sample.html,
        **more,
    )


async def load_samples(client: DemoClient) -> None:
    """Post the eight notes through the public door.

    Raises:
        DemoCallFailed: one of them was not taken.
    """
    cast = {persona["id"]: persona for persona in await client.personas()}
    today = (await client.clock()).now().astimezone(COPENHAGEN).date()
    for practice, note in sample_notes(cast, today):
        reply = await client.call(
            "POST", "/practice/v1/notes", body=json.dumps(note).encode(), persona=practice
        )
        # 409: an earlier demo in this folder knew a newer version already.
        reply.require(200, 202, 409)
