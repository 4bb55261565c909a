"""Which markers belong to which environment: patterns, forms of markers, and the same patterns as git reads them."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_promotion.core.config import parse
from gitops_promotion.core.environments import Environment
from gitops_promotion.core.layout import MARKER, PATH, Layout, MarkerName
from gitops_promotion.core.marker_conflicts import conflict_of
from gitops_promotion.core.markers import is_manifest
from gitops_promotion.core.names import Application, Site
from gitops_promotion.errors import UsageError
from tests.support.examples import examples

SHOP_WEB = MarkerName("shop", "web")


def layout(*environments: Environment | str, path: str = PATH, marker: str = MARKER) -> Layout:
    known = [e if isinstance(e, Environment) else Environment(name=e) for e in environments or ("dev", "prod")]
    return Layout(environments=tuple(known), path=path, marker=marker)


def site(one: Layout, path: str, marker: str = "shop:web") -> str:
    """Return what claims a marker, as `group/app@environment`; several with blanks between."""
    group, _, app = marker.partition(":")
    return " ".join(f"{c.application}@{c.environment}" for c in one.claims(path, MarkerName(group, app)))


@pytest.mark.parametrize(
    ("path", "file", "marker", "expected"),
    [
        # The default: a folder for each group and environment, with everything below it.
        (PATH, "shop/dev/web.yaml", "shop:web", "shop/web@dev"),
        (PATH, "shop/dev/deep/er/web.yml", "shop:web", "shop/web@dev"),
        (PATH, "shop/dev/Kustomization", "shop:web", "shop/web@dev"),
        (PATH, "shop/dev/web.yaml", "blog:web", ""),
        (PATH, "shop/developer/web.yaml", "shop:web", ""),
        (PATH, "x/shop/dev/web.yaml", "shop:web", ""),
        (PATH, "shop/dev", "shop:web", ""),
        # One folder an environment: the marker says the group.
        ("apps/{env}", "apps/dev/web.yaml", "shop:web", "shop/web@dev"),
        ("apps/{env}", "apps/dev/x/web.yaml", "blog:site", "blog/site@dev"),
        ("clusters/{env}/{group}", "clusters/prod/shop/a.yaml", "shop:web", "shop/web@prod"),
        ("clusters/{env}/{group}", "clusters/prod/a.yaml", "shop:web", ""),
        # A file an environment.
        ("apps/*/{app}/{env}.yaml", "apps/shop/web/dev.yaml", "shop:web", "shop/web@dev"),
        ("apps/*/{app}/{env}.yaml", "apps/shop/web/dev.yaml", "shop:cart", ""),
        ("apps/*/{app}/{env}.yaml", "apps/shop/x/web/dev.yaml", "shop:web", ""),
        ("charts/{app}/values-{env}.yaml", "charts/web/values-prod.yaml", "shop:web", "shop/web@prod"),
        ("charts/{app}/values-{env}.yaml", "charts/web/values-prod.yml", "shop:web", ""),
        ("{group}/stages/{env}", "shop/stages/dev/x.yaml", "shop:web", "shop/web@dev"),
        ("components/**/{env}", "components/a/b/dev/web.yaml", "shop:web", "shop/web@dev"),
        ("components/**/{env}", "components/dev/web.yaml", "shop:web", "shop/web@dev"),
        ("components/**/{env}", "components/a/devs/web.yaml", "shop:web", ""),
        ("**/{env}.yaml", "dev.yaml", "shop:web", "shop/web@dev"),
        ("{env}/**", "dev/a/b.yaml", "shop:web", "shop/web@dev"),
        ("{env}/**", "dev/b.yaml", "shop:web", "shop/web@dev"),
        # A placeholder that stands twice is one name, and two in one segment are taken apart by the marker.
        ("{group}/{env}/{group}", "shop/dev/shop/x.yaml", "shop:web", "shop/web@dev"),
        ("{group}/{env}/{group}", "shop/dev/blog/x.yaml", "shop:web", ""),
        ("{group}-{app}/{env}.yaml", "my-shop-web/dev.yaml", "my-shop:web", "my-shop/web@dev"),
        ("{group}-{app}/{env}.yaml", "my-shop-web/dev.yaml", "my:shop-web", "my/shop-web@dev"),
        ("{group}-{app}/{env}.yaml", "my-shop-web/dev.yaml", "my:web", ""),
        # Only * and ** are special.
        ("a+b/{env}.yaml", "aab/dev.yaml", "shop:web", ""),
        ("a[b]/{env}.yaml", "ab/dev.yaml", "shop:web", ""),
        ("*/{env}.yaml", "a/dev.yaml", "shop:web", "shop/web@dev"),
    ],
)
def test_a_pattern_says_which_files_are_an_environments(path: str, file: str, marker: str, expected: str) -> None:
    assert site(layout(path=path), file, marker) == expected


@pytest.mark.parametrize(
    ("form", "path", "file", "marker", "expected"),
    [
        # What Flux's image automation uses: the namespace of the policy, and its name.
        ("flux-system:{app}", PATH, "shop/dev/a.yaml", "flux-system:web", "shop/web@dev"),
        ("flux-system:{app}", PATH, "shop/dev/a.yaml", "shop:web", ""),
        ("flux-system:{app}", "apps/{env}", "apps/dev/a.yaml", "flux-system:web", "flux-system/web@dev"),
        ("flux-system:{app}-{env}", PATH, "shop/dev/a.yaml", "flux-system:web-dev", "shop/web@dev"),
        ("flux-system:{app}-{env}", PATH, "shop/dev/a.yaml", "flux-system:web-prod", ""),
        # One file for all environments.
        ("{group}:{app}-{env}", "appset.yaml", "appset.yaml", "shop:web-prod", "shop/web@prod"),
        ("{group}-{env}:{app}", "appset.yaml", "appset.yaml", "shop-dev:web", "shop/web@dev"),
        ("{env}:{group}.{app}", "all.yaml", "all.yaml", "dev:shop.web", "shop/web@dev"),
        ("{group}:{app}", "{group}/{env}", "shop/dev/a.yaml", "shop:web", "shop/web@dev"),
        # An application that only the path names.
        ("policies:image", "{group}/{app}/{env}", "shop/web/dev/a.yaml", "policies:image", "shop/web@dev"),
        ("policies:image", "x/{env}", "x/dev/a.yaml", "policies:image", "policies/image@dev"),
    ],
)
def test_the_form_of_markers_names_application_and_environment(
    form: str, path: str, file: str, marker: str, expected: str
) -> None:
    assert site(layout(path=path, marker=form), file, marker) == expected


def test_each_environment_may_have_patterns_and_markers_of_its_own() -> None:
    own = layout(
        Environment(name="dev", paths=("{group}/stages/dev", "stages/dev"), marker="f:{app}-dev"),
        Environment(name="prod", paths=("{group}/stages/prod",)),
    )
    assert site(own, "stages/dev/a.yaml", "f:web-dev") == "f/web@dev"
    assert site(own, "shop/stages/dev/a.yaml", "f:web-dev") == "shop/web@dev"
    assert site(own, "shop/stages/prod/a.yaml") == "shop/web@prod"
    assert site(own, "stages/prod/a.yaml") == ""
    assert own.patterns("dev") == ("{group}/stages/dev", "stages/dev")
    for held in (
        own.holds_group("shop/stages/dev/a.yaml", "shop", "dev"),
        own.holds_group("stages/dev/a.yaml", "x", "dev"),
    ):
        assert held
    assert not own.holds_group("shop/stages/dev/a.yaml", "blog", "dev")
    assert own.holds("stages/dev/a.yaml", Application("f", "web"), "dev")
    assert (own.path_key("dev"), own.marker_key("dev")) == ("environments[0].path", "environments[0].marker")
    assert (own.path_key("prod"), own.marker_key("prod")) == ("environments[1].path", "markerTemplate")


def test_a_marker_that_two_environments_claim_names_both_and_their_keys() -> None:
    both = layout(Environment(name="dev", paths=("apps",)), Environment(name="prod", paths=("apps/**",)))
    claims = both.claims("apps/x.yaml", SHOP_WEB)
    assert [c.environment for c in claims] == ["dev", "prod"]
    assert conflict_of(both, SHOP_WEB, claims) == (
        "dev (environments[0].path, markerTemplate) and prod (environments[1].path, markerTemplate) both claim the "
        "marker shop:web: make the path or the marker of one of them more specific"
    )


def test_a_marker_that_three_environments_claim_names_all() -> None:
    three = layout(*(Environment(name=name, paths=("apps",)) for name in ("dev", "qa", "prod")))
    text = conflict_of(three, SHOP_WEB, three.claims("apps/x.yaml", SHOP_WEB))
    assert "and prod (environments[2].path, markerTemplate) all claim the marker shop:web" in text


def test_two_patterns_of_one_environment_are_no_conflict() -> None:
    own = layout(Environment(name="dev", paths=("apps", "apps/**/x.yaml", "apps/*")))
    assert site(own, "apps/a/x.yaml") == "shop/web@dev"
    assert conflict_of(own, SHOP_WEB, own.claims("apps/a/x.yaml", SHOP_WEB)) == ""


@pytest.mark.parametrize(("group", "app"), [("..", "web"), ("a..b", "web"), ("shop", "x.lock")])
def test_names_that_are_none_belong_nowhere(group: str, app: str) -> None:
    assert layout(path="x/{env}").claims("x/dev/a.yaml", MarkerName(group, app)) == ()


@pytest.mark.parametrize("form", [MARKER, "flux-system:{app}", "{group}-{env}:{app}", "f:{group}.{app}.{env}"])
@pytest.mark.parametrize("path", [PATH, "a/{group}/b/{env}", "x/{app}/{group}/{env}.yaml"])
def test_the_marker_that_is_advised_is_claimed(form: str, path: str) -> None:
    one = layout(path=path, marker=form)
    application = Application("shop", "web")
    name = one.marker_name(application, "prod")
    file = one.where(application, "prod") + ("" if path.endswith(".yaml") else "/a.yaml")
    assert Site(application, "prod") in one.claims(file, name)
    assert one.holds(file, application, "prod")
    assert not one.holds(file, application, "dev")


def test_a_feature_needs_one_folder() -> None:
    application = Application("shop", "web")
    assert layout(path="a/{group}/{app}/{env}").folder(application, "dev") == "a/shop/web/dev"
    for path in ("{env}.yaml", "a/*/{env}"):
        with pytest.raises(UsageError, match="a feature needs one folder of shop/web in dev"):
            layout(path=path).folder(application, "dev")
    with pytest.raises(UsageError, match="a feature needs one folder"):
        layout(Environment(name="dev", paths=("a", "b"))).folder(application, "dev")


# Git's pathspecs say the same


SEGMENTS = ["a", "b", "shop", "web", "dev", "prod", "a+b", "x[1]", "a*b", "q?x", "qzx", "é", ".hidden", "-x"]
FILES = ["x.yaml", "y.yml", "Kustomization", "README", "dev.yaml", "values-dev.yaml", "web.yaml", "*.yaml", "[x].yaml"]


def tree() -> list[str]:
    """Return paths of up to four segments: enough for each pattern to fit some and miss others."""
    folders = [""]
    for _ in range(2):
        folders += [f"{folder}{segment}/" for folder in folders for segment in SEGMENTS]
    folders = list(dict.fromkeys(folders))
    deep = ["a/b/shop/dev/", "shop/dev/web/a/", "a/b/dev/web/", "web/shop/prod/", "shop/dev/a/b/"]
    return [folder + file for folder in (*folders, *deep) for file in FILES if f"{folder}{file}" not in folders]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A repository whose index has all paths of `tree`, and the manifests among them."""
    folder = tmp_path_factory.mktemp("paths")
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    paths = tree()
    subprocess.run(["git", "init", "--quiet", "."], cwd=folder, env=environ, check=True)
    blob = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=folder, env=environ, input=b"", check=True, capture_output=True
    )
    lines = [f"100644 {blob.stdout.decode().strip()}\t{path}\0".encode() for path in paths]
    command = ["git", "update-index", "-z", "--index-info"]
    subprocess.run(command, cwd=folder, env=environ, input=b"".join(lines), check=True)
    return folder, [path for path in paths if is_manifest(path)]


