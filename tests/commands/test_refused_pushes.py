"""A server that refuses pushes: a promotion goes on where it can, and says what to set where it cannot."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

BRANCH = "promote/webshop-webui"


@pytest.fixture
def no_force(shop: "Shop", config: Callable[..., str]) -> "Shop":
    """A remote like that of `git init --shared`, and promotions into dev that wait for a person."""
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.remote.git("config", "receive.denyNonFastForwards", "true")
    return shop


def test_a_newer_tag_takes_the_open_promotion_over_without_a_forced_push(no_force: "Shop") -> None:
    no_force.new("1.4.2")
    first = no_force.remote.sha(BRANCH)
    no_force.edit({"README.md": "# Other work\n"})
    run = no_force.new("1.5.0")
    assert run.results == ["updated"]
    assert "allows no forced push" in run.stderr
    head = no_force.remote.sha(BRANCH)
    assert no_force.remote.git("rev-list", "--parents", "-1", head).split()[1:] == [
        no_force.remote.sha("main"),
        first,
    ]
    assert no_force.remote.git("diff", "--numstat", "main", head) == "1\t1\twebshop/dev/webui.yaml"


def test_such_a_branch_is_the_tools_own_and_goes_all_the_way(no_force: "Shop") -> None:
    for tag in ("1.4.2", "1.5.0", "1.6.0"):
        no_force.new(tag)
        no_force.edit({"README.md": f"# {tag}\n"})
    assert no_force.new("1.6.0").results == ["unchanged"]
    assert no_force.check(1).results == ["passed"]
    no_force.local("merge", "1")
    assert no_force.tags() == ("1.6.0", "1.0.0", "1.0.0")
    assert no_force.run("promote").results == ["opened"]


def test_a_persons_commit_on_such_a_branch_is_still_theirs(no_force: "Shop") -> None:
    no_force.new("1.4.2")
    no_force.new("1.5.0")
    no_force.edit({"README.md": "# By hand\n"}, branch=BRANCH)
    stopped = no_force.new("1.6.0", code=2).only
    assert "has 1 commit by someone else" in stopped["message"]


def test_a_refusal_says_that_auto_merge_is_off_now(shop: "Shop") -> None:
    shop.opened("1.4.2")
    hook = shop.remote.path / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\ncase "$1" in refs/heads/promote/*) exit 1;; esac\n')
    hook.chmod(0o755)
    stderr = shop.new("1.5.0", code=5).stderr
    assert "auto-merge of pull request #2 is off now" in stderr
    assert "ask an administrator of the server" in stderr
