"""The examples of features of docs/verbs.md in the repository of the demo; tests/test_docs.py runs the demo itself."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_promotion import cli
from gitops_promotion.commands.demo import files

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Remote

VERBS_PAGE = (Path(__file__).parents[2] / "docs" / "verbs.md").read_text(encoding="utf-8")


@pytest.mark.kustomize
def test_the_repository_of_the_demo_takes_the_feature_verbs(
    kustomize: str,
    make_remote: "Callable[..., Remote]",
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(make_remote(files()).clone().path)
    results = []
    for example in re.findall(r"^gitops-promotion (feature.*)$", VERBS_PAGE, re.MULTILINE):
        with pytest.raises(SystemExit) as raised:
            cli.main(shlex.split(example))
        printed = capsys.readouterr()
        assert raised.value.code == 0, printed.err
        results.append(printed.out.split()[0])
    # feature, feature --dry-run, feature-delete, feature-stale twice
    assert results == ["merged", "unchanged", "merged", "unchanged", "unchanged"]


def test_the_repository_of_the_demo_builds_without_a_network() -> None:
    kustomizations = [text for path, text in files().items() if path.endswith("kustomization.yaml")]
    resources = [line for text in kustomizations for line in re.findall(r"^  - (\S+)$", text, re.MULTILINE)]
    assert len(resources) == 3 * 2 + 1
    assert [line for line in resources if "://" in line or "?" in line or line.startswith("git")] == []
