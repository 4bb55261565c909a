"""The copies in an environment's folder, and the kustomization that Flux generates for a folder without one."""

import pytest
from ruamel.yaml import YAML

from gitops_promotion.core.feature.folder import EnvironmentFolder, without_each_part
from gitops_promotion.core.feature.reach import outside

LABEL = "gitops-promotion.xenit.io/feature"


def copy_of(feature: str, spelling: str = "labels:\n- pairs: {%s: %s}\n") -> bytes:
    return (spelling % (LABEL, feature)).encode()


def copies_in(folder: EnvironmentFolder, *apps: str) -> list[tuple[str, str]]:
    return [(copy.app, copy.feature) for copy in folder.copies(apps)]


def test_b4_an_application_is_no_feature_whatever_its_name() -> None:
    folder = EnvironmentFolder(
        path="a/dev",
        files={
            "a/dev/web-api/kustomization.yaml": b"resources: [x.yaml]\ncommonLabels: {app: web-api}\n",
            "a/dev/web/kustomization.yaml": b"resources: [x.yaml]\n",
            "a/dev/web-ingress.yaml": b"kind: Ingress\n",
            "a/dev/web-old/deployment.yaml": b"kind: Deployment\n",
            "a/dev/web-broken/kustomization.yaml": b"a: [\n",
        },
    )
    assert copies_in(folder, "web") == []


@pytest.mark.parametrize(
    ("subfolder", "feature", "apps", "expected"),
    [
        ("web-pr-1", "pr-1", ["web"], [("web", "pr-1")]),
        ("my-web-app-pr-1", "pr-1", ["web", "my-web-app"], [("my-web-app", "pr-1")]),
        ("web-api-x", "x", ["web", "web-api"], [("web-api", "x")]),
        ("web-api-x", "api-x", ["web", "web-api"], [("web", "api-x")]),
        ("web-pr-1", "pr-1", ["cart"], []),
        ("web-pr-1", "pr-2", ["web"], []),
        ("pr-1", "pr-1", ["web", ""], []),
    ],
)
def test_b5_the_label_names_the_feature_and_the_subfolder_the_application(
    subfolder: str, feature: str, apps: list[str], expected: list[tuple[str, str]]
) -> None:
    files = {f"my-group/my-dev/{subfolder}/kustomization.yaml": copy_of(feature)}
    assert copies_in(EnvironmentFolder(path="my-group/my-dev", files=files), *apps) == expected


def test_copies_by_version_1_are_recognized() -> None:
    files = {"a/dev/web-x/kustomization.yaml": copy_of("x", "nameSuffix: -x\ncommonLabels:\n  app: web-x\n  %s: %s\n")}
    assert copies_in(EnvironmentFolder(path="a/dev", files=files), "web") == [("web", "x")]


def test_the_generated_kustomization_lists_manifests_and_subfolders_with_a_kustomization() -> None:
    paths = [
        "web.yaml",
        "db.yml",
        "README.md",
        "deep/er/x.yaml",
        "own/kustomization.yaml",
        "own/x.yaml",
        "own/in/y.yaml",
    ]
    paths += ["odd/Kustomization", "odd/x.yaml"]
    edits = EnvironmentFolder(path="a/dev", files={f"a/dev/{path}": b"" for path in paths}).generated_kustomization()
    (content,) = edits.values()
    assert content is not None
    kustomization = YAML(typ="safe", pure=True).load(content.decode())
    assert list(edits) == ["a/dev/kustomization.yaml"]
    assert kustomization == {"resources": ["db.yml", "deep/er/x.yaml", "odd", "own", "web.yaml"]}


def test_no_kustomization_is_generated_beside_an_existing_one() -> None:
    assert (
        EnvironmentFolder(
            path="a/dev", files={"a/dev/kustomization.yml": b"", "a/dev/x.yaml": b""}
        ).generated_kustomization()
        == {}
    )


def test_a_subfolder_goes_with_its_entry_and_other_files_stay() -> None:
    files = {"a/dev/web-f/x.yaml": b"", "a/dev/web.yaml": b""}
    folder = EnvironmentFolder(path="a/dev", files=files)
    assert folder.without(["web-f"]) == {"a/dev/web-f/x.yaml": None}
    folder = folder.edited({"a/dev/kustomization.yaml": b"resources:\n- web.yaml\n- web-f\n"})
    assert folder.without(["web-f"]) == {
        "a/dev/web-f/x.yaml": None,
        "a/dev/kustomization.yaml": b"resources:\n- web.yaml\n",
    }
    assert [folder.has(name) for name in ("web-f", "web.yaml", "web")] == [True, True, False]


def test_each_transforming_entry_is_removed_once() -> None:
    text = b"resources: [a]\nnamePrefix: x-\npatches:\n- path: a.yaml\n- path: b.yaml\nlabels: []\n"
    kustomizations = {
        name: YAML(typ="safe", pure=True).load(without.decode()) for name, without in without_each_part(text, "k")
    }
    assert list(kustomizations) == ["namePrefix", "patches[0]", "patches[1]"]
    assert kustomizations["patches[0]"]["patches"] == [{"path": "b.yaml"}]
    assert "namePrefix" not in kustomizations["namePrefix"]


@pytest.mark.parametrize(
    ("path", "text", "leads_out"),
    [
        ("a/dev/kustomization.yaml", "patches: [{path: ../../shared/p.yaml}]", False),
        ("a/dev/kustomization.yaml", "patches: [{path: ../../../p.yaml}]", True),
        ("kustomization.yaml", "resources: [../x]", True),
        ("a/Kustomization", "configMapGenerator: [{name: x, files: [passwd=/etc/passwd]}]", True),
        ("a/kustomization.yml", "configMapGenerator: [{name: x, envs: [/etc/passwd]}]", True),
        ("a/kustomization.yml", 'patches: [{patch: \'[{"op": "remove", "path": "/spec"}]\'}]', False),
        ("a/kustomization.yml", "patches:\n- patch: |-\n    - op: remove\n      path: /spec\n", False),
        ("a/generator.yaml", "apiVersion: builtin\nkind: ConfigMapGenerator\nfiles: [../../x]", True),
        ("a/kustomization.yml", "configMapGenerator: [{name: x, literals: [BASE=/shop, UP=../../x]}]", False),
        ("a/kustomization.yml", "commonAnnotations: {prometheus.io/path: /metrics}", False),
        ("a/kustomization.yml", "generators:\n- |\n  apiVersion: builtin\n  files: [x=/etc/passwd]\n", True),
        ("a/kustomization.yml", "generators: ['{apiVersion: builtin, files: [/etc/passwd]}']", True),
        ("a/deployment.yaml", "volumeMounts: [{mountPath: /data}]", False),
        ("a/kustomization.yml", "a: [", True),
        ("a/kustomization.yml", "resources: ['https://example.com//x?ref=v1', github.com/x/y//z?ref=../a]", False),
    ],
)
def test_a_kustomization_may_name_files_of_the_repository_only(path: str, text: str, leads_out: bool) -> None:
    assert bool(list(outside({path: text.encode()}))) is leads_out
