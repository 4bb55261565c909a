"""Which images files name, and which changes of them no gated tag explains: each line of a table is one attack."""

import pytest

from gitops_promotion.core.markers import with_stand_ins
from gitops_promotion.core.tags import Tag
from gitops_promotion.core.unmanaged_images import Comparison, ImageChange, Images, JudgedTag, read_images, unmanaged
from gitops_promotion.errors import ManifestError

STAND_IN = "stand-in-1"
MARKER = '# {"$imagepolicy": "shop:web"}'
TAG = '# {"$imagepolicy": "shop:web:tag"}'
DIGEST = "sha256:" + "a" * 64


def pod(*containers: str, extra: str = "") -> str:
    items = "".join(f"        - {container}\n" for container in containers)
    head = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n"
    return f"{head}spec:\n  template:\n    spec:\n      containers:\n{items}{extra}"


WEB = pod("{name: web, image: app:1}")


def images(*texts: str) -> dict[str, str]:
    """Return `object, container: image` of some files."""
    files = {f"f{number}.yaml": text.encode() for number, text in enumerate(texts)}
    return {f"{place.object}, {place.container}": " and ".join(found) for place, found in read_images(files).items()}


def changed(before: str | dict[str, str], after: str | dict[str, str], judged: JudgedTag | None = None) -> list[str]:
    """Return the unmanaged images between two sets of files, with the stand-in for markers of shop:web if judged."""

    def read(side: str | dict[str, str]) -> Images:
        files = {"f.yaml": side} if isinstance(side, str) else side
        tags = {("shop", "web"): Tag(STAND_IN)} if judged else {}
        return read_images({path: with_stand_ins(text.encode(), path, tags) for path, text in files.items()})

    return [str(change) for change in unmanaged(read(before), read(after), [judged] if judged else [])]


JUDGED = JudgedTag(stand_in=STAND_IN, old="1", new="2")

D = "Deployment shop/web"