def listed(folder: Path, pathspecs: list[str]) -> set[str]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "ls-files", "-z", "--", *pathspecs]
    done = subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True)
    return set(done.stdout.decode().split("\0")[:-1])


literal = st.sampled_from([*SEGMENTS, "x", "sho", "de"])
placeholder = st.sampled_from(["{group}", "{app}", "{env}", "*", "a*", "*b", "{env}*", "{group}-{env}", "*{app}*"])
middle = st.one_of(literal, placeholder, st.just("**"))
last_file = st.sampled_from(["{env}.yaml", "*.yaml", "values-{env}.yaml", "{app}.yaml", "x.yaml", "y.yml", "*-*.yaml"])


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """Generate patterns that a configuration accepts."""
    segments = draw(st.lists(middle, min_size=0, max_size=3))
    last = draw(st.one_of(last_file, literal, placeholder, st.just("**") if segments else literal))
    return "/".join([*segments, last])


@examples(75)
@given(patterns())
def test_git_finds_the_files_that_the_pattern_names(repository: tuple[Path, list[str]], pattern: str) -> None:
    folder, manifests = repository
    one = layout("dev", path=pattern)
    in_reach = {path for path in manifests if one.in_reach(path)}
    found = listed(folder, one.pathspecs(None, ["dev"]))
    # A `*` in place of a name takes more than names.
    assert in_reach <= found
    if "{group}" not in pattern and "{app}" not in pattern:
        assert found == in_reach
    application = Application("shop", "web")
    holding = {path for path in manifests if one.holds(path, application, "dev")}
    assert listed(folder, one.pathspecs(application, ["dev"])) == holding
    held_by_group = {path for path in manifests if one.holds_group(path, "shop", "dev")}
    of_group = listed(folder, one.group_pathspecs("shop", "dev"))
    assert held_by_group <= of_group
    if "{app}" not in pattern:
        assert of_group == held_by_group


