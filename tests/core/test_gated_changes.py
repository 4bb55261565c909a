"""Changes of marked values, by the place of each value: tables of files before and after a merge."""

import time
from collections.abc import Mapping

import pytest

from gitops_promotion.core.commits import EntryKind, FileChange
from gitops_promotion.core.environments import Environment
from gitops_promotion.core.gated_changes import GatedChanges, gated_changes
from gitops_promotion.core.layout import Layout
from gitops_promotion.core.markers import places
from gitops_promotion.errors import ManifestError

ENVIRONMENTS = tuple(Environment(name=name) for name in ("dev", "qa", "prod"))
LAYOUT = Layout(environments=ENVIRONMENTS)
PROD = "shop/prod/web.yaml"

Files = Mapping[str, str | bytes]


def compare(
    before: Files, after: Files, kinds: Mapping[str, EntryKind] | None = None, layout: Layout = LAYOUT
) -> GatedChanges:
    """Return the gated changes between two sets of files; `kinds` are those of entries after that are no files."""
    blobs: dict[str, bytes] = {}

    def blob(content: str | bytes | None) -> str | None:
        if content is None:
            return None
        data = content if isinstance(content, bytes) else content.encode()
        name = str(hash(data))
        blobs[name] = data
        return name

    changes = [
        FileChange(
            path=path,
            old=blob(before.get(path)),
            new=blob(after.get(path)),
            new_kind=(kinds or {}).get(path, "file"),
        )
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]
    return gated_changes(changes, blobs, layout, ["qa", "prod"])


def effects(before: Files, after: Files) -> list[tuple[str, str, str, str]]:
    """Return application, environment, effect and the tag of an unmarked value, of each change."""
    return [
        (str(c.site.application), c.site.environment, c.effect, str(c.tag or "") if c.effect == "unmarked" else "")
        for c in compare(before, after).changes
    ]


def marker(name: str = "shop:web") -> str:
    return f'# {{"$imagepolicy": "{name}"}}'


def deployment(*images: str, name: str = "web", kind: str = "Deployment") -> str:
    """A Deployment with these containers: `name image`, a marker behind."""
    containers = "".join(
        f"        - name: {container.split(' ', 1)[0]}\n          image: {container.split(' ', 1)[1]}\n"
        for container in images
    )
    return (
        f"apiVersion: apps/v1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n  template:\n    spec:\n"
        f"      containers:\n{containers}"
    )


