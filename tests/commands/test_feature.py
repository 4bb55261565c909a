"""`feature`, `feature-delete` and `feature-stale` (issue 5): stories on plain git, through the real command line."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.commands.conftest import Run, Shop
    from tests.conftest import Remote

pytestmark = pytest.mark.kustomize

CONFIG = """\
environments: [{name: dev, auto: %s}, {name: qa, auto: true}]
groups:
  shop:
    applications:
      web: {featureLabelSelector: {app: web}}
      web-api: {featureLabelSelector: {app: web-api}}
      batch: {featureOverwrite: true}
      bare: {}
"""
KUSTOMIZATION = """\
# The shop
resources:
- web.yaml
images:
- name: ghcr.io/acme/web
  newTag: 1.0.0 # {"$imagepolicy": "shop:web:tag"}
- name: ghcr.io/acme/batch
  newTag: 1.0.0 # {"$imagepolicy": "shop:batch:tag"}
"""
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: ghcr.io/acme/web}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, labels: {app: web}}
spec:
  rules:
  - host: web.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
"""
FILES = {
    "gitops-promotion.yaml": CONFIG % "true",
    "shop/dev/kustomization.yaml": KUSTOMIZATION,
    "shop/dev/web.yaml": WEB,
    "shop/qa/kustomization.yaml": KUSTOMIZATION,
    "shop/qa/web.yaml": WEB,
}


@pytest.fixture
def shop(make_remote: "Callable[..., Remote]", make_shop: "Callable[[Remote], Shop]", kustomize: str) -> "Shop":
    return make_shop(make_remote(FILES))


def feature(shop: "Shop", tag: str, name: str = "pr-1", *more: str, app: str = "web", code: int | None = 0) -> "Run":
    return shop.run("feature", "--group", "shop", "--app", app, "--tag", tag, "--feature", name, *more, code=code)


def delete(shop: "Shop", name: str = "pr-1", *more: str, app: str = "web", code: int | None = 0) -> "Run":
    return shop.run("feature-delete", "--group", "shop", "--app", app, "--feature", name, *more, code=code)


def auto_off(shop: "Shop") -> None:
    shop.edit({"gitops-promotion.yaml": CONFIG % "false"})


def test_a_copy_is_shown_brought_up_to_date_and_cleared_away(shop: "Shop") -> None:
    start = shop.remote.sha("main")
    opened = feature(shop, "pr-1-a").only
    assert (opened["result"], opened["environment"], opened["tag"]) == ("merged", "dev", "pr-1-a")
    assert opened["feature_url"] == "http://pr-1.web.example.com"
    assert opened["branch"] == "feature/shop-web-pr-1"
    assert opened["pull_request"]["title"] == "Feature pr-1 of shop/web version pr-1-a in environment dev"
    before = shop.remote.sha("main")
    assert feature(shop, "pr-1-b").results == ["merged"]
    changed = shop.remote.git("diff", "--numstat", before, "main")
    assert changed == "1\t1\tshop/dev/kustomization.yaml", "a new tag changes the tag"
    assert delete(shop).results == ["merged"]
    assert shop.remote.git("diff", start, "main") == ""
    assert delete(shop).results == ["unchanged"]


def test_a_copy_follows_its_original_and_drops_what_is_gone(shop: "Shop") -> None:
    feature(shop, "pr-1-a")
    without_ingress = WEB.partition("---\napiVersion: networking")[0]
    shop.edit({"shop/dev/web.yaml": without_ingress.replace("port: 80", "port: 8080")})
    assert feature(shop, "pr-1-a").results == ["merged"]
    copied = [path for path in shop.remote.files("main") if path.startswith("shop/dev/web-pr-1/")]
    assert [path.rpartition("/")[2] for path in copied] == [
        *("deployment-web.yaml", "kustomization.yaml", "service-web.yaml")
    ]
    assert "port: 8080" in shop.remote.show("shop/dev/web-pr-1/service-web.yaml", "main")


def test_a_copy_is_never_promoted_and_a_promotion_leaves_it_alone(shop: "Shop") -> None:
    before = shop.remote.sha("main")
    feature(shop, "pr-1-a")
    shop.push_event(before)
    assert shop.run("promote").results == ["skipped"], "no marked tag changed"
    shop.no_event()
    assert shop.run("promote", "--all").results == ["unchanged"]
    assert not [name for name in shop.remote.branches() if name.startswith("promote/")]
    new = shop.run("new", "--group", "shop", "--app", "web", "--tag", "1.1.0")
    assert new.results == ["merged"]
    text = shop.remote.show("shop/dev/kustomization.yaml", "main")
    assert "newTag: 1.1.0 # {" in text
    assert "newTag: pr-1-a\n" in text


