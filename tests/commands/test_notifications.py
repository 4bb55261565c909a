"""Notifications of whole runs on plain git: what is told, once, and what goes wrong without an end of the run."""

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.core.notifications.told import REF
from gitops_promotion.providers.local.provider import Local
from tests.notify.receivers import Reply, Web, web_server

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

VARIABLE = "GITOPS_PROMOTION_NOTIFY_TEAM"
CHANNEL = "notifications: [{name: team, type: webhook}]\n"
APPROVALS = """\
environments:
  - {name: dev, auto: true}
  - name: prod
    auto: true
    approvals: {strategy: single, groups: [ops]}
approverGroups:
  ops: [bob, eva]
"""


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    with web_server() as server:
        monkeypatch.setenv(VARIABLE, f"{server.url}/very-secret-path")
        yield server


def told(web: Web) -> list[tuple[str, str, str]]:
    """Event, environment and tag of each message since the last call."""
    bodies = [json.loads(call.body) for call in web.calls]
    web.calls.clear()
    return [(body["event"], body["environment"], body["tag"]) for body in bodies]


def configure(shop: "Shop", text: str) -> None:
    shop.edit({"gitops-promotion.yaml": text, "webshop/qa/webui.yaml": None})


def record(shop: "Shop") -> dict[str, Any]:
    return dict(json.loads(shop.remote.git("cat-file", "blob", f"{REF}:told.json")))


def test_the_way_of_a_tag_is_told_each_step_once(shop: "Shop", web: Web) -> None:
    configure(shop, APPROVALS + CHANNEL)
    shop.new("1.4.2")
    assert told(web) == [("proposed", "dev", "1.4.2"), ("merged", "dev", "1.4.2")]
    shop.flux("dev")
    shop.run("promote")
    assert told(web) == [("healthy", "dev", "1.4.2"), ("proposed", "prod", "1.4.2")]
    for _ in range(2):
        shop.run("status", "--publish")
    assert told(web) == [("waiting", "prod", "1.4.2")]
    shop.local("review", "2", "approved", "--as", "eva")
    for _ in range(2):
        shop.run("status", "--publish")
    assert told(web) == [("approved", "prod", "1.4.2"), ("merged", "prod", "1.4.2")]
    shop.run("promote", "--all")
    assert told(web) == []
    assert record(shop)["claims"] == {}


def test_what_people_do_is_told_by_the_next_promote(shop: "Shop", web: Web, config: Any) -> None:
    shop.edit({"gitops-promotion.yaml": config() + CHANNEL})
    shop.into_qa("1.4.2")
    told(web)
    number = shop.run("promote").only["pull_request"]["number"]
    told(web)
    shop.local("merge", str(number))
    shop.run("promote", "--all")
    assert ("merged", "prod", "1.4.2") in told(web)
    shop.run("promote", "--all")
    assert told(web) == []


def test_a_comment_that_is_written_again_keeps_what_was_told(shop: "Shop", web: Web) -> None:
    configure(shop, APPROVALS.replace("single", "four-eyes") + CHANNEL)
    shop.new("1.4.2")
    shop.flux("dev")
    shop.run("promote")
    shop.run("status", "--publish")
    shop.local("review", "2", "approved", "--as", "eva")
    told(web)
    shop.run("status", "--publish")
    assert told(web) == []
    comments = json.loads(shop.remote.git("cat-file", "blob", "refs/gitops-promotion/pulls/2"))["comments"]
    assert [comment["body"].count("gitops-promotion: told") for comment in comments] == [1]
    assert "1 of 2" in comments[0]["body"]


def test_an_override_is_told_as_one(shop: "Shop", web: Web, config: Any) -> None:
    shop.edit({"gitops-promotion.yaml": config() + CHANNEL})
    words = ("--app", "webui", "--env", "prod", "--tag", "9.9.9", "--override-gates", "--reason", "it burns")
    shop.run("promote", *words, code=None)
    assert ("overridden", "prod", "9.9.9") in told(web)


