"""The demo, and the README's examples of features in its repository."""

import re
import shlex
from pathlib import Path

import pytest

from gitops_promotion import cli
from gitops_promotion.commands.demo import files

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def run(capsys: pytest.CaptureFixture[str], *args: str, code: int = 0) -> str:
    """Return the output of a command line, stdout and stderr."""
    capsys.readouterr()
    exit_code: object = 0
    try:
        cli.main(list(args))
    except SystemExit as error:
        exit_code = error.code or 0
    printed = capsys.readouterr()
    assert exit_code == code, printed.out + printed.err
    return printed.out + printed.err


@pytest.mark.kustomize(check=True)
def test_the_demo_stops_before_prod_and_its_repository_takes_every_verb(
    kustomize: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = run(capsys, "demo", str(tmp_path / "demo"))
    assert "exit code 4" in text, "the check is seen waiting"
    assert "waits for a person" in text
    assert "#3      open" in text
    monkeypatch.chdir(tmp_path / "demo" / "webshop")
    assert "merged" in run(capsys, "local", "merge", "3")
    assert "planned" in run(capsys, "new", "--group=webshop", "--app=cart", "--tag=2.1.0", "--dry-run")
    examples = re.findall(r"^gitops-promotion (feature.*)$", README, re.MULTILINE)
    results = [run(capsys, *shlex.split(example)).splitlines()[0] for example in examples]
    # feature, feature --dry-run, feature-delete, feature-stale twice
    expected = ["merged", "unchanged", "merged", "unchanged", "unchanged"]
    assert [result.split()[0] for result in results] == expected, results
    assert "exists and is not empty" in run(capsys, "demo", str(tmp_path / "demo"), code=2)


def test_the_repository_of_the_demo_builds_without_a_network() -> None:
    kustomizations = [text for path, text in files().items() if path.endswith("kustomization.yaml")]
    resources = [line for text in kustomizations for line in re.findall(r"^  - (\S+)$", text, re.MULTILINE)]
    assert len(resources) == 3 * 2 + 1
    assert [line for line in resources if "://" in line or "?" in line or line.startswith("git")] == []
