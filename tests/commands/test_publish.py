"""`status --publish`: one look at everything open, and the verdict as a commit status on each head."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.core.forge import CommitStatus
from gitops_promotion.errors import ProviderError
from gitops_promotion.providers.local.provider import Local

if TYPE_CHECKING:
    from tests.commands.conftest import Run, Shop

OWN = "gitops-promotion"


def publish(shop: "Shop", *more: str, code: int = 0) -> "Run":
    return shop.run("status", "--publish", *more, code=code)


def said(shop: "Shop", revision: str) -> list[dict[str, Any]]:
    """The statuses of our own on a commit."""
    sha = shop.remote.sha(revision)
    listed = shop.remote.git("for-each-ref", "--format=%(refname)", f"refs/gitops-promotion/statuses/{sha}")
    record = json.loads(shop.remote.git("cat-file", "blob", listed)) if listed else {"statuses": []}
    return [status for status in record["statuses"] if status["context"] == OWN]


def verdict(shop: "Shop", revision: str) -> str:
    (status,) = said(shop, revision)
    return str(status["state"])


def with_cart(shop: "Shop", manifest: Callable[..., str]) -> None:
    shop.edit({f"webshop/{env}/cart.yaml": manifest("cart", "1.0.0") for env in ("dev", "qa", "prod")})


def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that would be requests to a forge, in order."""
    made: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(Local, name)

        def call(self: Local, *args: Any, **kwargs: Any) -> Any:
            made.append(name)
            return real(self, *args, **kwargs)

        return call

    for name in ("pull_request", "pull_requests", "open_promotions", "statuses", "set_status", "discussions"):
        monkeypatch.setattr(Local, name, counted(name))
    return made