@pytest.mark.parametrize("reason", ["dry run", "pull request", "no channel"])
def test_some_runs_tell_nothing(shop: "Shop", web: Web, config: Any, reason: str) -> None:
    shop.edit({"gitops-promotion.yaml": config() + (CHANNEL if reason != "no channel" else "")})
    if reason == "pull request":
        head = {"ref": "x", "sha": shop.remote.sha("main"), "repo": {"full_name": "a/b"}}
        base = {"ref": "main", "repo": {"full_name": "a/b"}}
        shop.event("pull_request", {"pull_request": {"number": 1, "head": head, "base": base}})
    outcome = shop.new("1.4.2", *(["--dry-run"] if reason == "dry run" else [])).only
    assert outcome["warnings"] == []
    assert told(web) == []
    assert REF not in shop.remote.git("for-each-ref", "--format=%(refname)")


def test_looking_tells_nothing(shop: "Shop", web: Web, config: Any) -> None:
    shop.edit({"gitops-promotion.yaml": config() + CHANNEL})
    shop.opened("1.4.2")
    told(web)
    shop.check(2, code=4)
    shop.run("wait", "--group", "webshop", "--app", "webui", "--env", "qa", "--timeout", "0s", code=4)
    assert told(web) == []


def test_a_missing_variable_is_a_warning(shop: "Shop", config: Any) -> None:
    shop.edit({"gitops-promotion.yaml": config() + CHANNEL})
    outcome = shop.new("1.4.2").only
    assert outcome["result"] == "merged"
    assert outcome["warnings"] == [f"the channel team is told nothing: the variable {VARIABLE} is not set"]


def test_a_channel_that_refuses_is_a_warning_and_is_told_by_the_next_run(shop: "Shop", web: Web, config: Any) -> None:
    shop.edit({"gitops-promotion.yaml": config() + CHANNEL})
    web.replies = [Reply(status=404), Reply(status=404), Reply()]
    run = shop.new("1.4.2")
    assert run.only["result"] == "merged"
    assert run.only["warnings"] == ["channel team: it answered 404 (ok)"]
    assert "secret" not in run.stdout + run.stderr
    told(web)
    shop.run("promote")
    assert ("merged", "dev", "1.4.2") in told(web)


def test_a_channel_that_has_taken_it_is_not_told_again_because_of_another(shop: "Shop", web: Web, config: Any) -> None:
    shop.edit({"gitops-promotion.yaml": config() + CHANNEL.replace("]", ", {name: b, type: webhook, events: merged}]")})
    shop.new("1.4.2")
    assert told(web) == [("proposed", "dev", "1.4.2"), ("merged", "dev", "1.4.2")]
    shop.monkeypatch.setenv("GITOPS_PROMOTION_NOTIFY_B", f"{web.url}/b")
    shop.run("promote")
    assert [call.path for call in web.calls if json.loads(call.body)["event"] == "merged"] == ["/b"]


