"""The verbs on a GitHub of our own: their budgets, their end states whatever fails, and where the token goes."""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.errors import AuthError
from gitops_promotion.git import Repository
from gitops_promotion.git.process import Runner
from gitops_promotion.providers import TokenQuery
from gitops_promotion.providers.github.facts import token
from gitops_promotion.providers.github.provider import GitHub
from tests.forges import faults
from tests.providers.verbs import Verbs
from tests.stories.stage import tag_in
from tests.support.meanwhile import before

if TYPE_CHECKING:
    from tests.providers.conftest import GitHubForge

BRANCH = "promote/webshop-webui"
FLUX = "kustomization/webshop-dev/2fb0a5b0"


@dataclass(kw_only=True)
class Actions(Verbs):
    """A runner with a checkout of the repository, in which the verbs run."""

    forge: "GitHubForge"

    def tag(self, environment: str, app: str = "webui") -> str:
        return tag_in(self.forge.show("main", f"webshop/{environment}/{app}.yaml"))

    def pass_checks(self) -> None:
        """Let the required check of every open pull request be green, wherever its head is now."""
        for pull in self.forge.hosted.pulls():
            if pull.open:
                self.forge.pass_gate(pull.head_sha)


@pytest.fixture
def actions(
    github_forge: "GitHubForge",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environ: Mapping[str, str],
) -> Actions:
    """A runner of the server's own, with its token in the environment."""
    hosted = github_forge.hosted
    checkout = hosted.git.clone_to(tmp_path / "checkout", url=hosted.url, environ=dict(environ))
    monkeypatch.setenv("GITHUB_SERVER_URL", github_forge.server.url)
    monkeypatch.setenv("GITHUB_API_URL", github_forge.server.api_url)
    monkeypatch.setenv("GITHUB_TOKEN", github_forge.server.token)
    monkeypatch.setattr("gitops_promotion.workflow.run.time.sleep", github_forge.slept.append)
    return Actions(forge=github_forge, checkout=checkout, capsys=capsys)


@pytest.fixture
def gated(actions: Actions) -> Actions:
    """The same, with our check required on main."""
    actions.forge.require_gate()
    return actions


