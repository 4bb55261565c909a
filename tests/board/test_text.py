"""The board for terminals, as Markdown and as JSON."""

import json
import re
from dataclasses import replace

import pytest

from gitops_promotion.core.board import Board, Cell, Line
from gitops_promotion.render import board as renders
from gitops_promotion.render import board_text
from tests.board import boards


def many_environments(count: int) -> Board:
    names = tuple(f"region-{number:02}" for number in range(count))
    cells = [
        boards.cell(name, "1.4.2" if number < count // 2 else f"1.4.{number}") for number, name in enumerate(names)
    ]
    return replace(boards.small(), environments=names, lines=(boards.line("webshop", "webui", cells),))


def plain(board: Board, width: int = 80) -> str:
    return board_text.board(board, width=width)


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("count", [3, 30])
def test_every_line_fits_and_nothing_is_dropped(count: int, width: int) -> None:
    text = plain(many_environments(count), width)
    assert max(map(len, text.split("\n"))) <= width
    joined = " ".join(text.split())
    assert all(f"region-{number:02}" in joined for number in range(count))
    assert all(f"1.4.{number}" in joined for number in range(count // 2, count))


def test_three_environments_are_a_table() -> None:
    text = plain(boards.small())
    assert re.search(r"^ +dev +qa +prod$", text, re.MULTILINE)
    assert re.search(r"^webshop/cart +2\.0\.3 +2\.0\.3 +2\.0\.3$", text, re.MULTILINE)
    assert "waiting" in text
    assert "made 2026-01-31 12:00 UTC from a1b2c3d" in text
    assert "left out: what happened before 2025-12-01" in text


def test_equal_neighbours_are_joined() -> None:
    text = " ".join(plain(many_environments(30)).split())
    assert "region-00, region-01" in text
    assert text.count("1.4.2, 1d 6h ago #12") == 1


def test_what_waits_stands_below_with_reasons_people_and_address() -> None:
    text = " ".join(plain(boards.small(), 200).split())
    assert "#17 webshop/webui 1.4.2 to prod: waiting - approvals: 1 of 2 of ops approved" in text
    assert "- ann: approved, Looks good. - who can act: bob, carol https://github.com/acme/shop/pull/17" in text
    assert "platform/mailer in prod: prod has no marker of platform/mailer" in text
    assert "pr-123 of webshop/webui pr-123-4e8b6b5, 2d ago, https://pr-123.webui.dev.example.org" in text


def test_colours_and_links_are_for_terminals_only() -> None:
    assert "\x1b" not in plain(boards.small())
    text = board_text.board(boards.small(), colour=True, width=80)
    assert "\x1b]8;" in text
    assert "https://github.com/acme/shop/pull/17" in text
    assert re.search(r"\x1b\[[0-9;]*33m", text), "waiting is yellow"


@pytest.mark.parametrize("colour", [False, True])
def test_hostile_text_moves_no_cursor_and_makes_no_link(colour: bool) -> None:
    text = board_text.board(boards.hostile(), colour=colour, width=80)
    own = re.sub(r"\x1b\[[0-9;]*m|\x1b\]8;[^\x1b]*\x1b\\", "", text)
    assert "\x1b" not in own
    assert "\u202e" not in text
    assert "\x1b[31m\ufffd" not in text
    assert not re.search(r"\x1b\]8;[^;]*;(?!https://)[^\x1b]", text)


def test_a_board_of_nothing_says_so() -> None:
    nothing = replace(boards.small(), lines=(), features=())
    assert plain(nothing).startswith("no application\n")
    printed = plain(replace(nothing, person="ann"))
    assert printed.startswith("nothing waits\n")
    assert "decided by ann\n  nothing" in printed


# -- Markdown


def test_markdown_has_the_table_and_what_waits() -> None:
    text = renders.markdown(boards.small())
    assert "| application | `dev` | `qa` | `prod` |\n" in text
    assert "| [#17](https://github.com/acme/shop/pull/17) | `webshop/webui` | `1.4.2` | `prod` | waiting |" in text
    assert "- `platform/mailer` in `prod`: `prod has no marker of platform/mailer`" in text
    assert "- left out: `what happened before 2025-12-01: the clone is shallow`" in text


def test_hostile_text_is_code_in_markdown() -> None:
    text = renders.markdown(boards.hostile())
    outside = re.sub(r"(`+).*?\1", "", text)
    assert not re.search(r"<(?!br>)|alert|javascript|##vso", outside)
    rows = [line for line in text.split("\n") if line.startswith("| ")]
    widths = {
        len(
            re.findall(
                r"(?<!\\)\|",
                re.sub(r"(?<!\\)(`+)[^`].*?\1", lambda m: m[0].replace("|", "x") if "\\|" not in m[0] else m[0], row),
            )
        )
        for row in rows
    }
    assert widths <= {4, 8}


def test_markdown_fits_into_an_issue() -> None:
    board = replace(boards.large(900), left_out=tuple(f"reason {number}" * 9 for number in range(900)))
    text = renders.markdown(board)
    assert renders.MARKDOWN_LIMIT * 0.9 < len(text) <= renders.MARKDOWN_LIMIT
    assert re.search(r"and \d+ more applications", text)
    assert len(re.findall(r"^and \d+ more$", text, re.MULTILINE)) == 2


# -- JSON


def test_the_document_has_every_key_of_the_form() -> None:
    document = json.loads(renders.json_v1(boards.small()))
    assert list(document) == ["version", "commit", "made_at", "left_out", "applications", "features"]
    assert document["made_at"] == "2026-01-31T12:00:00+00:00"
    mailer, _, webui = document["applications"]
    assert list(webui) == ["group", "app", "environments"]
    cell = webui["environments"][2]
    assert list(cell) == (
        ["environment", "tag", "since", "sha", "pull_request", "behind", "open", "holds", "declined", "problems"]
    )
    assert cell["behind"] == {"versions": 2, "commits": None, "days": 3.5, "of": "qa"}
    assert {key: cell["open"][key] for key in ("pull_request", "decision", "who")} == {
        "pull_request": 17,
        "decision": "wait",
        "who": ["bob", "carol"],
    }
    assert len(cell["open"]["reasons"]) == 2
    absent = mailer["environments"][2]
    assert (absent["tag"], absent["since"], absent["open"], absent["holds"]) == (None, None, None, [])
    assert absent["problems"] == ["prod has no marker of platform/mailer"]
    assert document["features"][0]["url"] == "https://pr-123.webui.dev.example.org"


def test_the_document_of_one_person_has_what_was_decided() -> None:
    document = json.loads(renders.json_v1(boards.hostile()))
    assert document["mine"] == boards.HOSTILE
    assert document["decided"][0]["comment"] == boards.HOSTILE
    assert "##vso" not in renders.json_v1(boards.hostile())


def test_a_cell_without_anything_is_a_dash() -> None:
    board = replace(
        boards.small(), lines=(Line(application=boards.small().lines[0].application, cells=(Cell(environment="dev"),)),)
    )
    assert re.search(r"^platform/mailer +- +- +-$", plain(board), re.MULTILINE)
