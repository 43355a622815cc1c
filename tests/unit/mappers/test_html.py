"""The body of a note: no word lost, only the national subset out, active content refused."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree

from mappers.html import clean_html, clean_html_slowly, clean_plain, is_clean

SUBSET = {"p", "br", "b", "i", "u", "tt"}
TAG = re.compile(r"<[^>]*>")

WORDS = ["BT", "Årskontrol", "138/82", "hjerte", "x", "8,2"]
TAGS = [
    "p", "div", "b", "strong", "i", "em", "u", "ins", "tt", "code", "pre", "x:p", "x:b", "x:em",
    "span", "ul", "ol", "li", "table", "tr", "td", "h1", "font", "sub", "blockquote", "B", "P",
    "o:p",
]  # fmt: skip
words = st.sampled_from(WORDS)
signs = st.sampled_from(
    [" ", "\n", "  ", "\t", "\r\n", " < ", " <140", " > ", " & ", "&lt;", "&amp;", "&aelig;",
     "&#248;", "&region", "<", ">", "\xa0", "<br>", "<br/>", "<BR />", "<x:br/>", "<hr>",
     "<!-- -->", "\x01"]
)  # fmt: skip
tags = st.sampled_from(TAGS).flatmap(
    lambda name: st.sampled_from([f"<{name}>", f"</{name}>", f'<{name} class="q">'])
)
soup = st.lists(words | signs | tags, max_size=40).map("".join)

# What is already clean, built from its grammar and not from the pattern under test.
leaves = st.lists(
    words | st.sampled_from([" ", "\n", "&lt;", "&gt;", "&amp;", "\xa0", "<br/>", "æøå 😀"]),
    max_size=5,
).map("".join)
inlines = st.recursive(
    leaves,
    lambda inner: st.lists(
        leaves
        | st.tuples(st.sampled_from(["b", "i", "u", "tt"]), inner).map(
            lambda pair: f"<{pair[0]}>{pair[1]}</{pair[0]}>"
        ),
        max_size=4,
    ).map("".join),
    max_leaves=6,
)
clean_soup = st.lists(inlines | inlines.map(lambda inner: f"<p>{inner}</p>"), max_size=5).map(
    "".join
)


def visible_words(html: str) -> str:
    return re.sub(r"\s+", "", TAG.sub("", html))


def assert_in_subset(html: str) -> None:
    root = etree.fromstring(
        f"<root>{html}</root>".encode(), etree.XMLParser(resolve_entities=False)
    )
    for element in root.iterdescendants():
        assert element.tag in SUBSET
        assert not element.attrib
    assert not root.xpath("//p//p | //p/ancestor::*[self::b or self::i or self::u or self::tt]")
    assert set(re.findall(r"&[^;]*;", html)) <= {"&amp;", "&lt;", "&gt;"}
    assert "<br></br>" not in html


@given(soup)
@example("<b><p>x</b>y</p>")
@example("a<div></div>b")
@example("<ul><li><p></p></li></ul>x")
@settings(max_examples=300)
def test_what_comes_out_is_in_the_subset_and_stays_as_it_is(text: str) -> None:
    cleaned = clean_html(text)
    if cleaned.issues:
        assert [issue.code for issue in cleaned.issues] == ["TEXT-EMPTY"]
        return
    assert_in_subset(cleaned.html)
    again = clean_html(cleaned.html)
    assert again.html == cleaned.html
    assert not again.warnings
    assert clean_html_slowly(cleaned.html).html == cleaned.html


@given(st.lists(words, min_size=1, max_size=12), st.data())
@settings(max_examples=300)
def test_no_word_is_lost_or_moved(chosen: list[str], data: st.DataObject) -> None:
    text = ""
    for word in chosen:
        between = data.draw(st.lists(signs.filter(lambda s: "&" not in s) | tags, max_size=3))
        # A sign that would join with the word into something else keeps its distance.
        text += "".join(between) + " " + word + " "
    cleaned = clean_html(text)
    assert not cleaned.issues
    shown = TAG.sub(" ", cleaned.html)
    at = 0
    for word in chosen:
        found = shown.find(word, at)
        assert found >= 0
        at = found + len(word)


@given(clean_soup)
@settings(max_examples=500)
def test_the_glance_agrees_with_the_long_way(text: str) -> None:
    if not is_clean(text):
        return
    fast, slow = clean_html(text), clean_html_slowly(text)
    assert fast.issues == slow.issues
    assert fast.warnings == slow.warnings == ()
    assert fast.html == slow.html
    if not fast.issues:
        assert fast.html == text


@given(soup)
@settings(max_examples=300)
def test_the_glance_agrees_on_soup_too(text: str) -> None:
    if is_clean(text) and not clean_html(text).issues:
        assert clean_html_slowly(text).html == text


@pytest.mark.parametrize(
    "text",
    [
        "<p>Årskontrol: BT 138/82 mmHg</p>",
        "Uden afsnit",
        "<p><b>Objektivt:</b> st.p. og st.c. u.a.</p><p> <i><b>x</b></i></p>",
        "<p>a<br/>b &lt; c &amp; d</p>\n<p><b>fed <i>og kursiv</i></b> <tt>x</tt><u>u</u></p>",
    ],
)
def test_ordinary_clean_text_is_seen_at_a_glance(text: str) -> None:
    assert is_clean(text)
    assert clean_html(text).html == text


@pytest.mark.parametrize(
    "text",
    ["<p></p>", "a<b></b>", "<p> </p>a", "<b><b>a</b></b>", "<b><p>a</p></b>", "<p><p>a</p></p>",
     "<p><b> </b>a</p>", "<p> <b></b>a</p>", "<p><b><b>a</b></b></p>",
     "a\tb", "a\rb", "a\x85b", "a\x00b", "a&nbsp;b", "a&b", "a>b", "<br>", "<P>a</P>", "a\ud800"],
)  # fmt: skip
def test_what_would_change_is_not_passed_at_a_glance(text: str) -> None:
    assert not is_clean(text)


@given(st.text(max_size=200))
@settings(max_examples=300)
def test_any_text_whatever_gives_the_subset_or_an_issue(text: str) -> None:
    for cleaned in (clean_html(text), clean_plain(text)):
        if cleaned.issues:
            assert cleaned.html == ""
        else:
            assert_in_subset(cleaned.html)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("BT <140/90", "BT &lt;140/90"),
        ("CRP <b og puls > 60", "CRP &lt;b og puls &gt; 60"),
        ("før <p efter uden ende", "før &lt;p efter uden ende"),
        ("<div>a</div><div>b</div>", "<p>a</p><p>b</p>"),
        ("<strong>a</strong><em>b</em><ins>c</ins>", "<b>a</b><i>b</i><u>c</u>"),
        ("<code>a</code><kbd>b</kbd><samp>c</samp>", "<tt>a</tt><tt>b</tt><tt>c</tt>"),
        ("<x:p>hej <x:em>du</x:em><x:br/></x:p>", "<p>hej <i>du</i><br/></p>"),
        ("<b>a<i>b</b>c</i>", "<b>a<i>b</i></b><i>c</i>"),
        ("<b>a<p>b</p>c</b>", "<b>a</b><p><b>b</b></p><b>c</b>"),
        ("<p>a<p>b", "<p>a</p><p>b</p>"),
        ("a<br>b<BR />c", "a<br/>b<br/>c"),
        ("<pre>en\n  to</pre>", "<tt>en<br/>  to</tt>"),
        ("&aelig;&#248;&#xe5; &nbsp;&copy;", "æøå \xa0©"),
        ("AT&T, &region &lt;b&gt;", "AT&amp;T, &amp;region &lt;b&gt;"),
        ("a\tb\r\nc\rd", "a b<br/>c<br/>d"),
        ("<![CDATA[a<b &lt;]]>", "a&lt;b &amp;lt;"),
    ],
)
def test_what_the_standard_has_is_mapped_without_a_warning(text: str, html: str) -> None:
    cleaned = clean_html(text)
    assert (cleaned.html, cleaned.warnings, cleaned.issues) == (html, (), ())


@pytest.mark.parametrize(
    ("text", "html", "named"),
    [
        ("<ul><li>a</li><li>b</li></ul>c", "- a<br/>- b<br/>c", ["<ul>", "<li>"]),
        (
            "<table><tr><td>Hb</td><td>8,2</td></tr></table>",
            "Hb<br/>8,2",
            ["<table>", "<tr>", "<td>"],
        ),
        ("<h1>A</h1>b", "A<br/>b", ["<h1>"]),
        ("10<sup>9</sup>/L", "10^9/L", ["<sup>"]),
        ("<span>a</span><span>b</span>", "ab", ["<span>"]),
        ('<p style="color:red" id="x">a</p>', "<p>a</p>", ["style="]),
        ('<img src="https://x.dk/a.png" alt="hjertet">', "hjertet", ["<img>", "src=", "alt="]),
        ("<o:p>a</o:p>", "a", ["unknown element"]),
        ("<ukendt>a</ukendt>", "a", ["unknown element"]),
        ("<head>a", "a", ["<head>"]),
    ],
)
def test_other_formatting_is_flattened_with_one_warning_a_kind(
    text: str, html: str, named: list[str]
) -> None:
    cleaned = clean_html(text)
    assert cleaned.html == html
    assert not cleaned.issues
    assert {warning.code for warning in cleaned.warnings} == {"FORMAT-FLATTENED"}
    assert len(cleaned.warnings) == len(named)
    for warning, name in zip(cleaned.warnings, named, strict=True):
        assert f" {name} " in warning.message_da
        assert f" {name} " in warning.message_en


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a<!-- b -->c", "comment"),
        ("<title>t</title>ac", "<title> with its text"),
        ("<template>x</template>ac", "<template> with its text"),
        ("a<?xml x?>c", "processing instruction"),
        ("<!DOCTYPE html>ac", "doctype"),
    ],
)
def test_what_no_reader_was_shown_is_removed_and_told(text: str, named: str) -> None:
    cleaned = clean_html(text)
    assert cleaned.html == "ac"
    assert [warning.code for warning in cleaned.warnings] == ["HIDDEN-REMOVED"]
    assert f"({named})" in cleaned.warnings[0].message_en


def test_a_word_in_angle_brackets_is_text_and_never_named_in_a_warning() -> None:
    cleaned = clean_html("Kontakt <mor> og <3001749995x y=1>, mail <a@b.dk>")
    assert cleaned.html == "Kontakt &lt;mor&gt; og &lt;3001749995x y=1&gt;, mail &lt;a@b.dk&gt;"
    assert cleaned.warnings == ()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("<script>alert(1)</script>", "line 1 column 1"),
        ("a\nb <SCRIPT src=x>", "line 2 column 3"),
        ("a<scr\x00ipt>x</script>", "line 1 column 2"),
        ("a <scr<script>ipt>", "line 1 column 7"),
        ("a<style>p{}</style>", "line 1 column 2"),
        ('<p onclick="x()">a</p>', "line 1 column 1"),
        ("<p/onmouseover=x>a</p>", "line 1 column 1"),
        ('<p onclick="if(a<b)x()">a</p>', "line 1 column 1"),
        ("<x:p x:onclick='a'>a</x:p>", "line 1 column 1"),
        ('a<a href="javascript:x()">b</a>', "line 1 column 2"),
        ('a<a href=" jAva&#10;scr\tipt&colon;x()">b</a>', "line 1 column 2"),
        ("a<a href=vbscript:x>b</a>", "line 1 column 2"),
        ('a<img src="data:image/png;base64,AA">', "line 1 column 2"),
        ('<p style="width:expression(x)">a</p>', "line 1 column 1"),
        ('<p style="background:url(javascript:x)">a</p>', "line 1 column 1"),
        *((f"a <{name} x='1'>b", "line 1 column 3") for name in (
            "object", "embed", "iframe", "form", "input", "svg", "link", "meta", "base")),
        ("a<svg/onload=x>", "line 1 column 2"),
        ("a<script src=x", "line 1 column 2"),
        ("<head><script>x</script></head>a", "line 1 column 7"),
        ("<template><img onerror=x></template><iframe></iframe>a", "line 1 column 37"),
        ("<x:script>a</x:script>b", "line 1 column 1"),
    ],
)  # fmt: skip
def test_active_content_is_refused_with_its_place(text: str, place: str) -> None:
    cleaned = clean_html(text)
    assert [issue.code for issue in cleaned.issues] == ["HTML-ACTIVE-CONTENT"]
    assert cleaned.issues[0].path == f"$.text.html@{place}"
    assert cleaned.html == ""


def test_every_active_place_is_told_up_to_a_limit() -> None:
    cleaned = clean_html("a<script></script>\n<iframe></iframe>b", "$.x")
    assert [issue.path for issue in cleaned.issues] == [
        "$.x@line 1 column 2",
        "$.x@line 2 column 1",
    ]
    assert len(clean_html("<embed>" * 1000).issues) == 20


@pytest.mark.parametrize(
    "text",
    ["", " ", "<p></p>", "<p>&nbsp;</p>", "<b> </b><br/>", "\u200b\ufeff", "\x00",
     "<ul><li></li></ul>", "<!-- a -->", "<p>\xa0</p>"],
)  # fmt: skip
def test_a_body_without_visible_text_is_refused(text: str) -> None:
    assert [issue.code for issue in clean_html(text).issues] == ["TEXT-EMPTY"]


@pytest.mark.parametrize("text", ["", " \r\n\t", "\x00", "\xa0"])
def test_blank_plain_text_is_refused(text: str) -> None:
    assert [issue.code for issue in clean_plain(text).issues] == ["TEXT-EMPTY"]


@pytest.mark.parametrize("text", ["a\x07b", "a&#7;b", "a\x9fb", "a\ufffeb", "a\udc00b"])
def test_control_characters_are_removed_with_one_warning(text: str) -> None:
    cleaned = clean_html(text)
    assert cleaned.html == "ab"
    assert [warning.code for warning in cleaned.warnings] == ["CONTROL-REMOVED"]


def test_plain_text_is_escaped_and_keeps_its_lines() -> None:
    cleaned = clean_plain("BT <140/90 & <script>\r\nto\rtre\n\nfem\tseks\x07")
    assert cleaned.html == ("BT &lt;140/90 &amp; &lt;script&gt;<br/>to<br/>tre<br/><br/>fem seks")
    assert [warning.code for warning in cleaned.warnings] == ["CONTROL-REMOVED"]


def test_no_text_shows_in_a_repr() -> None:
    assert "hjerte" not in repr(clean_html("<p>hjerte</p>"))


@pytest.mark.parametrize(
    "piece",
    ["<", "<a ", '<a "', "<a '", "<!--", "<![CDATA[", "<?x ", "</p", "<p><b>", "<b>a<p>", "<head>",
     "<head></head", "<template><template>", "<q>", "<q", "<li>", "<b><i>x</b>", "&#x;",
     "<ul><li>a", '<a x="<" ', "<script ", "<!doctype ", "<svg>", "<p/>"],
)  # fmt: skip
def test_hostile_repetition_takes_linear_time(piece: str) -> None:
    started = time.process_time()
    clean_html("a" + piece * (400_000 // len(piece)) + "</head><body>")
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("BT\n140\r\n82", "BT<br/>140<br/>82"),
        ("a &lt; b\x85c < d", "a &lt; b<br/>c &lt; d"),
        ("<span>BT\n140</span>", "BT 140"),
        ("CRP <b og puls > 60\nBT", "CRP &lt;b og puls &gt; 60<br/>BT"),
        ("<b>BT</b>\n140", "<b>BT</b>\n140"),
    ],
)
def test_bare_line_breaks_are_read_in_one_way(given_text: str, expected: str) -> None:
    assert clean_html(given_text).html == expected
    assert clean_html(expected).html == expected