V1 = f"ghcr.io/acme/web:1 {marker()}"
V2 = f"ghcr.io/acme/web:2 {marker()}"
WEB = {PROD: deployment(f"web {V1}")}
TAG = [("shop/web", "prod", "tag", "")]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(WEB, {PROD: deployment(f"web {V2}")}, TAG, id="the value at the place changes"),
        pytest.param(
            WEB,
            {PROD: deployment(f"web {V1}", f"log l:1 {marker('shop:log')}")},
            [("shop/log", "prod", "tag", "")],
            id="another application comes",
        ),
        pytest.param(
            WEB, {PROD: deployment("proxy envoy:1", f"web {V1}")}, [], id="a sidecar before it shifts the list"
        ),
        pytest.param(
            WEB,
            {PROD: "kind: Namespace\nmetadata: {name: x}\n---\n" + WEB[PROD]},
            [],
            id="a document before it shifts the file",
        ),
        pytest.param(WEB, {PROD: WEB[PROD].replace("\n", "\r\n")}, [], id="line ends change"),
        pytest.param(
            WEB, {PROD: WEB[PROD].replace("ghcr.io/acme/web:1", '"ghcr.io/acme/web:1"')}, [], id="quotes come"
        ),
        pytest.param(WEB, {PROD: deployment("web ghcr.io/acme/web:1")}, [], id="the marker goes, the value stays"),
        pytest.param(
            WEB,
            {PROD: deployment("web ghcr.io/acme/web:2")},
            [("shop/web", "prod", "unmarked", "2")],
            id="the marker goes, the value changes",
        ),
        pytest.param({PROD: deployment("web ghcr.io/acme/web:1")}, WEB, [], id="a marker comes, the value stays"),
        pytest.param(
            {PROD: deployment("web ghcr.io/acme/web:1")},
            {PROD: deployment(f"web {V2}")},
            TAG,
            id="a marker comes with another value",
        ),
        pytest.param({}, WEB, TAG, id="a marked file comes"),
        pytest.param(WEB, {}, [("shop/web", "prod", "removed", "")], id="the file goes"),
        pytest.param(WEB, {"shop/prod/renamed.yaml": WEB[PROD]}, [], id="the file gets another name, nothing else"),
        pytest.param(
            WEB,
            {PROD: deployment(f"web ghcr.io/acme/web2:1 {marker()}")},
            [("shop/web", "prod", "name", "")],
            id="the image name changes alone",
        ),
        pytest.param(
            WEB,
            {PROD: deployment(f"web ghcr.io/acme/web:2 {marker('shop:other')}")},
            [("shop/other", "prod", "tag", ""), ("shop/web", "prod", "unmarked", "2")],
            id="the marker names another application",
        ),
        pytest.param(
            {PROD: deployment(f"web {V1}", f"init {V1}")},
            {PROD: deployment(f"web {V1}", f"init {V2}")},
            TAG,
            id="one of two containers with the same image",
        ),
        pytest.param(
            {PROD: deployment(f"web {V1}", f"init {V2}")},
            {PROD: deployment(f"web {V2}", f"init {V1}")},
            TAG * 2,
            id="two containers swap their values",
        ),
        pytest.param(
            {PROD: WEB[PROD] + "---\n" + deployment(f"web {V1}", name="job")},
            {PROD: WEB[PROD] + "---\n" + deployment(f"web {V2}", name="job")},
            TAG,
            id="one of two documents with the same container",
        ),
        pytest.param(
            {PROD: WEB[PROD] + "---\n" + deployment(f"web {V1}", name="job")},
            {PROD: deployment(f"web {V1}", name="job") + "---\n" + WEB[PROD]},
            [],
            id="two documents change their order",
        ),
        pytest.param(
            {PROD: f"metadata:\n  annotations:\n    a: {V1}\nimage: {V1}\n"},
            {PROD: f"metadata:\n  annotations:\n    a: {V1}\nimage: ghcr.io/acme/web:2\n"},
            [("shop/web", "prod", "unmarked", "2")],
            id="a decoy in an annotation keeps its marker",
        ),
        pytest.param(
            {PROD: f'items: [\n  "ghcr.io/acme/web:1" {marker()}\n]\n'},
            {PROD: f'items: [\n  "ghcr.io/acme/web:2" {marker()}\n]\n'},
            TAG,
            id="a flow sequence with a marker",
        ),
        pytest.param(
            WEB,
            {PROD: deployment("web &web ghcr.io/acme/web:2") + f"  x: {marker()}\n"},
            [("shop/web", "prod", "unmarked", "2")],
            id="an anchor in place of the marker",
        ),
        pytest.param(
            {PROD: f"x: ghcr.io/acme/web:2\nimage: ghcr.io/acme/web:1 {marker()}\n"},
            {PROD: "x: &new ghcr.io/acme/web:2\nimage: *new\n"},
            [("shop/web", "prod", "unmarked", "2")],
            id="an alias in place of the value",
        ),
        pytest.param(
            {PROD: f"x: &new\n  image: ghcr.io/acme/web:2\ny:\n  image: ghcr.io/acme/web:1 {marker()}\n"},
            {PROD: "x: &new\n  image: ghcr.io/acme/web:2\ny:\n  <<: *new\n"},
            [("shop/web", "prod", "unmarked", "2")],
            id="a merge key in place of the value",
        ),
        pytest.param(
            {PROD: f"y:\n  tag: '1' {marker('shop:web:tag')}\n"},
            {PROD: "a: &a {tag: '2'}\nb: &b {<<: *a}\ny:\n  <<: *b\n"},
            [("shop/web", "prod", "unmarked", "2")],
            id="a merge of a merge in place of the value",
        ),
        pytest.param(
            {PROD: f"x: &web web:1 {marker()}\nimage: *web\n"},
            {PROD: f"x: &web web:1 {marker()}\nimage: web:2\n"},
            [("shop/web", "prod", "unmarked", "2")],
            id="a value of its own in place of the alias of the value",
        ),
        pytest.param(
            {PROD: f"x: &web web:1 {marker()}\nimage: *web\n"},
            {PROD: f"x: &web web:1 {marker()}\ny: &web web:2\nimage: *web\n"},
            [("shop/web", "prod", "unmarked", "2")],
            id="the anchor of the alias is set again",
        ),
        pytest.param(
            {PROD: f"x: &x\n  image: web:1 {marker()}\ny:\n  <<: *x\n"},
            {PROD: f"x: &x\n  image: web:1 {marker()}\ny:\n  <<: *x\n  image: web:2\n"},
            [("shop/web", "prod", "unmarked", "2")],
            id="a value of its own beside the merge key",
        ),
        pytest.param(
            {PROD: f"x: &web web:1 {marker()}\nimage: *web\n"},
            {PROD: f"x: &web web:2 {marker()}\nimage: *web\n"},
            TAG,
            id="the value changes with its alias",
        ),
        pytest.param(
            {PROD: f"tag: v1 {marker('shop:web:tag')}\n"},
            {PROD: "tag: v2\n" + "# long\n" * 200_000},
            [("shop/web", "prod", "unmarked", "v2")],
            id="the file becomes large",
        ),
        pytest.param(
            {PROD: f"tag: v1 {marker('shop:web:tag')}\ntag: v1 {marker('shop:web:tag')}\n"},
            {PROD: f"tag: v2 {marker('shop:web:tag')}\ntag: v2 {marker('shop:web:tag')}\n"},
            TAG,
            id="a key that is there twice has one value",
        ),
        pytest.param(
            WEB,
            {PROD: deployment("web |-\n            ghcr.io/acme/web:2")},
            [("shop/web", "prod", "unmarked", "2")],
            id="a block scalar in place of the value",
        ),
        pytest.param(
            {PROD: f"image: registry:5000/a/web:1 {marker()}\n"},
            {PROD: "image: registry:5000/a/web:2\n"},
            [("shop/web", "prod", "unmarked", "2")],
            id="a registry with its port",
        ),
        pytest.param(
            {PROD: f"image: web:1 {marker()}\n"},
            {PROD: 'image: "web\\x3a2"\n'},
            [("shop/web", "prod", "unmarked", "2")],
            id="an escape in place of the marker",
        ),
        pytest.param(
            {PROD: f"image: web:1 {marker()}\n"},
            {PROD: f"image: web:2 # x\u2028# {marker()[2:]}\n"},
            [("shop/web", "prod", "unmarked", "2")],
            id="a line separator hides the marker",
        ),
        pytest.param(
            {PROD: f"image: web:1 {marker()}\n"},
            {PROD: "image: web:2 # x\r" + marker() + "\n"},
            [("shop/web", "prod", "unmarked", "2")],
            id="a lone carriage return hides the marker",
        ),
        pytest.param(
            {"other/x.yaml": f"image: web:1 {marker()}\n"},
            {"other/x.yaml": f"image: web:2 {marker()}\n"},
            [],
            id="outside of all environments",
        ),
    ],
)
def test_effects(before: Files, after: Files, expected: list[tuple[str, str, str, str]]) -> None:
    assert sorted(effects(before, after)) == sorted(expected)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        pytest.param(
            WEB,
            {PROD: deployment("web ghcr.io/acme/web:2", f"decoy {V1}")},
            "moves to",
            id="to another container of the file",
        ),
        pytest.param(
            WEB,
            {PROD: deployment("web ghcr.io/acme/web:2") + f"---\nnote: ghcr.io/acme/web:1 {marker()}\n"},
            "moves to",
            id="to another document",
        ),
        pytest.param(
            WEB,
            {PROD: deployment("web ghcr.io/acme/web:2"), "shop/prod/decoy.yaml": f"a: ghcr.io/acme/web:1 {marker()}\n"},
            "moves to shop/prod/decoy.yaml:1",
            id="to another file",
        ),
        pytest.param(
            WEB,
            {PROD: deployment("web ghcr.io/acme/web:1"), "shop/prod/decoy.yaml": f"a: ghcr.io/acme/web:1 {marker()}\n"},
            "moves to",
            id="to another file, the value stays",
        ),
        pytest.param(
            WEB,
            {"shop/prod/web.YAML": deployment("web ghcr.io/acme/web:2")},
            "remains in shop/prod/web.YAML",
            id="the image remains in a file that is not read",
        ),
        pytest.param(
            WEB,
            {
                PROD: WEB[PROD]
                .replace(V1, "ghcr.io/acme/web:2")
                .replace("  name: web\n", f"  annotations: {{\n a: {V1}\n }}\n  name: web\n", 1)
            },
            "moves to",
            id="to an annotation",
        ),
        pytest.param(
            WEB,
            {"shop/prod/Web.yaml": deployment("web ghcr.io/acme/web:2")},
            "remains in shop/prod/Web.yaml",
            id="the image remains in a file whose name differs by case alone",
        ),
        pytest.param(
            WEB,
            {"shop/prod/list.json": '{"kind": "List", "items": [{"image": "ghcr.io/acme/we\\u0062:2"}]}'},
            "remains in shop/prod/list.json",
            id="the image remains in a list in JSON, behind an escape",
        ),
        pytest.param(
            WEB,
            {"shop/prod/kustomization.yaml": "patches:\n- patch: |\n    image: ghcr.io/acme/web:2\n"},
            "remains in shop/prod/kustomization.yaml",
            id="the image remains in a patch",
        ),
        pytest.param(
            WEB,
            {"shop/prod/web.json": '{"image": "ghcr.io/acme/web:2"}'},
            "remains in shop/prod/web.json",
            id="the image remains in JSON",
        ),
        pytest.param(
            WEB,
            {"shop/base/web.yaml": deployment("web ghcr.io/acme/web:2")},
            "remains in shop/base/web.yaml",
            id="the image goes on outside of the environment",
        ),
        pytest.param(
            {PROD: deployment(f"web {V1}", f"init {V1}")},
            {PROD: deployment(f"init {V1}", "web2 ghcr.io/acme/web:2")},
            "remains in",
            id="the container gets another name",
        ),
        pytest.param(
            WEB,
            {PROD: deployment('other "ghcr.io/acme/we\\x62:2"')},
            "remains in shop/prod/web.yaml as 'ghcr.io/acme/web:2'",
            id="the image goes on behind an escape",
        ),
        pytest.param(
            {PROD: f"images:\n- image: web:1 {marker()}\n"},
            {PROD: f"images:\n- image: web:2\n- name: '#0'\n  image: web:1 {marker()}\n"},
            "moves to",
            id="to an item that is named like the number of the first",
        ),
        pytest.param(
            {PROD: f"kind: List\nitems:\n- kind: A\n  metadata: {{name: web}}\n  image: web:1 {marker()}\n"},
            {
                PROD: f"kind: List\nitems:\n- kind: B\n  image: web:1 {marker()}\n"
                "- kind: A\n  metadata: {name: web}\n  image: web:2\n"
            },
            "moves to",
            id="to another object of a list of objects",
        ),
        pytest.param(
            WEB, {PROD: deployment("web ghcr.io/acme/web:2").encode("utf-16")}, "cannot be read", id="UTF-16 hides it"
        ),
        pytest.param(
            {PROD: f"tag: v1 {marker('shop:web:tag')}\n"},
            {PROD: b"tag: v2 # \xff\n"},
            "cannot be read",
            id="a byte that is not UTF-8 hides it",
        ),
        pytest.param(
            {PROD: f"tag: v1 {marker('shop:web:tag')}\n"},
            {PROD: "tag: v2\nx: " + "[" * 150 + "]" * 150 + "\n"},
            "cannot be read",
            id="deep collections hide it",
        ),
        pytest.param(
            {PROD: "images:\n- name: web\n  newTag: '1' " + marker("shop:web:tag") + "\n"},
            {PROD: "images:\n- name: web\n  digest: sha256:2\n"},
            "remains in shop/prod/web.yaml as 'web@sha256:2'",
            id="a digest in place of the tag of a kustomization",
        ),
        pytest.param(
            {PROD: "images:\n- name: web\n  newTag: '1' " + marker("shop:web:tag") + "\n"},
            {PROD: "images:\n- name: web\n  newTag: '2'\n- name: web\n  newTag: '2'\n"},
            "remains in shop/prod/web.yaml as 'web:2'",
            id="an entry of a kustomization that is there twice",
        ),
        pytest.param(
            {PROD: "images:\n- name: web\n  newName: w\n  newTag: '1' " + marker("shop:web:tag") + "\n"},
            {PROD: "images:\n- name: other\n  newName: w\n  newTag: '2'\n"},
            "remains in shop/prod/web.yaml as 'w:2'",
            id="an entry of a kustomization for another name",
        ),
        pytest.param(
            {PROD: f"image: web:1 {marker()}\n"},
            {"shop/prod/kustomization.yaml": "images:\n- name: web\n  newTag: '2'\n"},
            "remains in shop/prod/kustomization.yaml as 'web:2'",
            id="an entry of a kustomization in place of the image",
        ),
        pytest.param(
            {PROD: f"image: web:1 {marker()}\n"},
            {PROD: "values:\n  image: {repository: web, tag: '2'}\n"},
            "remains in shop/prod/web.yaml as 'web:2'",
            id="the values of a chart in place of the image",
        ),
        pytest.param(
            {PROD: f"image:\n  repository: web\n  tag: '1' {marker('shop:web:tag')}\n"},
            {PROD: "image2:\n  repository: web\n  tag: '2'\n"},
            "remains in shop/prod/web.yaml as 'web:2'",
            id="the values of a chart under another key",
        ),
        pytest.param(
            {PROD: f"image:\n  repository: web\n  tag: '1' {marker('shop:web:tag')}\n"},
            {PROD: "x: web:2\n"},
            "remains in shop/prod/web.yaml as 'web:2'",
            id="an image in place of the values of a chart",
        ),
        pytest.param(
            {PROD: f"image:\n  repository: web\n  digest: 'sha256:1' {marker('shop:web:digest')}\n"},
            {PROD: "image:\n  repository: web\n  tag: '2'\n"},
            "remains in shop/prod/web.yaml as 'web:2'",
            id="a tag in place of a digest",
        ),
    ],
)
def test_a_marker_that_cannot_be_followed_is_an_error(before: Files, after: Files, words: str) -> None:
    with pytest.raises(ManifestError, match=r"^shop/prod/web\.yaml:\d+: .*past the gate of prod") as error:
        compare(before, after)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("after", "kinds", "words"),
    [
        ({PROD: "../dev/web.yaml"}, {PROD: "symlink"}, "becomes a symbolic link"),
        ({PROD: "0" * 40}, {PROD: "submodule"}, "becomes a submodule"),
        ({"shop/prod": "../dev"}, {"shop/prod": "symlink"}, "shop/prod becomes a symbolic link"),
        ({PROD: "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"}, {}, "Git LFS"),
    ],
)
def test_a_marked_file_that_becomes_something_else_is_an_error(
    after: Files, kinds: Mapping[str, EntryKind], words: str
) -> None:
    with pytest.raises(ManifestError, match=r"past the gate of prod: keep manifests as files") as error:
        compare(WEB, after, kinds)
    assert words in str(error.value)


