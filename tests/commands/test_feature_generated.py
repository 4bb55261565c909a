"""In any environment a copy adds its objects and nothing else, and its removal restores every byte.

The environments are generated (`tests/kustomizations/generated.py`); the results of kustomize are real.
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
        return dict(markers.set_tag(files, group="shop", app="web", tag=probe.TAG, pin=False).edits)

    request = CopyRequest(feature=FEATURE, tag=Tag("1.5.0-pr"), subfolder=f"web-{FEATURE}", selector=SELECTED)
    return prove_copy(builder, request, probing)[0]


def build(builder: EnvironmentBuilder, edits: dict[str, bytes | None]) -> dict[tuple[str, ...], Any]:
    """Return the objects of a build, read by another YAML parser."""
    builder.tree.apply(edits)
    output = builder.find_kustomize().build(builder.tree.root, "shop/dev")
    documents = list(YAML(typ="safe", pure=True).load_all(output.decode()))
    keys = [(document["apiVersion"], document["kind"], document["metadata"]["name"]) for document in documents]
    assert len(set(keys)) == len(documents)
    return dict(zip(keys, documents, strict=True))


def pods(document: Any) -> dict[str, str]:
    return dict(document["spec"]["template"]["metadata"]["labels"]) if "template" in document.get("spec", {}) else {}


def selector(document: Any) -> dict[str, str]:
    labels = document.get("spec", {}).get("selector", {})
    return dict(labels.get("matchLabels", labels))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        thorough = metafunc.config.getoption("--thorough") or program.RECORDING
        metafunc.parametrize("seed", range(10 if thorough else 3))


@pytest.mark.kustomize
def test_a_copy_adds_only_its_objects_and_its_removal_restores_all(seed: int, tmp_path: Path, kustomize: str) -> None:
    files = environment(seed)
    builder = builder_of(tmp_path / "before", files, kustomize)
    edits = copied(builder)
    before, after = build(builder, {}), build(builder, edits)
    assert {key: after.get(key) for key in before} == before
    copies = [after[key] for key in after.keys() - before.keys()]
    originals = [doc for doc in before.values() if SELECTED.items() <= doc["metadata"].get("labels", {}).items()]
    assert len(copies) >= len(originals) >= 2
    assert all(doc["metadata"]["labels"][LABEL] == FEATURE for doc in copies)
    images = [
        container["image"] for doc in copies if pods(doc) for container in doc["spec"]["template"]["spec"]["containers"]
    ]
    assert {image.rpartition(":")[2] for image in images} <= {"1.5.0-pr", "v1.31"}
    assert any(image.endswith(":1.5.0-pr") for image in images)
    for selecting, selected in ((before.values(), copies), (copies, before.values())):
        for owner in filter(selector, selecting):
            assert not any(pods(doc) and selector(owner).items() <= pods(doc).items() for doc in selected)

    edited = {path: content for path, content in {**files, **edits}.items() if content is not None}
    second = builder_of(tmp_path / "after", edited, kustomize)
    assert copied(second) == {}, "a second time changes nothing"
    removal = second.folder.without([f"web-{FEATURE}"])
    assert {path: content for path, content in {**edited, **removal}.items() if content is not None} == files