@given(patterns(), st.sampled_from(["shop", "a"]), st.sampled_from(["web", "b"]), st.sampled_from(tree()))
def test_a_claim_is_of_the_names_in_the_marker_and_only_where_the_path_holds_them(
    pattern: str, group: str, app: str, path: str
) -> None:
    one = layout("dev", "prod", path=pattern)
    for found in one.claims(path, MarkerName(group, app)):
        assert found.application == Application(group, app)
        assert one.holds(path, found.application, found.environment)
        assert found.environment in one.in_reach(path)


def test_a_configuration_accepts_the_patterns_of_the_property() -> None:
    for pattern in ("components/**/{env}", "apps/*/{app}/{env}.yaml", "**", "{group}-{env}/**/x.yaml"):
        parse(f"environments: [{{name: dev, path: '{pattern}'}}]", "c.yaml")


def own_paths(paths: Mapping[str, str]) -> Layout:
    return layout(*(Environment(name=name, paths=(path,)) for name, path in paths.items()))


def test_one_search_covers_the_patterns_of_several_environments_once() -> None:
    one = own_paths({"dev": "apps", "prod": "apps"})
    assert one.pathspecs(None, ["dev", "prod"]) == [
        ":(glob)apps/**/*.yaml",
        ":(glob)apps/**/*.yml",
        ":(glob)apps/**/Kustomization",
    ]