def test_a_marked_file_that_is_removed_while_a_link_is_added_to_its_environment_is_an_error() -> None:
    with pytest.raises(ManifestError, match=r"shop/prod/new\.yaml is added as a symbolic link, past the gate of prod"):
        compare(WEB, {"shop/prod/new.yaml": "../dev/web.yaml"}, {"shop/prod/new.yaml": "symlink"})


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(WEB[PROD] + "          image: ghcr.io/acme/web:2\n", id="the marked key"),
        pytest.param(WEB[PROD] + '          "image": ghcr.io/acme/web:2\n', id="in quotes"),
        pytest.param(WEB[PROD] + "          ? image\n          : ghcr.io/acme/web:2\n", id="an explicit key"),
        pytest.param(WEB[PROD] + "      containers:\n        - {name: x, image: x}\n", id="a key above it"),
        pytest.param(
            deployment(f"web {V1}\n          name: x", "x ghcr.io/acme/web:2\n          name: web"), id="the name"
        ),
    ],
)
def test_a_key_that_comes_to_be_there_twice_is_an_error(after: str) -> None:
    with pytest.raises(ManifestError, match=r"^shop/prod/web\.yaml:1\d: the key '\w+' is there twice"):
        compare(WEB, {PROD: after})


def test_a_key_that_was_there_twice_must_have_one_value() -> None:
    before = f"image: web:1 {marker()}\nimage: web:1\n"
    assert effects({PROD: before}, {PROD: before + "x: y\n"}) == []
    with pytest.raises(ManifestError, match=r"^shop/prod/web\.yaml:1: the key 'image' is there twice"):
        compare({PROD: before}, {PROD: before.replace("image: web:1\n", "image: web:2\n")})


