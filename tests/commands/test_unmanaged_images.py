"""Images that change without a gated tag: through the real command line, with kustomize's recorded answers."""

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.commands.conftest import Run, Shop

pytestmark = pytest.mark.kustomize(check=True)

MARKER = '# {"$imagepolicy": "webshop:webui"}'
TAG = '# {"$imagepolicy": "webshop:webui:tag"}'
BASE = (
    "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: webui\nspec:\n  template:\n    spec:\n"
    "      containers:\n      - name: webui\n        image: webui\n      - name: log\n        image: log:1\n"
)
BASE_KUSTOMIZATION = "resources: [deployment.yaml]\n"
PROD = f'resources: [../base]\nimages:\n- name: webui\n  newName: ghcr.io/webshop/webui\n  newTag: "1.0.0" {TAG}\n'
D = "Deployment webui"


def config(policy: str, more: str = "") -> str:
    return (
        "environments:\n  - {name: dev, auto: true}\n"
        f"  - {{name: prod, auto: false, unmanagedImages: {policy}{more}}}\n"
    )


def begin(shop: "Shop", policy: str, more: str = "", files: "dict[str, str | None] | None" = None) -> None:
    """Give the webshop a base that dev and prod build with kustomize, and prod a policy."""
    shop.edit(
        {
            "gitops-promotion.yaml": config(policy, more),
            "webshop/base/deployment.yaml": BASE,
            "webshop/base/kustomization.yaml": BASE_KUSTOMIZATION,
            "webshop/dev/webui.yaml": None,
            "webshop/qa/webui.yaml": None,
            "webshop/prod/webui.yaml": None,
            "webshop/dev/kustomization.yaml": PROD,
            "webshop/prod/kustomization.yaml": PROD,
            **(files or {}),
        }
    )


def check(shop: "Shop", files: "dict[str, str | None]", code: int) -> "Run":
    shop.edit(files, branch="change")
    shop.checkout.git("fetch", "--quiet", "origin")
    shop.checkout.git("checkout", "--quiet", "--force", "change")
    return shop.run("status", "--timeout", "0", code=code)


EVIL = BASE.replace("log:1", "evil:1")

CHANGES: "dict[str, tuple[dict[str, str | None], str]]" = {
    "a base": ({"webshop/base/deployment.yaml": EVIL}, f"{D}, container log: log:1 -> evil:1"),
    "the name of the marked image": (
        {"webshop/prod/kustomization.yaml": PROD.replace("ghcr.io/webshop", "evil.io")},
        f"{D}, container webui: ghcr.io/webshop/webui:1.0.0 -> evil.io/webui:1.0.0",
    ),
    "another image of kustomize": (
        {"webshop/prod/kustomization.yaml": f"{PROD}- name: log\n  newName: evil\n"},
        f"{D}, container log: log:1 -> evil:1",
    ),
    "a digest beside the tag": (
        {"webshop/prod/kustomization.yaml": f"{PROD}- name: log\n  digest: sha256:{'a' * 64}\n"},
        f"{D}, container log: log:1 -> log@sha256:{'a' * 64}",
    ),
    "a patch in the kustomization": (
        {
            "webshop/prod/kustomization.yaml": f"{PROD}patches:\n- patch: |\n    - op: replace\n"
            "      path: /spec/template/spec/containers/1/image\n      value: evil:1\n  target: {kind: Deployment}\n"
        },
        f"{D}, container log: log:1 -> evil:1",
    ),
    "a component": (
        {
            "webshop/prod/kustomization.yaml": f"{PROD}components: [../component]\n",
            "webshop/component/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
            "images: [{name: log, newName: evil}]\n",
        },
        f"{D}, container log: log:1 -> evil:1",
    ),
    "a transformer": (
        {
            "webshop/prod/kustomization.yaml": f"{PROD}transformers: [images.yaml]\n",
            "webshop/prod/images.yaml": "apiVersion: builtin\nkind: ImageTagTransformer\nmetadata: {name: t}\n"
            "imageTag: {name: log, newName: evil}\n",
        },
        f"{D}, container log: log:1 -> evil:1",
    ),
    "a file of an odd name": (
        {
            "webshop/prod/kustomization.yaml": PROD.replace("[../base]", "[../base, more.JSON]"),
            "webshop/prod/more.JSON": '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, '
            '"spec": {"containers": [{"name": "c", "image": "evil:1"}]}}',
        },
        "Pod p, container c: (none) -> evil:1",
    ),
    "a case twin": (
        {
            "webshop/base/kustomization.yaml": "resources: [Deployment.yaml]\n",
            "webshop/base/Deployment.yaml": EVIL,
        },
        f"{D}, container log: log:1 -> evil:1",
    ),
    "a base that moves": (
        {
            "webshop/prod/kustomization.yaml": PROD.replace("../base", "../moved"),
            "webshop/base/deployment.yaml": None,
            "webshop/base/kustomization.yaml": None,
            "webshop/dev/kustomization.yaml": None,
            "webshop/moved/deployment.yaml": EVIL,
            "webshop/moved/kustomization.yaml": BASE_KUSTOMIZATION,
        },
        f"{D}, container log: log:1 -> evil:1",
    ),
    "a generator of objects": (
        {
            "webshop/prod/kustomization.yaml": f"{PROD}replacements:\n- source: {{kind: ConfigMap, name: i, "
            "fieldPath: data.image}\n  targets:\n  - select: {kind: Deployment}\n    fieldPaths: "
            "[spec.template.spec.containers.1.image]\nconfigMapGenerator: [{name: i, literals: [image=evil:1]}]\n"
        },
        f"{D}, container log: log:1 -> evil:1",
    ),
    "a whole application in prod alone": (
        {
            "webshop/prod/kustomization.yaml": PROD.replace("[../base]", "[../base, cart.yaml]"),
            "webshop/prod/cart.yaml": BASE.replace("name: webui", "name: cart").replace(
                "image: webui", 'image: evil:1 # {"$imagepolicy": "webshop:cart"}'
            ),
        },
        "Deployment cart, container cart: (none) -> evil:1",
    ),
}


