"""`feature-stale`: stories on plain git, through the real command line."""

from typing import TYPE_CHECKING

import pytest

from tests.commands.features import FILES, delete, feature

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.commands.conftest import Run, Shop
    from tests.conftest import Remote

pytestmark = pytest.mark.kustomize


@pytest.fixture
def shop(make_remote: "Callable[..., Remote]", make_shop: "Callable[[Remote], Shop]", kustomize: str) -> "Shop":
    return make_shop(make_remote(FILES))


def add_copy(shop: "Shop", day: int, name: str, app: str = "web") -> None:
    """Add a copy by a commit of that day of February 2020."""
    text = f"labels:\n- pairs: {{gitops-promotion.xenit.io/feature: {name}}}\nresources: [x.yaml]\n"
    folder = f"shop/dev/{app}-{name}"
    work = shop.checkout
    work.git("fetch", "-q", "origin")
    work.git("reset", "-q", "--hard", "origin/main")
    for path, content in {
        f"{folder}/kustomization.yaml": text,
        f"{folder}/x.yaml": f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {app}-{name}}}\n",
    }.items():
        (work.path / path).parent.mkdir(exist_ok=True)
        (work.path / path).write_text(content)
    kustomization = work.path / "shop/dev/kustomization.yaml"
    kustomization.write_text(kustomization.read_text().replace("- web.yaml\n", f"- web.yaml\n- {app}-{name}\n"))
    work.git("add", "-A")
    dated = type(work)(path=work.path, environ={**work.environ, "GIT_COMMITTER_DATE": f"2020-02-{day:02}T00:00:00Z"})
    dated.git("commit", "-qm", f"Copy {name}")
    work.git("push", "-q", "origin", "HEAD:main")


def stale(shop: "Shop", *options: str, code: int | None = 0) -> "Run":
    return shop.run("feature-stale", *options, code=code)


def test_one_pull_request_removes_all_stale_copies_and_keeps_a_fresh_one(shop: "Shop") -> None:
    start = shop.remote.sha("main")
    add_copy(shop, 1, "old")
    add_copy(shop, 2, "older", app="web-api")
    feature(shop, "pr-1-a", "fresh")
    planned = stale(shop, "--dry-run").only
    assert planned["result"] == "planned"
    assert [reason.rpartition(", ")[2] for reason in planned["reasons"]] == ["stale", "kept", "stale"]
    assert "feature old: changed" in " ".join(planned["reasons"])
    outcome = stale(shop).only
    assert (outcome["result"], outcome["branch"]) == ("merged", "remove/stale-feature")
    assert outcome["pull_request"]["title"] == "Remove stale features from environment dev"
    assert stale(shop).results == ["unchanged"]
    assert delete(shop, "fresh").results == ["merged"]
    assert shop.remote.git("diff", start, "main") == ""


def test_b4_b5_only_labelled_folders_of_the_application_are_removed(shop: "Shop") -> None:
    """A real application `web-api`, a plain file and a folder without a label are no features of `web`."""
    add_copy(shop, 1, "x", app="web-api")
    shop.edit(
        {
            "shop/dev/web-real/kustomization.yaml": "resources: []\n",
            "shop/dev/web-notes/readme.yaml": "a: b\n",
            "shop/dev/web-ingress.yaml": "kind: Ingress\n",
        }
    )
    outcome = stale(shop).only
    assert outcome["result"] == "merged"
    names = {path.split("/")[2] for path in shop.remote.files("main") if path.startswith("shop/dev/")}
    assert names == {"kustomization.yaml", "web.yaml", "web-real", "web-notes", "web-ingress.yaml"}


def test_b38_a_copy_of_unknown_age_fails_alone(shop: "Shop") -> None:
    add_copy(shop, 1, "old")
    cut = shop.remote.path.parent / "cut.git"
    shop.edit({"README.md": "later"})
    shop.remote.git("clone", "-q", "--bare", "--depth=1", shop.remote.path.as_uri(), str(cut))
    shop.checkout.git("remote", "set-url", "origin", str(cut))
    shop.checkout.git("fetch", "-q", "--depth=1", str(cut), "main")
    run = stale(shop, code=5)
    assert run.results == ["unchanged", "failed"]
    assert (run.outcomes[1]["app"], "fetch-depth: 0" in run.outcomes[1]["message"]) == ("web", True)


def keep_label(shop: "Shop", feature: str) -> None:
    """Add an object with a feature's label outside of its copy, so that the removal of the copy cannot be proved."""
    path = "shop/dev/kustomization.yaml"
    text = shop.remote.show(path, "main").replace("- web.yaml\n", "- web.yaml\n- extra.yaml\n")
    labels = f"{{gitops-promotion.xenit.io/feature: {feature}}}"
    extra = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: extra, labels: {labels}}}\n"
    shop.edit({path: text, "shop/dev/extra.yaml": extra})


def copies(shop: "Shop") -> set[str]:
    folders = {path.split("/")[2] for path in shop.remote.files("main") if path.count("/") == 3}
    return {folder for folder in folders if folder.startswith("web-")}


def test_a_copy_whose_removal_cannot_be_proved_fails_alone(shop: "Shop") -> None:
    add_copy(shop, 1, "old")
    add_copy(shop, 2, "older", app="web-api")
    add_copy(shop, 3, "oldest")
    keep_label(shop, "older")
    run = stale(shop, code=2)
    assert run.results == ["merged", "failed"]
    failure = run.outcomes[1]
    assert (failure["group"], failure["app"], failure["environment"]) == ("shop", "web-api", "dev")
    assert "ConfigMap extra: is still there" in failure["message"]
    assert copies(shop) == {"web-api-older"}
    body = shop.local("show", str(run.outcomes[0]["pull_request"]["number"]))
    assert "shop/web feature old:" in body
    assert "shop/web feature oldest:" in body
    assert "feature older" not in body


def test_the_only_stale_copy_fails_if_its_removal_cannot_be_proved(shop: "Shop") -> None:
    add_copy(shop, 1, "old")
    keep_label(shop, "old")
    before = shop.remote.git("for-each-ref")
    run = stale(shop, code=2)
    assert run.results == ["unchanged", "failed"]
    assert run.outcomes[0]["message"] == "no feature in dev is older than 7d"
    assert shop.remote.git("for-each-ref") == before
