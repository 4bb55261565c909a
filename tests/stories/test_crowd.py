"""Hundreds of pull requests of other people: every look-up is right, and costs what it always does."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.stories.story import Story


def test_b25_b26_hundreds_of_open_and_closed_ones_hide_nothing_and_cost_nothing(
    story: "Story", pytestconfig: pytest.Config
) -> None:
    budgets = story.stage.budgets
    # Two pages of each, and with --thorough more.
    opened, closed = (150, 400) if pytestconfig.getoption("--thorough") else (110, 110)
    story.stage.crowd(opened=opened, closed=closed)
    story.lose()
    runs = story.build("1.4.2")
    assert story.tags() == ("1.4.2", "1.4.2", "1.0.0")
    mine = [pull for pull in story.stage.pulls() if pull.branch == "promote/webshop-webui"]
    assert [pull.state for pull in mine] == ["merged", "merged", "open"]
    for run in runs:
        most = {
            "new": budgets.new,
            "promote": budgets.promote + budgets.promotion,
            "status": budgets.status + run.waits * budgets.look,
        }
        assert len(run.requests) <= most[run.verb], run.requests
    # What was declined among all these is still known, and what is open is found.
    story.stage.close(mine[-1].number)
    assert story.heal()[0].results == ["declined"]
    # Only what looks through all that is open pays for it: its pages.
    story.way = "published"
    pages = -(-(opened + 1) // 100)
    again = story.run(story.stage.schedule(), "promote", "--app", "webui", "--env", "prod")
    assert again.results == ["opened"]
    look = story.look()
    assert look.results == ["updated"]
    # And before a success is said of what a person has to merge, whether it is armed is asked for anew.
    assert len(look.requests) <= (budgets.publish - 1) + pages + budgets.gate + budgets.verdict + 1
