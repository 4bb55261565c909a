"""People of a plain git server merge with git itself, and promotions go on all the same."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

BRANCH = "promote/webshop-webui"
WAYS = pytest.mark.parametrize("way", ["--no-ff", "--ff-only"])


def merge_by_hand(shop: "Shop", way: str) -> str:
    """Merge the promotion as a person does in a clone, and push; returns the commit that main is at then."""
    git = shop.checkout.git
    git("fetch", "--quiet", "origin")
    git("checkout", "--quiet", "-B", "main", "origin/main")
    git("merge", "--quiet", way, f"origin/{BRANCH}")
    git("push", "--quiet", "origin", "main")
    return shop.remote.sha("main")


@WAYS
@pytest.mark.parametrize("deleted", [False, True], ids=["branch kept", "branch deleted"])
def test_a_merge_by_plain_git_is_promoted_on(shop: "Shop", way: str, deleted: bool) -> None:
    shop.new("1.4.2")
    first = shop.run("promote").only["pull_request"]
    assert first["auto_merge"]
    merged = merge_by_hand(shop, way)
    if deleted:
        shop.remote.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    assert shop.tags() == ("1.4.2", "1.4.2", "1.0.0")
    second = shop.run("promote", "--all").only
    assert (second["result"], second["environment"], second["tag"]) == ("opened", "prod", "1.4.2")
    assert second["pull_request"]["number"] == first["number"] + 1
    rows = [line.split()[:2] for line in shop.local("list", "--all").splitlines()[1:]]
    assert rows == [["#3", "open"], ["#2", "merged"], ["#1", "merged"]]
    assert shop.remote.sha("main") == merged, "nothing was merged again"


@WAYS
def test_its_check_merges_nothing_again(shop: "Shop", way: str) -> None:
    shop.new("1.4.2")
    pull = shop.run("promote").only["pull_request"]
    merged = merge_by_hand(shop, way)
    shop.flux("dev")
    shop.check(pull["number"])
    assert shop.remote.sha("main") == merged
    assert "merged" in shop.local("show", str(pull["number"]))
    assert shop.run("promote", "--all").only["environment"] == "prod"


def test_a_branch_deleted_without_a_merge_is_no_decline(shop: "Shop") -> None:
    shop.opened("1.4.2")
    shop.remote.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    shop.edit({"README.md": "# Meanwhile\n"})
    assert shop.run("promote", "--all").results == ["opened"]
