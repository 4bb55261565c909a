"""`why`, through the real command line, on real repositories."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

Asker = Callable[..., dict[str, Any]]


@pytest.fixture
def why(shop: "Shop") -> Asker:
    """Run `why` for webui and return its document."""

    def ask(environment: str, *more: str, code: int = 0) -> dict[str, Any]:
        return shop.document("why", "--env", environment, *(more or ("--app", "webui")), code=code)

    return ask


def test_a_tag_that_is_there(shop: "Shop", why: Asker) -> None:
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.0.1")
    document = why("dev")
    assert (document["tag"], document["there"], document["pull_request"]) == ("1.0.1", True, 1)
    assert document["since"]
    assert (document["decision"], document["reasons"], document["next"]) == (None, [], [])
    assert document["text"].startswith("1.0.1 is in dev since ")


def test_a_promotion_that_waits_for_the_environment_before(shop: "Shop", why: Asker) -> None:
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.0.1")
    shop.run("promote", "--all")
    document = why("qa")
    assert (document["tag"], document["there"], document["pull_request"], document["decision"]) == (
        "1.0.1",
        False,
        2,
        "wait",
    )
    assert "status gate of dev" in document["reasons"][0]
    assert not any(reason.startswith("pull request #2") for reason in document["reasons"])
    assert document["text"].startswith(
        "1.0.1 is not in qa, which has 1.0.0: pull request #2 waits - status gate of dev"
    )
    assert document["next"] == ["if nothing more comes from dev: gitops-promotion doctor"]
    shop.run("local", "set-status", "main", "kustomization/webshop-dev/2fb0a5b0", "success")
    assert why("qa")["decision"] == "pass"


def test_a_promotion_that_waits_for_a_person_says_how_to_merge_it(
    shop: "Shop", why: Asker, config: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(True, False, False))})
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.0.1")
    shop.run("promote", "--all")
    shop.run("local", "set-status", "main", "kustomization/webshop-dev/2fb0a5b0", "success")
    assert why("qa")["next"] == ["merge it: gitops-promotion local merge 2"]


def test_a_tag_that_is_due_and_not_proposed_yet(shop: "Shop", why: Asker) -> None:
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.0.1")
    document = why("qa")
    assert (document["there"], document["pull_request"], document["decision"]) == (False, None, None)
    assert document["reasons"][0] == "it is due, and not proposed yet"
    assert document["next"] == ["gitops-promotion promote --all"]


def test_a_declined_promotion(shop: "Shop", why: Asker) -> None:
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.0.1")
    shop.run("promote", "--all")
    shop.run("local", "close", "2")
    document = why("qa")
    assert (document["there"], document["pull_request"]) == (False, None)
    assert document["reasons"][0].startswith("pull request #2 for it was closed without merging")
    assert document["next"] == ["to propose it again: gitops-promotion promote --group webshop --app webui --env qa"]


def test_a_tag_that_a_person_set_by_hand_is_not_promoted(
    shop: "Shop", why: Asker, manifest: Callable[..., str]
) -> None:
    shop.edit({"webshop/dev/webui.yaml": manifest("webui", "7")})
    assert "not promoting 7 automatically" in why("qa")["reasons"][0]


def test_a_tag_that_was_rolled_back_says_how_it_comes_back(
    shop: "Shop", why: Asker, manifest: Callable[..., str]
) -> None:
    shop.edit({"webshop/qa/webui.yaml": manifest("webui", "7")})
    hold = "holds: [{group: webshop, app: webui, environment: qa, tag: 1.0.0, reason: breaks}]\n"
    shop.edit({"gitops-promotion.holds.yaml": hold})
    names = "--group webshop --app webui --env qa"
    assert why("qa")["next"] == [
        "if nothing more comes from dev: gitops-promotion doctor",
        f"to lift it: gitops-promotion release {names}",
        f"then, to promote it all the same: gitops-promotion promote {names}",
    ]


def test_a_hold_is_named_once(shop: "Shop", why: Asker) -> None:
    hold = "holds: [{group: webshop, app: webui, environment: qa, reason: incident}]\n"
    shop.edit({"gitops-promotion.holds.yaml": hold})
    shop.new("1.0.1")
    assert [reason.partition(":")[0] for reason in why("qa")["reasons"] if "incident" in reason] == ["holds of qa"]


def test_another_open_promotion_is_named_too(shop: "Shop", why: Asker, config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(flow="per-env")})
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.0.1")
    shop.run("promote", "--all")
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.0.2")
    document = why("qa")
    assert (document["tag"], document["pull_request"]) == ("1.0.2", None)
    assert any("another one is open: pull request #2 for 1.0.1" in reason for reason in document["reasons"])


def test_the_last_environment_speaks_of_its_own_source(shop: "Shop", why: Asker) -> None:
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.0.1")
    document = why("prod")
    assert (document["tag"], document["there"]) == ("1.0.0", True)


def test_a_missing_marker_is_the_reason(shop: "Shop", why: Asker) -> None:
    shop.edit({"webshop/qa/webui.yaml": "a: 1\n"})
    document = why("qa")
    assert (document["tag"], document["there"]) == ("1.0.0", False)
    assert any("qa has no marker of webshop/webui" in reason for reason in document["reasons"])


def test_without_a_forge_it_says_what_git_knows(why: Asker) -> None:
    document = why("dev", "--app", "webui", "--provider", "github")
    assert (document["there"], document["tag"]) == (True, "1.0.0")
    assert document["reasons"][0].startswith("what is open: the remote's URL names no repository on GitHub")


@pytest.mark.parametrize(
    ("environment", "arguments", "message"),
    [
        ("qa", ("--app", "nope"), "no application 'nope' has a marker"),
        ("nope", ("--app", "webui"), "environment 'nope' is not in the configuration"),
        ("qa", ("--app", "webui", "--at", "2020-01-01T00:00:00Z"), "is in the past"),
        ("qa", ("--app", "webui", "--at", "tomorrow"), "is no time"),
        ("qa", ("--app", "webui", "--at", "2999-01-01T00:00:00"), "has no time zone"),
    ],
)
def test_an_unknown_name_or_a_past_time_ends_with_2(
    why: Asker, environment: str, arguments: tuple[str, ...], message: str
) -> None:
    assert message in why(environment, *arguments, code=2)["outcomes"][0]["message"]


def test_a_moment_to_come_is_judged_by_the_same_gates(shop: "Shop", why: Asker, config: Callable[..., str]) -> None:
    window = "environments:\n  - {name: dev, auto: true}\n  - name: qa\n    windows: [{from: '08:00', to: '09:00'}]\n"
    shop.edit({"gitops-promotion.yaml": window})
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.0.1")
    shop.run("promote", "--all")
    shop.run("local", "set-status", "main", "kustomization/webshop-dev/2fb0a5b0", "success")
    shut, opened = (why("qa", "--app", "webui", "--at", f"2999-01-01T{hour}:30:00Z") for hour in ("10", "08"))
    assert (shut["decision"], opened["decision"]) == ("wait", "pass")
    assert shut["text"].startswith("At 2999-01-01 10:30 UTC, 1.0.1 is not in qa")
    assert any(step.startswith("look again at 2999-01-02 08:00") for step in shut["next"])


def test_an_application_name_of_two_groups_needs_the_group(
    shop: "Shop", why: Asker, manifest: Callable[..., str]
) -> None:
    shop.edit({f"blog/{name}/webui.yaml": manifest("webui", "5", group="blog") for name in ("dev", "qa", "prod")})
    message = why("qa", "--app", "webui", code=2)["outcomes"][0]["message"]
    assert message == "the groups blog, webshop have an application webui: give --group"
    assert why("qa", "--app", "webui", "--group", "blog")["tag"] == "5"


def test_status_on_the_default_branch_points_here(shop: "Shop") -> None:
    run = shop.run("status", code=2)
    assert "to ask about an environment: gitops-promotion why --app APP --env ENV" in run.only["message"]


def test_a_promotion_whose_source_went_back_is_to_be_closed(
    shop: "Shop", why: Asker, manifest: Callable[..., str]
) -> None:
    shop.new("1.4.2")
    number = shop.run("promote", "--all").only["pull_request"]["number"]
    shop.edit({"webshop/dev/webui.yaml": manifest("webui", "1.0.0")})
    document = why("qa")
    assert (document["tag"], document["there"], document["decision"]) == ("1.0.0", True, "refuse")
    assert document["next"] == [f"close it if it is obsolete: gitops-promotion local close {number}"]
