"""Cut the HTML of a practice system into tags and text, losing nothing.

Forgiving where a clinician's ``<`` is meant as a sign, strict where a tag is
active. Time is linear in the length: no scan starts over for each ``<``.

Source: medcom-shared-notes 13 (rules 2 to 7); design.md 4.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from html.entities import html5
from typing import Final, Literal, NamedTuple


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


INLINE: Final = {
    **dict.fromkeys(("b", "strong"), "b"),
    **dict.fromkeys(("i", "em"), "i"),
    **dict.fromkeys(("u", "ins"), "u"),
    **dict.fromkeys(("tt", "code", "pre", "kbd", "samp"), "tt"),
}
"""Element read -> element written. Source: medcom-shared-notes 13, table."""

PARAGRAPHS: Final = frozenset({"p", "div"})

ACTIVE: Final = _words(
    "script style object embed iframe form input svg link meta base applet frame frameset"
    " audio video portal"
)
"""Elements that are refused. Source: design.md 4 (active content)."""

_ACTIVE_WITH_CONTENT: Final = ACTIVE - {"embed", "input", "link", "meta", "base", "form"}

UNSHOWN: Final = frozenset({"head", "title", "template"})
"""Dropped with their text: no reader was ever shown it. Source: medcom-shared-notes 13, 3."""

BLOCKS: Final = _words(
    "address article aside blockquote body caption center dd details dialog dl dt fieldset"
    " figcaption figure footer h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav"
    " ol optgroup option pre section summary table tbody td tfoot th thead tr ul"
)
"""Elements that begin a line of their own; what is not among them is inline."""

_OTHER: Final = _words(
    "a abbr acronym area bdi bdo big blink button canvas cite col colgroup data datalist del"
    " dfn dir font img label map mark marquee math meter nobr noscript output param picture"
    " progress q rp rt ruby s select slot small source span strike sub sup textarea time track"
    " var wbr"
)
KNOWN: Final = (
    frozenset(INLINE) | PARAGRAPHS | ACTIVE | UNSHOWN | BLOCKS | _OTHER | frozenset({"br"})
)

_BARE_ATTRIBUTES: Final = _words(
    "allowfullscreen async autofocus autoplay checked compact contenteditable controls default"
    " defer disabled hidden inert ismap itemscope loop multiple muted nohref noresize noshade"
    " novalidate nowrap open readonly required reversed selected"
)

TOLD_ATTRIBUTES: Final = _words(
    "align alt bgcolor border class color cols colspan content coords datetime face headers height"
    " href name role rowspan rows scope size span src start style target title type valign value"
    " width"
)
"""Attributes that a warning may name; other names may be words of the note."""

_TAG: Final = re.compile(
    r"""<(/?)([A-Za-z][A-Za-z0-9:._-]*+)((?:[ \n/](?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+)?)>"""
)
# The same with "<" allowed inside quotes; it may scan far, so its failures are counted.
_FAR_TAG: Final = re.compile(
    r"""<(/?)([A-Za-z][A-Za-z0-9:._-]*+)([ \n/](?:[^<>"']++|"[^"]*+"|'[^']*+')*+)>"""
)
_FAR_FAILURES_ALLOWED: Final = 50
_OPEN_ACTIVE: Final = re.compile(
    r"<(?:x:)?(script|style|iframe|object|embed|svg)(?=[ \n/])", re.IGNORECASE
)
_ATTRIBUTE: Final = re.compile(
    r"""([^ \n"'<>/=]++)(?:[ \n]*+=[ \n]*+(?:"([^"]*+)"|'([^']*+)'|([^ \n"'<>]++)))?"""
)
_END_NAMES: Final = re.compile(r"</([A-Za-z][A-Za-z0-9._-]*+)[ \n]*+>")
_INSTRUCTION: Final = re.compile(r"<\?[A-Za-z][^<>?]*+\?>")
_DOCTYPE: Final = re.compile(r"<!doctype[ \n][^<>\[]*+>", re.IGNORECASE)
_HANDLER: Final = re.compile(r"on[a-z]{3,}", re.IGNORECASE)
_BAD_URL: Final = re.compile(r"(?:javascript|data|vbscript):", re.IGNORECASE)
_BAD_STYLE: Final = re.compile(
    r"expression\(|behaviou?r:|-moz-binding|@import|url\([\"']?(?:javascript|data|vbscript):",
    re.IGNORECASE,
)
_URL_NOISE: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u00ad\u200b-\u200f\u2028\u2029\ufeff]")
_CSS_NOISE: Final = re.compile(r"/\*.*?\*/|[\x00-\x20\\]", re.DOTALL)
_END_OF: Final = {
    name: re.compile(rf"</(?:x:)?{name}[ \n/]*+>", re.IGNORECASE)
    for name in _ACTIVE_WITH_CONTENT | UNSHOWN
}
_SHOWN_OR_ACTIVE: Final = re.compile(
    rf"<(?:x:)?(?:body|{'|'.join(sorted(ACTIVE))})(?=[ \n/>])", re.IGNORECASE
)
_ENTITY: Final = re.compile(r"&(#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


class Token(NamedTuple):
    """A piece of the input: a tuple, as one is made for every tag.

    ``name`` is in lower case and without ``x:``.

    ``value``: the characters of ``text``, entities resolved; else empty.
    ``attributes``: names of an opening tag and, for ``alt``, nothing else is kept.
    """

    kind: Literal["text", "start", "end", "void", "dropped", "active"]
    at: int
    name: str = ""
    value: str = ""
    attributes: tuple[str, ...] = ()


def resolve_entities(text: str) -> str:
    """Turn entities that end in ``;`` into characters; leave all other ``&`` alone.

    Without the semicolon ``&reg`` in ``&region`` would eat letters.
    """
    return text if "&" not in text else _ENTITY.sub(_entity, text)


def _entity(match: re.Match[str]) -> str:
    name = match[1]
    if name[0] != "#" and name + ";" not in html5:
        return match[0]
    # A reference to no character becomes NUL, which the caller removes and tells of.
    return html.unescape(match[0]) or "\x00"


class Tokenizer:
    """One pass over one text. ``tokens()`` may be used once."""

    __slots__ = ("_far_failures", "_kept_until", "_unclosed", "end_names", "seen", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.seen: set[str] = set()
        self.end_names: frozenset[str] | None = None
        self._far_failures = 0
        self._unclosed: set[str] = set()
        self._kept_until: dict[str, int] = {}

    def tokens(self) -> Iterator[Token]:
        """Give the pieces in order; a sign that begins no tag is text."""
        text, here = self.text, 0
        text_from = 0
        while True:
            here = text.find("<", here)
            if here < 0:
                break
            found = self._markup(here)
            if found is None:
                here += 1
                continue
            token, after = found
            if text_from < here:
                yield self._text(text_from, here)
            yield token
            here = text_from = after
        if text_from < len(text):
            yield self._text(text_from, len(text))

    def _text(self, start: int, end: int) -> Token:
        return Token("text", start, value=resolve_entities(self.text[start:end]))

    def _markup(self, here: int) -> tuple[Token, int] | None:
        following = self.text[here + 1 : here + 2]
        if following == "!":
            return self._declaration(here)
        if following == "?":
            match = _INSTRUCTION.match(self.text, here)
            return match and (Token("dropped", here, "?"), match.end())
        if following == "/" or following.isalpha():
            return self._tag(here)
        return None

    def _declaration(self, here: int) -> tuple[Token, int] | None:
        text = self.text
        if text.startswith("<!--", here):
            end = self._find("-->", here + 4)
            return None if end < 0 else (Token("dropped", here, "!--"), end + 3)
        if text.startswith("<![CDATA[", here):
            end = self._find("]]>", here + 9)
            # Its characters are text as they stand: no entities in CDATA.
            return None if end < 0 else (Token("text", here, value=text[here + 9 : end]), end + 3)
        match = _DOCTYPE.match(text, here)
        return match and (Token("dropped", here, "!doctype"), match.end())

    def _find(self, mark: str, start: int) -> int:
        """As ``str.find``, but a mark once missing is not looked for again."""
        if mark in self._unclosed:
            return -1
        end = self.text.find(mark, start)
        if end < 0:
            self._unclosed.add(mark)
        return end

    def _tag(self, here: int) -> tuple[Token, int] | None:
        match = _TAG.match(self.text, here)
        if match is None and self._far_failures < _FAR_FAILURES_ALLOWED:
            match = _FAR_TAG.match(self.text, here)
            self._far_failures += match is None
        if match is None:
            open_end = _OPEN_ACTIVE.match(self.text, here)
            return open_end and (Token("active", here, open_end[1].lower()), open_end.end())
        name = match[2].lower().removeprefix("x:")
        after = match.end()
        if match[1]:
            return self._end_tag(here, name, match[3], after)
        if name in ACTIVE:
            return Token("active", here, name), self._after_content(name, after)
        return self._start_tag(here, name, match[3], after)

    def _end_tag(self, here: int, name: str, rest: str, after: int) -> tuple[Token, int] | None:
        known = name in KNOWN or ":" in name or name in self.seen
        return (Token("end", here, name), after) if known and not rest.strip(" \n/") else None

    def _start_tag(
        self, here: int, name: str, written: str, after: int
    ) -> tuple[Token, int] | None:
        names: list[str] = []
        alt = ""
        is_tag = True
        for match in _ATTRIBUTE.finditer(written):
            attribute = match[1].lower().removeprefix("x:")
            value = match[2] or match[3] or match[4]
            if value is None and "=" not in match[0]:
                is_tag &= attribute in _BARE_ATTRIBUTES
            elif _is_active_attribute(attribute, html.unescape(value or "")):
                return Token("active", here, attribute), after
            elif attribute == "alt" and name == "img":
                alt = resolve_entities(value or "")
            names.append(attribute)
        if written and _ATTRIBUTE.sub("", written).strip(" \n/"):
            is_tag = False
        is_void = written.endswith("/")
        if not is_tag or not self._is_element(name, is_void=is_void):
            return None
        if name in UNSHOWN and not is_void:
            beyond = self._after_content(name, after)
            # Not closed: its words may be the note's, so the tag alone goes.
            return Token("start" if beyond == after else "dropped", here, name), beyond
        kind: Literal["void", "start"] = "void" if is_void else "start"
        return Token(kind, here, name, alt, tuple(names)), after

    def _is_element(self, name: str, *, is_void: bool) -> bool:
        """Tell an element from a word in angle brackets: known, or closed somewhere."""
        if name in KNOWN or ":" in name:
            return True
        if self.end_names is None:
            found = _END_NAMES.findall(self.text)
            self.end_names = frozenset(each.lower() for each in found)
        if name in self.end_names or is_void:
            self.seen.add(name)
            return True
        return False

    def _after_content(self, name: str, after: int) -> int:
        """Where to go on after an element that is dropped with its text.

        Without an end tag nothing is skipped: the rest of the note is not its.
        """
        if name not in UNSHOWN and name not in _ACTIVE_WITH_CONTENT:
            return after
        mark = f"</{name}"
        if mark in self._unclosed:
            return after
        if after <= self._kept_until.get(name, -1):
            return after
        end = _END_OF[name].search(self.text, after)
        if end is None:
            self._unclosed.add(mark)
            return after
        if name in UNSHOWN and _SHOWN_OR_ACTIVE.search(self.text, after, end.start()):
            # A body is shown, and active content must be found and refused.
            self._kept_until[name] = end.start()
            return after
        return end.end()


def _is_active_attribute(name: str, value: str) -> bool:
    if _HANDLER.fullmatch(name) or name == "srcdoc":
        return True
    if name == "style":
        return _BAD_STYLE.search(_CSS_NOISE.sub("", value)) is not None
    bare = _URL_NOISE.sub("", value)
    return _BAD_URL.match(bare) is not None
