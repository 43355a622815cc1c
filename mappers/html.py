"""The body of a note: any practice system's HTML or plain text to the national subset.

The result holds ``p br b i u tt`` without attributes, is well-formed XML when
wrapped in one root, escapes ``& < >`` and nothing else, and keeps every word.
What the subset lacks is flattened and named in a warning; active content is
refused with its place.

Source: medcom-shared-notes 13; design.md 4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mappers.html_tokens import (
    BLOCKS,
    INLINE,
    KNOWN,
    PARAGRAPHS,
    TOLD_ATTRIBUTES,
    UNSHOWN,
    Token,
    Tokenizer,
)
from mappers.html_writer import HtmlWriter, escape_text
from mappers.issues import Issue

MAX_ISSUES_OF_A_KIND: Final = 20
"""So many places, or kinds of formatting, are told; the sender gets the rest next time."""

_CONTROL: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff\ud800-\udfff]")
_LINE_BREAK: Final = re.compile("\r\n|[\r\x0b\x0c\x85]")
_INVISIBLE: Final = r"\s\u00ad\u034f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2800\ufeff"
_SHOWS: Final = re.compile(rf"(?:<[^>]*+>|[{_INVISIBLE}]++)*+[^<{_INVISIBLE}]")

_TEXT: Final = r"(?:[^<>&\x00-\x09\x0b-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]++|&(?:amp|lt|gt);)"


def _clean_pattern() -> str:
    """Formatting two deep, never empty, never in itself; paragraphs begin with visible text."""
    written = ("b", "i", "u", "tt")
    leaf = rf"{_TEXT}|<br/>"
    inline = [leaf]
    for outer in written:
        inner = "|".join([leaf] + [rf"<{t}>(?:{leaf})++</{t}>" for t in written if t != outer])
        inline.append(rf"<{outer}>(?:{inner})++</{outer}>")
    flow = "|".join(inline)
    paragraph = rf"<p>(?=[ \n]*+(?:<(?:b|i|u|tt)>)*+[^ \n<])(?:{flow})++</p>"
    return rf"(?:{flow}|{paragraph})*+"


_CLEAN: Final = re.compile(_clean_pattern())

_HARMLESS_ATTRIBUTES: Final = frozenset({"id", "lang", "dir", "xml:lang", "xml:space"})
_HIDDEN_KINDS: Final = {
    "!--": "comment",
    "?": "processing instruction",
    "!doctype": "doctype",
    **{name: f"<{name}> with its text" for name in UNSHOWN},
}
_HIDDEN: Final = frozenset(_HIDDEN_KINDS.values())


@dataclass(frozen=True, slots=True)
class CleanText:
    """A cleaned body. With ``issues`` the text is refused and ``html`` is not to be used."""

    html: str
    warnings: tuple[Issue, ...] = ()
    issues: tuple[Issue, ...] = ()

    def __repr__(self) -> str:
        return f"CleanText(warnings={self.warnings!r}, issues={self.issues!r})"


def clean_html(text: str, path: str = "$.text.html") -> CleanText:
    """Turn HTML, in part or whole, into the national subset.

    Args:
        text: the body as sent, at most the size the caller allows.
        path: where it stands in the submission, for issues and warnings.

    Returns:
        The cleaned body, with one warning ``FORMAT-FLATTENED`` for each kind of
        formatting dropped, ``HIDDEN-REMOVED`` for each kind of part that no reader
        was ever shown, ``CONTROL-REMOVED`` when characters were; or issues
        ``HTML-ACTIVE-CONTENT`` (with line and column, from 1) and ``TEXT-EMPTY``.

        A body without a single tag shows its line breaks as such, for so it will be
        read everywhere; no result without tags holds a bare one.

    Source: medcom-shared-notes 13, rules 1 to 12; 18, A22 (bare line breaks).
    """
    if is_clean(text):
        return CleanText(text) if _SHOWS.match(text) else CleanText("", (), (_empty(path),))
    return clean_html_slowly(text, path)


def is_clean(text: str) -> bool:
    """Tell, for the common case only, that cleaning would change nothing.

    True is certain; False means no more than that it was not seen at a glance.
    """
    if "<" not in text and "\n" in text:
        return False
    return _CLEAN.fullmatch(text) is not None


def clean_html_slowly(text: str, path: str = "$.text.html") -> CleanText:
    """As :func:`clean_html`, without the look ahead for clean input."""
    text, warnings = _normalised(text, path)
    tokenizer = Tokenizer(text)
    writer = HtmlWriter()
    flattened: dict[str, None] = {}
    issues: list[Issue] = []
    has_tags = False
    for token in tokenizer.tokens():
        has_tags |= token.kind != "text"
        if token.kind == "active":
            issues.append(_active(token, text, path))
            if len(issues) >= MAX_ISSUES_OF_A_KIND:
                break
            continue
        _write(token, writer)
        _note_flattening(token, flattened)
    warnings += [_told(kind, path) for kind in list(flattened)[:MAX_ISSUES_OF_A_KIND]]
    result = writer.finish()
    if "<" not in result:
        # A reader that sees no tag shows a bare line break; one that was within tags is a blank.
        result = result.replace("\n", " " if has_tags else "<br/>")
    if not issues and not _SHOWS.match(result):
        issues.append(_empty(path))
    if writer.removed_characters and not any(w.code == "CONTROL-REMOVED" for w in warnings):
        warnings.append(_control_removed(path))
    return CleanText("" if issues else result, tuple(warnings), tuple(issues))


def clean_plain(text: str, path: str = "$.text.text") -> CleanText:
    """Turn plain text into the national subset: escaped, each line break ``<br/>``.

    Source: medcom-shared-notes 13, rules 5 and 6.
    """
    text, warnings = _normalised(text, path)
    result = escape_text(text).replace("\n", "<br/>")
    if not _SHOWS.match(result):
        return CleanText("", tuple(warnings), (_empty(path),))
    return CleanText(result, tuple(warnings))


def _normalised(text: str, path: str) -> tuple[str, list[Issue]]:
    """Tabs to spaces, line breaks to LF, other control characters away."""
    text = _LINE_BREAK.sub("\n", text).replace("\t", " ")
    bare = _CONTROL.sub("", text)
    return bare, [_control_removed(path)] if len(bare) != len(text) else []


def _write(token: Token, writer: HtmlWriter) -> None:
    name = token.name
    if token.kind == "text":
        _write_text(token.value, writer)
    elif token.kind == "dropped":
        return
    elif token.kind == "end":
        _write_end(name, writer)
    else:
        _write_start(name, writer, token)
        # "<b/>" opens an element in HTML and closes it in XML; nothing is inside it.
        if token.kind == "void" and name != "br":
            _write_end(name, writer)


def _write_text(text: str, writer: HtmlWriter) -> None:
    """Pass on text, less the control characters that its entities stood for."""
    if not text.isprintable():
        text = _LINE_BREAK.sub("\n", text).replace("\t", " ")
        bare = _CONTROL.sub("", text)
        writer.removed_characters |= len(bare) != len(text)
        text = bare
    writer.text(text)


def _write_start(name: str, writer: HtmlWriter, token: Token) -> None:
    if name == "br":
        writer.line_break()
    elif name in PARAGRAPHS:
        writer.start_paragraph()
    elif name in BLOCKS:
        writer.separate()
        if name == "li":
            writer.prefix = "- "
        elif name == "pre":
            writer.start_preformatted()
    elif name == "sup":
        # 10<sup>9</sup> must not become 109.
        writer.raise_next()
    elif name == "img" and token.value:
        _write_text(token.value, writer)
    if name in INLINE:
        writer.start_inline(INLINE[name])


def _write_end(name: str, writer: HtmlWriter) -> None:
    if name in INLINE:
        writer.end_inline(INLINE[name])
    if name == "br":
        writer.line_break()
    elif name in PARAGRAPHS:
        writer.end_paragraph()
    elif name in BLOCKS:
        writer.separate()
        if name == "li":
            writer.prefix = ""
        elif name == "pre":
            writer.end_preformatted()


def _note_flattening(token: Token, kinds: dict[str, None]) -> None:
    """Add the kinds of formatting that this tag loses; never words of the note."""
    if token.kind not in ("start", "void", "dropped"):
        return
    name = token.name
    if token.kind == "dropped":
        kinds.setdefault(_HIDDEN_KINDS[name])
        return
    if name not in INLINE and name not in PARAGRAPHS and name != "br":
        kinds.setdefault(f"<{name}>" if name in KNOWN else "unknown element")
    for attribute in token.attributes:
        if attribute in _HARMLESS_ATTRIBUTES or attribute.startswith("xmlns"):
            continue
        known = attribute in TOLD_ATTRIBUTES
        kinds.setdefault(f"{attribute}=" if known else "unknown attribute")


def _place(text: str, at: int, path: str) -> str:
    line = text.count("\n", 0, at) + 1
    return f"{path}@line {line} column {at - text.rfind(chr(10), 0, at)}"


def _active(token: Token, text: str, path: str) -> Issue:
    return Issue(
        "HTML-ACTIVE-CONTENT",
        _place(text, token.at, path),
        "medcom-shared-notes 13; design 4: no script, style, handler or embedded object",
        f"Aktivt indhold ({_shown(token)}) er ikke tilladt i notatteksten. Fjern det og send igen.",
        f"Active content ({_shown(token)}) is not allowed in the text. Remove it and send again.",
    )


def _shown(token: Token) -> str:
    return f"<{token.name}>" if token.name in KNOWN else _attribute_shown(token.name)


def _attribute_shown(name: str) -> str:
    """An attribute's name when it is a plain one, for the message."""
    return f"{name}=" if name.isascii() and name.isalpha() and len(name) <= 20 else "attribute"


