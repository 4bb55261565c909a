"""Which folders of an environment are copies, and what Flux makes of an environment without a kustomization."""

import pytest
from ruamel.yaml import YAML

from gitops_promotion.core.feature.folder import EnvironmentFolder, without_each_part
from gitops_promotion.core.feature.reach import outside

LABEL = "gitops-promotion.xenit.io/feature"


def copy_of(feature: str, spelling: str = "labels:\n- pairs: {%s: %s}\n") -> bytes:
    return (spelling % (LABEL, feature)).encode()


def layout(**files: bytes) -> EnvironmentFolder:
    named = {path.replace("__", "/"): content for path, content in files.items()}
    return EnvironmentFolder(path="a/dev", files={f"a/dev/{path}": content for path, content in named.items()})


def held(found: EnvironmentFolder, *apps: str) -> list[tuple[str, str]]:
    return [(each.app, each.feature) for each in found.copies(apps)]


def test_b4_a_real_application_is_no_feature_whatever_its_name() -> None:
    found = EnvironmentFolder(
        path="a/dev",
        files={
            "a/dev/web-api/kustomization.yaml": b"resources: [x.yaml]\ncommonLabels: {app: web-api}\n",
            "a/dev/web/kustomization.yaml": b"resources: [x.yaml]\n",
            "a/dev/web-ingress.yaml": b"kind: Ingress\n",
            "a/dev/web-old/deployment.yaml": b"kind: Deployment\n",
            "a/dev/web-broken/kustomization.yaml": b"a: [\n",
        },
    )
    assert held(found, "web") == []


@pytest.mark.parametrize(
    ("folder", "feature", "apps", "expected"),
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
def test_b5_the_label_says_the_feature_and_the_rest_of_the_folder_the_application(
    folder: str, feature: str, apps: list[str], expected: list[tuple[str, str]]
) -> None:
    files = {f"my-group/my-dev/{folder}/kustomization.yaml": copy_of(feature)}
    assert held(EnvironmentFolder(path="my-group/my-dev", files=files), *apps) == expected


def test_copies_of_the_go_tool_are_known() -> None:
    files = {"a/dev/web-x/kustomization.yaml": copy_of("x", "nameSuffix: -x\ncommonLabels:\n  app: web-x\n  %s: %s\n")}
    assert held(EnvironmentFolder(path="a/dev", files=files), "web") == [("web", "x")]


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
    found = EnvironmentFolder(path="a/dev", files={f"a/dev/{path}": b"" for path in paths}).generated_kustomization()
    (content,) = found.values()
    assert content is not None
    made = YAML(typ="safe", pure=True).load(content.decode())
    assert list(found) == ["a/dev/kustomization.yaml"]
    assert made == {"resources": ["db.yml", "deep/er/x.yaml", "odd", "own", "web.yaml"]}


def test_no_kustomization_is_generated_beside_an_existing_one() -> None:
    assert (
        EnvironmentFolder(
            path="a/dev", files={"a/dev/kustomization.yml": b"", "a/dev/x.yaml": b""}
        ).generated_kustomization()
        == {}
    )


def test_each_transforming_entry_is_removed_once() -> None:
    text = b"resources: [a]\nnamePrefix: x-\npatches:\n- path: a.yaml\n- path: b.yaml\nlabels: []\n"
    found = {name: YAML(typ="safe", pure=True).load(without.decode()) for name, without in without_each_part(text, "k")}
    assert list(found) == ["namePrefix", "patches[0]", "patches[1]"]
    assert found["patches[0]"]["patches"] == [{"path": "b.yaml"}]
    assert "namePrefix" not in found["namePrefix"]


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