@pytest.mark.parametrize(("files", "change"), CHANGES.values(), ids=CHANGES)
def test_a_change_of_what_prod_builds_is_refused_with_its_images(
    shop: "Shop", kustomize: str, files: "dict[str, str | None]", change: str
) -> None:
    begin(shop, "refuse")
    refused = check(shop, files, 3).only
    assert f"images of prod: unmanaged: {change}; take it out of this pull request" in refused["reasons"]


def test_a_marker_that_was_removed_one_pull_request_earlier_hides_nothing(shop: "Shop", kustomize: str) -> None:
    unmarked = PROD.replace(TAG, "")
    begin(shop, "refuse", files={"webshop/prod/kustomization.yaml": unmarked})
    message = check(shop, {"webshop/prod/kustomization.yaml": unmarked.replace("1.0.0", "6.6.6")}, 3).only["message"]
    assert f"{D}, container webui: ghcr.io/webshop/webui:1.0.0 -> ghcr.io/webshop/webui:6.6.6" in message


def test_a_criss_cross_history_hides_no_image(shop: "Shop") -> None:
    prod = "webshop/prod/webui.yaml"
    good, evil = BASE.replace("image: webui", f"image: app:1 {MARKER}"), EVIL.replace("image: webui", "image: app:1")
    evil = evil.replace("image: app:1", f"image: app:1 {MARKER}")
    start = shop.edit({"gitops-promotion.yaml": config("refuse"), prod: evil})
    one = shop.remote.commit({prod: f"{evil}# Note\n"}, branch="one", start=start)
    other = shop.remote.commit({prod: good}, branch="other", start=start)
    for branch, text, parents in (("main", f"{good}# Note\n", (one, other)), ("change", evil, (other, one))):
        scratch = shop.remote.commit({prod: text}, branch="scratch", start=parents[0])
        words = [word for parent in parents for word in ("-p", parent)]
        merge = shop.remote.git("commit-tree", f"{scratch}^{{tree}}", *words, "-m", "Merge")
        shop.remote.git("update-ref", f"refs/heads/{branch}", merge)
        shop.remote.git("update-ref", "-d", "refs/heads/scratch")
    assert f"{D}, container log: log:1 -> evil:1" in check(shop, {"README.md": "x"}, 3).only["message"]


EXPLAINED: "dict[str, dict[str, str | None]]" = {
    "fields of the base": {"webshop/base/deployment.yaml": f"{BASE}      restartPolicy: Always\n"},
    "a base that nothing names": {"webshop/other/deployment.yaml": EVIL},
    "an unused manifest in the folder": {"webshop/prod/unused.yaml": EVIL},
}


@pytest.mark.parametrize("files", EXPLAINED.values(), ids=EXPLAINED)
def test_what_runs_the_same_images_passes(shop: "Shop", kustomize: str, files: "dict[str, str | None]") -> None:
    begin(shop, "refuse")
    assert check(shop, files, 0).results == ["passed"]


def test_a_promotion_passes_for_its_tag_is_what_the_gates_judge(shop: "Shop", kustomize: str) -> None:
    begin(shop, "refuse")
    shop.new("1.4.2")
    pull = shop.through("dev")
    assert "images of prod: none changes without a gated tag" in shop.check(pull["number"]).only["reasons"]


def test_a_promotion_with_more_in_it_is_refused(shop: "Shop", kustomize: str) -> None:
    begin(shop, "refuse")
    shop.edit({"webshop/dev/kustomization.yaml": PROD.replace("1.0.0", "1.4.2")})
    shop.flux("dev")
    files: dict[str, str | None] = {
        "webshop/prod/kustomization.yaml": PROD.replace("1.0.0", "1.4.2") + "- name: log\n  newTag: 1.4.2\n"
    }
    refused = check(shop, files, 3).only
    assert [text for text in refused["reasons"] if "unmanaged" in text] == [
        f"images of prod: unmanaged: {D}, container log: log:1 -> log:1.4.2; take it out of this pull request"
    ]


