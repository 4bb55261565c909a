"""In any environment: building after equals building before plus the copy, and what is added is taken away to the byte.

The environments are made up (`tests/kustomizations/generated.py`), kustomize's answers to them are real.
"""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from gitops_promotion.core import markers
from gitops_promotion.core.feature import probe
from gitops_promotion.core.feature.copy import CopyRequest
from gitops_promotion.core.feature.folder import EnvironmentFolder
from gitops_promotion.core.tags import Tag
from gitops_promotion.git import Tree
from gitops_promotion.kustomize import Kustomize
from gitops_promotion.workflow.build import EnvironmentBuilder
from gitops_promotion.workflow.features import prove_copy
from tests.kustomizations import program
from tests.kustomizations.generated import environment

FEATURE = "pr-7"
LABEL = "gitops-promotion.xenit.io/feature"
SELECTED = {"app": "web"}


def builder_of(folder: Path, files: dict[str, bytes], path: str) -> EnvironmentBuilder:
    folder.mkdir()
    tree = Tree(folder, {name: ("100644", content) for name, content in files.items()})
    kustomize = Kustomize.find({"PATH": path})
    return EnvironmentBuilder(
        folder=EnvironmentFolder(path="shop/dev", files=tree.below("shop/dev")),
        tree=tree,
        find_kustomize=lambda: kustomize,
    )


def copied(builder: EnvironmentBuilder) -> dict[str, bytes | None]:
    def probing(files: Any) -> dict[str, bytes]:
        return dict(markers.set_tag(files, group="shop", app="web", tag=probe.TAG).edits)

    request = CopyRequest(feature=FEATURE, tag=Tag("1.5.0-pr"), subfolder=f"web-{FEATURE}", selector=SELECTED)
    return prove_copy(builder, request, probing)[0]


def build(builder: EnvironmentBuilder, edits: dict[str, bytes | None]) -> dict[tuple[str, ...], Any]:
    """What another reader of YAML finds in what is built."""
    builder.tree.apply(edits)
    output = builder.find_kustomize().build(builder.tree.root, "shop/dev")
    found = list(YAML(typ="safe", pure=True).load_all(output.decode()))
    keys = [(each["apiVersion"], each["kind"], each["metadata"]["name"]) for each in found]
    assert len(set(keys)) == len(found)
    return dict(zip(keys, found, strict=True))


def pods(document: Any) -> dict[str, str]:
    return dict(document["spec"]["template"]["metadata"]["labels"]) if "template" in document.get("spec", {}) else {}


def selector(document: Any) -> dict[str, str]:
    found = document.get("spec", {}).get("selector", {})
    return dict(found.get("matchLabels", found))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        thorough = metafunc.config.getoption("--thorough") or program.RECORDING
        metafunc.parametrize("seed", range(10 if thorough else 3))


@pytest.mark.kustomize
def test_after_is_before_and_the_copy_and_nothing_is_left_of_it(seed: int, tmp_path: Path, kustomize: str) -> None:
    files = environment(seed)
    builder = builder_of(tmp_path / "before", files, kustomize)
    edits = copied(builder)
    before, after = build(builder, {}), build(builder, edits)
    assert {key: after.get(key) for key in before} == before
    new = [after[key] for key in after.keys() - before.keys()]
    mine = [each for each in before.values() if SELECTED.items() <= each["metadata"].get("labels", {}).items()]
    assert len(new) >= len(mine) >= 2
    assert all(each["metadata"]["labels"][LABEL] == FEATURE for each in new)
    containers = [c for each in new if pods(each) for c in each["spec"]["template"]["spec"]["containers"]]
    assert {c["image"].rpartition(":")[2] for c in containers} <= {"1.5.0-pr", "v1.31"}
    assert any(c["image"].endswith(":1.5.0-pr") for c in containers)
    for one, other in ((before.values(), new), (new, before.values())):
        for taker in filter(selector, one):
            assert not any(pods(each) and selector(taker).items() <= pods(each).items() for each in other)

    edited = {path: content for path, content in {**files, **edits}.items() if content is not None}
    second = builder_of(tmp_path / "after", edited, kustomize)
    assert copied(second) == {}, "a second time changes nothing"
    gone = second.folder.without([f"web-{FEATURE}"])
    assert {path: content for path, content in {**edited, **gone}.items() if content is not None} == files
