"""Holds: the pull requests that make and lift them, and what they stop."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.providers.local.provider import Local

if TYPE_CHECKING:
    from tests.commands.conftest import Run, Shop

FILE = "gitops-promotion.holds.yaml"
NOW = "2026-11-30T12:00Z"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let it be a time."""

    def be(text: str) -> None:
        monkeypatch.setattr("gitops_promotion.workflow.run._now", lambda: datetime.fromisoformat(text))

    be(NOW)
    return be


def hold(shop: "Shop", *more: str, verb: str = "hold", code: int = 0) -> "Run":
    return shop.run(verb, "--group", "webshop", "--app", "webui", *more, code=code)


def write(shop: "Shop", *entries: str) -> None:
    shop.edit({FILE: "holds:\n" + "".join(f"- {{{entry}}}\n" for entry in entries)})


def new(shop: "Shop", tag: str = "1.4.2", code: int = 0) -> "Run":
    return shop.run("new", "--group", "webshop", "--app", "webui", "--tag", tag, code=code)


@pytest.mark.parametrize("kind", ["a symbolic link", "a folder"])
def test_what_is_in_place_of_the_file_of_holds_is_named(kind: str, shop: "Shop") -> None:
    path = shop.checkout.path / FILE
    if kind == "a folder":
        path.mkdir()
        (path / "webshop.yaml").write_text("holds: []\n")
    else:
        path.symlink_to("webshop/dev/webui.yaml")
    shop.checkout.git("add", "-A")
    shop.checkout.git("commit", "-qm", "Replace")
    shop.checkout.git("push", "-q", "origin", "HEAD:main")
    assert f"{FILE}: the file of holds is {kind}: make it a file" in new(shop, code=2).stderr


def armed(run: "Run") -> bool:
    pull: dict[str, Any] = run.only["pull_request"]
    return bool(pull["auto_merge"])


def test_a_hold_is_merged_stops_promotions_and_is_lifted(shop: "Shop", at: Callable[[str], None]) -> None:
    words = ("--env", "qa", "--reason", "breaks the checkout", "--until", "2026-12-05")
    made = hold(shop, *words)
    assert made.results == ["merged"]
    assert made.only["branch"] == "hold/webshop-webui-qa"
    assert shop.remote.show(FILE, "main") == (
        "holds:\n  - group: webshop\n    app: webui\n    environment: qa\n"
        "    reason: breaks the checkout\n    by: Dev\n"
        '    since: "2026-11-30T12:00:00+00:00"\n    until: "2026-12-06T00:00:00+00:00"\n'
    )
    assert hold(shop, "--env", "qa", "--reason", "breaks the checkout", "--until", "2026-12-05").results == [
        "unchanged"
    ]
    assert new(shop).results == ["merged"]
    text = (
        "webshop/webui in qa is on hold by Dev since 2026-11-30 12:00 UTC until 2026-12-06 00:00 UTC: breaks the "
        "checkout; to lift it: gitops-promotion release --group webshop --app webui --env qa"
    )
    skipped = shop.run("promote", "--all").only
    assert (skipped["result"], skipped["message"]) == ("skipped", text)
    forced = shop.run("promote", "--app", "webui", "--env", "qa", code=2).only
    assert (forced["result"], forced["message"]) == ("failed", text)

    # Its end passes, or it is lifted before.
    at("2026-12-06T00:00Z")
    assert shop.run("promote", "--all", "--dry-run").results == ["planned"]
    at(NOW)
    assert hold(shop, "--env", "qa", verb="release").results == ["merged"]
    assert shop.remote.show(FILE, "main") == "holds:\n"
    assert shop.run("promote", "--all").results == ["opened"]
    nothing = hold(shop, "--env", "qa", verb="release").only
    assert (nothing["result"], nothing["message"]) == (
        "unchanged",
        "no hold of webshop/webui in qa is there to lift",
    )