def test_a_record_that_cannot_be_read_is_a_failure_of_the_list_and_the_verdicts(
    shop: "Shop", config: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.run("new", "--group=webshop", "--app=webui", "--tag=1.4.2")
    ref = "refs/gitops-promotion/pulls/1"
    shop.remote.git("update-ref", ref, shop.remote.git("hash-object", "-w", "--stdin", stdin=b"{]"))
    run = publish(shop, code=6)
    assert f"{ref} of the remote is not a record of this program" in run.only["message"]
    # Once as the error of this run, after the warning that it is left out.
    assert run.stderr.count("is not a record of this program") == 1
    assert run.stderr.count(f"left out: {ref}, which cannot be read: `gitops-promotion local list`") == 1
    assert shop.local("list", codes=(6,)) == "no pull requests that can be read\n"


def test_nothing_open_is_nothing_to_publish(shop: "Shop") -> None:
    outcome = publish(shop).only
    assert (outcome["result"], outcome["message"]) == (
        "unchanged",
        "no promotion is open: there is no verdict to publish",
    )


def test_a_waiting_promotion_is_pending_with_its_first_reason_and_the_job_is_green(shop: "Shop") -> None:
    branch = shop.opened("1.4.2")
    outcome = publish(shop).only
    assert outcome["result"] == "updated"
    assert outcome["message"].startswith("published pending: status gate of dev: webshop/webui 1.4.2 has no status yet")
    assert (outcome["environment"], outcome["tag"], outcome["pull_request"]["number"]) == ("qa", "1.4.2", 2)
    (status,) = said(shop, branch)
    assert status["state"] == "pending"
    assert status["description"].startswith("status gate of dev: webshop/webui 1.4.2 has no status yet")
    assert len(status["description"]) <= 140


def test_a_verdict_that_did_not_change_is_not_published_again(shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    branch = shop.opened("1.4.2")
    publish(shop)
    before = said(shop, branch)
    made = requests(monkeypatch)
    outcome = publish(shop).only
    assert outcome["result"] == "unchanged"
    assert outcome["message"].startswith("still pending: status gate of dev")
    assert "set_status" not in made
    assert said(shop, branch) == before


def test_the_commits_that_evidence_is_found_on_change_no_verdict(shop: "Shop") -> None:
    """Each commit of the default branch brings statuses of its own; a head takes 1,000 of ours."""
    branch = shop.opened("1.4.2")
    shop.flux("dev", "failure")
    assert publish(shop).results == ["updated"]
    before = said(shop, branch)
    for number in range(3):
        shop.edit({"README.md": f"# {number}\n"})
        shop.flux("dev", "failure")
        assert publish(shop).results == ["unchanged"]
    assert said(shop, branch) == before
    shop.edit({"README.md": "# other\n"})
    shop.flux("dev", "pending")
    assert publish(shop).results == ["updated"]


def test_a_healthy_tag_is_a_success_by_which_local_merges(shop: "Shop") -> None:
    branch = shop.opened("1.4.2")
    head = shop.remote.sha(branch)
    publish(shop)
    shop.flux("dev")
    outcome = publish(shop).only
    assert (outcome["result"], outcome["pull_request"]["state"]) == ("merged", "merged")
    assert verdict(shop, head) == "success"
    assert shop.tags() == ("1.4.2", "1.4.2", "1.0.0")


def test_a_success_that_waits_for_a_person_stays_open(shop: "Shop") -> None:
    shop.into_qa("1.4.2")
    shop.run("promote")
    shop.flux("qa")
    outcome = publish(shop).only
    assert (outcome["result"], outcome["pull_request"]["state"]) == ("updated", "open")
    assert outcome["message"].startswith("published success: status gate of qa: webshop/webui 1.4.2 is healthy")
    assert verdict(shop, "promote/webshop-webui") == "success"
    assert publish(shop).results == ["unchanged"]


def test_a_refusal_is_a_failure_and_heals(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(more="failFast: true\n", autos=(True, False, False))})
    branch = shop.opened("1.4.2")
    shop.flux("dev", "failure")
    assert publish(shop).only["message"].startswith("published failure: status gate of dev: webshop/webui 1.4.2 failed")
    assert verdict(shop, branch) == "failure"
    shop.flux("dev")
    assert publish(shop).only["message"].startswith("published success: ")
    assert verdict(shop, branch) == "success"


def test_without_a_deadline_a_failure_waits_for_flux_to_try_again(shop: "Shop") -> None:
    branch = shop.opened("1.4.2")
    shop.flux("dev", "failure")
    publish(shop)
    assert verdict(shop, branch) == "pending"


def test_another_verdict_for_the_same_reason_is_another_verdict(shop: "Shop", config: Callable[..., str]) -> None:
    branch = shop.opened("1.4.2")
    shop.flux("dev", "failure")
    publish(shop)
    (waiting,) = said(shop, branch)
    shop.edit({"gitops-promotion.yaml": config(more="failFast: true\n")})
    assert publish(shop).results == ["updated"]
    (refused,) = said(shop, branch)
    assert (waiting["state"], refused["state"]) == ("pending", "failure")
    assert waiting["description"] == refused["description"]


def test_superseded_is_a_failure(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(flow="per-env")})
    branch = shop.opened("1.4.2")
    shop.new("1.4.3")
    outcome = publish(shop).only
    assert "superseded" in outcome["message"]
    assert verdict(shop, branch) == "failure"


def test_a_verdict_that_somebody_forged_is_corrected(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(True, False, False))})
    branch = shop.opened("1.4.2")
    shop.forge(branch, OWN, "success")
    publish(shop)
    assert verdict(shop, branch) == "pending"


def test_what_holds_a_pull_request_back_is_said_first(shop: "Shop", manifest: Callable[..., str]) -> None:
    with_cart(shop, manifest)
    shop.new("2", app="cart")
    shop.flux("dev")
    both = {"webshop/qa/cart.yaml": manifest("cart", "2"), "webshop/prod/webui.yaml": manifest("webui", "6.6.6")}
    sha = shop.edit(both, branch="both")
    on_pull_request(shop, "both")
    (outcome,) = publish(shop).outcomes
    assert outcome["message"].startswith("published failure: status gate of qa: webshop/webui 6.6.6 has not been in qa")
    assert verdict(shop, sha) == "failure"


# Several, and the failures of one


def test_each_open_promotion_has_its_own_verdict(shop: "Shop", manifest: Callable[..., str]) -> None:
    with_cart(shop, manifest)
    shop.into_qa("1.4.2")
    shop.flux("qa")
    shop.run("promote", "--app", "webui", "--env", "prod")
    cart = shop.opened("2", app="cart")
    outcomes = {o["app"]: o["message"].partition(":")[0] for o in publish(shop).outcomes}
    assert outcomes == {"webui": "published success", "cart": "published pending"}
    assert (verdict(shop, "promote/webshop-webui"), verdict(shop, cart)) == ("success", "pending")


