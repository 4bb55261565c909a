"""The browser of the tests of the page, one for all of them."""

from typing import TYPE_CHECKING

import pytest

from tests.board import browser as chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.board.browser import Browser


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A headless Chromium; without one on the machine the test is skipped.

    It ends with the module, as it works on while other tests run.
    """
    program = chromium.find()
    if program is None:
        pytest.skip("no Chromium on this machine: install it, or set CHROMIUM to its path")
    try:
        started = chromium.Browser(program)
    except (AssertionError, OSError) as error:
        pytest.skip(f"{program} does not start: {error}")
    with started:
        yield started