def test_a_hold_on_everything_disarms_what_is_in_flight(shop: "Shop", at: Callable[[str], None]) -> None:
    new(shop)
    assert armed(shop.run("promote", "--all"))
    # prod has auto: false, so a person merges it; it counts while it is open.
    made = shop.run("hold", "--group", "*", "--app", "*", "--reason", "incident")
    assert (made.results, made.only["branch"], armed(made)) == (["opened"], "hold/_all-_all-_all", False)
    stopped = shop.run("promote", "--all").only
    assert stopped["result"] == "skipped"
    assert "every application in every environment is on hold by Dev" in stopped["message"]
    assert f"(pull request #{made.only['pull_request']['number']} is open): incident" in stopped["message"]
    assert stopped["pull_request"]["auto_merge"] is False
    shop.local("set-status", "main", "kustomization/webshop-dev/2fb0a5b0", "success")
    published = shop.run("status", "--publish").outcomes
    by_branch = {outcome["branch"]: outcome["message"] for outcome in published}
    assert by_branch["promote/webshop-webui"].startswith("published pending: holds of qa: every application")
    assert by_branch["hold/_all-_all-_all"].startswith("published success: no marked tag is changed")
    assert new(shop, "1.4.3").results == ["skipped"]
    assert shop.tags() == ("1.4.2", "1.0.0", "1.0.0")
    # Closed, it holds no more.
    shop.local("close", str(made.only["pull_request"]["number"]))
    assert armed(shop.run("promote", "--all"))
    assert shop.run("status", "--publish").results == ["merged"]


def test_hold_and_release_of_the_same_names_share_one_pull_request(shop: "Shop", at: Callable[[str], None]) -> None:
    first = hold(shop, "--env", "prod", "--tag", "1.4.2", "--reason", "bad")
    number = first.only["pull_request"]["number"]
    assert (first.results, armed(first)) == (["opened"], False)
    assert hold(shop, "--env", "prod", "--tag", "1.4.2", "--reason", "bad").results == ["unchanged"]
    second = hold(shop, "--env", "prod", "--tag", "1.4.3")
    assert (second.results, second.only["pull_request"]["number"]) == (["updated"], number)
    text = shop.remote.show(FILE, "hold/webshop-webui-prod")
    assert (text.count("- group"), 'tag: "1.4.2"' in text, 'tag: "1.4.3"' in text) == (2, True, True)
    assert hold(shop, "--env", "prod", "--tag", "1.4.2", verb="release").results == ["updated"]
    assert shop.remote.show(FILE, "hold/webshop-webui-prod").count("- group") == 1
    last = hold(shop, "--env", "prod", verb="release").only
    assert (last["result"], last["message"]) == (
        "updated",
        f"nothing is left to change: pull request #{number} was closed",
    )
    assert shop.run("promote", "--all").results == ["unchanged"]


def test_lifting_waits_for_a_person_where_approvals_are_needed(shop: "Shop", at: Callable[[str], None]) -> None:
    write(shop, "group: webshop, app: webui, environment: dev, reason: one", "group: a, app: b, environment: dev")
    shop.edit({"gitops-promotion.yaml": "environments: [{name: dev, auto: true, approvals: {approvers: [ann]}}]\n"})
    released = hold(shop, "--env", "dev", verb="release")
    assert (released.results, armed(released)) == (["opened"], False)
    assert hold(shop, "--env", "dev", "--tag", "1.5").only["result"] == "updated"
    assert shop.run("hold", "--group", "webshop", "--app", "*", "--env", "dev").results == ["merged"]


@pytest.mark.parametrize(
    ("entry", "stopped"),
    [
        ("group: webshop, app: webui, environment: dev, until: tomorrow", (True, False)),
        ("group: webshop, app: webui, environment: qa, until: tomorrow", (False, True)),
        ("group: webshop, app: webui, until: tomorrow", (True, True)),
    ],
)
def test_what_cannot_be_read_stops_whom_it_could_concern(
    shop: "Shop", at: Callable[[str], None], entry: str, stopped: tuple[bool, bool]
) -> None:
    new(shop)
    shop.run("promote", "--all")
    write(shop, entry)
    into_qa = shop.run("promote", "--all", code=2 if stopped[1] else 0)
    assert into_qa.results.count("failed") == stopped[1], "one failure for one promotion"
    assert ("auto-merge armed" in shop.local("show", "2")) != stopped[1]
    if stopped[1]:
        assert shop.run("status", "--publish", code=2).results == ["failed"]
    into_dev = new(shop, "1.4.3", code=2 if stopped[0] else 0)
    assert into_dev.results == (["failed"] if stopped[0] else ["merged"])
    assert (f"{FILE}:2: " in into_dev.only["message"]) == stopped[0]


def test_a_pull_request_that_breaks_the_file_fails_its_check(shop: "Shop", at: Callable[[str], None]) -> None:
    shop.edit({FILE: "holds: [\n"}, branch="break")
    head = {"ref": "break", "sha": shop.remote.sha("break"), "repo": {"full_name": "acme/gitops"}}
    base = {"ref": "main", "repo": {"full_name": "acme/gitops"}}
    shop.event("pull_request", {"pull_request": {"number": 7, "head": head, "base": base}})
    failed = shop.run("status", "--timeout", "0", code=2).only
    assert (failed["result"], f"{FILE}:2: is not valid YAML" in failed["message"]) == ("failed", True)


