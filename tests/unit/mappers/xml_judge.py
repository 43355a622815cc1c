"""A judge of FHIR XML that knows nothing of ours: the published rules, read with lxml.

It turns XML into the JSON form by the definitions in the FHIR packages, not by our
table, and narratives into their canonical form, so that two documents can be compared.
"""

from __future__ import annotations

from typing import Any

from lxml import etree

from tests.unit.mappers.test_xml_elements import published

Json = dict[str, Any]
FHIR = "{http://hl7.org/fhir}"
XHTML_DIV = "{http://www.w3.org/1999/xhtml}div"


def as_json(document: bytes) -> Json:
    """Read XML of simple elements: values, objects, narratives; no ids and extensions beside."""
    root: Any = etree.fromstring(document)
    kind = root.tag.removeprefix(FHIR)
    return {"resourceType": kind, **_object(root, kind)}


def _object(node: Any, kind: str) -> Json:
    rows = {name: (each, many) for name, each, many in published(kind)}
    out: Json = dict(node.attrib)
    order = list(rows)
    names = [etree.QName(child).localname for child in node]
    assert names == sorted(names, key=order.index), "elements out of order"
    for child, name in zip(node, names, strict=True):
        each, many = rows[name]
        value = _value(child, each)
        if many:
            out.setdefault(name, []).append(value)
        else:
            assert name not in out
            out[name] = value
    return out


def _value(node: Any, kind: str) -> Any:
    if node.tag == XHTML_DIV:
        return etree.tostring(node, method="c14n", exclusive=True).decode()
    assert node.tag.startswith(FHIR)
    if kind == "Resource":
        (inner,) = node
        kind = inner.tag.removeprefix(FHIR)
        return {"resourceType": kind, **_object(inner, kind)}
    if len(node):
        return _object(node, kind)
    assert list(node.keys()) == ["value"]
    return node.get("value")


def with_canonical_narratives(tree: Any) -> Any:
    """A JSON form with each narrative as its canonical XML, as :func:`as_json` gives it."""
    if isinstance(tree, list | tuple):
        return [with_canonical_narratives(each) for each in tree]
    if not isinstance(tree, dict):
        return tree
    return {
        name: etree.tostring(etree.fromstring(value), method="c14n", exclusive=True).decode()
        if name == "div"
        else with_canonical_narratives(value)
        for name, value in tree.items()
    }