def test_of_two_runs_at_once_one_tells(shop: "Shop", web: Web, config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run is over while the first one is about to send."""
    from gitops_promotion import notify

    shop.edit({"gitops-promotion.yaml": config() + CHANNEL})
    shop.into_qa("1.4.2")
    number = shop.run("promote").only["pull_request"]["number"]
    shop.local("merge", str(number))
    told(web)
    real = notify.send
    url = os.environ[VARIABLE]
    warnings: list[Any] = []

    def send(*args: Any, **options: Any) -> None:
        monkeypatch.setattr(notify, "send", real)
        # The first run, which is this very process, has hidden it from child processes.
        monkeypatch.setenv(VARIABLE, url)
        warnings.extend(shop.run("promote", "--all").only["warnings"])
        real(*args, **options)

    monkeypatch.setattr(notify, "send", send)
    shop.run("promote", "--all")
    assert (notify.send, warnings) == (real, [])
    assert told(web).count(("merged", "prod", "1.4.2")) == 1


def test_a_record_that_cannot_be_written_tells_nothing_and_says_so(shop: "Shop", web: Web, config: Any) -> None:
    shop.edit({"gitops-promotion.yaml": config() + CHANNEL})
    hook = shop.remote.path / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f'#!/bin/sh\n[ "$1" != {REF} ]\n')
    hook.chmod(0o755)
    outcome = shop.new("1.4.2").only
    assert outcome["result"] == "merged"
    assert outcome["warnings"][0].startswith("2 news are not told: ")
    assert told(web) == []


@pytest.mark.parametrize("content", ["{}", "\x00", '{"version": 1, "told": 7, "claims": {}}'])
def test_a_record_of_somebody_else_is_a_warning_with_the_way_out(
    shop: "Shop", web: Web, config: Any, content: str
) -> None:
    shop.edit({"gitops-promotion.yaml": config() + CHANNEL})
    blob = shop.remote.git("hash-object", "-w", "--stdin", stdin=content)
    shop.remote.git("update-ref", REF, blob)
    (warning,) = shop.new("1.4.2").only["warnings"]
    assert f"git push <remote> --delete {REF}" in warning
    assert told(web) == []


def test_a_forge_that_does_not_answer_is_a_warning(
    shop: "Shop", web: Web, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gitops_promotion.errors import ProviderError

    shop.edit({"gitops-promotion.yaml": config() + CHANNEL})
    shop.new("1.4.2")
    told(web)

    def statuses(*_: object) -> None:
        raise ProviderError("the forge is away")

    monkeypatch.setattr("gitops_promotion.workflow.recent_news._health", statuses)
    outcome = shop.run("promote").only
    assert outcome["result"] == "opened"
    assert outcome["warnings"] == ["what happened without a run is not told: the forge is away"]
    assert told(web) == [("proposed", "qa", "1.4.2")]


def test_without_a_channel_nothing_is_asked(shop: "Shop", config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.edit({"gitops-promotion.yaml": config()})
    monkeypatch.setattr("gitops_promotion.workflow.notifying.recent_news", lambda *_: pytest.fail("it was read"))
    monkeypatch.setattr(Local, "discussions", lambda *_: pytest.fail("it was asked"))
    shop.run("promote", code=None)


def test_a_sample_goes_to_the_channel_of_that_name(shop: "Shop", web: Web, config: Any) -> None:
    shop.edit({"gitops-promotion.yaml": config() + CHANNEL})
    assert shop.run("notify", "--test", "team").only["result"] == "passed"
    (call,) = web.calls
    assert json.loads(call.body)["reasons"] == ["this is a test of the channel: nothing has happened"]
    assert REF not in shop.remote.git("for-each-ref", "--format=%(refname)")


@pytest.mark.parametrize(
    ("name", "variable", "code", "text"),
    [
        ("ops", "", 2, "no channel has the name 'ops': use one of team"),
        ("team", "", 2, f"the variable {VARIABLE} is not set"),
        ("team", "http://127.0.0.1:1/very-secret", 6, "did not get the sample: it cannot be reached"),
        ("team", "ftp://very-secret", 6, "has no https address"),
    ],
)
def test_a_sample_that_cannot_be_sent_is_an_error(
    shop: "Shop", config: Any, monkeypatch: pytest.MonkeyPatch, name: str, variable: str, code: int, text: str
) -> None:
    shop.edit({"gitops-promotion.yaml": config() + CHANNEL})
    monkeypatch.setenv(VARIABLE, variable)
    run = shop.run("notify", "--test", name, code=code)
    assert text in run.only["message"]
    assert "very-secret" not in run.stdout + run.stderr


def test_a_sample_without_any_channel_is_an_error_with_the_next_step(shop: "Shop") -> None:
    run = shop.run("notify", "--test", "team", code=2)
    assert "add it below notifications: in the configuration" in run.only["message"]


def test_a_rollback_and_its_hold_are_told_once(shop: "Shop", web: Web, config: Any) -> None:
    shop.edit({"gitops-promotion.yaml": config() + CHANNEL})
    shop.into_qa("1.4.2")
    told(web)
    shop.run("rollback", "--group", "webshop", "--app", "webui", "--env", "qa", "--to", "1.0.0", "--reason", "login")
    shop.run("promote", "--all", code=None)
    messages = told(web)
    shop.run("promote", "--all", code=None)
    assert told(web) == []
    assert messages.count(("rolled-back", "qa", "1.0.0")) == 1
    assert messages.count(("held", "qa", "1.4.2")) == 1
