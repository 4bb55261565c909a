"""A `new` that was killed between its push and the pull request: what looks at it says and does afterwards."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

BRANCH = "promote/webshop-webui"


@pytest.fixture
def killed(shop: "Shop", config: Callable[..., str]) -> int:
    """1.4.2 waits for a person to go into prod, and a killed `new` has pushed 1.4.3 for dev to the same branch."""
    shop.into_qa("1.4.2")
    number = int(shop.run("promote").only["pull_request"]["number"])
    shop.flux("qa")
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    record = f"refs/gitops-promotion/pulls/{number}"
    before = shop.remote.git("rev-parse", record).strip()
    assert shop.new("1.4.3").only["pull_request"]["number"] == number
    shop.remote.git("update-ref", record, before)
    return number


def pull(shop: "Shop", number: int) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(shop.remote.git("cat-file", "blob", f"refs/gitops-promotion/pulls/{number}"))
    return record


def test_promote_all_gives_the_pull_request_the_texts_of_its_branch(shop: "Shop", killed: int) -> None:
    assert "1.4.2 to environment prod" in pull(shop, killed)["title"]
    head = shop.remote.sha(BRANCH)
    outcomes = shop.run("promote", "--all").outcomes
    assert [(o["environment"], o["tag"], o["result"]) for o in outcomes if o["environment"] == "dev"] == [
        ("dev", "1.4.3", "updated")
    ]
    assert "1.4.3 to environment dev" in pull(shop, killed)["title"]
    assert '"env": "dev"' in pull(shop, killed)["body"]
    assert shop.remote.sha(BRANCH) == head
    assert [o["environment"] for o in shop.run("promote", "--all").outcomes] == ["prod"]


def test_promote_all_does_not_undo_a_tag_that_came_in_between(shop: "Shop", killed: int) -> None:
    text = shop.remote.show("webshop/dev/webui.yaml", "main")
    shop.edit({"webshop/dev/webui.yaml": text.replace("1.4.2", "1.4.4")})
    before = pull(shop, killed), shop.remote.sha(BRANCH)
    assert "dev" not in [o["environment"] for o in shop.run("promote", "--all").outcomes]
    assert (pull(shop, killed), shop.remote.sha(BRANCH)) == before


def test_promote_all_leaves_the_branch_of_people_alone(shop: "Shop", killed: int) -> None:
    head = shop.edit({"elsewhere.txt": "x"}, branch=BRANCH)
    title = pull(shop, killed)["title"]
    assert "dev" not in [o["environment"] for o in shop.run("promote", "--all", code=None).outcomes]
    assert (pull(shop, killed)["title"], shop.remote.sha(BRANCH)) == (title, head)


def test_promote_all_does_not_open_a_closed_one_again(shop: "Shop", killed: int) -> None:
    shop.local("close", str(killed))
    assert "dev" not in [o["environment"] for o in shop.run("promote", "--all").outcomes]
    assert pull(shop, killed)["state"] == "closed"


def test_board_and_why_do_not_speak_of_it_by_its_body(shop: "Shop", killed: int) -> None:
    [application] = shop.document("board")["applications"]
    cells = {cell["environment"]: cell["open"] for cell in application["environments"]}
    assert cells["prod"] is None
    assert (cells["dev"]["pull_request"], cells["dev"]["tag"], cells["dev"]["decision"]) == (killed, "1.4.3", "wait")
    text = "it proposes 1.4.3 for dev by now, and still says 1.4.2 for prod"
    assert cells["dev"]["reasons"] == [text]
    document = shop.document("why", "--app", "webui", "--env", "prod")
    assert (document["pull_request"], document["decision"]) == (None, None)
    assert document["next"] == ["to put its title right: gitops-promotion promote --all"]
    assert f"pull request #{killed} for 1.4.3 waits: {text}" in document["reasons"]


def test_why_names_the_pull_request_that_has_the_branch(shop: "Shop", killed: int) -> None:
    shop.run("promote", "--all")
    document = shop.document("why", "--app", "webui", "--env", "prod")
    assert document["reasons"][0] == f"it is due, and pull request #{killed} for 1.4.3 has the branch {BRANCH}"
    assert document["next"] == [f"merge #{killed} or close it first: gitops-promotion local merge {killed}"]
