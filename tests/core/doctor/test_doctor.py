"""Each question of `doctor` on one broken set-up that has its finding and no other; none on good ones."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_promotion.core.checks import Tree
from gitops_promotion.core.config import parse
from gitops_promotion.core.doctor import ROWS, Facts, diagnose
from gitops_promotion.core.forge import CommitStatus

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


GOOD = Facts(
    forge="github",
    repository="acme/gitops",
    base="main",
    config=parse(CONFIG.encode(), "gitops-promotion.yaml"),
    tree=tree(),
    files=WORKFLOWS,
    statuses=[posted("kustomization/shop-dev"), posted("ci")],
    commits=20,
)
PLAIN = replace(GOOD, forge="local", repository="/srv/gitops.git", files={}, server={"core.bare": "true"})
PUBLISHED = replace(
    GOOD,
    config=parse(CONFIG.replace("prod", "prod, soak: 1h").encode(), "gitops-promotion.yaml"),
    is_required=True,
    files={**WORKFLOWS, ".github/workflows/published.yml": (EXAMPLES / "published.yml").read_bytes()},
)
BROKEN = [
    ("GP501", replace(GOOD, statuses=None, problem="GitHub said 401: give a token"), "GitHub said 401", "give a token"),
    (
        "GP502",
        replace(GOOD, statuses=[posted("kustomization/webshop-dev")]),
        "*/shop-dev/*, posted were kustomization/webshop-dev",
        "set statusContext of dev",
    ),
    ("GP502", replace(GOOD, statuses=[]), "newest 20 commits of main", "look at the Alert"),
    ("GP503", replace(PUBLISHED, is_required=False), "main does not require", "gh api repos/acme/gitops/rules"),
    ("GP504", replace(GOOD, files={}), "no workflow of the default branch runs `promote`", "docs/github.md"),
    (
        "GP504",
        replace(GOOD, files={path: text.replace(b"push:", b"workflow_dispatch:") for path, text in WORKFLOWS.items()}),
        "`promote` is not started by push",
        "add it",
    ),
    ("GP505", replace(GOOD, tree=tree(flux=AUTOMATION.format("false", "./shop"))), "shop/dev/web.yaml", "suspend"),
    ("GP505", replace(GOOD, files={**WORKFLOWS, "renovate.json": b"{}"}), "Renovate", "docs/renovate.md"),
    (
        "GP505",
        replace(GOOD, files={**WORKFLOWS, ".github/dependabot.yml": b"- package-ecosystem: docker\n"}),
        "Dependabot",
        "limit",
    ),
    ("GP506", replace(PLAIN, server={"receive.denydeletes": "true"}), "deletions of branches", "config receive.deny"),
    ("GP507", replace(PLAIN, server=None), "another machine", "ask there"),
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
        PUBLISHED,
        replace(GOOD, tree=tree(flux=AUTOMATION.format("true", "./shop"), b=AUTOMATION.format("false", "./sh"))),
        replace(GOOD, tree=tree(flux="kind: ImageUpdateAutomation\nspec:\n", b="{ImageUpdateAutomation")),
        replace(GOOD, files={**WORKFLOWS, "renovate.json": b'{"ignorePaths": ["shop/**"]}'}),
        replace(GOOD, files={**WORKFLOWS, ".github/workflows/ci.yml": b"on: push\nname: {\n"}),
    ],
)
def test_good_set_ups_have_none(facts: Facts) -> None:
    assert diagnose(facts).findings == ()