def test_an_overwrite_changes_the_applications_own_tag_and_stops_there(shop: "Shop") -> None:
    before = shop.remote.sha("main")
    done = feature(shop, "pr-1-a", app="batch").only
    assert (done["result"], done["previous_tag"]) == ("merged", "1.0.0")
    assert done["pull_request"]["title"].startswith("Feature pr-1 of shop/batch version pr-1-a")
    assert shop.remote.git("diff", "--numstat", before, "main") == "1\t1\tshop/dev/kustomization.yaml"
    shop.push_event(before)
    (promoted,) = shop.run("promote").outcomes
    assert promoted["result"] == "skipped"
    shop.no_event()
    (healed,) = [outcome for outcome in shop.run("promote", "--all").outcomes if outcome["app"] == "batch"]
    assert healed["result"] == "skipped"
    assert shop.remote.show("shop/qa/kustomization.yaml", "main") == KUSTOMIZATION
    assert delete(shop, app="batch").results == ["unchanged"]
    assert feature(shop, "pr-1-a", app="batch").results == ["unchanged"]


def test_an_open_overwrite_is_not_made_a_promotion_of(shop: "Shop") -> None:
    auto_off(shop)
    assert feature(shop, "pr-1-a", app="batch").results == ["opened"]
    text = shop.remote.show("shop/dev/kustomization.yaml", "main")
    shop.edit({"shop/dev/kustomization.yaml": text.replace("batch\n  newTag: 1.0.0", "batch\n  newTag: 1.0.1")})
    shop.run("promote", "--all")
    assert "promote/shop-batch" not in shop.remote.branches(), "it conflicts, and its tag is for no promotion"


def test_two_features_that_were_proposed_at_once_both_arrive(shop: "Shop") -> None:
    """Both add a line at the same place; `promote --all` on its schedule builds the second anew."""
    auto_off(shop)
    pulls = [feature(shop, "1", name).only["pull_request"]["number"] for name in ("pr-1", "pr-2")]
    shop.local("merge", str(pulls[0]))
    (healed,) = [outcome for outcome in shop.run("promote", "--all").outcomes if outcome["pull_request"]]
    assert (healed["result"], healed["pull_request"]["number"]) == ("updated", pulls[1])
    assert not [outcome for outcome in shop.run("promote", "--all").outcomes if outcome["pull_request"]]
    shop.local("merge", str(pulls[1]))
    text = shop.remote.show("shop/dev/kustomization.yaml", "main")
    assert text.count("- web-pr-1\n") == text.count("- web-pr-2\n") == 1
    removals = [delete(shop, name).only["pull_request"]["number"] for name in ("pr-1", "pr-2")]
    shop.local("merge", str(removals[0]))
    shop.run("promote", "--all")
    shop.local("merge", str(removals[1]))
    assert shop.remote.show("shop/dev/kustomization.yaml", "main") == KUSTOMIZATION


def test_a_feature_with_a_persons_work_on_it_is_not_built_anew(shop: "Shop") -> None:
    auto_off(shop)
    for name in ("pr-1", "pr-2"):
        number = feature(shop, "1", name).only["pull_request"]["number"]
    shop.edit({"shop/dev/web-pr-2/service-web.yaml": "a: b\n"}, branch="feature/shop-web-pr-2")
    head = shop.remote.branches()["feature/shop-web-pr-2"]
    shop.local("merge", str(number - 1))
    shop.run("promote", "--all")
    assert shop.remote.branches()["feature/shop-web-pr-2"] == head


def test_the_check_passes_a_feature(shop: "Shop") -> None:
    auto_off(shop)
    for app in ("web", "batch"):
        pull = feature(shop, "pr-1-a", app=app).only["pull_request"]
        assert shop.check(pull["number"]).results == ["passed"]


def test_a_shared_patch_beside_the_environments_is_read_and_a_file_outside_is_not(shop: "Shop") -> None:
    text = KUSTOMIZATION + "patches:\n- path: ../../shared/replicas.yaml\n"
    patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 4}\n"
    shop.edit({"shop/dev/kustomization.yaml": text, "shared/replicas.yaml": patch})
    assert feature(shop, "pr-1-a").results == ["merged"]
    assert "replicas: 4" in shop.remote.show("shop/dev/web-pr-1/deployment-web.yaml", "main")
    text = shop.remote.show("shop/dev/kustomization.yaml", "main")
    generator = "configMapGenerator:\n- {name: x, files: [x=/etc/hostname]}\n"
    shop.edit({"shop/dev/kustomization.yaml": text + generator})
    refused = feature(shop, "pr-1-b", code=2).only["message"]
    assert refused.startswith("shop/dev/kustomization.yaml: x=/etc/hostname is outside the repository")


