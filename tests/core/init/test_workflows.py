"""The files that start the verbs on a forge, made from the examples."""

from pathlib import Path

import pytest

from gitops_promotion.core.init.workflows import PIPELINES, action_problem, undecided, workflows

TEXT = (
    "branches: [main]\ninclude: [main]\nuses: OWNER/gitops-promotion@v2\nimage: ghcr.io/OWNER/gitops-promotion:2.0.0\n"
)
FOLDER = Path(__file__).parents[3] / "examples"
EXAMPLES = dict.fromkeys(("new.yml", "promote.yml", "status.yml", "heal.yml"), TEXT)


@pytest.mark.parametrize(
    ("forge", "paths"),
    [
        (
            "github",
            [f".github/workflows/promotion-{name}.yml" for name in ("new", "promote", "status", "heal")],
        ),
        ("azdo", [f"pipelines/promotion-{name}.yml" for name in ("promote", "status", "heal")]),
        ("local", []),
    ],
)
@pytest.mark.parametrize(
    ("action", "uses"),
    [
        ("", "uses: OWNER/gitops-promotion@v2\nimage: ghcr.io/OWNER/gitops-promotion:2.0.0\n"),
        ("Acme/Promotions@v2.1.0", "uses: Acme/Promotions@v2.1.0\nimage: ghcr.io/acme/promotions:2.1.0\n"),
        ("a/b@4e8b6b5", "uses: a/b@4e8b6b5\nimage: ghcr.io/a/b:4e8b6b5\n"),
    ],
)
def test_the_files_have_the_branch_and_the_name_of_the_action(
    forge: str, paths: list[str], action: str, uses: str
) -> None:
    files = workflows(forge, EXAMPLES, branch="trunk", action=action)
    assert files == dict.fromkeys(paths, f"branches: [trunk]\ninclude: [trunk]\n{uses}".encode())


@pytest.mark.parametrize("action", ["", "acme/promotions@v2"])
@pytest.mark.parametrize(
    ("forge", "guide"), [("github", "docs/github.md"), ("azdo", "docs/azure-devops.md"), ("local", "")]
)
def test_what_is_left_to_a_person_is_said_with_the_guide(forge: str, guide: str, action: str) -> None:
    sentences = undecided(forge, action=action)
    assert [sentence.endswith(guide) for sentence in sentences[-1:]] == [True] * (forge in PIPELINES)
    assert any("OWNER stands for the account" in sentence for sentence in sentences) == (
        forge in PIPELINES and not action
    )


@pytest.mark.parametrize(
    ("text", "is_problem"),
    [
        *(("acme/promotions@v2", False), ("a-b/c.d_e@feature/x", False), ("acme/promotions", True)),
        *(("acme; rm -rf /", True), ("acme/promotions@v2\n", True), ("", True), ("-a/b@c", True)),
    ],
)
def test_the_name_of_an_action_has_an_owner_a_repository_and_a_ref(text: str, is_problem: bool) -> None:
    problem = action_problem(text)
    assert (bool(problem), "OWNER/REPOSITORY@REF" in problem) == (is_problem, is_problem)


def test_the_examples_of_each_forge_are_there() -> None:
    for pipelines in PIPELINES.values():
        assert {path.name for path in (FOLDER / pipelines.examples).iterdir()} >= set(pipelines.names)
