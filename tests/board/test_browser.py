"""The page of the board in a headless Chromium."""

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.core.board import Board
from gitops_promotion.render import page
from tests.board import boards

if TYPE_CHECKING:
    from tests.board.browser import Browser

pytestmark = pytest.mark.browser

Open = Callable[..., None]
VISIBLE = "[...document.querySelectorAll('tr.line')].filter(row => row.offsetParent).map(row => row.dataset.key)"
OPEN = "[...document.querySelectorAll('tr.way')].filter(row => row.offsetParent).length"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture
def show(browser: "Browser", folder: Path) -> Open:
    def opened(board: Board, name: str, fragment: str = "", **how: Any) -> None:
        path = folder / f"{name}.html"
        if not path.exists():
            path.write_text(page.board(board), encoding="utf-8")
        browser.open(path, fragment, **how)

    return opened


def test_it_asks_for_nothing_and_complains_about_nothing(browser: "Browser", show: Open) -> None:
    for board, name in ((boards.small(), "small"), (boards.hostile(), "hostile")):
        show(board, name)
        assert [request for request in browser.requests if not request.startswith("file:")] == []
        assert len(browser.requests) == 1
        assert browser.complaints == []


def test_a_script_that_came_in_would_not_run(browser: "Browser", show: Open) -> None:
    show(boards.hostile(), "hostile")
    browser.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">');"
        "const script = document.createElement('script'); script.textContent = 'window.ran = 2';"
        "document.body.append(script)"
    )
    assert browser.evaluate("window.ran") is None


@pytest.mark.parametrize(
    ("fragment", "keys"),
    [
        ("", ["platform/mailer", "webshop/cart", "webshop/webui"]),
        ("#group=webshop", ["webshop/cart", "webshop/webui"]),
        ("#state=waiting", ["webshop/webui"]),
        ("#state=waiting&env=dev", []),
        ("#env=prod&state=problem", ["platform/mailer"]),
        ("#who=carol", ["webshop/webui"]),
        ("#q=CART", ["webshop/cart"]),
        ("#q=webui+1.4.3", ["webshop/webui"]),
        ("#group=nobody", ["platform/mailer", "webshop/cart", "webshop/webui"]),
    ],
)
def test_filters_are_kept_in_the_address(browser: "Browser", show: Open, fragment: str, keys: list[str]) -> None:
    show(boards.small(), "small", fragment)
    assert browser.evaluate(VISIBLE) == keys
    assert browser.evaluate("count.textContent") == f"{len(keys)} of 3 applications"


@pytest.mark.parametrize(
    ("fragment", "keys"),
    [
        ("#order=urgent", ["platform/mailer", "webshop/webui", "webshop/cart"]),
        ("#order=newest", ["webshop/webui", "platform/mailer", "webshop/cart"]),
        ("#order=nothing", ["platform/mailer", "webshop/cart", "webshop/webui"]),
    ],
)
def test_the_order_is_kept_in_the_address_and_a_row_stays_with_its_way(
    browser: "Browser", show: Open, fragment: str, keys: list[str]
) -> None:
    show(boards.small(), "small", f"{fragment}&open=webshop/webui")
    assert browser.evaluate(VISIBLE) == keys
    way = "document.querySelector('tr.way:not([hidden])')"
    assert browser.evaluate(f"{way}.previousElementSibling.dataset.key") == "webshop/webui"


def test_an_environment_hides_the_columns_of_the_others(browser: "Browser", show: Open) -> None:
    show(boards.small(), "small", "#env=qa")
    heads = "[...document.querySelectorAll('thead th')].filter(head => head.offsetParent).map(head => head.textContent)"
    assert browser.evaluate(heads) == ["Application", "qa"]


def test_a_hostile_name_is_a_filter_like_any_other(browser: "Browser", show: Open) -> None:
    show(boards.hostile(), "hostile")
    names = browser.evaluate("[...document.forms[0].elements.who.options].map(option => option.value)")
    assert len(names) == 3
    browser.evaluate(
        "document.forms[0].elements.who.selectedIndex = 1;document.forms[0].dispatchEvent(new Event('input'))"
    )
    assert browser.evaluate(VISIBLE) == ["g/a"]
    assert browser.evaluate("location.hash").startswith("#who=")