def test_a_dry_run_shows_the_copy_and_writes_nothing(shop: "Shop") -> None:
    refs = shop.remote.git("for-each-ref")
    planned = feature(shop, "pr-1-a", "pr-1", "--dry-run").only
    assert planned["result"] == "planned"
    assert planned["feature_url"] == "http://pr-1.web.example.com"
    assert "+- web-pr-1" in planned["diff"]
    assert "https" not in planned["plan"]["body"]
    assert "`http://<feature>.web.example.com`" in planned["plan"]["body"]
    assert shop.remote.git("for-each-ref") == refs


def test_what_was_not_merged_is_replaced_and_then_withdrawn(shop: "Shop") -> None:
    auto_off(shop)
    first = feature(shop, "pr-1-a").only
    assert first["result"] == "opened"
    assert feature(shop, "pr-1-a").results == ["unchanged"], "its reviews keep their worth"
    again = feature(shop, "pr-1-b").only
    assert (again["result"], again["pull_request"]["number"]) == ("updated", first["pull_request"]["number"])
    gone = delete(shop).only
    assert gone["result"] == "updated"
    assert gone["pull_request"]["state"] == "closed"
    assert delete(shop).results == ["unchanged"]
    assert feature(shop, "pr-1-c").results == ["opened"], "it can come back"


def test_the_last_of_feature_and_delete_wins(shop: "Shop") -> None:
    feature(shop, "pr-1-a")
    auto_off(shop)
    removal = delete(shop).only
    assert removal["result"] == "opened"
    assert removal["pull_request"]["title"] == "Remove feature pr-1 of shop/web from environment dev"
    newer = feature(shop, "pr-1-b").only
    assert (newer["result"], newer["pull_request"]["number"]) == ("updated", removal["pull_request"]["number"])
    shop.local("merge", str(newer["pull_request"]["number"]))
    assert "newTag: pr-1-b" in shop.remote.show("shop/dev/kustomization.yaml", "main")


def test_a_persons_commit_on_the_branch_is_not_overwritten(shop: "Shop") -> None:
    auto_off(shop)
    feature(shop, "pr-1-a")
    shop.edit({"shop/dev/web-pr-1/service-web.yaml": "a: b\n"}, branch="feature/shop-web-pr-1")
    run = feature(shop, "pr-1-b", code=2)
    assert "not ours" in run.only["message"]
    assert delete(shop).only["pull_request"]["state"] == "closed", "its branch stays"
    assert shop.remote.show("shop/dev/web-pr-1/service-web.yaml", "feature/shop-web-pr-1") == "a: b\n"


@pytest.mark.parametrize("name", ["", "___", "-a", "a-", "x" * 64, "x" * 60])
def test_b37_a_name_that_cannot_be_is_an_error_before_anything_is_written(shop: "Shop", name: str) -> None:
    refs = shop.remote.git("for-each-ref")
    assert feature(shop, "1", name, code=2).code == 2
    assert shop.remote.git("for-each-ref") == refs


@pytest.mark.parametrize(
    ("app", "name", "what"),
    [
        ("nope", "pr-1", "shop/nope is not below groups"),
        ("bare", "pr-1", "shop/bare has neither featureLabelSelector nor featureOverwrite"),
        ("web", "api-x", "feature 'x' of shop/web-api would share"),
        ("../web", "pr-1", "not a valid name"),
    ],
)
def test_what_cannot_be_copied_is_an_error(shop: "Shop", app: str, name: str, what: str) -> None:
    refs = shop.remote.git("for-each-ref")
    assert what in feature(shop, "1", name, app=app, code=2).only["message"]
    assert shop.remote.git("for-each-ref") == refs


def test_b32_a_feature_that_could_be_anothers_is_an_error_for_delete_too(shop: "Shop") -> None:
    assert "would share a folder or a branch" in delete(shop, "api-x", code=2).only["message"]
    assert delete(shop, "x", app="web-api").results == ["unchanged"], "nor can the longer name have no features at all"