def _empty(path: str) -> Issue:
    return Issue(
        "TEXT-EMPTY",
        path,
        "medcom-shared-notes 13, 9: the body holds visible text",
        "Notatet har ingen synlig tekst. Send notatets tekst.",
        "The note has no visible text. Send the text of the note.",
    )


def _control_removed(path: str) -> Issue:
    return Issue(
        "CONTROL-REMOVED",
        path,
        "medcom-shared-notes 13, 6: no control characters",
        "Styretegn, som ikke kan vises, er fjernet fra teksten.",
        "Control characters, which cannot be shown, were removed from the text.",
    )


def _told(kind: str, path: str) -> Issue:
    if kind in _HIDDEN:
        return Issue(
            "HIDDEN-REMOVED",
            path,
            "medcom-shared-notes 13, 2 and 3: what is not shown is not carried",
            f"Skjult indhold ({kind}), som ingen læser har set, er fjernet fra teksten.",
            f"Hidden content ({kind}), which no reader was shown, was removed from the text.",
        )
    return Issue(
        "FORMAT-FLATTENED",
        path,
        "medcom-shared-notes 13, 3: only p br b i u tt",
        f"Formateringen {kind} findes ikke i standarden og er udeladt; ordene er bevaret.",
        f"The formatting {kind} is not in the standard and was left out; the words are kept.",
    )