def test_typing_clicking_and_resetting_change_the_address(browser: "Browser", show: Open) -> None:
    show(boards.small(), "small")
    browser.press("/")
    browser.type("webui")
    assert browser.evaluate(VISIBLE) == ["webshop/webui"]
    browser.evaluate("document.querySelector('tr.line:not([hidden]) button').click()")
    assert browser.evaluate("location.hash") == "#q=webui&open=webshop%2Fwebui"
    assert browser.evaluate(OPEN) == 1
    browser.evaluate("document.querySelector('.summary [data-state=problem]').click()")
    assert browser.evaluate("location.hash") == "#q=webui&state=problem&open=webshop%2Fwebui"
    assert browser.evaluate(VISIBLE) == []
    browser.evaluate("document.querySelector('[type=reset]').click(); new Promise(done => setTimeout(done))")
    assert browser.evaluate("location.hash") == ""
    assert len(browser.evaluate(VISIBLE)) == 3


def test_a_row_opens_and_closes_by_keyboard(browser: "Browser", show: Open) -> None:
    show(boards.small(), "small")
    button = "document.querySelectorAll('tr.line button')[2]"
    browser.evaluate(f"{button}.focus()")
    browser.press("Enter")
    assert browser.evaluate(f"{button}.getAttribute('aria-expanded')") == "true"
    assert browser.evaluate(OPEN) == 1
    browser.press("Escape")
    assert browser.evaluate(OPEN) == 0
    assert browser.evaluate(f"document.activeElement === {button}")


def test_an_open_row_is_found_again_by_its_address(browser: "Browser", show: Open) -> None:
    show(boards.small(), "small", "#open=webshop/webui")
    way = "document.querySelector('tr.way:not([hidden])')"
    assert browser.evaluate(f"{way}.previousElementSibling.dataset.key") == "webshop/webui"
    link = f"{way}.querySelector('a.button').href"
    assert browser.evaluate(link) == "https://github.com/acme/shop/pull/17"
    assert browser.evaluate(f"{way}.querySelectorAll('svg rect').length") == 3


@pytest.mark.parametrize("width", [360, 820, 1600])
def test_nothing_is_wider_than_the_screen(browser: "Browser", show: Open, width: int) -> None:
    for board, name, row in (
        (boards.small(), "small", "webshop/webui"),
        (boards.large(12), "some", "team-6/service-006"),
        (boards.hostile(), "hostile", "g/a"),
    ):
        show(board, name, f"#open={row}", width=width)
        assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, width)


def test_dark_is_dark(browser: "Browser", show: Open) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    show(boards.small(), "small", dark=True)
    dark = browser.evaluate(colour)
    show(boards.small(), "small")
    assert (dark, browser.evaluate(colour)) == ("rgb(20, 23, 27)", "rgb(255, 255, 255)")


def test_300_applications_are_filtered_in_a_moment(browser: "Browser", show: Open) -> None:
    show(boards.large(), "large")
    milliseconds = browser.evaluate(
        "(() => { const start = performance.now();"
        "for (const text of ['t', 'te', 'team-3']) { document.forms[0].elements.q.value = text;"
        "document.forms[0].dispatchEvent(new Event('input')); document.body.offsetHeight; }"
        "return performance.now() - start })()"
    )
    assert len(browser.evaluate(VISIBLE)) == 25
    # A tenth of it on the machine of the author: only a loop within a loop takes longer.
    assert milliseconds < 3000


@pytest.mark.parametrize(("width", "dark"), [(360, False), (1280, True)])
def test_axe_finds_no_barrier(browser: "Browser", show: Open, width: int, dark: bool) -> None:
    axe = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    for board, name, row in (
        (boards.small(), "small", "webshop/webui"),
        (boards.large(12), "some", "team-6/service-006"),
    ):
        show(board, name, f"#open={row}", width=width, dark=dark)
        browser.evaluate(axe)
        found = browser.evaluate("axe.run().then(result => JSON.stringify(result.violations))")
        violations = [(each["id"], [node["html"][:150] for node in each["nodes"]][:3]) for each in json.loads(found)]
        assert violations == []


def test_the_age_of_the_page_is_told_and_an_old_one_stands_out(browser: "Browser", show: Open) -> None:
    show(boards.small(), "small")
    assert browser.evaluate("made.textContent").endswith(" days ago")
    assert browser.evaluate("made.parentElement.classList.contains('old')")