def test_a_head_that_does_not_parse_gets_a_failure_and_stops_no_other(
    shop: "Shop", manifest: Callable[..., str], config: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(True, False, False))})
    with_cart(shop, manifest)
    webui = shop.opened("1.4.2")
    cart = shop.opened("2", app="cart")
    broken = shop.edit({"webshop/qa/webui.yaml": manifest("webui", "1.4.2") + "x: [\n"}, branch=webui)
    run = publish(shop, code=2)
    assert {o["app"]: o["result"] for o in run.outcomes} == {"": "failed", "cart": "updated"}
    (failed,) = [o for o in run.outcomes if o["result"] == "failed"]
    assert (failed["pull_request"]["number"], failed["sha"]) == (2, broken)
    assert "webshop/qa/webui.yaml:" in failed["message"]
    assert (verdict(shop, webui), verdict(shop, cart)) == ("failure", "pending")
    (status,) = said(shop, webui)
    assert status["description"].isprintable()
    before = said(shop, webui)
    publish(shop, code=2)
    assert said(shop, webui) == before


def test_a_forge_that_refuses_one_status_gets_the_others(
    shop: "Shop", manifest: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cart(shop, manifest)
    webui = shop.opened("1.4.2")
    cart = shop.opened("2", app="cart")
    real, head = Local.set_status, shop.remote.sha(cart)

    def refusing(self: Local, sha: str, status: CommitStatus) -> None:
        if sha == head:
            raise ProviderError("this one not: try later")
        real(self, sha, status)

    monkeypatch.setattr(Local, "set_status", refusing)
    run = publish(shop, code=6)
    assert sorted(run.results) == ["failed", "updated"]
    assert verdict(shop, webui) == "pending"
    assert said(shop, cart) == []


def test_a_head_that_moved_in_between_is_left_to_its_own_event(shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    branch = shop.opened("1.4.2")
    real = Local.open_promotions

    def late(self: Local) -> Any:
        if branch not in moved:
            moved[branch] = shop.edit({"x.txt": "x"}, branch=branch)
        return real(self)

    moved: dict[str, str] = {}
    monkeypatch.setattr(Local, "open_promotions", late)
    outcome = publish(shop).only
    assert outcome["result"] == "skipped"
    assert "superseded" in outcome["message"]
    assert said(shop, branch) == []


def test_what_a_success_merges_counts_for_those_that_come_after(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(flow="per-env")})
    shop.into_qa("1.4.2")
    into_prod = shop.run("promote", "--all").only["branch"]
    shop.opened("1.4.3")
    shop.flux("dev")
    outcomes = {o["environment"]: o for o in publish(shop).outcomes}
    assert [*outcomes] == ["qa", "prod"]
    assert outcomes["qa"]["result"] == "merged"
    assert "superseded" in outcomes["prod"]["message"]
    assert verdict(shop, into_prod) == "failure"


# Events


def on_pull_request(shop: "Shop", branch: str, *, number: int = 7, fork: bool = False, sha: str = "") -> None:
    repo = {"full_name": "fork/gitops" if fork else "acme/gitops"}
    head = {"ref": branch, "sha": sha or shop.remote.sha(branch), "repo": repo}
    pull = {"number": number, "head": head, "base": {"ref": "main", "repo": {"full_name": "acme/gitops"}}}
    shop.event("pull_request", {"pull_request": pull})


def on_status(shop: "Shop", context: str) -> None:
    shop.event("status", {"context": context, "sha": shop.remote.sha("main"), "state": "success"})


@pytest.mark.parametrize("context", [OWN, "GitOps-Promotion"])
def test_our_own_status_starts_nothing(context: str, shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    branch = shop.opened("1.4.2")
    on_status(shop, context)
    made = requests(monkeypatch)
    outcome = publish(shop).only
    assert outcome["result"] == "skipped"
    assert "this tool's own status" in outcome["message"]
    assert made == []
    assert said(shop, branch) == []


def test_two_pull_requests_of_one_commit_have_one_verdict(shop: "Shop") -> None:
    branch = shop.opened("1.4.2")
    shop.remote.git("update-ref", "refs/heads/copy", branch)
    on_pull_request(shop, "copy")
    assert publish(shop).results == ["updated", "unchanged"]


@pytest.mark.parametrize("event", ["status", "schedule"])
def test_flux_s_status_and_a_schedule_look_at_everything(event: str, shop: "Shop") -> None:
    branch = shop.opened("1.4.2")
    if event == "status":
        on_status(shop, "kustomization/webshop-dev/2fb0a5b0")
    else:
        shop.event("schedule", {})
    assert publish(shop).results == ["updated"]
    assert verdict(shop, branch) == "pending"


def test_a_pull_request_of_a_person_gets_its_status_too(shop: "Shop") -> None:
    """The status is required of every pull request: without one it could never merge."""
    branch = shop.opened("1.4.2")
    sha = shop.edit({"README.md": "# Better\n"}, branch="better")
    on_pull_request(shop, "better")
    first, second = publish(shop).outcomes
    assert (first["sha"], first["message"]) == (
        sha,
        "published success: no marked tag is changed: a manual change, nothing to wait for",
    )
    assert second["branch"] == branch
    assert verdict(shop, sha) == "success"


def test_a_promotion_that_is_the_event_is_looked_at_once(shop: "Shop") -> None:
    branch = shop.opened("1.4.2")
    on_pull_request(shop, branch, number=2)
    assert publish(shop).results == ["updated"]


def test_b25_a_fork_is_judged_by_its_own_commit_and_passes_no_gate(shop: "Shop", manifest: Callable[..., str]) -> None:
    """Its branch has the name of a promotion of ours, its commit is to be had by its id alone."""
    branch = shop.opened("1.4.2")
    sha = shop.edit({"webshop/prod/webui.yaml": manifest("webui", "6.6.6")}, branch="theirs")
    shop.remote.git("update-ref", "refs/pull/7/head", sha)
    shop.remote.git("update-ref", "-d", "refs/heads/theirs")
    on_pull_request(shop, branch, fork=True, sha=sha)
    first, second = publish(shop).outcomes
    assert (first["sha"], first["environment"]) == (sha, "prod")
    assert verdict(shop, sha) == "failure"
    assert (second["branch"], verdict(shop, branch)) == (branch, "pending")


def test_b25_a_fork_may_name_its_branch_like_our_default_branch(shop: "Shop") -> None:
    sha = shop.edit({"README.md": "# Better\n"}, branch="theirs")
    shop.remote.git("update-ref", "refs/pull/7/head", sha)
    shop.remote.git("update-ref", "-d", "refs/heads/theirs")
    on_pull_request(shop, "main", fork=True, sha=sha)
    assert publish(shop).only["message"].startswith("published success: no marked tag is changed")
    assert shop.run("status").results == ["passed"]


def test_a_branch_that_goes_meanwhile_stops_no_other(
    shop: "Shop", manifest: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cart(shop, manifest)
    webui = shop.opened("1.4.2")
    cart = shop.opened("2", app="cart")
    real = Local.open_promotions

    def late(self: Local) -> Any:
        pulls = real(self)
        shop.remote.git("update-ref", "-d", f"refs/heads/{cart}")
        return pulls

    monkeypatch.setattr(Local, "open_promotions", late)
    assert sorted(publish(shop).results) == ["skipped", "updated"]
    assert verdict(shop, webui) == "pending"


def test_run_urls_lead_from_the_status_to_the_job(shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    branch = shop.opened("1.4.2")
    shop.event("schedule", {})
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/gitops")
    monkeypatch.setenv("GITHUB_RUN_ID", "77")
    publish(shop)
    assert said(shop, branch)[0]["url"] == "https://github.com/acme/gitops/actions/runs/77"


def queue(shop: "Shop", number: int, files: dict[str, str | None], *, on: str = "main") -> tuple[str, str]:
    """Be the merge queue: a branch with a pull request's changes on the tip, or on the group before."""
    start = shop.remote.sha(on)
    branch = f"gh-readonly-queue/main/pr-{number}-{start}"
    shop.remote.git("update-ref", f"refs/heads/{branch}", start)
    return branch, shop.remote.commit(files, "Merge", branch=branch)


def on_merge_group(shop: "Shop", branch: str, start: str) -> None:
    group = {"head_ref": f"refs/heads/{branch}", "head_sha": shop.remote.sha(branch), "base_sha": start}
    shop.event("merge_group", {"merge_group": group})


def test_a_merge_group_gets_the_verdict_on_its_own_head(
    shop: "Shop", like_github: None, manifest: Callable[..., str]
) -> None:
    shop.new("1.4.2")
    branch, sha = queue(shop, 5, {"webshop/qa/webui.yaml": manifest("webui", "1.4.2")})
    on_merge_group(shop, branch, shop.remote.sha("main"))
    outcome = publish(shop).only
    assert (outcome["branch"], outcome["pull_request"]) == (branch, None)
    assert verdict(shop, sha) == "pending"
    # The event that ends the wait does not name the group.
    shop.flux("dev")
    on_status(shop, "kustomization/webshop-dev/2fb0a5b0")
    assert publish(shop).results == ["updated"]
    assert verdict(shop, sha) == "success"


@pytest.mark.parametrize("options", [("--publish",), ("--timeout", "0")])
def test_a_merge_group_passes_no_change_of_the_group_it_is_built_on(
    options: tuple[str, ...], shop: "Shop", manifest: Callable[..., str]
) -> None:
    """The verdict is the commit's: with it on another pull request, the change would be past its gate."""
    first, start = queue(shop, 5, {"webshop/prod/webui.yaml": manifest("webui", "6.6.6")})
    second, sha = queue(shop, 6, {"README.md": "# Better\n"}, on=first)
    on_merge_group(shop, second, start)
    outcomes = {o["sha"]: o for o in shop.run("status", *options, code=None).outcomes}
    assert "has not been in qa" in outcomes[sha]["message"]
    assert verdict(shop, sha) == "failure"


# One pull request, dry runs, options


def test_one_pull_request_can_be_named(shop: "Shop", manifest: Callable[..., str]) -> None:
    with_cart(shop, manifest)
    webui = shop.opened("1.4.2")
    cart = shop.opened("2", app="cart")
    assert publish(shop, "--pr", "2").only["branch"] == webui
    assert said(shop, cart) == []


def test_a_dry_run_says_what_it_would_publish(shop: "Shop") -> None:
    shop.opened("1.4.2")
    before = shop.remote.git("for-each-ref")
    outcome = publish(shop, "--dry-run").only
    assert outcome["result"] == "planned"
    assert outcome["message"].startswith("would publish pending: ")
    assert shop.remote.git("for-each-ref") == before


def test_publishing_does_not_wait(shop: "Shop") -> None:
    shop.opened("1.4.2")
    assert "leave out --timeout" in publish(shop, "--timeout", "5m", code=2).stderr


@pytest.mark.parametrize(
    "text", ["a\n::error::b", "%0A::error::b", "| pipe | `tick`", "<img src=x>", "\U0001f41b" * 80, "x" * 500]
)
def test_a_hostile_description_is_one_plain_line_of_140_characters(text: str, shop: "Shop") -> None:
    branch = shop.opened("1.4.2")
    shop.local("set-status", "main", "kustomization/webshop-dev/1", "failure", "--description", text)
    run = publish(shop)
    assert run.results == ["updated"]
    (status,) = said(shop, branch)
    assert len(status["description"]) <= 140
    assert status["description"].isprintable()
    assert max(status["description"]) <= "\uffff"


# Budgets


def test_requests_are_one_and_one_a_gate_and_one_a_published_verdict(
    shop: "Shop", manifest: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    apps = [f"app{number}" for number in range(4)]
    shop.edit({f"webshop/{env}/{app}.yaml": manifest(app, "1") for env in ("dev", "qa", "prod") for app in apps})
    for app in apps:
        shop.opened("2", app=app)
    made = requests(monkeypatch)
    assert publish(shop).results == ["updated"] * 4
    assert made.count("open_promotions") == 1
    assert made.count("statuses") <= 4
    assert made.count("set_status") == 4
    assert len(made) == made.count("open_promotions") + made.count("statuses") + made.count("set_status")
    made.clear()
    assert publish(shop).results == ["unchanged"] * 4
    assert len(made) <= 1 + 4