def test_a_new_name_of_a_file_is_a_change_if_it_brings_the_file_to_another_environment() -> None:
    layout = Layout(environments=ENVIRONMENTS, path="shop/*-{env}.yaml")
    text = f"image: web:2 {marker()}\n"
    changes = compare({"shop/web-dev.yaml": text}, {"shop/web-prod.yaml": text}, layout=layout).changes
    assert [(change.site.environment, change.effect) for change in changes] == [("dev", "removed"), ("prod", "tag")]


def test_a_marked_tag_may_go_while_its_image_goes_on_with_it() -> None:
    before = {PROD: "images:\n- name: web\n  newTag: '1' " + marker("shop:web:tag") + "\n"}
    for after in ("images: []\n", "image: web:1\n", "images:\n- newName: web\n  newTag: '1'\n", "y:\n  tag: '2'\n"):
        assert effects(before, {PROD: after}) == [("shop/web", "prod", "removed", "")]


@pytest.mark.parametrize("line", ["k{}: v\n", "---\na{}: b\n"])
def test_the_time_grows_with_the_size_of_a_file_and_not_with_its_square(line: str) -> None:
    text = "".join(map(line.format, range(8000)))
    before, after = (f"a: web:{tag} {marker()}\n{text}" for tag in "12")
    started = time.process_time()
    assert effects({PROD: before}, {PROD: after}) == TAG
    # It takes a quarter of a second, and far longer where each line is compared with all others.
    assert time.process_time() - started < 1.2


