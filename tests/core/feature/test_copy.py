"""Objects in a copy, without kustomize: tags, hosts and names (docs/migrating.md, B36, B37)."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_promotion.core.feature.copy import Copy, CopyRequest, Transformations, copy_name, make_copy
from gitops_promotion.core.feature.manifests import Id, Object, Plain, Value, parse
from gitops_promotion.core.feature.selection import select
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError, PromotionError
from tests.support.examples import examples

OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
LABELS = "labels: {app: web}"


def pod_spec(indent: str) -> str:
    lines = [
        "initContainers:",
        f"- {{name: migrate, image: 'ghcr.io/x/web:1@{OLD}'}}",
        "containers:",
        f"- {{name: web, image: 'ghcr.io/x/web:1@{OLD}'}}",
        "- {name: proxy, image: 'envoy:1.31'}",
        "ephemeralContainers:",
        "- {name: debug, image: 'ghcr.io/x/web:1'}",
    ]
    return "".join(f"{indent}{line}\n" for line in lines)


def workload(kind: str, api: str = "apps/v1") -> str:
    return (
        f"apiVersion: {api}\nkind: {kind}\nmetadata: {{name: web, {LABELS}}}\nspec:\n"
        f"  selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{{LABELS}}}\n    spec:\n"
        + pod_spec("      ")
    )


def ingress(rules: str, spec: str = "") -> str:
    return (
        f"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: web, {LABELS}}}\nspec:\n{spec}"
        f"  rules: [{rules}]\n"
    )


def copied(*documents: str, tag: str = "2", feature: str = "f", **transformations: Any) -> Copy:
    objects = parse("---\n".join(documents).encode())
    selection = select(objects, {"app": "web"}, "shop/dev")
    own_containers = frozenset((obj.id, name) for obj in objects for name in ("migrate", "web", "debug"))
    request = CopyRequest(feature=feature, tag=Tag.parse(tag), subfolder=f"web-{feature}", selector={"app": "web"})
    return make_copy(selection, request, Transformations(**({"own_containers": own_containers} | transformations)))


def find(copy: Copy, kind: str) -> Object:
    return next(obj for obj in copy.objects if obj.kind == kind)


@pytest.mark.parametrize(
    ("kind", "api"),
    [
        *(("Deployment", "apps/v1"), ("StatefulSet", "apps/v1"), ("DaemonSet", "apps/v1"), ("ReplicaSet", "apps/v1")),
        *(("Rollout", "argoproj.io/v1alpha1"), ("Service", "serving.knative.dev/v1"), ("Odd", "example.com/v1")),
    ],
)
@pytest.mark.parametrize(("tag", "image"), [("2", "ghcr.io/x/web:2"), (f"2@{NEW}", f"ghcr.io/x/web:2@{NEW}")])
def test_b36_only_the_applications_own_image_changes_in_every_kind(kind: str, api: str, tag: str, image: str) -> None:
    original = workload(kind, api)
    (before,) = parse(original.encode())
    spec = find(copied(original, tag=tag), kind).content["spec"]["template"]["spec"]
    assert [container["image"] for container in (*spec["initContainers"], *spec["ephemeralContainers"])] == [
        image,
        image,
    ]
    assert [container["image"] for container in spec["containers"]] == [image, "envoy:1.31"], "a sidecar keeps its tag"
    assert find(copied(original), kind).content["spec"]["template"]["metadata"]["labels"] == {"app": "web-f"}
    assert spec.keys() == before.content["spec"]["template"]["spec"].keys(), "no field is added"
    assert "status" not in find(copied(original), kind).content


def test_b36_jobs_are_left_out_and_reported() -> None:
    job = f"apiVersion: batch/v1\nkind: Job\nmetadata: {{name: once, {LABELS}}}\nspec:\n  template:\n    spec:\n"
    copy = copied(workload("Deployment"), job + pod_spec("      "))
    assert [obj.kind for obj in copy.objects] == ["Deployment"]
    assert "`Job once`: left out, it would run twice" in copy.notes


def test_an_image_that_the_environment_replaces_gets_an_alias_and_an_entry() -> None:
    copy = copied(workload("Deployment"), tag=f"2@{NEW}", images=frozenset({"ghcr.io/x/web"}))
    (image,) = copy.images
    assert (image.name, image.new_name, image.new_tag) == ("web-f/ghcr.io/x/web", "ghcr.io/x/web", f"2@{NEW}")
    assert b"image: web-f/ghcr.io/x/web\n" in copy.files["deployment-web.yaml"]
    assert find(copy, "Deployment").content["spec"]["template"]["spec"]["containers"][0]["image"].endswith(f":2@{NEW}")


@pytest.mark.parametrize(
    ("rules", "hosts"),
    [
        ("{host: web.example.com}", ["f.web.example.com"]),
        ('{host: "*.example.com"}', ["f.example.com"]),
        ('{host: web.example.com}, {host: "*.web.example.com"}', ["f.web.example.com"]),
        ("{host: web.example.com}, {}, {host: ''}", ["f.web.example.com"]),
    ],
)
def test_b37_hosts_begin_with_the_feature_and_none_is_empty_or_a_wildcard(rules: str, hosts: list[str]) -> None:
    copy = copied(workload("Deployment"), ingress(rules))
    assert [rule["host"] for rule in find(copy, "Ingress").content["spec"]["rules"]] == hosts
    assert copy.url == f"http://{hosts[0]}"


@pytest.mark.parametrize("rules", ["{}", "{host: ''}", ""])
def test_b37_an_ingress_without_a_host_is_left_out_and_reported(rules: str) -> None:
    copy = copied(
        workload("Deployment"), ingress(rules, "  defaultBackend: {service: {name: web, port: {number: 1}}}\n")
    )
    assert [obj.kind for obj in copy.objects] == ["Deployment"]
    assert (copy.url, copy.pattern) == ("", "")
    assert any("it has no host" in note for note in copy.notes)


def test_a_route_of_the_gateway_api_gives_the_address() -> None:
    route = f"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: web, {LABELS}}}\n"
    copy = copied(workload("Deployment"), route + "spec: {hostnames: [web.example.com]}\n")
    assert (copy.url, copy.pattern) == ("https://f.web.example.com", "https://<feature>.web.example.com")


def test_b37_a_name_or_label_over_63_characters_is_an_error() -> None:
    with pytest.raises(ManifestError, match="of at most 63"):
        copied(workload("Deployment"), feature="f" * 60)


def test_names_of_objects_become_safe_file_names() -> None:
    odd = f"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: '../../a:b', {LABELS}}}\n"
    twice = odd.replace("a:b", "a/b")
    copy = copied(workload("Deployment"), odd, twice)
    assert sorted(copy.files) == [
        *("clusterrole-..-..-a-b-2.yaml", "clusterrole-..-..-a-b.yaml"),
        *("deployment-web.yaml", "kustomization.yaml"),
    ]
    assert all("/" not in name for name in copy.files)


@pytest.mark.parametrize(
    ("name", "affixes", "expected"),
    [
        ("web", ("", ""), "web-f"),
        ("dev-web-v1", ("dev-", "-v1"), "dev-web-f-v1"),
        ("dev-settings-2bcdf45678", ("dev-", "-v1"), "dev-settings-2bcdf45678-f-v1"),
        ("dev", ("dev", ""), "devdev-f"),
    ],
)
def test_the_feature_stands_inside_of_the_affixes_of_the_environment(
    name: str, affixes: tuple[str, str], expected: str
) -> None:
    assert copy_name(Object({"kind": "ConfigMap", "metadata": {"name": name}}), "f", affixes) == expected


def test_a_role_for_certain_objects_names_those_of_the_copy() -> None:
    labelled = f"metadata: {{name: web, {LABELS}}}"
    role = (
        f"apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n{labelled}\n"
        "rules: [{resources: [configmaps], resourceNames: [web, other]}, {resources: [pods], resourceNames: [web]}]\n"
    )
    copy = copied(workload("Deployment"), role, f"apiVersion: v1\nkind: ConfigMap\n{labelled}\n")
    assert [rule["resourceNames"] for rule in find(copy, "Role").content["rules"]] == [["web-f", "other"], ["web"]]


def test_the_policies_of_others_that_do_not_hold_for_the_copy_are_reported() -> None:
    policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s}\nspec: {%s}\n"
    from_web = "podSelector: {matchLabels: {app: cart}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]"
    copy = copied(
        *(
            workload("Deployment"),
            policy % ("cart", from_web),
            policy % ("web", "podSelector: {matchLabels: {app: web}}"),
        )
    )
    assert copy.notes == (
        "`NetworkPolicy cart`: does not admit the copy, only the original",
        "`NetworkPolicy web`: does not apply to the copy",
    )


def test_the_hosts_of_the_original_that_a_copy_still_names_are_reported_in_order() -> None:
    hosts = [f"{letter}.example.com" for letter in "abcdef"]
    settings = (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web, {LABELS}}}\ndata: {{hosts: '{' '.join(hosts)}'}}\n"
    )
    copy = copied(workload("Deployment"), ingress(", ".join(f"{{host: {host}}}" for host in hosts)), settings)
    assert f"`ConfigMap web`: still names {', '.join(f'`{host}`' for host in hosts)}" in copy.notes


def test_a_cloud_role_of_an_account_is_reported() -> None:
    account = f"apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: web, {LABELS}, annotations: {{%s: x}}}}\n"
    assert copied(workload("Deployment"), account % "a").notes == ()
    (note,) = copied(workload("Deployment"), account % "eks.amazonaws.com/role-arn").notes
    assert note == (
        "`ServiceAccount web`: eks.amazonaws.com/role-arn trusts the original's service account only: add the copy's"
    )


def test_a_copy_without_a_container_of_the_application_is_an_error() -> None:
    with pytest.raises(ManifestError, match="runs the image"):
        copied(workload("Deployment"), own_containers=frozenset())


ENVIRONMENTS = Path(__file__).parents[2] / "kustomizations/environments"
HOSTILE = [Plain("null"), Plain("1"), [], {}, "x", "", [Plain("1")], ["x"], [[]], [{}], {"a": "b"}]


@functools.cache
def objects_of_environments() -> list[Object]:
    """All objects of the golden environments that are written as kustomize would print them."""
    objects: dict[Id, Object] = {}
    for path in sorted(ENVIRONMENTS.glob("*.txt")):
        for part in re.split(r"^== .+\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            if part.startswith("apiVersion: ") and "kind: Kustomization" not in part and "kind: Component" not in part:
                objects |= {obj.id: obj for obj in parse(part.encode())}
    return [obj for obj in objects.values() if "web" in obj.labels.values()]


def places(value: Value) -> Iterator[tuple[Value, Any]]:
    for key, child in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(child, (dict, list)):
            yield from places(child)


@examples(100)
@given(st.data())
def test_any_value_anywhere_in_an_object_gives_a_copy_or_a_promotion_error(data: st.DataObject) -> None:
    target = data.draw(st.sampled_from(objects_of_environments())).editable()
    objects = [*parse(workload("Deployment").replace("name: web,", "name: plain,").encode()), target]
    candidates = [(holder, key) for holder, key in places(target.content) if key not in ("kind", "name", "apiVersion")]
    holder, key = data.draw(st.sampled_from(candidates))
    holder[key] = data.draw(st.sampled_from(HOSTILE))
    try:
        selection = select(objects, {"app": "web"}, "shop/dev")
        own_containers = frozenset((obj.id, "web") for obj in objects)
        make_copy(
            selection,
            CopyRequest(feature="f", tag=Tag("2"), subfolder="web-f", selector={"app": "web"}),
            Transformations(own_containers=own_containers),
        )
    except PromotionError:
        pass
