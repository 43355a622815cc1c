"""Write the national subset: properly nested, nothing empty, no words run together.

Source: medcom-shared-notes 13, rules 3, 8 and 11.
"""

from __future__ import annotations

from typing import Final, Literal

_BLANK: Final = " \n"
Inline = Literal["b", "i", "u", "tt"] | str


def escape_text(text: str) -> str:
    """Escape ``& < >`` and nothing else."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class HtmlWriter:
    """Takes text and formatting in reading order; :meth:`finish` gives the HTML.

    Tags are written when text needs them, so none is empty, and formatting that
    crosses a paragraph is closed before and opened again after its edge.

    Attributes:
        prefix: goes before the next visible text (``- `` of a list item).
        removed_characters: set by the caller, who reads it back at the end.
    """

    __slots__ = (
        "_again",
        "_held",
        "_in_paragraph",
        "_line_before",
        "_line_open",
        "_opened",
        "_out",
        "_pending_paragraph",
        "_pre_depth",
        "_pre_fresh",
        "_raise",
        "_separate",
        "_wanted",
        "prefix",
        "removed_characters",
    )

    def __init__(self) -> None:
        self.prefix = ""
        self.removed_characters = False
        self._out: list[str] = []
        self._wanted: list[str] = []  # formatting in force, outermost first
        self._again: dict[str, int] = {}  # how often each is asked for within itself
        self._opened = 0  # how many of _wanted are written
        self._in_paragraph = False
        self._pending_paragraph = False
        self._held = ""  # blanks at the start of a pending paragraph
        self._line_before = False  # _line_open before the pending paragraph
        self._line_open = False  # visible text since the last edge
        self._separate = False  # the next visible text begins a line
        self._pre_depth = 0
        self._pre_fresh = False
        self._raise = False

    def text(self, text: str) -> None:
        """Add characters; inside preformatted text a line feed is a line break."""
        if self._pre_depth == 0:
            self._run(text)
            return
        if self._pre_fresh:
            text = text.removeprefix("\n")  # HTML: not part of the content
            self._pre_fresh = False
        first, *rest = text.split("\n")
        self._run(first)
        for line in rest:
            self.line_break()
            self._run(line)

    def _run(self, text: str) -> None:
        if not text:
            return
        if not text.strip(_BLANK):
            if self._pending_paragraph:
                self._held += text
                return
            if not (self._separate or self.prefix):
                self._open()
            self._out.append(text)
            return
        if self._separate and self._line_open:
            self._out.append("<br/>")
            self._line_open = False
        self._separate = False
        self._open()
        if self._raise:
            self._out.append("^" * self._line_open)
            self._raise = False
        self._out.append(self.prefix)
        self._out.append(escape_text(text))
        self.prefix = ""
        self._line_open = True

    def line_break(self) -> None:
        """A line break asked for; it also serves as a separation still due."""
        self._separate = False
        self._open()
        self._out.append("<br/>")
        self._line_open = False

    def separate(self) -> None:
        """The edge of a block or cell: what follows begins a new line."""
        self._separate = True

    def raise_next(self) -> None:
        """The next text is a superscript: mark it, as an exponent would else be lost."""
        self._raise = True

    def start_preformatted(self) -> None:
        self._pre_depth += 1
        self._pre_fresh = True

    def end_preformatted(self) -> None:
        self._pre_depth = max(0, self._pre_depth - 1)

    def start_inline(self, tag: str) -> None:
        if tag in self._wanted:
            self._again[tag] = self._again.get(tag, 0) + 1
        else:
            self._wanted.append(tag)

    def end_inline(self, tag: str) -> None:
        """End the formatting; an end without a start is looked past."""
        if self._again.get(tag, 0):
            self._again[tag] -= 1
        elif tag in self._wanted:
            at = self._wanted.index(tag)
            self._close_to(at)
            del self._wanted[at]

    def start_paragraph(self) -> None:
        if self._in_paragraph:
            self._end_open_paragraph()
        if self._pending_paragraph:
            self._held = ""
        else:
            self._close_to(0)
            self._line_before = self._line_open
        self._pending_paragraph = True
        self._line_open = False
        self._separate = False

    def end_paragraph(self) -> None:
        if self._in_paragraph:
            self._end_open_paragraph()
            return
        if self._pending_paragraph:
            self._pending_paragraph = False
            self._held = ""
            self._line_open = self._line_before
        self._separate = True

    def finish(self) -> str:
        """Close what is open and give the whole."""
        self._close_to(0)
        if self._in_paragraph:
            self._end_open_paragraph()
        return "".join(self._out)

    def _end_open_paragraph(self) -> None:
        self._close_to(0)
        self._out.append("</p>")
        self._in_paragraph = False
        self._line_open = False
        self._separate = False

    def _open(self) -> None:
        if self._pending_paragraph:
            self._out.append("<p>" + self._held)
            self._held = ""
            self._pending_paragraph = False
            self._in_paragraph = True
        for tag in self._wanted[self._opened :]:
            self._out.append(f"<{tag}>")
        self._opened = len(self._wanted)

    def _close_to(self, count: int) -> None:
        for tag in reversed(self._wanted[count : self._opened]):
            self._out.append(f"</{tag}>")
        self._opened = min(self._opened, count)