def test_an_environment_without_gates_accepts_every_change() -> None:
    dev = {path.replace("prod", "dev"): content for path, content in WEB.items()}
    after = {"shop/dev/web.YAML": deployment("web ghcr.io/acme/web:2")}
    assert effects(dev, after) == [("shop/web", "dev", "removed", "")]


def test_a_manifest_that_no_longer_parses_is_an_error_that_names_it() -> None:
    with pytest.raises(ManifestError, match=r"^shop/prod/web\.yaml:\d+: not valid YAML"):
        compare(WEB, {PROD: f"a: [{marker()}\n"})


def test_a_marker_outside_of_all_environments_is_named_with_file_and_line() -> None:
    path = "other/x.yaml"
    changes = compare({path: f"image: web:1 {marker()}\n"}, {path: f"image: web:2 {marker()}\n"})
    assert [(stray.at, str(stray.name)) for stray in changes.unclaimed] == [("other/x.yaml:1", "shop:web")]


def test_another_image_name_is_a_difference_that_no_gate_can_judge() -> None:
    [change] = compare(WEB, {PROD: deployment(f"web ghcr.io/acme/evil:2 {marker()}")}).changes
    assert (change.effect, change.unseen) == ("tag", ("the image name ghcr.io/acme/web -> ghcr.io/acme/evil",))


