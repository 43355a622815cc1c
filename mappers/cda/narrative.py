"""The body of a note as CDA section text: every word kept, every formatting kept.

CDA has no ``b``, ``i``, ``u`` or ``tt``; it has ``content`` with a style, and
paragraphs that do not stand in each other. Text beside paragraphs becomes a
paragraph of its own, so that viewers set it apart as a browser does.

Source: cda-dk 3; CDA R2 4.3.5 (narrative block).
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from mappers.errors import TextWouldBeLost
from nsp_client.xml_text import FORBIDDEN

STYLES: Final = MappingProxyType(
    {
        "b": "Bold",
        "strong": "Bold",
        "i": "Italics",
        "em": "Italics",
        "u": "Underline",
        "ins": "Underline",
        "tt": "xMonospace",
    }
)
"""Formatting of a note's body and its CDA style; ``x…`` is a local one (C5)."""

_PATH: Final = "$.text.html"
_PIECES: Final = re.compile(r"<(/?)([a-z]+)( ?/)?>")
_MARKUP: Final = re.compile(r"[<>]|&(?!(?:amp|lt|gt|quot|apos);)")
_LINE_BREAK: Final = re.compile("\r\n|\r|\n")
_BLANK: Final = " \t\r\n"


def section_text(html: str) -> str:
    """Turn a clean body into the content of ``section/text``.

    Args:
        html: what :func:`mappers.html.clean_html` made: well-formed, ``p br b i u
            tt`` without attributes, entities of XML only. A body without any tag
            may hold line feeds, which are then meant as line breaks (A22).

    Returns:
        ``paragraph`` elements; well-formed and escaped. Blanks between paragraphs,
        which no reader sees, are left out.

    Raises:
        TextWouldBeLost: the body is not clean, so that its words or their
            formatting could not be carried over.

    Source: cda-dk 3.
    """
    if FORBIDDEN.search(html) is not None:
        raise TextWouldBeLost(_PATH, "a control character that XML cannot carry")
    if "<" not in html and ("\n" in html or "\r" in html):
        html = _LINE_BREAK.sub("<br/>", html)
    writer = _SectionWriter()
    end = 0
    for match in _PIECES.finditer(html):
        writer.text(html[end : match.start()])
        _write_tag(writer, closing=bool(match[1]), name=match[2], empty=bool(match[3]))
        end = match.end()
    writer.text(html[end:])
    return writer.finish()


def _write_tag(writer: _SectionWriter, *, closing: bool, name: str, empty: bool) -> None:
    if name == "br":
        if not closing:
            writer.line_break()
    elif name in ("p", "div"):
        if empty:
            return
        if closing:
            writer.end_paragraph()
        else:
            writer.start_paragraph()
    elif name in STYLES:
        if empty:
            return
        if closing:
            writer.end_style(name)
        else:
            writer.start_style(name)
    else:
        raise TextWouldBeLost(_PATH, "markup that is not of a clean body")


class _SectionWriter:
    """Takes a body piece by piece; keeps paragraphs beside each other and styles inside them."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._styles: list[str] = []
        self._paragraphs = 0  # how many ``p`` are open in the source
        self._is_open = False  # a paragraph is open in the output

    def text(self, text: str) -> None:
        if not text:
            return
        if _MARKUP.search(text) is not None:
            raise TextWouldBeLost(_PATH, "markup that is not of a clean body")
        if not self._is_open and not text.strip(_BLANK):
            return
        self._open()
        self._out.append(text.replace("\r", "&#13;") if "\r" in text else text)

    def line_break(self) -> None:
        self._open()
        self._out.append("<br/>")

    def start_style(self, name: str) -> None:
        self._open()
        self._styles.append(name)
        self._out.append(_content(name))

    def end_style(self, name: str) -> None:
        if not self._styles or self._styles.pop() != name:
            raise TextWouldBeLost(_PATH, "tags that are not properly nested")
        if self._is_open:
            self._out.append("</content>")

    def start_paragraph(self) -> None:
        self._close()
        self._paragraphs += 1
        self._open()

    def end_paragraph(self) -> None:
        if self._paragraphs == 0:
            raise TextWouldBeLost(_PATH, "tags that are not properly nested")
        self._paragraphs -= 1
        self._close()

    def finish(self) -> str:
        if self._styles or self._paragraphs:
            raise TextWouldBeLost(_PATH, "tags that are not closed")
        self._close()
        return "".join(self._out)

    def _open(self) -> None:
        """Open a paragraph, and in it the styles in force."""
        if not self._is_open:
            self._is_open = True
            self._out.append("<paragraph>")
            self._out += map(_content, self._styles)

    def _close(self) -> None:
        if self._is_open:
            self._out.append("</content>" * len(self._styles))
            self._out.append("</paragraph>")
            self._is_open = False


def _content(name: str) -> str:
    return f'<content styleCode="{STYLES[name]}">'