def test_the_head_of_a_pull_request_loosens_no_hold(shop: "Shop", at: Callable[[str], None]) -> None:
    write(shop, "group: webshop, app: webui, environment: qa")
    new(shop)
    shop.edit({FILE: "holds: []\n"}, branch="hold/webshop-webui-qa")
    assert shop.run("promote", "--all").results == ["skipped"]


def test_a_persons_commit_on_a_branch_of_holds_makes_it_count_for_nothing(
    shop: "Shop", at: Callable[[str], None]
) -> None:
    new(shop)
    opened = shop.run("hold", "--group", "*", "--app", "*")
    assert opened.results == ["opened"]
    assert shop.run("promote", "--all").results == ["skipped"]
    shop.edit({"more.yaml": "a: 1\n"}, branch="hold/_all-_all-_all")
    assert shop.run("promote", "--all").results == ["opened"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--env", "stage"), "environment 'stage' is not in the configuration: use one of dev, qa, prod"),
        (("--until", "2020-01-01"), "--until is over already: it ended at 2020-01-02T00:00+00:00"),
        (("--until", "soon"), "--until 'soon' is no time: write it as 3d"),
        (("--tag", "a b"), "'a b'"),
    ],
)
def test_a_hold_that_makes_no_sense_is_an_error(
    shop: "Shop", at: Callable[[str], None], words: tuple[str, ...], message: str
) -> None:
    assert message in hold(shop, *words, code=2).stderr


@pytest.mark.parametrize("verb", ["hold", "release"])
def test_an_application_without_a_marker_cannot_be_held(shop: "Shop", at: Callable[[str], None], verb: str) -> None:
    run = shop.run(verb, "--group", "webshop", "--app", "webiu", code=2)
    assert "webshop/webiu has no marker in any environment" in run.stderr


def test_a_branch_that_a_closed_hold_left_behind_gates_nothing(shop: "Shop", at: Callable[[str], None]) -> None:
    opened = shop.run("hold", "--group", "webshop", "--app", "webui", "--env", "prod", "--reason", "not now").only
    assert opened["result"] == "opened"
    assert opened["message"].endswith(" counts now, and waits for a person to merge it"), "nobody waits for the merge"
    shop.local("close", str(opened["pull_request"]["number"]), "--as", "ann")
    assert shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2").results == ["merged"]


def test_a_hold_that_somebody_merges_while_a_run_reads_what_is_open_counts(
    shop: "Shop", at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    new(shop)
    assert armed(shop.run("promote", "--all"))
    shop.local("set-status", "main", "kustomization/webshop-dev/2fb0a5b0", "success")
    pending = [str(shop.run("hold", "--group", "*", "--app", "*").only["pull_request"]["number"])]
    read = Local.open_promotions

    def merge_and_read(forge: Local) -> Any:
        if pending:
            shop.local("merge", pending.pop())
        return read(forge)

    monkeypatch.setattr(Local, "open_promotions", merge_and_read)
    published = shop.run("status", "--publish").only
    assert published["message"].startswith("published pending: holds of qa: every application")
    assert shop.tags() == ("1.4.2", "1.0.0", "1.0.0")


@pytest.mark.parametrize(
    "entry",
    ["group: webshop, app: cart, environment: dev", "group: webshop, app: webui, environment: dev, tag: [1.4.1]"],
)
def test_a_hold_on_something_else_does_not_keep_an_application_from_merging_at_once(
    shop: "Shop", at: Callable[[str], None], entry: str
) -> None:
    write(shop, entry)
    assert new(shop).results == ["merged"]


@pytest.mark.parametrize(
    "verb", [("new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2"), ("promote", "--all")]
)
def test_what_waits_for_a_check_that_is_not_needed_any_more_is_merged(
    shop: "Shop", at: Callable[[str], None], config: Callable[..., str], verb: tuple[str, ...]
) -> None:
    windows = config().replace("name: dev,", "name: dev, windows: [{from: '09:00', to: '16:00'}],")
    shop.edit({"gitops-promotion.yaml": windows})
    assert armed(new(shop))
    shop.edit({"gitops-promotion.yaml": config()})
    write(shop, "group: webshop, app: cart, environment: dev")
    assert "merged" in shop.run(*verb).results
    assert shop.tag("dev") == "1.4.2"