HOSTILE: "dict[str, tuple[dict[str, str | None], str]]" = {
    "a remote base": (
        {"webshop/prod/kustomization.yaml": PROD.replace("../base", "https://evil.example/base?ref=v1")},
        "'https://evil.example/base?ref=v1' is not in the repository, and nothing is fetched",
    ),
    "a remote base in a base": (
        {"webshop/base/kustomization.yaml": "resources: [deployment.yaml, 'github.com/evil/base']"},
        "'github.com/evil/base' is not in the repository, and nothing is fetched",
    ),
    "a chart": (
        {"webshop/prod/kustomization.yaml": f"{PROD}helmCharts: [{{name: x, repo: 'https://evil.example'}}]\n"},
        "charts are not inflated, here as in Flux",
    ),
    "a file of the machine": (
        {"webshop/prod/kustomization.yaml": f"{PROD}configMapGenerator: [{{name: x, files: [/etc/passwd]}}]\n"},
        "'/etc/passwd' is not in the repository",
    ),
    "a build that fails": (
        {"webshop/prod/kustomization.yaml": f"{PROD}unknownKey: 1\n"},
        "webshop/prod does not build with",
    ),
}


@pytest.mark.parametrize(("files", "problem"), HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(("policy", "code"), [("report", 0), ("refuse", 3)])
def test_what_cannot_be_built_here_is_refused_or_reported(
    shop: "Shop", kustomize: str, policy: str, code: int, files: "dict[str, str | None]", problem: str
) -> None:
    begin(shop, policy)
    outcome = check(shop, files, code).only
    assert problem in outcome["message"]
    assert bool(outcome["warnings"]) is (policy == "report")


def test_without_kustomize_a_refusal_says_how_to_install_it(shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitops_promotion.kustomize.shutil", SimpleNamespace(which=lambda *_, **__: None))
    begin(shop, "refuse")
    message = check(shop, {"webshop/base/deployment.yaml": EVIL}, 3).only["message"]
    assert "no kustomize 5 or newer (none was found): install kustomize" in message


def test_a_report_passes_and_names_the_images_as_warnings(shop: "Shop", kustomize: str) -> None:
    begin(shop, "report")
    passed = check(shop, {"webshop/base/deployment.yaml": EVIL}, 0).only
    text = f"images of prod: unmanaged: {D}, container log: log:1 -> evil:1"
    assert (passed["result"], passed["message"], passed["warnings"]) == ("passed", text, [text])


def test_without_the_key_nothing_is_compared(shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "gitops_promotion.workflow.unmanaged_images.compare", lambda *_: pytest.fail("nothing is compared")
    )
    begin(shop, "off")
    passed = check(shop, {"webshop/base/deployment.yaml": EVIL}, 0).only
    assert passed["message"] == "no marked tag is changed: a manual change, nothing to wait for"


def test_an_environment_without_a_kustomization_is_read_as_yaml(shop: "Shop") -> None:
    plain = BASE.replace("image: webui", f"image: app:1 {MARKER}")
    shop.edit({"gitops-promotion.yaml": config("refuse"), "webshop/prod/webui.yaml": plain})
    refused = check(shop, {"webshop/prod/webui.yaml": plain.replace("log:1", "evil:1")}, 3).only
    assert f"unmanaged: {D}, container log: log:1 -> evil:1" in refused["message"]
    assert (refused["app"], refused["environment"], refused["tag"]) == ("webui", "prod", "")


def test_an_approval_is_asked_for_with_the_images_that_it_is_for(shop: "Shop", kustomize: str) -> None:
    begin(shop, "approve", ", approvals: {approvers: [ann]}")
    waits = check(shop, {"webshop/base/deployment.yaml": EVIL}, 4).only
    assert waits["result"] == "timed-out"
    assert waits["reasons"][:2] == [
        f"images of prod: unmanaged: {D}, container log: log:1 -> evil:1",
        f"approvals of prod: 0 of 1 of ann; no pull request is known that brings {waits['sha'][:7]}, and opinions are "
        "given on one: give --pr NUMBER",
    ]


def test_a_chart_that_stays_takes_its_image_from_a_config_map_that_changes(shop: "Shop") -> None:
    chart = "kind: HelmRelease\nmetadata: {name: h}\nspec: {valuesFrom: [{kind: ConfigMap, name: v}]}\n"
    values = "kind: ConfigMap\nmetadata: {name: v}\ndata: {values.yaml: 'image: {repository: a, tag: 1}'}\n"
    shop.edit(
        {
            "gitops-promotion.yaml": config("refuse"),
            "webshop/prod/chart.yaml": chart,
            "webshop/prod/values.yaml": values,
            "webshop/prod/template.yaml": "{{ no YAML }}: [",
        }
    )
    refused = check(shop, {"webshop/prod/values.yaml": values.replace("repository: a", "repository: evil")}, 3).only
    assert "unmanaged: ConfigMap v, data.values.yaml.image: a:1 -> evil:1" in refused["message"]
