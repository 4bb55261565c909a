"""The page of the board as text: complete in itself, and nothing from outside is markup or code."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from gitops_promotion.core.board import Board
from gitops_promotion.render import page
from tests.board import boards
from tests.board.boards import HOSTILE


class Tags(HTMLParser):
    """The tags of a page with their attributes, and the text of elements."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def hashes(text: str, tag: str) -> list[str]:
    contents = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digests = (hashlib.sha256(content.encode()).digest() for content in contents)
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


@pytest.mark.parametrize("board", [boards.small(), boards.hostile()], ids=["small", "hostile"])
def test_the_policy_allows_this_script_and_these_styles_and_nothing_else(board: Board) -> None:
    text = page.board(board)
    meta = next(a for a in Tags(text).all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    policy = str(meta["content"])
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["script-src"].split() == hashes(text, "script")
    assert directives["style-src"].split() == hashes(text, "style")
    assert text.index("Content-Security-Policy") < text.index("<style>")


def test_nothing_is_loaded_from_anywhere() -> None:
    tags = Tags(page.board(boards.large(5)))
    assert {"img", "link", "iframe", "object", "embed", "base", "video", "audio"} & {
        tag for tag, _ in tags.tags
    } == set()
    loading = {"src", "srcset", "action", "formaction", "style", "poster", "background", "ping"}
    assert [(tag, a) for tag, a in tags.tags if loading & a.keys() or any(key.startswith("on") for key in a)] == []
    assert "@import" not in (text := page.board(boards.small()))
    assert "url(" not in text


def test_hostile_text_is_text_wherever_it_stands() -> None:
    text = page.board(boards.hostile())
    tags = Tags(text)
    assert text.count("<script>") == 1
    assert tags.all("img") == []
    assert all(str(a["href"]).startswith("https://") for a in tags.all("a"))
    assert "javascript:alert" not in str([a for _, a in tags.tags if "href" in a])
    assert "\x1b" not in text
    assert "\u202e" not in text
    shown = HOSTILE.replace("\x1b", "\ufffd").replace("\u202e", "\ufffd").replace("\n", "\ufffd")
    assert sum(shown in part for part in tags.texts) > 15


def test_a_page_says_everything_that_the_board_has() -> None:
    text = " ".join(" ".join(Tags(page.board(boards.small())).texts).split())
    for expected in (
        "What is where",
        "a1b2c3d",
        "Left out: 1",
        "prod has no marker of platform/mailer",
        "approvals: 1 of 2 of ops approved; one more of bob, carol",
        "who can act: bob, carol",
        "ann approved 1h ago Looks good.",
        "2 versions behind qa, for 3.5 days",
        "Open #17 to approve, merge or decline",
        "https://pr-123.webui.dev.example.org",
    ):
        assert expected in text, expected


def test_labels_and_headings_are_there_for_a_screen_reader() -> None:
    tags = Tags(page.board(boards.small()))
    assert tags.all("html") == [{"lang": "en"}]
    assert len(tags.all("caption")) == len(tags.all("h1")) == len(tags.all("main")) == 1
    assert [a.get("scope") for a in tags.all("th")] == ["col"] * 4 + ["row"] * 3
    assert len({a["id"] for _, a in tags.tags if "id" in a}) == sum("id" in a for _, a in tags.tags)
    controls = [a["aria-controls"] for a in tags.all("button") if "aria-controls" in a]
    assert controls == [f"way{number}" for number in (1, 2, 3)]


def test_300_applications_make_a_page_of_a_bearable_size() -> None:
    assert len(page.board(boards.large())) < 4_000_000