READ = {
    "a container": (WEB, {f"{D}, container web": "app:1"}),
    "init and ephemeral containers": (
        pod(
            "{name: web, image: app:1}",
            extra="      initContainers: [{name: a, image: i:1}]\n      ephemeralContainers: [{name: b, image: e:1}]\n",
        ),
        {f"{D}, container web": "app:1", f"{D}, init container a": "i:1", f"{D}, ephemeral container b": "e:1"},
    ),
    "an image volume": (
        pod("{name: web, image: app:1}", extra="      volumes: [{name: v, image: {reference: v:1}}]\n"),
        {f"{D}, container web": "app:1", f"{D}, spec.template.spec.volumes.v.image.reference": "v:1"},
    ),
    "a pod": (
        "kind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: a:1}]}",
        {"Pod p, container c": "a:1"},
    ),
    "a cron job": (
        "kind: CronJob\nmetadata: {name: j}\n"
        "spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c, image: a:1}]}}}}}",
        {"CronJob j, container c": "a:1"},
    ),
    "a job with a generated name": (
        "kind: Job\nmetadata: {generateName: j-}\nspec: {template: {spec: {containers: [{name: c, image: a:1}]}}}",
        {"Job j-, container c": "a:1"},
    ),
    "a kind of its own with a pod template": (
        "kind: Rollout\nmetadata: {name: r}\nspec: {template: {spec: {containers: [{name: c, image: a:1}]}}}",
        {"Rollout r, container c": "a:1"},
    ),
    "a kind of its own with an image": (
        "kind: Prometheus\nmetadata: {name: p}\nspec: {image: p:1}",
        {"Prometheus p, spec.image": "p:1"},
    ),
    "a list": (
        "kind: List\nitems:\n- kind: Pod\n  metadata: {name: p}\n  spec: {containers: [{name: c, image: a:1}]}",
        {"Pod p, container c": "a:1"},
    ),
    "a list of pods in a list": (
        "kind: List\nitems: [{kind: PodList, items: [{kind: Pod, metadata: {name: p}, "
        "spec: {containers: [{name: c, image: a:1}]}}]}]",
        {"Pod p, container c": "a:1"},
    ),
    "several documents": (
        f"{WEB}---\nkind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{name: c, image: a:1}}]}}\n",
        {f"{D}, container web": "app:1", "Pod p, container c": "a:1"},
    ),
    "json": (
        '{"kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"a\\u003a1"}]}}',
        {"Pod p, container c": "a:1"},
    ),
    "json with tabs": (
        '{\n\t"kind": "Pod",\n\t"metadata": {"name": "p"},\n\t"spec": {"containers": [{"name": "c", "image": "a:1"}]}}',
        {"Pod p, container c": "a:1"},
    ),
    "an alias": (
        pod("{name: web, image: &i app:1}", "{name: two, image: *i}"),
        {f"{D}, container web": "app:1", f"{D}, container two": "app:1"},
    ),
    "a merge key": (
        pod("&c {name: web, image: app:1}", "{<<: *c, name: two}"),
        {f"{D}, container web": "app:1", f"{D}, container two": "app:1"},
    ),
    "an escaped key": (pod('{name: web, "\\x69mage": app:1}'), {f"{D}, container web": "app:1"}),
    "an escaped value": (pod('{name: web, image: "\\u0061pp:1"}'), {f"{D}, container web": "app:1"}),
    "a line feed that is a lone carriage return": (
        WEB.replace("\n", "\r"),
        {f"{D}, container web": "app:1"},
    ),
    "a comment that ends with U+2028": (
        pod("{name: web, image: app:1}", "name: two # x\u2028          image: evil:1"),
        {f"{D}, container web": "app:1", f"{D}, container two": "evil:1"},
    ),
    "containers of one name": (
        pod("{name: web, image: app:1}", "{name: web, image: evil:1}"),
        {f"{D}, container #0": "app:1", f"{D}, container #1": "evil:1"},
    ),
    "values of a chart": (
        "kind: HelmRelease\nmetadata: {name: h}\nspec: {values: {image: {registry: r, repository: a, tag: 1.10, "
        f"digest: '{DIGEST}'}}, sidecarImage: s:1, metrics: {{imageTag: 2}}, web: {{image: w:1}}}}}}",
        {
            "HelmRelease h, spec.values.image": f"r/a:1.10@{DIGEST}",
            "HelmRelease h, spec.values.sidecarImage": "s:1",
            "HelmRelease h, spec.values.metrics.imageTag": "2",
            "HelmRelease h, spec.values.web.image": "w:1",
        },
    ),
    "values of a chart in a ConfigMap": (
        "kind: HelmRelease\nmetadata: {name: h}\nspec: {valuesFrom: [{kind: ConfigMap, name: v}]}\n---\n"
        "kind: ConfigMap\nmetadata: {name: v-0123456789}\ndata: {values.yaml: '{image: {repository: a, tag: b}}'}\n",
        {"ConfigMap v-0123456789, data.values.yaml.image": "a:b"},
    ),
    "a ConfigMap that no chart takes": ("kind: ConfigMap\nmetadata: {name: v}\ndata: {image: a:1}", {}),
    "images of kustomize": (
        "kind: Kustomization\nimages: [{name: a, newName: b, newTag: 1}]",
        {"f0.yaml, images.a": "b:1"},
    ),
    "images and patches of a Kustomization of Flux": (
        "kind: Kustomization\nmetadata: {name: k}\nspec:\n  images: [{name: a, newTag: 1}]\n"
        "  patches: [{patch: '{kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: b:1}]}}'}]",
        {"Kustomization k, spec.images.a": "a:1", "Kustomization k: Pod p, container c": "b:1"},
    ),
    "images of a post-renderer": (
        "kind: HelmRelease\nmetadata: {name: h}\n"
        "spec: {postRenderers: [{kustomize: {images: [{name: a, digest: d}]}}]}",
        {"HelmRelease h, spec.postRenderers.#0.kustomize.images.a": "a@d"},
    ),
    "the schema of a kind": (
        "kind: CustomResourceDefinition\nmetadata: {name: c}\nspec: {image: a:1}",
        {},
    ),
    "what an image policy looks for": ("kind: ImageRepository\nmetadata: {name: c}\nspec: {image: a}", {}),
}


@pytest.mark.parametrize(("text", "expected"), READ.values(), ids=READ)
def test_all_that_names_an_image_is_read(text: str, expected: dict[str, str]) -> None:
    assert images(text) == expected