def test_a_folder_of_that_name_that_is_no_copy_is_left_alone(shop: "Shop") -> None:
    shop.edit({"shop/dev/web-pr-1/kustomization.yaml": "resources: []\n"})
    run = feature(shop, "1", code=2)
    assert "shop/dev/web-pr-1 exists and is no copy" in run.only["message"]
    assert delete(shop).results == ["unchanged"]


def test_without_kustomize_there_is_one_error_with_how_to_get_it(shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    refs = shop.remote.git("for-each-ref")
    folder = shop.tmp_path / "git-alone"
    folder.mkdir()
    for name in ("git", "env"):
        (folder / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", str(folder))
    run = feature(shop, "1", code=2)
    assert "install kustomize 5" in run.only["message"]
    monkeypatch.undo()
    assert shop.remote.git("for-each-ref") == refs


# -- feature-stale


def aged(shop: "Shop", day: int, name: str, app: str = "web") -> None:
    """Put in a copy by a commit of that day of February."""
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


def stale(shop: "Shop", *more: str, code: int | None = 0) -> "Run":
    return shop.run("feature-stale", *more, code=code)


def test_all_stale_copies_go_in_one_pull_request_and_a_fresh_one_stays(shop: "Shop") -> None:
    start = shop.remote.sha("main")
    aged(shop, 1, "old")
    aged(shop, 2, "older", app="web-api")
    feature(shop, "pr-1-a", "fresh")
    listed = stale(shop, "--dry-run").only
    assert listed["result"] == "planned"
    assert [reason.rpartition(", ")[2] for reason in listed["reasons"]] == ["stale", "kept", "stale"]
    assert "feature old: changed" in " ".join(listed["reasons"])
    done = stale(shop).only
    assert (done["result"], done["branch"]) == ("merged", "remove/stale-feature")
    assert done["pull_request"]["title"] == "Remove stale features from environment dev"
    assert stale(shop).results == ["unchanged"]
    assert delete(shop, "fresh").results == ["merged"]
    assert shop.remote.git("diff", start, "main") == ""


def test_b4_b5_only_labelled_folders_of_the_application_are_removed(shop: "Shop") -> None:
    """A real application `web-api`, a plain file and a folder without a label are no features of `web`."""
    aged(shop, 1, "x", app="web-api")
    shop.edit(
        {
            "shop/dev/web-real/kustomization.yaml": "resources: []\n",
            "shop/dev/web-notes/readme.yaml": "a: b\n",
            "shop/dev/web-ingress.yaml": "kind: Ingress\n",
        }
    )
    done = stale(shop).only
    assert done["result"] == "merged"
    left = {path.split("/")[2] for path in shop.remote.files("main") if path.startswith("shop/dev/")}
    assert left == {"kustomization.yaml", "web.yaml", "web-real", "web-notes", "web-ingress.yaml"}


def test_b38_an_age_that_cannot_be_told_fails_alone(shop: "Shop") -> None:
    aged(shop, 1, "old")
    cut = shop.remote.path.parent / "cut.git"
    shop.edit({"README.md": "later"})
    shop.remote.git("clone", "-q", "--bare", "--depth=1", shop.remote.path.as_uri(), str(cut))
    shop.checkout.git("remote", "set-url", "origin", str(cut))
    shop.checkout.git("fetch", "-q", "--depth=1", str(cut), "main")
    done = stale(shop, code=5)
    assert done.results == ["unchanged", "failed"]
    assert (done.outcomes[1]["app"], "fetch-depth: 0" in done.outcomes[1]["message"]) == ("web", True)


def test_a_copy_that_breaks_its_environment_can_still_be_removed(shop: "Shop") -> None:
    feature(shop, "pr-1-a")
    shop.edit({"shop/dev/web-pr-1/service-web.yaml": "kind: [broken\n"})
    assert delete(shop).results == ["merged"]
    assert shop.remote.show("shop/dev/kustomization.yaml", "main") == KUSTOMIZATION


def test_an_entry_that_holds_the_copy_elsewhere_stops_its_removal(shop: "Shop") -> None:
    feature(shop, "pr-1-a")
    text = shop.remote.show("shop/dev/kustomization.yaml", "main")
    shop.edit(
        {
            "shop/dev/kustomization.yaml": text.replace("- web.yaml\n", "- web.yaml\n- more.yaml\n"),
            "shop/dev/more.yaml": (
                "apiVersion: v1\nkind: ConfigMap\n"
                "metadata: {name: more, labels: {gitops-promotion.xenit.io/feature: pr-1}}\n"
            ),
        }
    )
    run = delete(shop, code=2)
    assert "ConfigMap more: is still there" in run.only["message"]
