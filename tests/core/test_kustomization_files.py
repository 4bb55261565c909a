"""What an environment reads, and what its kustomizations would fetch from elsewhere."""

import pytest

from gitops_promotion.core.kustomization_files import Listing, Sources, sources
from gitops_promotion.errors import ManifestError


def find(files: dict[str, str], links: dict[str, str] | None = None, folder: str = "prod/") -> Sources:
    """Return what the environment with this folder reads."""
    listing = Listing.of(files, links or {})
    paths = [path for path in (*files, *listing.behind_links()) if path.startswith(folder)]
    return sources(listing, paths, lambda path: files[path].encode())


TREE = {"prod/kustomization.yaml": "resources: [../base]", "base/kustomization.yaml": "", "base/d.yaml": ""}

READ = {
    "a base": (TREE, ["prod"], ["base/kustomization.yaml", "prod/kustomization.yaml"], []),
    "no kustomization": (
        {"prod/a.yaml": "", "prod/b/c.YML": "", "prod/d.txt": ""},
        [],
        [],
        ["prod/a.yaml", "prod/b/c.YML"],
    ),
    "folders with kustomizations and files beside them": (
        {"prod/a/kustomization.yml": "", "prod/b/Kustomization": "", "prod/c.json": "", "prod/a/unused.yaml": ""},
        ["prod/a", "prod/b"],
        ["prod/a/kustomization.yml", "prod/b/Kustomization"],
        ["prod/c.json"],
    ),
    "a folder below that the highest one names": (
        {"prod/kustomization.yaml": "resources: [a]", "prod/a/kustomization.yaml": ""},
        ["prod"],
        ["prod/a/kustomization.yaml", "prod/kustomization.yaml"],
        [],
    ),
    "a folder below that nothing names": (
        {"prod/kustomization.yaml": "", "prod/a/kustomization.yaml": ""},
        ["prod", "prod/a"],
        ["prod/a/kustomization.yaml", "prod/kustomization.yaml"],
        [],
    ),
    "a component that nothing names": (
        {"prod/kustomization.yaml": "", "prod/a/kustomization.yaml": "kind: Component"},
        ["prod"],
        ["prod/kustomization.yaml"],
        [],
    ),
    "all that a kustomization can name": (
        {
            "prod/kustomization.yaml": "resources: [r.json]\ncomponents: [../c]\n"
            "patches: [{path: p}, {patch: 'a: b'}]\n"
            "patchesStrategicMerge: [s, 'a: b\n\n  c: d']\nconfigMapGenerator: [{files: [k=f, g], envs: [e]}]\n"
            "replacements: [{path: l}]\ntransformers: [t.yaml]\ncrds: [d]\nopenapi: {path: o}\n",
            "prod/t.yaml": "apiVersion: builtin\nkind: PatchTransformer\npath: q",
            "c/kustomization.yaml": "kind: Component",
            **{f"prod/{name}": "" for name in ("r.json", "p", "s", "f", "g", "e", "l", "d", "o", "q", "unused")},
        },
        ["prod"],
        ["c/kustomization.yaml", "prod/kustomization.yaml", "prod/t.yaml"]
        + [f"prod/{name}" for name in ("r.json", "p", "s", "f", "g", "e", "l", "d", "o", "q")],
        [],
    ),
}


@pytest.mark.parametrize(("files", "roots", "built", "loose"), READ.values(), ids=READ)
def test_an_environment_reads_its_files_and_what_they_name(
    files: dict[str, str], roots: list[str], built: list[str], loose: list[str]
) -> None:
    found = find(files)
    assert found.problems == []
    assert (list(found.roots), sorted(found.built), list(found.loose)) == (roots, sorted(built), loose)


def entry(text: str) -> dict[str, str]:
    return {**TREE, "prod/kustomization.yaml": text}


