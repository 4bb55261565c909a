"""`history`, through the real command line, on real repositories."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion import cli
from tests.support.repositories import NOW

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

Looker = Callable[..., tuple[int, str, str]]


@pytest.fixture
def history(shop: "Shop", capsys: pytest.CaptureFixture[str]) -> Looker:
    """Run `history` and return its exit code, stdout and stderr."""

    def run(*more: str, where: Path | None = None) -> tuple[int, str, str]:
        capsys.readouterr()
        code = 0
        try:
            cli.main(["history", "--sourcedir", str(where or shop.checkout.path), *more])
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def events(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["events"]
    return found


def test_it_tells_promotions_with_their_pull_request_and_changes_by_hand(
    shop: "Shop", history: Looker, manifest: Callable[..., str]
) -> None:
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.0.1")
    shop.edit({"webshop/prod/webui.yaml": manifest("webui", "0.9")})
    code, out, _ = history("--app", "webui", "-o", "json")
    assert code == 0
    found = [(e["kind"], e["environment"], e["previous_tag"], e["tag"], e["pull_request"]) for e in events(out)]
    assert found[:2] == [("manual", "prod", "1.0.0", "0.9", None), ("promotion", "dev", "1.0.0", "1.0.1", 1)]
    assert [kind for kind, *_ in found[2:]] == ["manual"] * 3
    code, out, _ = history("--app", "webui", "--env", "dev", "-o", "csv")
    assert [line.split(",")[5:7] for line in out.splitlines()[1:]] == [["1.0.0", "1.0.1"], ["", "1.0.0"]]


def test_who_approved_is_added_where_the_forge_answers(
    shop: "Shop", history: Looker, config: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, False, False))})
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.0.1")
    shop.run("local", "review", "1", "approved", "--as", "bob", "--comment", "fine")
    shop.run("local", "merge", "1")
    newest = events(history("--app", "webui", "-o", "json")[1])[0]
    assert (newest["pull_request"], newest["approved_by"]) == (1, ["bob"])
    code, out, _ = history("--app", "webui", "-o", "json", "--provider", "github")
    document = json.loads(out)
    assert (code, document["events"][0]["approved_by"]) == (0, [])
    assert document["left_out"][0].startswith("who approved and merged: the remote's URL names no repository")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--app", "nope"), "no application 'nope' has a marker: use one of webshop/webui"),
        (("--group", "nope"), "no application of a group 'nope' has a marker: use one of webshop"),
        (("--env", "nope"), "environment 'nope' is not in the configuration: use one of dev, qa, prod"),
        (("--since", "soon"), "--since 'soon' is no time: write it as 90d, 2026-01-31 or 2026-01-31T12:00:00Z"),
        (("--since", "2026-01-31T12:00:00"), "--since '2026-01-31T12:00:00' has no time zone"),
        (("--since", "2999-01-01"), "--since '2999-01-01' is in the future: name a time in the past"),
    ],
)
def test_an_unknown_name_or_time_ends_with_2(history: Looker, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = history(*arguments)
    assert (code, message in err) == (2, True)


def test_a_rollback_and_an_override_are_told_as_such(shop: "Shop", history: Looker) -> None:
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.0.1")
    shop.run(
        "promote",
        "--group",
        "webshop",
        "--app",
        "webui",
        "--env",
        "qa",
        "--tag",
        "1.0.1",
        "--override-gates",
        "--reason",
        "urgent",
    )
    shop.run("rollback", "--group", "webshop", "--app", "webui", "--env", "dev", "--to", "1.0.0", "--reason", "slow")
    code, out, _ = history("--app", "webui", "-o", "json")
    told = [(e["kind"], e["environment"], e["tag"], bool(e["overridden_by"]), e["reason"]) for e in events(out)]
    assert code == 0
    assert told[:3] == [
        ("rollback", "dev", "1.0.0", True, "slow"),
        ("override", "qa", "1.0.1", True, "urgent"),
        ("promotion", "dev", "1.0.1", False, None),
    ]


def test_since_limits_the_events_and_says_so(history: Looker) -> None:
    code, out, _ = history("--since", "1s", "-o", "json")
    document = json.loads(out)
    assert (code, document["events"], document["since"] > NOW.isoformat()) == (0, [], True)


def test_a_removed_application_keeps_its_history(shop: "Shop", history: Looker) -> None:
    shop.edit({f"webshop/{name}/webui.yaml": "a: 1\n" for name in ("dev", "qa", "prod")})
    code, out, _ = history("--group", "webshop", "--app", "webui", "-o", "json")
    assert (code, [event["tag"] for event in events(out)]) == (0, [None] * 3 + ["1.0.0"] * 3)


def test_the_cost_is_one_log_whatever_the_number_of_events(
    shop: "Shop", history: Looker, manifest: Callable[..., str]
) -> None:
    for number in range(3):
        shop.edit({f"webshop/{name}/webui.yaml": manifest("webui", str(number)) for name in ("dev", "qa", "prod")})
    code, _, err = history("--verbose")
    commands = int(next(line for line in err.splitlines() if line.endswith("git commands")).split()[0])
    assert (code, commands <= 10) == (0, True), err


def test_metrics_count_deployments_and_say_that_no_status_was_read(
    shop: "Shop", history: Looker, manifest: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        shop.edit({"webshop/dev/webui.yaml": manifest("webui", f"2.{number}")})
    monkeypatch.setattr("gitops_promotion.workflow.run._now", lambda: NOW + timedelta(days=7))
    code, out, _ = history("--metrics", "--since", "14d", "-o", "json")
    document = json.loads(out)
    rows = {(row["group"], row["app"], row["environment"]): row for row in document["metrics"]}
    assert code == 0
    assert document["window_days"] == 7, "the history begins after the window"
    assert (rows["webshop", "webui", "dev"]["deployments"], rows["webshop", "webui", "dev"]["per_week"]) == (3, 3)
    assert rows[None, None, "dev"]["deployments"] == 3
    assert any("no commit has a status" in text for text in document["left_out"])


def test_a_shallow_clone_gets_the_history_it_needs(shop: "Shop", history: Looker) -> None:
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.0.1")
    shallow = shop.remote.clone("shallow", "--depth=1")
    code, out, _ = history("-o", "json", where=shallow.path)
    assert (code, [event["kind"] for event in events(out)]) == (0, ["promotion"] + ["manual"] * 3)
