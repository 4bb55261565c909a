"""The verbs on an Azure DevOps of our own: their budgets, what its policies hold, and what its refusals say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.git import Repository
from gitops_promotion.providers.azure_devops.provider import AzureDevOps
from tests.forges import faults
from tests.forges.azure_state import Strategy
from tests.providers.verbs import Verbs
from tests.stories.azure_stage import AzureStage
from tests.stories.stage import tag_in
from tests.support.meanwhile import before

if TYPE_CHECKING:
    from tests.providers.conftest import AzureForge

BRANCH = "promote/webshop-webui"
FLUX = "kustomization/webshop-dev/2fb0a5b0"


@dataclass(kw_only=True)
class Job(Verbs):
    """A job of a pipeline with a checkout of the repository, in which the verbs run."""

    forge: "AzureForge"

    def tag(self, environment: str) -> str:
        return tag_in(self.forge.show("main", f"webshop/{environment}/webui.yaml"))

    def into_qa(self) -> int:
        """Bring a tag into dev and promote it; returns the pull request into qa, which is armed."""
        self.new("1.4.2")
        self.pass_checks()
        [outcome] = self.run("promote", "--all")
        assert (outcome["result"], outcome["environment"]) == ("opened", "qa")
        number: int = outcome["pull_request"]["number"]
        return number

    def want_a_person_for_qa(self) -> None:
        config = self.forge.show("main", "gitops-promotion.yaml")
        by_hand = config.replace("{name: qa, auto: true}", "{name: qa, auto: false}")
        self.forge.push("main", {"gitops-promotion.yaml": by_hand})

    def pass_checks(self) -> None:
        for pull in self.forge.hosted.pulls():
            if pull.active:
                self.forge.pass_gate(pull.head_sha)

    def flux(self, *environments: str, genre: str = "fluxcd") -> None:
        for environment in environments:
            name = FLUX.replace("dev", environment)
            self.forge.hosted.post_status(self.forge.branches()["main"], name, "succeeded", genre=genre)


@pytest.fixture
def job(
    azdo_forge: "AzureForge",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environ: Mapping[str, str],
) -> Job:
    """An agent of the organisation, with the token of its job, on an Azure DevOps that knows everything at once."""
    azdo_forge.server.world.unsettled_reads = azdo_forge.server.world.unevaluated_reads = 0
    azdo_forge.server.token = azdo_forge.server.give_token("build", kind="jwt")
    hosted = azdo_forge.hosted
    checkout = hosted.git.clone_to(tmp_path / "checkout", url=hosted.url, environ=dict(environ))
    monkeypatch.setenv("SYSTEM_COLLECTIONURI", f"{azdo_forge.server.collection}/")
    monkeypatch.setenv("SYSTEM_ACCESSTOKEN", azdo_forge.server.token)
    monkeypatch.setattr("gitops_promotion.workflow.run.time.sleep", azdo_forge.slept.append)
    return Job(forge=azdo_forge, checkout=checkout, capsys=capsys)


@pytest.fixture
def gated(job: Job) -> Job:
    """The same, with our verdict required on main."""
    job.forge.require_gate()
    return job


def test_board_why_and_history_say_what_the_forge_knows(gated: Job) -> None:
    gated.new("1.4.2")
    gated.pass_checks()
    number = gated.into_qa()
    board = gated.look("board")
    opened = [cell["open"] for each in board["applications"] for cell in each["environments"] if cell["open"]]
    assert [(each["pull_request"], each["decision"]) for each in opened] == [(number, "wait")]
    assert opened[0]["url"].endswith(f"/pullrequest/{number}")
    assert board["left_out"] == []
    assert gated.look("why", "--app", "webui", "--env", "qa")["pull_request"] == number
    history = gated.look("history", "--env", "dev")
    assert [event["pull_request"] for event in history["events"] if event["kind"] == "promotion"] == [1]
    assert history["left_out"] == []


class TestRaces:
    @pytest.mark.parametrize(
        ("owner", "method"),
        [
            (Repository, "push"),
            (AzureDevOps, "open_pull_request"),
            (AzureDevOps, "set_auto_merge"),
            (AzureDevOps, "merge"),
        ],
    )
    def test_two_identical_runs_open_one_pull_request(
        self, owner: type, method: str, job: Job, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rival = ("new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2", "--token", job.forge.server.token)
        before(monkeypatch, owner, method, lambda: job.run(*rival))
        assert job.new("1.4.2")["result"] in ("unchanged", "merged")
        [pull] = job.forge.hosted.pulls()
        assert pull.status == "completed"
        assert job.forge.hosted.git.git("rev-list", "--count", "--first-parent", "main") == "2"

    def test_a_pull_request_abandoned_by_a_person_meanwhile_is_declined(
        self, gated: Job, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gated.new("1.4.2")
        gated.pass_checks()
        before(monkeypatch, AzureDevOps, "set_auto_merge", lambda: gated.forge.hosted.abandon(2))
        [outcome] = gated.run("promote", "--all")
        assert outcome["result"] == "declined"

    def test_a_conflict_with_what_has_just_come_in_is_built_again(
        self, job: Job, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        by_hand = 'image: webui:1.0.1 # {"$imagepolicy": "webshop:webui"}\n'
        path = "webshop/dev/webui.yaml"
        before(monkeypatch, AzureDevOps, "set_auto_merge", lambda: job.forge.push("main", {path: by_hand}))
        assert job.new("1.4.2")["result"] == "merged"
        assert job.tag("dev") == "1.4.2"


class TestBudgets:
    """The stories hold them too."""

    def test_are_those_of_the_documentation(self) -> None:
        page = (Path(__file__).parents[2] / "docs/providers.md").read_text()
        part = page.partition("## azdo")[2].partition("## Where the forges differ")[0]
        rows = dict(re.findall(r"^\| `(new|promote|status|status --publish)` \| (.*) \|$", part, re.MULTILINE))
        told = {verb: [int(number) for number in re.findall(r"[0-9]+", text)] for verb, text in rows.items()}
        most = AzureStage.budgets
        assert told == {
            "new": [most.new],
            "promote": [most.promote, most.promotion],
            "status": [most.status, most.look],
            "status --publish": [most.publish - 2, 1, 1, most.gate, most.verdict, 1],
        }

    def test_new(self, gated: Job) -> None:
        for tag, result, most in (("1.4.2", "opened", 7), ("1.4.3", "updated", 10), ("1.4.3", "unchanged", 4)):
            gated.forge.calls()
            assert gated.new(tag)["result"] == result
            assert len(gated.forge.calls()) <= most, tag

    def test_new_without_a_required_check(self, job: Job) -> None:
        job.forge.calls()
        assert job.new("1.4.2")["result"] == "merged"
        assert len(job.forge.calls()) <= 7

    def test_promote(self, gated: Job) -> None:
        manifest = 'image: cart:1.0.0 # {"$imagepolicy": "webshop:cart"}\n'
        gated.forge.push("main", {f"webshop/{env}/cart.yaml": manifest for env in ("dev", "qa", "prod")})
        for app in ("webui", "cart"):
            gated.new("2.0.0", app=app)
            gated.pass_checks()
        gated.forge.calls()
        outcomes = gated.run("promote", "--all")
        assert [outcome["result"] for outcome in outcomes] == ["opened", "opened"]
        assert len(gated.forge.calls()) <= 4 + 7 * 2

    def test_status_and_its_publishing(self, gated: Job) -> None:
        gated.new("1.4.2")
        gated.pass_checks()
        [outcome] = gated.run("promote", "--all")
        number = str(outcome["pull_request"]["number"])
        gated.forge.calls()
        gated.run("status", "--pr", number, "--timeout", "0", code=4)
        assert len(gated.forge.calls()) <= 3 + 2  # one look; two where nothing has any status yet
        gated.flux("dev")
        gated.run("status", "--publish")
        assert len(gated.forge.calls()) <= 3 + 1 + 3  # one gate, one verdict
        gated.run("status", "--publish")


class TestGate:
    def test_a_later_environment_merges_at_once_only_if_the_gate_passes(self, job: Job) -> None:
        assert job.new("1.4.2")["result"] == "merged"
        [refused] = job.run("promote", "--all", code=3)
        assert refused["result"] == "refused"
        assert "has no status yet" in refused["message"]
        pull = job.forge.hosted.pull(refused["pull_request"]["number"])
        assert (pull.active, pull.auto_by, job.tag("qa")) == (True, "", "1.0.0")
        job.flux("dev")
        [merged] = job.run("promote", "--all")
        assert (merged["result"], job.tag("qa")) == ("merged", "1.4.2")

    def test_reviews_alone_do_not_pass_the_gate(self, job: Job) -> None:
        hosted = job.forge.hosted
        hosted.require_reviewers()
        number = job.new("1.4.2")["pull_request"]["number"]
        assert hosted.pull(number).auto_by == "build"
        hosted.vote(number, "bob", 10)
        assert job.tag("dev") == "1.4.2"
        [refused] = job.run("promote", "--all", code=3)
        number = refused["pull_request"]["number"]
        assert "make `gitops-promotion status` a required check" in refused["message"]
        job.flux("dev")
        [armed] = job.run("promote", "--all")
        assert (armed["result"], hosted.pull(number).auto_by) == ("unchanged", "build")
        hosted.vote(number, "bob", 10)
        assert job.tag("qa") == "1.4.2"

    def test_b1_b30_auto_false_is_never_armed_and_an_armed_one_is_disarmed(self, gated: Job) -> None:
        gated.new("1.4.2")
        gated.pass_checks()
        gated.flux("dev", "qa")
        [into_qa] = gated.run("promote", "--all")
        number = into_qa["pull_request"]["number"]
        assert gated.forge.hosted.pull(number).auto_by == "build"
        gated.want_a_person_for_qa()
        gated.run("promote", "--all")
        assert gated.forge.hosted.pull(number).auto_by == ""
        gated.pass_checks()
        assert gated.tag("qa") == "1.0.0"

    def test_a_freeze_disarms_and_its_end_arms_again(self, gated: Job) -> None:
        number, hosted = gated.into_qa(), gated.forge.hosted
        config = gated.forge.show("main", "gitops-promotion.yaml")
        for freeze, verb, armed in (
            ("freezes: [{from: 2001-01-01, until: 2199-12-31}]\n", ("promote", "--all"), ""),
            ("freezes: [{from: 2001-01-01, until: 2001-12-31}]\n", ("promote", "--all"), "build"),
            ("freezes: [{from: 2001-01-01, until: 2199-12-31}]\n", ("status", "--publish"), ""),
        ):
            gated.forge.push("main", {"gitops-promotion.yaml": config + freeze})
            gated.run(*verb)
            assert hosted.pull(number).auto_by == armed
        assert hosted.pull(number).statuses[-1].state == "pending"

    def test_an_open_hold_counts_and_disarms(self, gated: Job) -> None:
        number, hosted = gated.into_qa(), gated.forge.hosted
        [held] = gated.run("hold", "--group", "webshop", "--app", "webui", "--env", "qa", "--reason", "bad")
        assert (held["result"], held["branch"]) == ("opened", "hold/webshop-webui-qa")
        [skipped] = gated.run("promote", "--all")
        assert skipped["result"] == "skipped"
        assert f"(pull request #{held['pull_request']['number']} is open): bad" in skipped["message"]
        assert hosted.pull(number).auto_by == ""

    @pytest.mark.parametrize("rights", [frozenset(), frozenset({"PullRequestContribute"})])
    def test_b1_a_verdict_does_not_merge_in_place_of_a_person(
        self, gated: Job, monkeypatch: pytest.MonkeyPatch, rights: frozenset[str]
    ) -> None:
        number = gated.into_qa()
        gated.want_a_person_for_qa()
        gated.flux("dev")
        monkeypatch.setenv("SYSTEM_ACCESSTOKEN", gated.forge.server.give_token("weak", kind="jwt", lacks=rights))
        gated.run("status", "--publish", code=6 if rights else 0)
        assert gated.tag("qa") == "1.0.0"
        pull = gated.forge.hosted.pull(number)
        assert [each.state for each in pull.statuses] == ([] if rights else ["succeeded"])
        assert bool(pull.auto_by) is bool(rights)

    def test_without_its_branch_a_promotion_is_no_decline_and_comes_back_disarmed(self, gated: Job) -> None:
        number, hosted = gated.into_qa(), gated.forge.hosted
        hosted.delete_branch(BRANCH)
        gated.want_a_person_for_qa()
        gated.forge.server.requests.clear()
        [outcome] = gated.run("promote", "--all")
        assert (outcome["result"], outcome["pull_request"]["number"]) == ("opened", number)
        assert hosted.pull(number).auto_by == ""
        asked = [(each.method, each.path.endswith("git-receive-pack")) for each in gated.forge.server.requests]
        assert asked.index(("PATCH", False)) < asked.index(("POST", True))

    def test_b1_a_pull_request_into_another_branch_does_not_hide_the_armed_one(self, gated: Job) -> None:
        number = gated.into_qa()
        hosted = gated.forge.hosted
        hosted.push("release", {"README.md": "# Elsewhere\n"})
        elsewhere = hosted.open_pull_request(BRANCH, base="release", by="eve")
        outcome = gated.new("1.5.0")
        assert (outcome["result"], outcome["pull_request"]["number"]) == ("updated", number)
        assert (hosted.pull(elsewhere).base_ref, hosted.pull(elsewhere).title) == ("release", "Change")
        gated.pass_checks()
        assert (gated.tag("dev"), gated.tag("qa")) == ("1.5.0", "1.0.0")

    @pytest.mark.parametrize("strategy", ["noFastForward", "squash", "rebase", "rebaseMerge"])
    def test_b31_promote_finds_a_merge_by_any_method(self, gated: Job, strategy: Strategy) -> None:
        gated.forge.hosted.allow_strategies(strategy)
        gated.new("1.4.2")
        gated.forge.push("main", {"README.md": "# Meanwhile\n"})
        gated.pass_checks()
        assert gated.tag("dev") == "1.4.2"
        [outcome] = gated.run("promote", "--all")
        assert (outcome["result"], outcome["environment"]) == ("opened", "qa")

    @pytest.mark.parametrize(("genre", "result"), [("fluxcd", "merged"), ("fluxcd:eu", "merged"), ("ci", "refused")])
    def test_b16_the_statuses_of_flux_count_by_their_genre(self, job: Job, genre: str, result: str) -> None:
        job.new("1.4.2")
        job.flux("dev", genre=genre)
        [outcome] = job.run("promote", "--all", code=None)
        assert outcome["result"] == result

    @pytest.mark.parametrize("state", ["pending", "notSet", "partiallySucceeded"])
    def test_b14_a_reconciliation_in_progress_waits(self, gated: Job, state: Any) -> None:
        gated.new("1.4.2")
        gated.pass_checks()
        [outcome] = gated.run("promote", "--all")
        gated.forge.hosted.post_status(gated.forge.branches()["main"], FLUX, state, description="working")
        [waits] = gated.run("status", "--pr", str(outcome["pull_request"]["number"]), "--timeout", "0", code=4)
        assert (waits["result"], "in progress" in waits["reasons"][0]) == ("timed-out", True)

    def test_b15_an_old_failure_does_not_hide_a_newer_success(self, job: Job) -> None:
        job.new("1.4.2")
        main = job.forge.branches()["main"]
        for state in ("error", "succeeded"):
            job.forge.hosted.post_status(main, FLUX, state)
        job.forge.hosted.post_status(main, "nobody", "failed", genre=None)
        [outcome] = job.run("promote", "--all")
        assert outcome["result"] == "merged"

    def test_the_published_status_satisfies_the_policy(self, gated: Job) -> None:
        gated.new("1.4.2")
        assert gated.run("status", "--publish")[0]["message"].startswith("published success")
        assert gated.tag("dev") == "1.4.2"
        [into_qa] = gated.run("promote", "--all")
        assert gated.run("status", "--publish")[0]["message"].startswith("published pending")
        assert gated.run("status", "--publish")[0]["result"] == "unchanged"
        gated.flux("dev")
        gated.run("status", "--publish")
        assert gated.tag("qa") == "1.4.2"
        said = gated.forge.hosted.pull(into_qa["pull_request"]["number"]).statuses
        assert [each.state for each in said] == ["pending", "succeeded"]


class TestPublishing:
    def test_b27_a_reopened_pull_request_gets_the_verdict_of_its_commit(self, gated: Job) -> None:
        first = gated.into_qa()
        gated.flux("dev")
        gated.forge.hosted.pull(first).auto_by = ""
        gated.run("status", "--publish")
        gated.forge.hosted.abandon(first)
        [outcome] = gated.run("promote", "--app", "webui", "--env", "qa")
        assert outcome["pull_request"]["number"] == first + 1
        gated.run("status", "--publish")
        assert gated.tag("qa") == "1.4.2"

    @pytest.mark.parametrize("times", [1, 9])
    def test_b27_a_verdict_waits_until_the_pull_request_has_the_push(self, gated: Job, times: int) -> None:
        gated.new("1.4.2")
        unknown = faults.Fault(act="answer", name="none yet", answer=faults.reply(200, {"count": 0, "value": []}))
        gated.forge.server.faults.add(unknown, path="/iterations$", times=times)
        [outcome] = gated.run("status", "--publish", code=None)
        assert ("run again" in outcome["message"]) is (times > 1)
        gated.forge.server.faults.clear()
        gated.run("status", "--publish")
        assert gated.tag("dev") == "1.4.2"


class TestFailures:
    def test_a_branch_protected_against_pushes_is_a_git_error_with_the_servers_reason(self, job: Job) -> None:
        job.forge.hosted.require_status("x", branch=BRANCH)
        assert "TF402455" in job.new("1.4.2", code=5)["message"]

    def test_a_token_without_the_right_to_push_is_an_error_that_says_so(
        self, job: Job, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        weak = job.forge.server.give_token("weak", kind="jwt", lacks=frozenset({"GenericContribute"}))
        monkeypatch.setenv("SYSTEM_ACCESSTOKEN", weak)
        assert "lacks a permission" in job.new("1.4.2", code=6)["message"]


class TestToken:
    def test_may_end_with_a_line_break(self, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GITOPS_PROMOTION_TOKEN", f"{job.forge.server.token}\r\n")
        monkeypatch.setenv("SYSTEM_ACCESSTOKEN", "")
        assert job.new("1.4.2")["result"] == "merged"

    def test_b10_of_a_job_is_sent_to_its_own_server_only(self, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SYSTEM_COLLECTIONURI", "https://dev.azure.com/acme/")
        outcome = job.run(
            "new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2", "--provider", "azdo", code=6
        )[0]
        assert "wants a token" in outcome["message"]
        assert {request.actor for request in job.forge.server.requests} == {""}
