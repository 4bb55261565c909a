"""Text from outside in the places where it is shown."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_promotion.core import untrusted
from tests.support.examples import ANY

HOSTILE = "a\x1b[2J\r\n::error::b\u2028c\u202ed\x00\ud800"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1.4.2 is red", "1.4.2 is red"),
        ("a\nb\tc\u2028d\xa0e", "a b c d e"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("\ud800", "\\ud800"),
        ("Ünï😀", "Ünï😀"),
    ],
)
def test_a_line_shows_escapes_and_no_line_breaks(text: str, shown: str) -> None:
    assert untrusted.line(text) == shown


def test_a_line_is_cut_to_its_limit() -> None:
    assert untrusted.line("x" * 10, 10) == "x" * 10
    assert untrusted.line("x" * 11, 10) == "x" * 9 + "…"
    assert len(untrusted.line("\x1b" * 1_000_000)) == untrusted.LINE_LIMIT


def test_a_reason_is_one_line_of_at_most_the_limit() -> None:
    problems = [untrusted.reason_problem(text) for text in ("x" * 300, "x" * 301, "a\nb")]
    assert [bool(problem) for problem in problems] == [False, True, True]


def test_lines_keep_line_breaks_and_tabs_alone() -> None:
    assert untrusted.lines("a\tb\n\x1bc\rd") == "a\tb\n\\x1bc d"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("1.4.2", "'1.4.2'"),
        ("it's", '"it\'s"'),
        ("\x1b\n", "'\\x1b\\n'"),
        ("x" * 101, f"'{'x' * 100}'..."),
        (1.1, "1.1"),
        (["x" * 200], "['" + "x" * 98 + "..."),
        (None, "None"),
    ],
)
def test_a_quoted_value_is_one_short_line(value: object, shown: str) -> None:
    assert untrusted.quoted(value) == shown


def test_a_terminal_line_moves_no_cursor_and_begins_no_other_line() -> None:
    shown = untrusted.terminal(HOSTILE + "\t.")
    assert "\t" in shown
    assert shown.replace("\t", "").isprintable()
    assert len(shown) == len(HOSTILE) + 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a", "`a`"),
        ("", "-"),
        ("a`b", "``a`b``"),
        ("`a", "`` `a ``"),
        ("a|b", "`a|b`"),
        ("a\nb", "`a\ufffdb`"),
        ("<script>", "`<script>`"),
        ("@team", "`@team`"),
    ],
)
def test_text_is_code_in_markdown(text: str, shown: str) -> None:
    assert untrusted.code_span(text) == shown


def test_a_cell_of_a_table_makes_no_column() -> None:
    assert untrusted.table_cell("a|b|") == "`a\\|b\\|`"


@given(st.text(ANY))
def test_no_text_ends_its_code_span_or_its_line(text: str) -> None:
    shown = untrusted.code_span(text)
    assert "\n" not in shown
    ticks = len(shown) - len(shown.lstrip("`"))
    assert shown == "-" or "`" * ticks not in shown[ticks:-ticks].strip(" ")


@given(st.text(ANY))
def test_no_cell_holds_a_bar_of_its_own(text: str) -> None:
    assert not re.search(r"(?<!\\)\|", untrusted.table_cell(text))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("healthy", "healthy"),
        ("a\x1b\nb", "a  b"),
        ("rocket 🚀!", "rocket  !"),
        ("x" * 140, "x" * 140),
        ("x" * 141, "x" * 139 + "…"),
        ("🚀" * 200, " " * 139 + "…"),
    ],
)
def test_a_status_description_is_what_every_forge_takes(text: str, shown: str) -> None:
    assert untrusted.status_description(text) == shown


def test_a_value_in_quotes_is_cut_behind_its_limit() -> None:
    assert (untrusted.quoted("abc", 3), untrusted.quoted("abcd", 3)) == ("'abc'", "'abc'...")
    assert (untrusted.quoted(12345, 5), untrusted.quoted(123456, 5)) == ("12345", "12345...")