@pytest.mark.parametrize(
    "laughs",
    [
        "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)),
        "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i}\n  <<: [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)),
        f"a: &a [{'x, ' * 500}]\nb: [{'*a, ' * 500}]\n",
    ],
    ids=["lists of lists", "merges of merges", "long lists of values"],
)
def test_aliases_that_expand_to_too_much_are_an_error(laughs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_VISITS", 20_000)  # a tenth of it: tests/core/test_limits.py goes to the end
    with pytest.raises(ManifestError, match="expand to too much data"):
        compare(WEB, {PROD: WEB[PROD] + "---\n" + laughs})


def test_an_image_that_goes_on_elsewhere_with_the_same_tag_is_a_removed_marker() -> None:
    moved = {"shop/base/web.yaml": deployment("web ghcr.io/acme/web:1")}
    assert effects(WEB, moved) == [("shop/web", "prod", "removed", "")]


def test_a_file_without_markers_is_not_read_whatever_it_is_made_of() -> None:
    bomb = "a0: &a0 [x, x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 20))
    assert compare({PROD: "a: 1\n"}, {PROD: bomb}).changes == ()


def test_a_removed_marker_of_a_tag_alone_does_not_search_other_files_for_text_like_it() -> None:
    before = {PROD: f"tag: 1 {marker('shop:web:tag')}\n", "shop/prod/other.yaml": "address: x\n"}
    after = {PROD: "a: 1\n", "shop/prod/other.yaml": "address: ':8080'\n"}
    assert effects(before, after) == [("shop/web", "prod", "removed", "")]