UNREADABLE: dict[str, str | bytes] = {
    "no yaml": "kind: [",
    "a key twice": "kind: Pod\nmetadata: {name: p}\nspec: {image: a:1, image: b:1}\n",
    "UTF-16": "kind: Pod\n".encode("utf-16"),
    "aliases without end": "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    ),
    "values in a ConfigMap": "kind: HelmRelease\nmetadata: {name: h}\n"
    "spec: {valuesFrom: [{kind: ConfigMap, name: v, valuesKey: k}]}\n---\n"
    "kind: ConfigMap\nmetadata: {name: v}\ndata: {k: '['}\n",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_an_error(text: str | bytes) -> None:
    with pytest.raises(ManifestError):
        read_images({"f.yaml": text if isinstance(text, bytes) else text.encode()})


MARKED = pod(f"name: web\n          image: app:1 {MARKER}")
MOVED = pod(f"name: web\n          image: app:2 {MARKER}")

ATTACKS: dict[str, tuple[str | dict[str, str], str | dict[str, str], list[str]]] = {
    "a second container with a new image": (
        pod("{name: web, image: app:1}", "{name: log, image: log:1}"),
        pod("{name: web, image: app:1}", "{name: log, image: evil:1}"),
        [f"{D}, container log: log:1 -> evil:1"],
    ),
    "a container that comes": (
        WEB,
        pod("{name: web, image: app:1}", "{name: new, image: evil:1}"),
        [f"{D}, container new: (none) -> evil:1"],
    ),
    "an init container that comes": (
        WEB,
        pod("{name: web, image: app:1}", extra="      initContainers: [{name: i, image: evil:1}]\n"),
        [f"{D}, init container i: (none) -> evil:1"],
    ),
    "containers that change their images": (
        pod("{name: a, image: one:1}", "{name: b, image: two:1}"),
        pod("{name: a, image: two:1}", "{name: b, image: one:1}"),
        [f"{D}, container a: one:1 -> two:1", f"{D}, container b: two:1 -> one:1"],
    ),
    "a container with a decoy of its name": (
        WEB,
        pod("{name: web, image: app:1}", "{name: web, image: evil:1}"),
        [
            f"{D}, container #0: (none) -> app:1",
            f"{D}, container #1: (none) -> evil:1",
            f"{D}, container web: app:1 -> (none)",
        ],
    ),
    "a marker that was removed one pull request earlier": (
        WEB,
        WEB.replace("app:1", "app:666"),
        [f"{D}, container web: app:1 -> app:666"],
    ),
    "a decoy with the marker in another object": (
        {"a.yaml": WEB, "b.yaml": "kind: ConfigMap\nmetadata: {name: m}\ndata: {}\n"},
        {
            "a.yaml": WEB.replace("app:1", "app:666"),
            "b.yaml": f"kind: ConfigMap\nmetadata: {{name: m}}\ndata:\n  image: app:2 {MARKER}\n",
        },
        [f"{D}, container web: app:1 -> app:666"],
    ),
    "an object with another name": (
        WEB,
        WEB.replace("name: web, name", "name: web2, name").replace("app:1", "evil:1"),
        ["Deployment shop/web2, container web: (none) -> evil:1"],
    ),
    "an object in another namespace": (
        WEB,
        {"f.yaml": WEB, "g.yaml": WEB.replace("namespace: shop", "namespace: other")},
        ["Deployment other/web, container web: (none) -> app:1"],
    ),
    "an object that is there twice": (
        WEB,
        {"f.yaml": WEB, "g.yaml": WEB.replace("app:1", "evil:1")},
        [f"{D}, container web: (none) -> evil:1"],
    ),
    "a digest beside the same tag": (
        WEB,
        WEB.replace("app:1", f"app:1@{DIGEST}"),
        [f"{D}, container web: app:1 -> app:1@{DIGEST}"],
    ),
    "another registry": (WEB, WEB.replace("app:1", "evil.io/app:1"), [f"{D}, container web: app:1 -> evil.io/app:1"]),
    "an alias that is changed at its anchor": (
        pod("{name: web, image: app:1}", "{name: a, image: &i s:1}", "{name: b, image: *i}"),
        pod("{name: web, image: app:1}", "{name: a, image: &i t:1}", "{name: b, image: *i}"),
        [f"{D}, container a: s:1 -> t:1", f"{D}, container b: s:1 -> t:1"],
    ),
    "a value that hides in a merge key": (
        pod("&c {name: web, image: app:1}", "{<<: *c, name: two}"),
        pod("&c {name: web, image: app:1}", "{<<: *c, name: two, image: evil:1}"),
        [f"{D}, container two: app:1 -> evil:1"],
    ),
    "an escape": (WEB, WEB.replace("app:1", '"\\x65vil:1"'), [f"{D}, container web: app:1 -> evil:1"]),
    "a lone carriage return": (
        pod("name: web\n          image: app:1"),
        pod("name: web # x\r          image: evil:1\n          # image: app:1"),
        [f"{D}, container web: app:1 -> evil:1"],
    ),
    "a kind: List": (
        "kind: List\nitems: [{kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: a:1}]}}]",
        "kind: List\nitems: [{kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: b:1}]}}]",
        ["Pod p, container c: a:1 -> b:1"],
    ),
    "an override of a chart that goes": (
        "kind: HelmRelease\nmetadata: {name: h}\nspec: {values: {image: {tag: 1}, x: 1}, image: k:1}",
        "kind: HelmRelease\nmetadata: {name: h}\nspec: {values: {x: 1}, image: k:1}",
        ["HelmRelease h, spec.values.image: :1 -> (none)"],
    ),
    "the repository of a chart": (
        "kind: HelmRelease\nmetadata: {name: h}\nspec: {values: {image: {repository: a, tag: 1}}}",
        "kind: HelmRelease\nmetadata: {name: h}\nspec: {values: {image: {repository: b, tag: 1}}}",
        ["HelmRelease h, spec.values.image: a:1 -> b:1"],
    ),
    "a newName of kustomize": (
        "kind: Kustomization\nimages: [{name: a, newTag: 1}]",
        "kind: Kustomization\nimages: [{name: a, newName: evil, newTag: 1}]",
        ["f.yaml, images.a: a:1 -> evil:1"],
    ),
    "an image volume": (
        WEB,
        pod("{name: web, image: app:1}", extra="      volumes: [{name: v, image: {reference: evil:1}}]\n"),
        [f"{D}, spec.template.spec.volumes.v.image.reference: (none) -> evil:1"],
    ),
    "a name that draws lines": (
        WEB,
        pod("{name: web, image: app:1}", '{name: "a\\nb", image: evil:1}'),
        [f"{D}, 'container a\\nb': (none) -> evil:1"],
    ),
}


@pytest.mark.parametrize(("before", "after", "expected"), ATTACKS.values(), ids=ATTACKS)
def test_a_changed_image_without_a_gated_tag_is_unmanaged(
    before: str | dict[str, str], after: str | dict[str, str], expected: list[str]
) -> None:
    assert changed(before, after) == expected


SAME = {
    "objects in another order": (f"{WEB}---\n{WEB.replace('web', 'b')}", f"{WEB.replace('web', 'b')}---\n{WEB}"),
    "another form of the same value": (WEB, WEB.replace("app:1", '"\\x61pp:1"')),
    "a file that moves": ({"a.yaml": WEB}, {"b.yaml": WEB}),
    "an object that goes": ({"a.yaml": WEB, "b.yaml": WEB.replace("web", "b")}, {"a.yaml": WEB}),
    "other fields": (WEB, WEB + "      restartPolicy: Always\n"),
}


@pytest.mark.parametrize(("before", "after"), SAME.values(), ids=SAME)
def test_what_runs_the_same_images_is_no_change(before: str | dict[str, str], after: str | dict[str, str]) -> None:
    assert changed(before, after) == []


def with_sidecar(text: str, image: str) -> str:
    return f"{text}        - name: side\n          image: {image}\n"


WITH_TAG: dict[str, tuple[str, str, list[str]]] = {
    "the tag alone": (MARKED, MOVED, []),
    "a sidecar moves by the same tags": (
        with_sidecar(MARKED, "side:1"),
        with_sidecar(MOVED, "side:2"),
        [f"{D}, container side: side:1 -> side:2"],
    ),
    "the name of the marked image": (
        MARKED,
        MOVED.replace("app:2", "evil:2"),
        [f"{D}, container web: app:1 -> evil:2"],
    ),
    "a new place with the marker and the image": (MARKED, with_sidecar(MOVED, f"app:2 {MARKER}"), []),
    "a new place with the marker and another image": (
        MARKED,
        with_sidecar(MOVED, f"evil:2 {MARKER}"),
        [f"{D}, container side: (none) -> evil:2"],
    ),
    "a marker that comes to another image": (
        with_sidecar(MARKED, "side:1"),
        with_sidecar(MOVED, f"side:2 {MARKER}"),
        [f"{D}, container side: side:1 -> side:2"],
    ),
    "an image whose tag is the stand-in's beginning": (
        MARKED,
        with_sidecar(MOVED, f"evil:{STAND_IN[:-2]}"),
        [f"{D}, container side: (none) -> evil:{STAND_IN[:-2]}"],
    ),
    "the tag of a marker that goes": (MARKED, MOVED.replace(MARKER, ""), [f"{D}, container web: app:1 -> app:2"]),
    "a digest beside a tag of kustomize": (
        f"kind: Kustomization\nimages:\n- name: app\n  newTag: v1 {TAG}\n",
        f"kind: Kustomization\nimages:\n- name: app\n  newTag: v2 {TAG}\n  digest: {DIGEST}\n",
        [f"f.yaml, images.app: app:1 -> app:2@{DIGEST}"],
    ),
    "a digest without a marker": (
        MARKED,
        MOVED.replace(f"app:2 {MARKER}", f"app:2@{DIGEST}"),
        [f"{D}, container web: app:1 -> app:2@{DIGEST}"],
    ),
}


@pytest.mark.parametrize(("before", "after", "expected"), WITH_TAG.values(), ids=WITH_TAG)
def test_a_gated_tag_explains_its_own_image_alone(before: str, after: str, expected: list[str]) -> None:
    assert changed(before, after, JUDGED) == expected


def test_the_tag_of_a_marker_that_goes_is_explained_where_the_gates_judge_it() -> None:
    judged = JudgedTag(stand_in=STAND_IN, old="1", new="2", unmarked="2")
    assert changed(MARKED, MOVED.replace(MARKER, ""), judged) == []
    assert changed(MARKED, MOVED.replace(f"app:2 {MARKER}", "app:3"), judged) == [f"{D}, container web: app:1 -> app:3"]


def test_a_new_application_runs_the_image_that_its_source_has_and_no_other() -> None:
    known = JudgedTag(stand_in=STAND_IN, new="2", names=frozenset({"app"}))
    assert changed({}, MOVED, known) == []
    assert changed({}, MOVED.replace("app", "evil"), known) == [f"{D}, container web: (none) -> evil:2"]


def test_a_file_that_cannot_be_read_is_left_out_if_it_is_the_same_on_both_sides() -> None:
    files = {"chart.yaml": b"{{ .Values.x }}: [", "web.yaml": WEB.encode()}
    with pytest.raises(ManifestError):
        read_images(files, unchanged=["web.yaml"])
    assert [place.container for place in read_images(files, unchanged=["chart.yaml"])] == ["container web"]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("no yaml", "f.yaml: no YAML in UTF-8 that can be read: its images are unknown; correct it"),
        ("a key twice", "f.yaml:3: the key 'image' is there twice: remove one"),
        ("values in a ConfigMap", "ConfigMap v (k): no YAML that can be read, and a HelmRelease takes it: correct it"),
    ],
)
def test_the_error_names_the_file_or_the_object(case: str, message: str) -> None:
    text = UNREADABLE[case]
    with pytest.raises(ManifestError) as error:
        read_images({"f.yaml": text if isinstance(text, bytes) else text.encode()})
    assert str(error.value) == message


def test_a_comparison_without_changes_and_problem_is_empty() -> None:
    change = ImageChange("Deployment web", "container web", "app:1", "app:2")
    found = (Comparison(), Comparison(changes=(change,)), Comparison(problem="prod does not build"))
    assert [comparison.is_empty for comparison in found] == [True, False, False]
