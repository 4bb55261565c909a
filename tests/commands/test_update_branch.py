"""GitHub's "Update branch" button, and what a person may have done under the same name."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

BRANCH = "promote/webshop-webui"


def merge_main(shop: "Shop", *, email: str = "noreply@github.com", more: str = "") -> str:
    """Merge main into the promotion branch as GitHub's own pages do; `more` is a change of a person's in it."""
    remote = shop.remote
    head, main = remote.sha(BRANCH), remote.sha("main")
    tree = remote.git("merge-tree", "--write-tree", head, main)
    if more:
        blob = remote.git("hash-object", "-w", "--stdin", stdin=more)
        listed = remote.git("ls-tree", tree).splitlines()
        lines = [line for line in listed if not line.endswith("\tREADME.md")]
        tree = remote.git("mktree", stdin="\n".join([*lines, f"100644 blob {blob}\tREADME.md"]) + "\n")
    message = f"Merge branch 'main' into {BRANCH}"
    name = ("-c", f"user.email={email}", "-c", "user.name=GitHub")
    made = remote.git(*name, "commit-tree", tree, "-p", head, "-p", main, "-m", message)
    remote.git("update-ref", f"refs/heads/{BRANCH}", made)
    return made


@pytest.fixture
def proposed(shop: "Shop", like_github: None) -> "Shop":
    """A promotion into qa is open, and main has moved on."""
    shop.new("1.4.2")
    assert shop.run("promote").results == ["opened"]
    shop.edit({"README.md": "# Other work\n"})
    return shop


def test_a_plain_merge_of_main_is_no_persons_work_and_is_kept(proposed: "Shop") -> None:
    made = merge_main(proposed)
    assert proposed.run("promote", "--all").results == ["unchanged"]
    assert proposed.remote.sha(BRANCH) == made


def test_a_conflict_that_a_person_solved_on_githubs_pages_is_never_overwritten(proposed: "Shop") -> None:
    made = merge_main(proposed, more="# Both\n")
    stopped = proposed.run("promote", "--all", code=2).only
    assert f"has 1 commit by someone else ({made[:7]} \"Merge branch 'main' into" in stopped["message"]
    assert proposed.remote.sha(BRANCH) == made


def test_a_merge_that_a_person_made_elsewhere_is_theirs_however_plain(proposed: "Shop") -> None:
    made = merge_main(proposed, email="ann@example.org")
    assert "by someone else" in proposed.run("promote", "--all", code=2).only["message"]
    assert proposed.remote.sha(BRANCH) == made