class TestBudgets:
    def test_new_takes_at_most_five_requests(self, gated: Actions) -> None:
        for tag, result in (("1.4.2", "opened"), ("1.4.3", "updated"), ("1.4.3", "unchanged")):
            gated.forge.calls()
            assert gated.new(tag)["result"] == result
            assert len(gated.forge.calls()) <= 5

    def test_new_without_a_required_check_takes_at_most_five_requests(self, actions: Actions) -> None:
        actions.forge.calls()
        assert actions.new("1.4.2")["result"] == "merged"
        assert len(actions.forge.calls()) <= 5

    def test_promote_takes_one_and_five_for_each_promotion(self, gated: Actions) -> None:
        manifest = 'image: cart:1.0.0 # {"$imagepolicy": "webshop:cart"}\n'
        gated.forge.push("main", {f"webshop/{env}/cart.yaml": manifest for env in ("dev", "qa", "prod")})
        for app in ("webui", "cart"):
            gated.new("2.0.0", app=app)
            gated.pass_checks()
        gated.forge.calls()
        outcomes = gated.run("promote", "--all")
        assert [outcome["result"] for outcome in outcomes] == ["opened", "opened"]
        assert len(gated.forge.calls()) <= 1 + 5 * 2

    def test_promote_starts_six_git_commands_after_a_merge_whose_branch_is_kept(
        self, gated: Actions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gated.new("1.4.2")
        gated.pass_checks()
        gated.checkout.git("fetch", "--quiet", str(gated.forge.hosted.git.path), "main")
        gated.checkout.git("reset", "--quiet", "--hard", "FETCH_HEAD")
        names: list[str] = []
        start = Runner.start

        def noted(self: Runner, arguments: Sequence[str], *more: Any, **options: Any) -> Any:
            names.append(arguments[0])
            return start(self, arguments, *more, **options)

        monkeypatch.setattr(Runner, "start", noted)
        assert [outcome["result"] for outcome in gated.run("promote", "--all")] == ["opened"]
        assert sorted(names) == ["cat-file", "config", "grep", "log", "ls-remote", "push"]

    def test_status_takes_two_and_one_a_look(self, gated: Actions) -> None:
        gated.new("1.4.2")
        gated.pass_checks()
        [outcome] = gated.run("promote", "--all")
        number = str(outcome["pull_request"]["number"])
        gated.forge.calls()
        gated.run("status", "--pr", number, "--timeout", "0", code=4)
        assert len(gated.forge.calls()) <= 3

    def test_the_board_and_the_history_of_any_number_of_promotions_take_a_handful_of_requests(
        self, gated: Actions
    ) -> None:
        manifest = 'image: cart:1.0.0 # {"$imagepolicy": "webshop:cart"}\n'
        gated.forge.push("main", {f"webshop/{env}/cart.yaml": manifest for env in ("dev", "qa", "prod")})
        for app in ("webui", "cart"):
            gated.new("2.0.0", app=app)
            gated.pass_checks()
        gated.run("promote", "--all")
        gated.forge.calls()
        board = gated.look("board")
        opened = [cell["open"] for each in board["applications"] for cell in each["environments"] if cell["open"]]
        assert [each["decision"] for each in opened] == ["wait", "wait"]
        assert all(each["url"].startswith(gated.forge.server.url) for each in opened)
        assert board["left_out"] == []
        # Open pull requests, statuses, discussions, and declines of the branches of two applications.
        assert len(gated.forge.calls()) <= 5
        history = gated.look("history", "--env", "dev")
        assert [event["pull_request"] for event in history["events"] if event["kind"] == "promotion"] == [2, 1]
        assert history["left_out"] == []
        assert len(gated.forge.calls()) <= 1


class TestPullRequests:
    def test_labels_and_reviewers_are_given_once_each_and_a_refusal_is_a_warning(self, gated: Actions) -> None:
        hosted = gated.forge.hosted
        hosted.repo.collaborators = frozenset({"bob"})
        keys = "labels: [promotion, 'env/{{ environment }}']\nreviewers: [eve, bob]\n"
        hosted_config = gated.forge.show("main", "gitops-promotion.yaml")
        gated.forge.push("main", {"gitops-promotion.yaml": hosted_config + "\n" + keys})
        first = gated.new("1.4.2")
        assert first["result"] == "opened"
        assert [warning for warning in first["warnings"] if "eve is not asked" in warning] == first["warnings"]
        assert hosted.pull(1).labels == ["promotion", "env/dev"]
        assert hosted.pull(1).requested == ["bob"]
        gated.forge.calls()
        assert gated.new("1.4.3")["warnings"] == []
        assert not [call for call in gated.forge.calls() if "reviewers" in call], "who was asked is not asked again"
        assert gated.new("1.4.3")["result"] == "unchanged"
        assert not [call for call in gated.forge.calls() if "labels" in call]


SHOP = {
    "gitops-promotion.yaml": (
        "environments: [{name: dev, auto: true}, {name: prod}]\n"
        "groups: {webshop: {applications: {webui: {featureLabelSelector: {app: webui}}}}}\n"
    ),
    "webshop/dev/kustomization.yaml": "resources: [webui.yaml]\n",
    "webshop/dev/webui.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: webui, labels: {app: webui}}
spec:
  selector: {matchLabels: {app: webui}}
  template:
    metadata: {labels: {app: webui}}
    spec:
      containers:
      - name: webui
        image: ghcr.io/webshop/webui:1.0.0 # {"$imagepolicy": "webshop:webui"}
""",
}
FEATURE = ("--group", "webshop", "--app", "webui", "--feature", "pr-1")


@pytest.mark.kustomize
@pytest.mark.usefixtures("kustomize")
class TestFeatures:
    def test_a_copy_is_opened_armed_and_cleared_away_within_five_requests_each(self, gated: Actions) -> None:
        gated.forge.push("main", SHOP)
        before = gated.forge.branches()["main"]
        for tag, result in (("1", "opened"), ("2", "updated"), ("2", "unchanged")):
            gated.forge.calls()
            [outcome] = gated.run("feature", *FEATURE, "--tag", tag)
            assert outcome["result"] == result
            assert len(gated.forge.calls()) <= 5
        assert gated.forge.hosted.pull(outcome["pull_request"]["number"]).auto_merge
        gated.pass_checks()
        assert "webui:2" in gated.forge.show("main", "webshop/dev/webui-pr-1/deployment-webui.yaml")
        gated.forge.calls()
        [outcome] = gated.run("feature-delete", *FEATURE)
        assert outcome["result"] == "opened"
        assert len(gated.forge.calls()) <= 5
        gated.pass_checks()
        assert gated.forge.hosted.git.git("diff", before, "main") == ""
        assert gated.forge.server.token not in gated.printed

    def test_a_copy_that_is_not_merged_is_withdrawn(self, gated: Actions) -> None:
        gated.forge.push("main", SHOP)
        [opened] = gated.run("feature", *FEATURE, "--tag", "1")
        [closed] = gated.run("feature-delete", *FEATURE)
        pull = gated.forge.hosted.pull(opened["pull_request"]["number"])
        assert (closed["result"], pull.open, pull.auto_merge) == ("updated", False, None)


class TestGate:
    def test_b29_a_later_environment_merges_at_once_only_if_the_gate_passes(self, actions: Actions) -> None:
        assert actions.new("1.4.2")["result"] == "merged"
        [refused] = actions.run("promote", "--all", code=3)
        assert refused["result"] == "refused"
        assert "has no status yet" in refused["message"]
        assert "make `gitops-promotion status` a required check" in refused["message"]
        pull = actions.forge.hosted.pull(refused["pull_request"]["number"])
        assert (pull.open, pull.auto_merge, actions.tag("qa")) == (True, None, "1.0.0")
        actions.forge.hosted.post_status(actions.forge.branches()["main"], FLUX, "success")
        [merged] = actions.run("promote", "--all")
        assert (merged["result"], actions.tag("qa")) == ("merged", "1.4.2")

    def test_b1_auto_false_is_never_armed(self, gated: Actions) -> None:
        for environment, tag in (("qa", "1.4.2"), ("prod", "1.0.0")):
            gated.new("1.4.2")
            gated.pass_checks()
            gated.forge.hosted.post_status(gated.forge.branches()["main"], FLUX, "success")
            gated.forge.hosted.post_status(gated.forge.branches()["main"], FLUX.replace("dev", "qa"), "success")
            [outcome] = [each for each in gated.run("promote", "--all") if each["environment"] == environment]
            pull = gated.forge.hosted.pull(outcome["pull_request"]["number"])
            assert bool(pull.auto_merge) is (environment == "qa")
            gated.pass_checks()
            assert gated.tag(environment) == tag

    def test_a_freeze_disarms_and_its_end_arms_again(self, gated: Actions) -> None:
        gated.new("1.4.2")
        gated.pass_checks()
        [outcome] = gated.run("promote", "--all")
        pull = gated.forge.hosted.pull(outcome["pull_request"]["number"])
        config = gated.forge.show("main", "gitops-promotion.yaml")
        for freeze, verb, armed in (
            ("freezes: [{from: 2001-01-01, until: 2199-12-31}]\n", ("promote", "--all"), False),
            ("freezes: [{from: 2001-01-01, until: 2001-12-31}]\n", ("promote", "--all"), True),
            ("freezes: [{from: 2001-01-01, until: 2199-12-31}]\n", ("status", "--publish"), False),
        ):
            gated.forge.push("main", {"gitops-promotion.yaml": config + freeze})
            gated.run(*verb)
            assert bool(pull.auto_merge) is armed

    def test_an_open_hold_counts_and_disarms(self, gated: Actions) -> None:
        gated.new("1.4.2")
        gated.pass_checks()
        [outcome] = gated.run("promote", "--all")
        pull = gated.forge.hosted.pull(outcome["pull_request"]["number"])
        [held] = gated.run("hold", "--group", "webshop", "--app", "webui", "--env", "qa", "--reason", "bad")
        assert (held["result"], held["branch"]) == ("opened", "hold/webshop-webui-qa")
        [skipped] = gated.run("promote", "--all")
        assert skipped["result"] == "skipped"
        assert f"(pull request #{held['pull_request']['number']} is open): bad" in skipped["message"]
        assert pull.auto_merge is None

    @pytest.mark.parametrize("verb", ["hold", "rollback"])
    def test_what_a_writer_pushes_onto_an_armed_branch_of_this_tool_is_disarmed(
        self, gated: Actions, verb: str
    ) -> None:
        for tag in ("1.4.1", "1.4.2") if verb == "rollback" else ():
            path = "webshop/dev/webui.yaml"
            text = re.sub(r":[0-9.]+ #", f":{tag} #", gated.forge.show("main", path))
            sha = gated.forge.push("main", {path: text})
            gated.forge.hosted.post_status(sha, FLUX, "success" if tag == "1.4.1" else "failure")
        words = (verb, "--group", "webshop", "--app", "webui", "--env", "dev", "--reason", "bad")
        [opened] = gated.run(*words)
        number, branch = opened["pull_request"]["number"], opened["branch"]
        assert opened["pull_request"]["auto_merge"]
        gated.forge.push(branch, {"webshop/prod/evil.yaml": "hostPID: true\n"})
        assert gated.forge.provider.pull_request(number).auto_merge, "GitHub leaves it armed"
        [refused] = [outcome for outcome in gated.run("status", "--publish") if outcome["branch"] == branch]
        assert "published failure" in refused["message"]
        assert "changes more than" in " ".join(refused["reasons"])
        assert not gated.forge.provider.pull_request(number).auto_merge

    def test_b1_a_pull_request_into_another_branch_does_not_hide_the_armed_one(self, gated: Actions) -> None:
        hosted = gated.forge.hosted
        number = gated.new("1.4.2")["pull_request"]["number"]
        hosted.push("release", {"README.md": "# Elsewhere\n"})
        elsewhere = hosted.open_pull_request(BRANCH, base="release", by="eve")
        outcome = gated.new("1.5.0")
        assert (outcome["result"], outcome["pull_request"]["number"]) == ("updated", number)
        assert hosted.pull(elsewhere).base_ref == "release"

    @pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
    def test_b26_promote_finds_a_merge_by_any_method(self, gated: Actions, method: str) -> None:
        settings = gated.forge.hosted.settings
        for name in ("merge_commit", "squash_merge", "rebase_merge"):
            setattr(settings, f"allow_{name}", name.startswith(method))
        gated.new("1.4.2")
        gated.pass_checks()
        assert gated.tag("dev") == "1.4.2"
        [outcome] = gated.run("promote", "--all")
        assert (outcome["result"], outcome["environment"]) == ("opened", "qa")

    @pytest.mark.parametrize("reads", [1, 3])
    def test_b27_a_merge_that_github_shows_late_is_waited_for(self, gated: Actions, reads: int) -> None:
        gated.new("1.4.2")
        gated.forge.server.world.late_reads = reads
        gated.pass_checks()
        gated.forge.server.world.late_reads = 0
        [outcome] = gated.run("promote", "--all")
        assert (outcome["result"], outcome["environment"]) == ("opened", "qa")

    def test_b23_the_default_branch_may_have_any_name(self, actions: Actions) -> None:
        git = actions.forge.hosted.git
        git.git("branch", "-m", "main", "trunk")
        git.git("symbolic-ref", "HEAD", "refs/heads/trunk")
        actions.forge.hosted.repo.default_branch = "trunk"
        assert actions.new("1.4.2")["result"] == "merged"
        assert actions.forge.hosted.pull(1).base_ref == "trunk"

    def test_only_configured_accounts_count_for_an_environment(self, actions: Actions) -> None:
        config = actions.forge.show("main", "gitops-promotion.yaml")
        actions.forge.push("main", {"gitops-promotion.yaml": f'{config}\nstatusAuthors: ["Flux[bot]"]\n'})
        assert actions.new("1.4.2")["result"] == "merged"
        actions.forge.hosted.post_status(actions.forge.branches()["main"], FLUX, "success", by="mallory")
        [outcome] = actions.run("promote", "--all", code=3)
        assert outcome["result"] == "refused"
        actions.forge.hosted.post_status(actions.forge.branches()["main"], FLUX, "success", by="flux[bot]")
        [outcome] = actions.run("promote", "--all")
        assert outcome["result"] == "merged"


class TestOutdated:
    def test_an_outdated_branch_into_the_first_environment_is_rebuilt(self, actions: Actions) -> None:
        actions.forge.hosted.protect("main", checks=["gitops-promotion"], strict=True)
        actions.new("1.4.2")
        actions.forge.push("main", {"README.md": "# Other work\n"})
        assert [each["result"] for each in actions.run("promote", "--all")] == ["unchanged"]
        # Only once its checks have passed does GitHub say that it is behind.
        actions.pass_checks()
        assert actions.tag("dev") == "1.0.0"
        [healed] = actions.run("promote", "--all")
        assert (healed["result"], healed["environment"]) == ("updated", "dev")
        actions.pass_checks()
        assert actions.tag("dev") == "1.4.2"


class TestRaces:
    @pytest.mark.parametrize(
        ("owner", "method"),
        [
            (Repository, "push"),
            (GitHub, "open_pull_request"),
            (GitHub, "set_auto_merge"),
            (GitHub, "merge"),
        ],
    )
    def test_two_identical_runs_open_one_pull_request(
        self, owner: type, method: str, actions: Actions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rival = ("new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2", "--token", actions.forge.server.token)
        before(monkeypatch, owner, method, lambda: actions.run(*rival))
        assert actions.new("1.4.2")["result"] in ("unchanged", "merged")
        [pull] = actions.forge.hosted.pulls()
        assert pull.merged_at
        assert actions.forge.hosted.git.git("rev-list", "--count", "--first-parent", "main") == "2"

    def test_a_pull_request_closed_by_a_person_meanwhile_is_declined(
        self, gated: Actions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gated.new("1.4.2")
        gated.pass_checks()
        before(monkeypatch, GitHub, "set_auto_merge", lambda: gated.forge.hosted.close(2))
        [outcome] = gated.run("promote", "--all")
        assert outcome["result"] == "declined"

    def test_a_conflict_with_what_has_just_come_in_is_built_again(
        self, actions: Actions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        by_hand = 'image: webui:1.0.1 # {"$imagepolicy": "webshop:webui"}\n'
        path = "webshop/dev/webui.yaml"
        before(monkeypatch, GitHub, "set_auto_merge", lambda: actions.forge.push("main", {path: by_hand}))
        assert actions.new("1.4.2")["result"] == "merged"
        assert actions.tag("dev") == "1.4.2"

    @pytest.mark.parametrize(
        ("words", "result"),
        [(("status", "--publish"), "skipped"), (("status", "--pr", "2", "--timeout", "0"), "refused")],
    )
    def test_a_refused_pull_request_that_a_person_closes_meanwhile_is_no_failure(
        self, words: tuple[str, ...], result: str, actions: Actions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        actions.forge.hosted.protect("main", checks=["other"])
        actions.new("1.4.2")
        actions.forge.hosted.post_status(actions.forge.hosted.pull(1).head_sha, "other", "success", by="ci")
        actions.run("promote", "--all")
        actions.forge.push(BRANCH, {"webshop/qa/secret.yaml": "kind: Secret\n"})
        before(monkeypatch, GitHub, "set_auto_merge", lambda: actions.forge.hosted.close(2))
        [outcome] = actions.run(*words, code=None)
        assert outcome["result"] == result


class TestFailures:
    def test_a_branch_protected_against_pushes_is_a_git_error_with_githubs_reason(self, actions: Actions) -> None:
        actions.forge.hosted.protect("promote/*")
        actions.forge.hosted.git.protect({BRANCH})
        outcome = actions.new("1.4.2", code=5)
        assert "GH006" in outcome["message"]


class TestToken:
    def test_an_app_pushes_opens_and_arms_with_a_token_of_its_own(
        self, gated: Actions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        app = gated.forge.server.install_app("promoter-app", "acme/gitops")
        key = tmp_path / "app.pem"
        key.write_text(app.private_key)
        monkeypatch.setenv("GITHUB_APP_ID", str(app.id))
        monkeypatch.setenv("GITHUB_APP_PRIVATE_KEY", str(key))
        monkeypatch.setenv("GITHUB_TOKEN", "not-this-one")
        monkeypatch.setattr("gitops_promotion.workflow.run._now", lambda: gated.forge.server.clock.now)
        assert gated.new("1.4.2")["result"] == "opened"
        pull = gated.forge.hosted.pull(1)
        assert (pull.author, pull.auto_merge and pull.auto_merge.by) == ("promoter-app[bot]", "promoter-app[bot]")
        asked = [request.path for request in gated.forge.server.requests if "access_tokens" in request.path]
        assert len(asked) == 1
        made = [
            secret for secret, token in gated.forge.server.world.tokens.items() if token.login == "promoter-app[bot]"
        ]
        assert made
        assert made[0] not in gated.printed

    def test_of_a_run_is_masked_for_the_runner(self, gated: Actions, monkeypatch: pytest.MonkeyPatch) -> None:
        app = gated.forge.server.install_app("promoter-app", "acme/gitops")
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        monkeypatch.setenv("GITHUB_APP_ID", str(app.id))
        monkeypatch.setenv("GITHUB_APP_PRIVATE_KEY", app.private_key.replace("\n", "\\n"))
        monkeypatch.setattr("gitops_promotion.workflow.run._now", lambda: gated.forge.server.clock.now)
        gated.new("1.4.2")
        [made] = [
            secret for secret, token in gated.forge.server.world.tokens.items() if token.login == "promoter-app[bot]"
        ]
        assert gated.printed.count(made) == 1
        assert f"::add-mask::{made}\n" in gated.printed
        assert gated.forge.server.token not in gated.printed

    def test_of_an_app_that_is_not_installed_is_an_error_with_the_next_step(
        self, gated: Actions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gated.forge.server.repository("acme/other", {"a": "1\n"})
        app = gated.forge.server.install_app("promoter-app", "acme/other")
        monkeypatch.setenv("GITHUB_APP_ID", str(app.id))
        monkeypatch.setenv("GITHUB_APP_PRIVATE_KEY", app.private_key)
        outcome = gated.new("1.4.2", code=6)
        assert "GitHub App '1' is not installed on acme/gitops: install it there" in outcome["message"]

    def test_is_neither_printed_nor_stored(self, gated: Actions) -> None:
        gated.forge.server.faults.add(faults.forbidden(), number=3)
        gated.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2", "--verbose", code=None)
        assert gated.forge.server.token not in gated.printed
        for path in gated.checkout.path.rglob("*"):
            if path.is_file():
                assert gated.forge.server.token.encode() not in path.read_bytes()

    def test_b10_of_another_server_is_not_sent(self, gated: Actions, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
        outcome = gated.run(
            "new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2", "--provider", "github", code=6
        )[0]
        assert "wants a token" in outcome["message"]
        assert all(request.actor == "" for request in gated.forge.server.requests)

    def test_is_replaced_before_it_expires(self, gated: Actions) -> None:
        app = gated.forge.server.install_app("promoter-app", "acme/gitops")
        clock = gated.forge.server.clock
        source = app_token(gated, str(app.id), app.private_key)
        first = source()
        assert source() == first
        clock.now = clock.now.replace(hour=clock.now.hour + 1)
        assert source() != first

    @pytest.mark.parametrize("line", [0, 64], ids=["one line", "lines"])
    def test_of_an_app_whose_key_is_given_in_base64(self, gated: Actions, line: int) -> None:
        app = gated.forge.server.install_app("promoter-app", "acme/gitops")
        key = b64encode(app.private_key.encode()).decode()
        lines = [key[start : start + line] for start in range(0, len(key), line)] if line else [key]
        assert app_token(gated, str(app.id), "\n".join(lines) + "\n")().startswith("ghs_")

    def test_of_an_app_whose_jwt_is_refused_names_the_id_the_variables_and_the_clock(self, gated: Actions) -> None:
        app = gated.forge.server.install_app("promoter-app", "acme/gitops")
        other = gated.forge.server.install_app("other-app", "acme/gitops")
        with pytest.raises(AuthError) as caught:
            app_token(gated, str(app.id), other.private_key)()
        assert str(caught.value).startswith(
            f"{gated.forge.server.api_url} does not accept the JWT of GitHub App '{app.id}' (A JSON web token could "
            "not be decoded): check that GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY belong to the same App of this "
            "server, and the time: this machine's clock says 2026-03-01T12:00:00+00:00, "
        )

    @pytest.mark.parametrize(
        ("date", "text"),
        [
            ("Sun, 01 Mar 2026 11:48:00 GMT", "2026-03-01T12:00:00+00:00, 12m ahead of GitHub's: set it"),
            ("Sun, 01 Mar 2026 12:12:00 GMT", "2026-03-01T12:00:00+00:00, 12m behind GitHub's: set it"),
            ("Sun, 01 Mar 2026 12:00:05 GMT", "2026-03-01T12:00:00+00:00"),
            ("yesterday", "2026-03-01T12:00:00+00:00"),
        ],
    )
    def test_of_an_app_on_a_machine_whose_clock_is_wrong_says_by_how_much(
        self, gated: Actions, date: str, text: str
    ) -> None:
        app = gated.forge.server.install_app("promoter-app", "acme/gitops")
        reason = "'Expiration time' claim ('exp') is too far in the future"
        gated.forge.server.faults.add(faults.refusal(401, reason, {"Date": date}))
        with pytest.raises(AuthError, match=re.escape(reason)) as caught:
            app_token(gated, str(app.id), app.private_key)()
        assert str(caught.value).endswith(f"this machine's clock says {text}")

    def test_of_an_app_that_github_does_not_know_names_its_id(self, gated: Actions) -> None:
        app = gated.forge.server.install_app("promoter-app", "acme/gitops")
        gated.forge.server.faults.add(faults.refusal(404, "Integration not found"))
        with pytest.raises(
            AuthError, match=r"does not accept the JWT of GitHub App '1' .Integration not found.: check"
        ):
            app_token(gated, str(app.id), app.private_key)()


def app_token(actions: Actions, app: str, key: str) -> Callable[[], str]:
    """Return the source of an App's token, on a machine whose clock stands at noon."""
    clock = actions.forge.server.clock
    query = TokenQuery(
        url=actions.forge.hosted.url,
        api_url=actions.forge.server.api_url,
        environ={"GITHUB_APP_ID": app, "GITHUB_APP_PRIVATE_KEY": key},
        now=lambda: clock.now,
        sleep=actions.forge.slept.append,
    )
    return token(query)
