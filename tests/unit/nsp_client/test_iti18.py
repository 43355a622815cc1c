"""ITI-18: the tokenizer of values, reading a query, what it selects, and its answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from nsp_client.errors import MalformedMessage, RegistryError, RegistryErrorCode
from nsp_client.soap.envelope import SoapVersion, build_envelope, parse_envelope
from nsp_client.xds import iti18
from nsp_client.xds.iti18 import (
    CodeFilter,
    FindDocuments,
    GetDocuments,
    ReturnType,
    StoredQueryError,
    parse_request,
    select,
)
from nsp_client.xds.metadata import AuthorPerson, AvailabilityStatus, Code, ObjectType
from nsp_client.xds.registry_response import ResponseStatus
from nsp_client.xds.stored_query import FIND_DOCUMENTS, GET_DOCUMENTS, TimeRange
from nsp_client.xds.stored_query_values import (
    Token,
    ValueSyntaxError,
    is_like,
    quote,
    quoted_list,
    tokens_of,
)
from nsp_client.xml_text import attribute, text
from tests.unit.nsp_client.xds_specimens import (
    ENTRY_UUID,
    HOME,
    ON_DEMAND,
    OTHER_PATIENT,
    PATIENT,
    SNOMED,
    STABLE,
    UNIQUE_ID,
    assert_schema_valid,
    entry,
    shared_file,
)

QUERY = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
APPROVED = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"
BOTH_TYPES = frozenset({ObjectType.STABLE.value, ObjectType.ON_DEMAND.value})


# ---- values ----


@given(st.lists(st.text(max_size=20), min_size=1, max_size=8))
@settings(max_examples=150)
def test_a_written_list_reads_as_its_items(items: list[str]) -> None:
    values = quoted_list(items)
    assert [token.text for value in values for token in tokens_of(value)] == items
    assert all(token.quoted for value in values for token in tokens_of(value))


@given(st.lists(st.text(st.sampled_from("a,b()' \t%_"), max_size=12), min_size=1, max_size=6))
@settings(max_examples=200)
def test_commas_parentheses_and_quotes_inside_are_text(items: list[str]) -> None:
    spaced = " ( " + " , ".join(map(quote, items)) + " )\n"
    assert [token.text for token in tokens_of(spaced)] == items


def slow_reference(value: str) -> list[str] | None:
    """An automaton over single characters; None for a value outside the grammar."""
    state, items, current = "start", [], ""
    listed = False
    for c in value:
        if state == "start":
            if c in " \t\r\n":
                continue
            if c == "(" and not listed:
                state, listed = "item", True
            elif c == "'":
                state = "quoted"
            elif c in ",()":
                return None
            else:
                state, current = "bare", c
        elif state == "item":
            if c in " \t\r\n":
                continue
            if c == "'":
                state = "quoted"
            elif c in ",()":
                return None
            else:
                state, current = "bare", c
        elif state == "quoted":
            if c == "'":
                state = "quote"
            else:
                current += c
        elif state == "quote" and c == "'":
            current += "'"
            state = "quoted"
        else:  # after an item, in a bare word, or behind the end
            if state == "bare" and c not in " \t\r\n,()'":
                current += c
                continue
            if state in {"bare", "quote"}:
                items.append(current)
                current, state = "", "after"
            if c in " \t\r\n":
                continue
            if state == "after" and listed and c == ",":
                state = "item"
            elif state == "after" and listed and c == ")":
                state = "end"
            else:
                return None
    if state in {"bare", "quote"} and not listed:
        items.append(current)
        state = "after"
    return items if state == "end" or (state == "after" and not listed) else None


@given(st.text(st.sampled_from("a1,()' \n"), max_size=14))
@settings(max_examples=500)
def test_the_tokenizer_agrees_with_a_slow_reference(value: str) -> None:
    try:
        read: list[str] | None = [token.text for token in tokens_of(value)]
    except ValueSyntaxError:
        read = None
    assert read == slow_reference(value)


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        ("'O''Hara'", [Token("O'Hara", quoted=True)]),
        ("('a,b',')')", [Token("a,b", quoted=True), Token(")", quoted=True)]),
        ("20260101", [Token("20260101", quoted=False)]),
        ("''", [Token("", quoted=True)]),
        ("(1,'2')", [Token("1", quoted=False), Token("2", quoted=True)]),
    ],
)
def test_values(value: str, tokens: list[Token]) -> None:
    assert tokens_of(value) == tokens


@pytest.mark.parametrize(
    "value", ["", " ", "'a", "('a'", "('a',)", "()", "('a' 'b')", "'a'b", "(('a'))", "a b", "'a')"]
)
def test_broken_values(value: str) -> None:
    with pytest.raises(ValueSyntaxError):
        tokens_of(value)


def test_a_long_list_is_spread_over_values_of_bounded_length() -> None:
    values = quoted_list([f"urn:uuid:{number:036d}" for number in range(20)])
    assert len(values) > 1
    assert all(len(value) <= 256 and value[0] == "(" and value[-1] == ")" for value in values)


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("%Jensen%", "^Jensen^Ole", True),
        ("%Jensen", "^Jensen^Ole", False),
        ("_Jensen%", "^Jensen^Ole", True),
        ("%", "", True),
        ("", "", True),
        ("_", "", False),
        ("%a%b%", "xxabxx", True),
        ("%b%a%", "xxabxx", False),
        (".*", "abc", False),
    ],
)
def test_like(pattern: str, value: str, expected: bool) -> None:
    assert is_like(pattern, value) is expected


def test_a_hostile_pattern_takes_no_time() -> None:
    assert not is_like("%a" * 100 + "%b", "a" * 256)


# ---- requests ----


def request(
    *slots: tuple[str, str | list[str]],
    query_id: str = FIND_DOCUMENTS,
    return_type: str = "LeafClass",
) -> etree._Element:
    written = ""
    for name, values in slots:
        listed = [values] if isinstance(values, str) else values
        inner = "".join(f"<rim:Value>{text(value)}</rim:Value>" for value in listed)
        written += f'<rim:Slot name="{name}"><rim:ValueList>{inner}</rim:ValueList></rim:Slot>'
    return etree.fromstring(
        f'<query:AdhocQueryRequest xmlns:query="{QUERY}" xmlns:rim="{RIM}">'
        f'<query:ResponseOption returnType="{attribute(return_type)}"/>'
        f'<rim:AdhocQuery id="{query_id}">{written}</rim:AdhocQuery></query:AdhocQueryRequest>'
    )


NEEDED: list[tuple[str, str | list[str]]] = [
    ("$XDSDocumentEntryPatientId", f"'{PATIENT}'"),
    ("$XDSDocumentEntryStatus", APPROVED),
]


def find(*slots: tuple[str, str | list[str]]) -> FindDocuments:
    query = parse_request(request(*NEEDED, *slots))
    assert isinstance(query, FindDocuments)
    return query


def refused(element: etree._Element) -> StoredQueryError:
    with pytest.raises(StoredQueryError) as caught:
        parse_request(element)
    return caught.value


FULL = FindDocuments(
    patient_id=PATIENT,
    statuses=frozenset(status.value for status in AvailabilityStatus),
    object_types=BOTH_TYPES,
    class_codes=(CodeFilter("001", "1.2.208.184.100.9"),),
    type_codes=(CodeFilter("866144008", SNOMED), CodeFilter("x'y,z)", "1.2")),
    practice_setting_codes=(CodeFilter("408443003", SNOMED),),
    healthcare_facility_type_codes=(CodeFilter("394761003", SNOMED),),
    format_codes=(CodeFilter("urn:ad:dk:medcom:ecn-v1.0:full", "1.2.208.184.100.10"),),
    event_codes=((CodeFilter("a", "1.2"), CodeFilter("b", "1.2")), (CodeFilter("c", "1.2"),)),
    confidentiality_codes=((CodeFilter("N", "2.16.840.1.113883.5.25"),),),
    author_persons=("%O'Hara%",),
    creation_time=TimeRange("2026", "20270101"),
    service_start_time=TimeRange(None, "20270101"),
    service_stop_time=TimeRange("20260101120000", None),
    return_type=ReturnType.OBJECT_REF,
)


@pytest.mark.parametrize("query", [FULL, FindDocuments(patient_id=PATIENT)])
def test_what_a_consumer_writes_a_registry_reads(query: FindDocuments) -> None:
    payload = iti18.find_documents_request(query)
    assert_schema_valid(payload)
    assert parse_request(etree.fromstring(payload)) == query


def test_a_query_always_says_which_kinds_of_entry() -> None:  # M22
    payload = iti18.find_documents_request(replace(FULL, object_types=BOTH_TYPES))
    assert b"$XDSDocumentEntryType" in payload
    assert ObjectType.ON_DEMAND.value.encode() in payload


@pytest.mark.parametrize(
    "query",
    [
        GetDocuments(entry_uuids=tuple(f"urn:uuid:{n:036d}" for n in range(20))),
        GetDocuments(unique_ids=("1.2.3^O'Hara",), return_type=ReturnType.OBJECT_REF),
    ],
)
def test_get_documents_reads_as_written(query: GetDocuments) -> None:
    payload = iti18.get_documents_request(query)
    assert_schema_valid(payload)
    assert parse_request(etree.fromstring(payload)) == query


def test_get_documents_asks_by_one_kind_of_id() -> None:
    for wrong in (GetDocuments(), GetDocuments(entry_uuids=("a",), unique_ids=("b",))):
        with pytest.raises(ValueError, match="entry_uuids"):
            iti18.get_documents_request(wrong)


def test_several_values_of_one_slot_are_one_list() -> None:
    query = find(("$XDSDocumentEntryClassCode", ["('a^^1')", "('b^^1','c^^1')"]))
    assert [one.code for one in query.class_codes] == ["a", "b", "c"]


def test_a_slot_again_means_and_where_the_standard_allows_it() -> None:
    slot = "$XDSDocumentEntryEventCodeList"
    query = find((slot, "('a^^1','b^^1')"), (slot, "('c^^1')"))
    assert [[one.code for one in group] for group in query.event_codes] == [["a", "b"], ["c"]]


def test_absent_types_mean_stable_entries_only() -> None:
    assert find().object_types == {ObjectType.STABLE}
    assert select(find(), [STABLE, ON_DEMAND]) == [STABLE]
    both = find(("$XDSDocumentEntryType", f"('{ObjectType.STABLE}','{ObjectType.ON_DEMAND}')"))
    assert select(both, [STABLE, ON_DEMAND]) == [STABLE, ON_DEMAND]
    on_demand = find(("$XDSDocumentEntryType", f"('{ObjectType.ON_DEMAND.upper()}')"))
    assert select(on_demand, [STABLE, ON_DEMAND]) == [ON_DEMAND]


def test_tolerances_are_named() -> None:
    query = parse_request(
        request(
            ("$XDSDocumentEntryPatientId", PATIENT),
            ("$XDSDocumentEntryStatus", APPROVED),
            ("$XDSDocumentEntryType", ObjectType.ON_DEMAND),
            ("$XDSDocumentEntryCreationTimeFrom", "'2026'"),
        )
    )
    assert isinstance(query, FindDocuments)
    assert query.patient_id == PATIENT
    assert query.object_types == {ObjectType.ON_DEMAND}
    assert set(query.tolerances) == {"unquoted_patient_id", "unquoted_text", "quoted_number"}
    assert find().tolerances == ()


C = RegistryErrorCode


@pytest.mark.parametrize(
    ("slots", "code"),
    [
        ([NEEDED[0]], C.STORED_QUERY_MISSING_PARAM),
        ([NEEDED[1]], C.STORED_QUERY_MISSING_PARAM),
        ([NEEDED[0], ("$XDSDocumentEntryStatus", "('urn:other')")], C.STORED_QUERY_MISSING_PARAM),
        ([*NEEDED, NEEDED[0]], C.STORED_QUERY_PARAM_NUMBER),
        ([("$XDSDocumentEntryPatientId", "('a','b')"), NEEDED[1]], C.STORED_QUERY_PARAM_NUMBER),
        (
            [*NEEDED, ("$XDSDocumentEntryCreationTimeFrom", ["2026", "2027"])],
            C.STORED_QUERY_PARAM_NUMBER,
        ),
        (
            [
                *NEEDED,
                ("$XDSDocumentEntryTypeCode", "('a^^1')"),
                ("$XDSDocumentEntryTypeCode", "('b^^1')"),
            ],
            C.STORED_QUERY_PARAM_NUMBER,
        ),
        ([*NEEDED, ("$XDSDocumentEntryTypeCode", "('866144008')")], C.REGISTRY_ERROR),
        ([*NEEDED, ("$XDSDocumentEntryTypeCode", "('a^^')")], C.REGISTRY_ERROR),
        ([*NEEDED, ("$XDSDocumentEntryTypeCode", "('a^^1'")], C.REGISTRY_ERROR),
        ([*NEEDED, ("$XDSDocumentEntryCreationTimeTo", "20261301")], C.REGISTRY_ERROR),
        ([("$XDSDocumentEntryPatientId", "'x"), NEEDED[1]], C.REGISTRY_ERROR),
        (
            [*NEEDED, ("$XDSDocumentEntryTypeCode", "(" + ",".join(["'a^^1'"] * 1001) + ")")],
            C.STORED_QUERY_PARAM_NUMBER,
        ),
    ],
)
def test_a_query_that_is_wrong_gets_the_code_for_it(slots: Any, code: RegistryErrorCode) -> None:
    error = refused(request(*slots))
    assert error.error_code is code
    assert "$XDSDocumentEntry" in error.context
    assert "3001749995" not in str(error)


def test_other_wrong_queries() -> None:
    assert refused(request(query_id="urn:uuid:x")).error_code is C.UNKNOWN_STORED_QUERY
    assert refused(request(*NEEDED, return_type="RegistryObject")).error_code is C.REGISTRY_ERROR
    none = refused(request(query_id=GET_DOCUMENTS))
    assert none.error_code is C.STORED_QUERY_MISSING_PARAM
    both = refused(
        request(
            ("$XDSDocumentEntryEntryUUID", "('a')"),
            ("$XDSDocumentEntryUniqueId", "('b')"),
            query_id=GET_DOCUMENTS,
        )
    )
    assert both.error_code is C.STORED_QUERY_PARAM_NUMBER


def test_unknown_parameters_are_passed_over_whatever_their_form() -> None:
    assert find(("$XDSDocumentEntryClassCodeScheme", "('broken"), ("$other", "((")) == find()


@pytest.mark.parametrize("xml", ["<x/>", f'<q:AdhocQueryRequest xmlns:q="{QUERY}"/>'])
def test_what_is_no_query_is_a_matter_for_a_fault(xml: str) -> None:
    with pytest.raises(MalformedMessage):
        parse_request(etree.fromstring(xml))


def test_the_attempt_to_break_out_of_the_quotes_is_refused() -> None:
    root = etree.fromstring(shared_file("nsp", "samples", "iti18request-ipf.xml"))
    error = refused(root)
    assert error.error_code is C.REGISTRY_ERROR
    assert "611" not in str(error)


@pytest.mark.parametrize(
    "parts",
    [("nsp", "examples", "iti18-request.xml"), ("nsp", "samples", "recorded", "iti18-request.xml")],
)
def test_the_specimens_of_queries_read(parts: tuple[str, ...]) -> None:
    query = parse_request(parse_envelope(shared_file(*parts)).payload)
    assert isinstance(query, FindDocuments)
    assert query.patient_id == OTHER_PATIENT
    assert ObjectType.ON_DEMAND in query.object_types


def test_the_ihe_specimen_reads() -> None:
    query = parse_request(
        etree.fromstring(shared_file("ihe", "samples", "iti18-finddocuments-request.xml"))
    )
    assert isinstance(query, FindDocuments)


# ---- what a query selects ----


@pytest.mark.parametrize(
    ("slots", "hit"),
    [
        ([("$XDSDocumentEntryCreationTimeFrom", "20261211081530")], True),
        ([("$XDSDocumentEntryCreationTimeTo", "20261211081530")], False),
        ([("$XDSDocumentEntryCreationTimeTo", "20261211081531")], True),
        ([("$XDSDocumentEntryCreationTimeFrom", "20261211081531")], False),
        ([("$XDSDocumentEntryCreationTimeFrom", "2026")], True),
        ([("$XDSDocumentEntryCreationTimeTo", "2026")], False),
        (
            [
                ("$XDSDocumentEntryServiceStartTimeFrom", "20261210"),
                ("$XDSDocumentEntryServiceStopTimeTo", "20261211"),
            ],
            True,
        ),
        ([("$XDSDocumentEntryServiceStopTimeTo", "20261210")], False),
        ([("$XDSDocumentEntryTypeCode", f"('other^^{SNOMED}','866144008^^{SNOMED}')")], True),
        ([("$XDSDocumentEntryTypeCode", "('866144008^^2.16.840.1.113883.6.1')")], False),
        (
            [
                (
                    "$XDSDocumentEntryFormatCode",
                    "('urn:ad:dk:medcom:ecn-v1.0:full^^1.2.208.184.100.10')",
                )
            ],
            True,
        ),
        ([("$XDSDocumentEntryClassCode", "('002^^1.2.208.184.100.9')")], False),
        ([("$XDSDocumentEntryPracticeSettingCode", f"('408443003^^{SNOMED}')")], True),
        ([("$XDSDocumentEntryHealthcareFacilityTypeCode", f"('408443003^^{SNOMED}')")], False),
        ([("$XDSDocumentEntryConfidentialityCode", "('N^^2.16.840.1.113883.5.25')")], True),
        ([("$XDSDocumentEntryConfidentialityCode", "('R^^2.16.840.1.113883.5.25')")], False),
        ([("$XDSDocumentEntryAuthorPerson", "('%Andersen%')")], True),
        ([("$XDSDocumentEntryAuthorPerson", "('Andersen')")], False),
        ([("$XDSDocumentEntryEventCodeList", "('T90^^1.2')")], False),
    ],
)
def test_filters(slots: Any, hit: bool) -> None:
    assert bool(select(find(*slots), [STABLE])) is hit


def test_and_across_slots_or_within_one() -> None:
    both = entry(event_codes=(Code("a", "1.2", "A"), Code("c", "1.2", "C")))
    only_a = entry(event_codes=(Code("a", "1.2", "A"),))
    slot = "$XDSDocumentEntryEventCodeList"
    query = find((slot, "('a^^1.2','b^^1.2')"), (slot, "('c^^1.2')"))
    assert select(query, [both, only_a, STABLE]) == [both]


def test_a_short_time_in_an_entry_means_its_earliest_moment() -> None:
    hour = entry(service_start_time="2026121009")
    assert find(("$XDSDocumentEntryServiceStartTimeFrom", "20261210090000")).selects(hour)
    assert not find(("$XDSDocumentEntryServiceStartTimeTo", "20261210090000")).selects(hour)


def test_an_entry_without_service_times_passes_their_filters() -> None:
    bare = entry(service_start_time=None, service_stop_time=None)
    assert find(
        ("$XDSDocumentEntryServiceStartTimeFrom", "2030"),
        ("$XDSDocumentEntryServiceStopTimeTo", "2000"),
    ).selects(bare)


def test_creation_time_does_not_filter_on_demand_entries() -> None:
    query = find(
        ("$XDSDocumentEntryType", f"('{ObjectType.ON_DEMAND}')"),
        ("$XDSDocumentEntryCreationTimeFrom", "2030"),
    )
    assert query.selects(ON_DEMAND)


def test_patient_and_status_must_be_those_asked_for() -> None:
    deprecated = entry(availability_status=AvailabilityStatus.DEPRECATED)
    other = entry(patient_id=OTHER_PATIENT)
    no_author = entry(author_person=None)
    assert select(find(), [deprecated, other]) == []
    assert find(("$XDSDocumentEntryAuthorPerson", "('%')")).selects(no_author) is False
    all_of_them = parse_request(
        request(
            NEEDED[0],
            (
                "$XDSDocumentEntryStatus",
                f"('{AvailabilityStatus.APPROVED}','{AvailabilityStatus.DEPRECATED}','x')",
            ),
        )
    )
    assert select(all_of_them, [deprecated, STABLE]) == [deprecated, STABLE]


def test_get_documents_selects_by_id() -> None:
    by_uuid = GetDocuments(entry_uuids=("urn:uuid:unknown", ENTRY_UUID.upper()))
    assert select(by_uuid, [STABLE, ON_DEMAND]) == [STABLE]
    assert select(GetDocuments(unique_ids=(UNIQUE_ID,)), [STABLE, ON_DEMAND]) == [STABLE]


def test_whole_objects_of_two_patients_are_not_returned() -> None:
    other = replace(ON_DEMAND, patient_id=OTHER_PATIENT)
    query = GetDocuments(entry_uuids=(STABLE.entry_uuid, other.entry_uuid))
    with pytest.raises(StoredQueryError) as caught:
        select(query, [STABLE, other])
    assert caught.value.error_code is C.RESULT_NOT_SINGLE_PATIENT
    refs = replace(query, return_type=ReturnType.OBJECT_REF)
    assert len(select(refs, [STABLE, other])) == 2


# ---- answers ----


def through_http(payload: bytes) -> iti18.QueryResponse:
    assert_schema_valid(payload)
    return iti18.query_response(
        "text/xml; charset=utf-8", build_envelope(SoapVersion.SOAP11, b"", payload)
    )


def test_whole_objects_come_back_as_they_were() -> None:
    read = through_http(iti18.write_answer([STABLE, ON_DEMAND], ReturnType.LEAF_CLASS))
    assert read.response.status is ResponseStatus.SUCCESS
    assert [replace(one, logical_id=None) for one in read.objects.entries] == [STABLE, ON_DEMAND]


def test_references_come_back_and_carry_the_community() -> None:
    payload = iti18.write_answer([STABLE], ReturnType.OBJECT_REF)
    assert HOME.encode() in payload
    assert through_http(payload).objects.object_refs == (ENTRY_UUID,)


@pytest.mark.parametrize("return_type", list(ReturnType))
def test_an_empty_answer_still_holds_a_list(return_type: ReturnType) -> None:
    payload = iti18.write_answer([], return_type)
    assert b"RegistryObjectList" in payload
    assert through_http(payload).response.require_success().errors == ()


def test_warnings_go_along_and_errors_do_not() -> None:
    warning = RegistryError("XDSRegistryError", "filtreret", is_warning=True)
    read = through_http(iti18.write_answer([STABLE], ReturnType.LEAF_CLASS, warnings=[warning]))
    assert read.response.warnings == (warning,)
    with pytest.raises(ValueError, match="error"):
        iti18.write_answer([], ReturnType.LEAF_CLASS, warnings=[RegistryError("X")])


def test_a_refused_query_is_answered_with_its_code() -> None:
    error = refused(request(NEEDED[0]))
    read = through_http(iti18.write_failure([error]))
    assert read.response.status is ResponseStatus.FAILURE
    assert [one.code for one in read.response.errors] == ["XDSStoredQueryMissingParam"]
    assert through_http(iti18.write_failure([])).response.real_errors


def test_the_specimens_of_answers_read() -> None:
    filtered = iti18.query_response(
        "text/xml", shared_file("nsp", "examples", "iti18-response-filtered.xml")
    )
    assert filtered.response.status is ResponseStatus.SUCCESS
    assert len(filtered.response.warnings) == 1
    assert len(filtered.objects.entries) == 1
    empty = iti18.query_response(
        "text/xml", shared_file("nsp", "examples", "iti18-response-empty.xml")
    )
    assert empty.objects.entries == ()
    recorded = iti18.query_response(
        "text/xml", shared_file("nsp", "samples", "recorded", "iti18-response.xml")
    )
    assert recorded.objects.entries


def test_the_whole_request() -> None:
    sent = iti18.http_request(
        iti18.find_documents_request(FindDocuments(patient_id=PATIENT)),
        header_blocks=b"",
        to="https://dds",
        message_id="m",
        version=SoapVersion.SOAP12,
    )
    assert sent.headers["Content-Type"].startswith("application/soap+xml;")
    assert parse_envelope(sent.body).action == iti18.ACTION


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
@settings(max_examples=50)
def test_a_name_found_by_itself_as_pattern(family: str, given_name: str) -> None:
    if not (family.isprintable() and given_name.isprintable()):
        return
    person = entry(author_person=AuthorPerson(family, (given_name,)))
    query = FindDocuments(patient_id=PATIENT, author_persons=("%",))
    assert query.selects(person)