HOSTILE = {
    **{
        f"the resource {name}": (entry(f"resources: ['{name}']"), "is not in the repository, and nothing is fetched")
        for name in (
            "https://evil.example/x.yaml",
            "http://127.0.0.1:80/x",
            "github.com/evil/base",
            "github.com/evil/base//x?ref=v1",
            "git@evil.example:base",
            "git::https://evil.example/base",
            "ssh://evil.example/base",
            "evil.example:base.git",
            "file:///etc",
            "evil/base.git",
            "gh:evil/base",
            "/etc/passwd",
            "~/x.yaml",
        )
    },
    "a remote component": (entry("components: ['https://evil.example/c']"), "nothing is fetched"),
    "a remote base": (entry("bases: ['https://evil.example/c']"), "nothing is fetched"),
    "a remote patch": (entry("patches: [{path: 'https://evil.example/p'}]"), "nothing is fetched"),
    "a remote file of a generator": (entry("configMapGenerator: [{files: ['a=https://evil.example']}]"), "fetched"),
    "a remote file of an inline transformer": (
        entry("transformers: ['{apiVersion: builtin, kind: PatchTransformer, path: /etc/passwd}']"),
        "'/etc/passwd' is not in the repository",
    ),
    "a remote file of a transformer in a file": (
        {**entry("transformers: [t.yaml]"), "prod/t.yaml": "apiVersion: builtin\nfiles: [/etc/passwd]"},
        "'/etc/passwd' is not in the repository",
    ),
    **{
        f"plugins in {name}": ({**entry("generators: [g]"), **files}, problem)
        for name, files, problem in (
            ("a folder", {"prod/g/kustomization.yaml": ""}, "is a folder, and only plugins in files are followed"),
            ("a list", {"prod/g": "kind: List\nitems: [{apiVersion: builtin}]"}, "is no builtin generator"),
            ("a builtin list", {"prod/g": "apiVersion: builtin\nkind: XList\nitems: [{}]"}, "is no builtin generator"),
            ("a sequence", {"prod/g": "[{apiVersion: builtin, files: [/etc/passwd]}]"}, "is no builtin generator"),
            ("a function", {"prod/g": "apiVersion: v1\nkind: ConfigMapGenerator"}, "is no builtin generator"),
        )
    },
    **{
        f"a file whose name looks like {name}": (entry(text), problem)
        for name, text, problem in (
            ("a mapping", "configMapGenerator: [{files: ['k={x}/../../../etc/passwd']}]", "leads out"),
            ("a patch", 'configMapGenerator: [{files: ["k=a\\n/../../../etc/passwd"]}]', "leads out"),
            ("an inline plugin", "generators: ['{a: /../../../../etc/passwd}']", "leads out"),
            ("an inline patch", 'patchesStrategicMerge: ["a: b\\n/../../../etc/passwd"]', "leads out"),
            ("a file with its key", "patches: [{path: 'http://127.0.0.1/a=none.yaml'}]", "nothing is fetched"),
            ("an environment", "configMapGenerator: [{envs: ['http://127.0.0.1/a=none']}]", "nothing is fetched"),
        )
    },
    "a merge key": (
        entry("configMapGenerator: [{name: a, <<: {files: ['k=/etc/passwd']}}]"),
        "a merge key (<<) is not followed",
    ),
    "a remote schema": (entry("openapi: {path: 'https://evil.example'}"), "nothing is fetched"),
    "a path that leads out": (entry("resources: [../../../etc]"), "leads out of the repository"),
    "a key in capital letters": (entry("RESOURCES: ['https://evil.example/x']"), "nothing is fetched"),
    "a chart in capital letters": (entry("HelmCharts: [{name: x}]"), "charts are not inflated"),
    "a key twice": (entry("resources: []\nResources: ['https://evil.example']"), "there twice (case ignored)"),
    "a missing file": (entry("resources: [none.yaml]"), "'none.yaml' is missing"),
    "a folder without a kustomization": ({**entry("resources: [../x]"), "x/y/z": ""}, "'x' has no kustomization"),
    "a chart": (entry("helmCharts: [{name: x}]"), "charts are not inflated"),
    "a chart of an inline generator": (
        entry("generators: ['{apiVersion: builtin, kind: HelmChartInflationGenerator}']"),
        "charts are not inflated",
    ),
    "a remote base in a base": ({**TREE, "base/kustomization.yaml": "resources: ['gh:evil/b']"}, "nothing is fetched"),
    "no YAML": (entry("resources: ["), "cannot be read"),
    "aliases without end": (
        entry(
            "a: &a [x, x, x, x, x, x, x, x, x]\n"
            + "".join(
                f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
                for old, new in zip("abcdefgh", "bcdefghi", strict=True)
            )
        ),
        "cannot be read",
    ),
}


@pytest.mark.parametrize(("files", "problem"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_not_in_the_repository_is_found_before_a_build(files: dict[str, str], problem: str) -> None:
    (first, *_) = find(files).problems
    assert problem in first


LINKS = {
    "a linked base": ({"prod/b": "../base"}, "resources: [b]", None),
    "a link that leads out": ({"prod/b": "../../etc"}, "resources: [b]", "leads out of the repository"),
    "an absolute link": ({"prod/b": "/etc"}, "resources: [b]", "leads out of the repository"),
    "links that lead in a circle": ({"prod/b": "c", "prod/c": "b"}, "resources: [b]", "leads out of the repository"),
}


@pytest.mark.parametrize(("links", "text", "problem"), LINKS.values(), ids=LINKS)
def test_a_link_leads_inside_the_repository_only(links: dict[str, str], text: str, problem: str | None) -> None:
    found = find(entry(text), links)
    assert (problem in found.problems[0]) if problem else not found.problems
    assert problem or {"prod/b", "base/kustomization.yaml"} <= found.files


def test_an_environment_that_is_a_link_reads_what_it_leads_to() -> None:
    found = find({"real/kustomization.yaml": "", "other/d.yaml": ""}, {"prod/a": "../real", "prod/b": "../other"})
    assert (found.roots, found.loose) == (("prod/a",), ("prod/b/d.yaml",))
    assert {"real/kustomization.yaml", "prod/a", "other/d.yaml", "prod/b"} <= found.files


def test_links_to_large_folders_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitops_promotion.core.kustomization_files._MOST_BEHIND_LINKS", 3000)
    files = {f"a/{number}": "" for number in range(60)}
    find(files, {f"prod/{number}": "../a" for number in range(40)})
    with pytest.raises(ManifestError, match="too many paths"):
        find(files, {f"prod/{number}": "../a" for number in range(60)})


def test_a_file_that_is_data_names_no_charts_whatever_it_says() -> None:
    data = {"prod/kustomization.yaml": "configMapGenerator: [{files: [notes]}]"}
    chart = "apiVersion: builtin\nkind: HelmChartInflationGenerator\n"
    assert find({**data, "prod/notes": chart}).problems == []
    generators = {"prod/kustomization.yaml": "generators: [notes]"}
    assert len(find({**generators, "prod/notes": chart}).problems) == 1
