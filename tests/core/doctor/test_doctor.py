"""Each question of `doctor` on one broken set-up that has its finding and no other; none on good ones."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gitops_promotion.core.checks import Tree
from gitops_promotion.core.config import parse
from gitops_promotion.core.doctor import ROWS, diagnose, example_ruleset
from gitops_promotion.core.doctor.facts import Facts
from gitops_promotion.core.forge import CommitStatus, ForgeSettings, Hidden, Obstacle, RequiredCheck
from gitops_promotion.core.holds import FILE as HOLDS_FILE

EXAMPLES = Path(__file__).parents[3] / "examples" / "github"
CONFIG = "environments: [{name: dev, auto: true}, {name: prod}]\n"
MARKED = 'image: ghcr.io/acme/web:1.0.0 # {"$imagepolicy": "shop:web"}\n'
WORKFLOWS = {f".github/workflows/{name}.yml": (EXAMPLES / f"{name}.yml").read_bytes() for name in ("promote", "status")}
AUTOMATION = "kind: ImageUpdateAutomation\nspec: {{suspend: {}, update: {{path: {}}}}}\n"


def tree(**files: str) -> Tree:
    contents = {"gitops-promotion.yaml": CONFIG, "shop/dev/web.yaml": MARKED, "shop/prod/web.yaml": MARKED}
    contents |= {path.replace("__", "/") + ".yaml": text for path, text in files.items()}
    return Tree(contents={path: text.encode() for path, text in contents.items()})


def posted(context: str) -> CommitStatus:
    return CommitStatus(context=context, state="success", created_at=datetime(2026, 11, 28, tzinfo=UTC))


SETTINGS = ForgeSettings(
    auto_merge=True,
    merge_methods=("merge", "squash"),
    has_merge_queue=False,
    checks=(RequiredCheck(name="promotion-status"),),
    approvals=0,
    some_approvals=True,
    is_strict=False,
    starts_workflows=True,
)
OWNERS = {".github/CODEOWNERS": b"/shop/prod/ @acme/ops\n"}
GOOD = Facts(
    forge="github",
    repository="acme/gitops",
    base="main",
    config=parse(CONFIG.encode(), "gitops-promotion.yaml"),
    tree=tree(),
    files=WORKFLOWS | OWNERS,
    statuses=[posted("kustomization/shop-dev"), posted("ci")],
    commits=20,
    settings=SETTINGS,
)
PLAIN = replace(GOOD, forge="local", repository="/srv/gitops.git", files={}, server={"core.bare": "true"})
AZURE = replace(
    GOOD,
    forge="azdo",
    repository="gitops",
    files={},
    settings=replace(SETTINGS, checks=(RequiredCheck(name="status", is_build=True),)),
)
PUBLISHED = replace(
    GOOD,
    config=parse(CONFIG.replace("prod", "prod, soak: 1h").encode(), "gitops-promotion.yaml"),
    is_required=True,
    settings=replace(SETTINGS, checks=(RequiredCheck(name="gitops-promotion"),)),
    files={**WORKFLOWS, **OWNERS, ".github/workflows/published.yml": (EXAMPLES / "published.yml").read_bytes()},
)
FLUX = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
KUSTOMIZATION = FLUX + "metadata: {name: shop-dev}\nspec:\n  path: ./shop/dev\n"
ALERT = (
    "apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Alert\nmetadata: {name: git}\nspec:\n"
    "  providerRef: {name: git}\n  eventSources: [{kind: Kustomization, name: '*'}]\n"
)
PROVIDER = (
    "apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Provider\nmetadata: {{name: git}}\nspec: {{type: {}}}\n"
)
QUEUED = replace(SETTINGS, has_merge_queue=True)
WEAK = Obstacle(problem="main takes the status from everybody who may post statuses", next_step="choose your App")


def having(facts: Facts = GOOD, **settings: Any) -> Facts:
    assert facts.settings
    return replace(facts, settings=replace(facts.settings, **settings))


def configured(old: str, new: str, facts: Facts = GOOD) -> Facts:
    return replace(facts, config=parse(CONFIG.replace(old, new).encode(), "gitops-promotion.yaml"))


def without(event: bytes) -> dict[str, bytes]:
    return {path: text.replace(event, b"") for path, text in WORKFLOWS.items()}


BROKEN = [
    ("GP501", replace(GOOD, statuses=None, problem="GitHub said 401: give a token"), "GitHub said 401", "give a token"),
    (
        "GP502",
        replace(GOOD, statuses=[posted("kustomization/webshop-dev")]),
        "*/shop-dev/*, posted were kustomization/webshop-dev",
        "set statusContext of dev",
    ),
    ("GP502", replace(GOOD, statuses=[]), "newest 20 commits of main", "look at the Alert"),
    ("GP502", replace(GOOD, statuses=[], commits=1), "newest commit of main", "look at the Alert"),
    (
        "GP502",
        replace(
            configured("environments:", "statusAuthors: [flux]\nenvironments:"),
            statuses=[replace(posted("kustomization/shop-dev"), author="ann"), posted("ci")],
        ),
        "the statuses of dev are posted by ann, whom statusAuthors leaves out",
        "add the account",
    ),
    *(
        ("GP502", replace(GOOD, statuses=[], tree=tree(**{"flux": KUSTOMIZATION, **files})), "newest 20 commits", cause)
        for files, cause in (
            ({}, "correct that no Alert of Flux is in this repository: docs/facts/flux.md"),
            ({"flux": KUSTOMIZATION + "suspend: true\n"}, "correct that no Alert"),
            (
                {"flux": KUSTOMIZATION + "  suspend: true\n"},
                "the Kustomization shop-dev in flux.yaml is suspended",
            ),
            ({"alert": ALERT + "  suspend: true\n"}, "that the Alert git in alert.yaml is suspended"),
            ({"alert": ALERT + "  eventSeverity: error\n"}, "eventSeverity: error, which reports no success"),
            ({"alert": ALERT.replace("kind: Kustomization", "kind: HelmRelease")}, "no Kustomization among its"),
            ({"alert": ALERT, "provider": PROVIDER.format("slack")}, "of the type slack, which posts no commit status"),
            ({"alert": ALERT, "provider": PROVIDER.format("github")}, "look at the Alert and the Provider of Flux"),
            ({"alert": ALERT, "b": ALERT + "  suspend: true\n"}, "look at the Alert and the Provider of Flux"),
        )
    ),
    (
        "GP521",
        replace(GOOD, tree=tree(**{"gitops-promotion.holds": "holds: [x\n"})),
        "is not valid YAML here",
        "correct this line on main",
    ),
    (
        "GP521",
        replace(GOOD, tree=replace(tree(), irregular={"gitops-promotion.holds.yaml": "a symbolic link"})),
        "the file of holds is a symbolic link",
        "make it a file on main",
    ),
    ("GP503", replace(PUBLISHED, is_required=False), "main does not require", "gh api repos/acme/gitops/rules"),
    ("GP504", replace(GOOD, files=OWNERS), "no workflow of the default branch runs `promote`", "docs/github.md"),
    (
        "GP504",
        replace(GOOD, files={path: text.replace(b"push:", b"workflow_dispatch:") for path, text in GOOD.files.items()}),
        "`promote` is not started by push",
        "add it",
    ),
    ("GP505", replace(GOOD, tree=tree(flux=AUTOMATION.format("false", "./shop"))), "shop/dev/web.yaml", "suspend"),
    ("GP505", replace(GOOD, files={**WORKFLOWS, **OWNERS, "renovate.json": b"{}"}), "Renovate", "docs/renovate.md"),
    (
        "GP505",
        replace(GOOD, files={**WORKFLOWS, **OWNERS, ".github/dependabot.yml": b"- package-ecosystem: docker\n"}),
        "Dependabot",
        "limit",
    ),
    ("GP506", replace(PLAIN, server={"receive.denydeletes": "true"}), "deletions of branches", "config receive.deny"),
    ("GP507", replace(PLAIN, server=None), "another machine", "ask there"),
    (
        "GP506",
        having(
            denials=(Obstacle(problem="branches such as promote/x take no forced pushes", next_step="exclude them"),)
        ),
        "take no forced pushes",
        "exclude them",
    ),
    (
        "GP503",
        replace(PUBLISHED, is_required=None, settings=SETTINGS),
        "does not require the status",
        "doctor --ruleset |",
    ),
    (
        "GP508",
        replace(GOOD, push_refusal="https://x does not accept the token (denied): check --token"),
        "may not push the branch of a promotion: https://x does not accept the token (denied)",
        "check --token",
    ),
    ("GP508", having(lacking=("pull-requests: write",)), "lacks pull-requests: write", "docs/github.md"),
    ("GP508", having(AZURE, lacking=("the permission 'Contribute'",)), "'Contribute'", "docs/azure-devops.md"),
    (
        "GP508",
        having(AZURE, lacking=("x",), grant_command="az devops security"),
        "lacks x",
        "`az devops security`; docs",
    ),
    (
        "GP509",
        having(hidden=(Hidden(what="the rules of main (no right)", next_step="give a token with metadata: read"),)),
        "the rules of main (no right) cannot be read with this token",
        "give a token",
    ),
    (
        "GP510",
        having(auto_merge=False),
        "promotions into dev",
        "`gh api -X PATCH -F allow_auto_merge=true repos/acme/gitops`",
    ),
    (
        "GP511",
        configured("environments:", "mergeMethod: rebase\nenvironments:"),
        "mergeMethod is rebase, and the forge allows merge and squash",
        "gh api -X PATCH -F allow_rebase_merge=true repos/acme/gitops",
    ),
    (
        "GP511",
        configured("environments:", "mergeMethod: rebase\nenvironments:", AZURE),
        "no promotion merges",
        "[?type.displayName=='Require a merge strategy']",
    ),
    ("GP511", having(merge_methods=()), "no way to merge", "allow_squash_merge=true"),
    (
        "GP512",
        replace(GOOD, settings=QUEUED, files={**without(b"  merge_group:\n"), **OWNERS}),
        "merge_group does not start it",
        "add `merge_group:`",
    ),
    ("GP513", having(is_strict=True), "each merge makes all other open promotions wait", "required_status_checks"),
    (
        "GP514",
        having(checks=()),
        "does not require promotion-status, the check that waits for the environment before: nothing is required",
        "gitops-promotion doctor --ruleset | gh api -X POST --input - repos/acme/gitops/rulesets",
    ),
    ("GP514", having(checks=(RequiredCheck(name="lint"),)), "required are lint", "requires promotion-status"),
    (
        "GP514",
        having(checks=tuple(RequiredCheck(name=name) for name in "edcba")),
        "required are a, b, c, d, e",
        "requires promotion-status",
    ),
    ("GP514", having(AZURE, checks=()), "a build or the status gitops-promotion", "az repos policy list --branch main"),
    ("GP515", having(approvals=2), "wants 2 approvals of every pull request, so promotions into dev", "pull_request"),
    ("GP515", having(AZURE, approvals=1), "wants 1 approval of", "[?type.displayName=='Minimum number of reviewers']"),
    (
        "GP516",
        replace(GOOD, teams={"acme/ops": "the team acme/ops cannot be read: no right", "acme/dev": ""}),
        "a member of acme/ops must approve wait forever",
        "gh api orgs/acme/teams/ops/members",
    ),
    ("GP517", having(some_approvals=False), "merge a promotion into prod: neither", "add `approvals:` to prod"),
    ("GP517", replace(GOOD, files=WORKFLOWS), "the rule wants code owners, and no CODEOWNERS names any", "owners"),
    ("GP518", having(starts_workflows=False), "this is a workflow's own token", "GitHub App"),
    (
        "GP518",
        replace(
            GOOD,
            files={
                path: text.replace(b"${{ steps.app.outputs.token }}", b"${{ secrets.GITHUB_TOKEN }}")
                for path, text in GOOD.files.items()
            },
        ),
        "`promote` acts with the workflow's own token",
        "GitHub App",
    ),
    ("GP519", having(obstacles=(replace(WEAK, problem="main wants a deployment to stage"),)), "deployment", "choose"),
    (
        "GP519",
        having(wants_signatures=True),
        "signed commits only, and git does not sign here",
        "docs/signed-commits.md",
    ),
    (
        "GP520",
        having(checks=(RequiredCheck(name="promotion-status"), RequiredCheck(name="gitops-promotion", weakness=WEAK))),
        "everybody",
        "App",
    ),
]


@pytest.mark.parametrize(("code", "facts", "message", "fix"), BROKEN)
def test_a_broken_set_up_has_its_finding(code: str, facts: Facts, message: str, fix: str) -> None:
    findings = diagnose(facts).findings
    assert {finding.code for finding in findings} == {code}
    assert message in findings[0].message
    assert fix in findings[0].fix


def test_the_table_has_a_set_up_for_each_code() -> None:
    assert {code for code, *_ in BROKEN} == {row.code for row in ROWS}


@pytest.mark.parametrize(
    "facts",
    [
        GOOD,
        PLAIN,
        AZURE,
        PUBLISHED,
        replace(PUBLISHED, is_required=None),
        replace(
            PUBLISHED,
            files={
                path: text.replace(b"pull_request_target", b"pull_request") for path, text in PUBLISHED.files.items()
            },
        ),
        replace(GOOD, settings=None),
        replace(having(wants_signatures=True), signs=True),
        replace(GOOD, settings=replace(QUEUED, merge_methods=())),
        having(checks=(RequiredCheck(name=".github/workflows/gate.yml", is_build=True),)),
        having(checks=(RequiredCheck(name="gitops-promotion"),)),
        configured("auto: true", "auto: false", having(auto_merge=False, approvals=1)),
        configured("name: prod", "name: stage", having(some_approvals=False)),
        having(AZURE, some_approvals=True),
        replace(GOOD, tree=tree(flux=AUTOMATION.format("true", "./shop"), b=AUTOMATION.format("false", "./sh"))),
        replace(GOOD, tree=tree(flux="kind: ImageUpdateAutomation\nspec:\n", b="{ImageUpdateAutomation")),
        replace(GOOD, files={**WORKFLOWS, **OWNERS, "renovate.json": b'{"ignorePaths": ["shop/**"]}'}),
        replace(GOOD, files={**WORKFLOWS, **OWNERS, ".github/workflows/ci.yml": b"on: push\nname: {\n"}),
    ],
)
def test_good_set_ups_have_none(facts: Facts) -> None:
    assert diagnose(facts).findings == ()


@pytest.mark.parametrize(
    ("files", "context"),
    [
        ({}, "promotion-status"),
        ({".github/workflows/a": "publish: false", "docs/b": "publish: true"}, "promotion-status"),
        ({".github/workflows/a": "publish: false", ".github/workflows/b": "publish: true"}, "gitops-promotion"),
        ({"gitops-promotion": CONFIG.replace("name: prod", "name: prod, soak: 1h")}, "gitops-promotion"),
    ],
)
def test_the_ruleset_requires_the_published_status_where_it_is_needed(files: dict[str, str], context: str) -> None:
    rule: dict[str, Any] = {"type": "required_status_checks", "parameters": {"strict": False}}
    content: dict[str, Any] = {"rules": [{"type": "deletion"}, rule]}
    rule["parameters"]["required_status_checks"] = [{"context": "promotion-status"}]
    example = json.dumps(content, indent=2) + "\n"
    rule["parameters"]["required_status_checks"] = [{"context": context}]
    assert example_ruleset.fitted(example, tree(**files)) == json.dumps(content, indent=2) + "\n"
    assert example_ruleset.fitted(example, Tree(contents={".github/workflows/a.yml": b"\xff"})) == example


def test_the_target_of_a_link_is_not_read_as_holds() -> None:
    link = replace(tree(**{"gitops-promotion.holds": "holds.txt"}), irregular={HOLDS_FILE: "a symbolic link"})
    findings = diagnose(replace(GOOD, tree=link)).findings
    messages = [finding.message for finding in findings if finding.code == "GP521"]
    assert messages == ["the file of holds is a symbolic link"]
