"""`feature` and `feature-delete`: stories on plain git, through the real command line."""

from typing import TYPE_CHECKING

import pytest

from gitops_promotion.git import Repository
from tests.commands.features import CONFIG, FILES, KUSTOMIZATION, WEB, delete, disable_auto, feature
from tests.support import meanwhile

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.commands.conftest import Shop
    from tests.conftest import Remote

pytestmark = pytest.mark.kustomize


@pytest.fixture
def shop(make_remote: "Callable[..., Remote]", make_shop: "Callable[[Remote], Shop]", kustomize: str) -> "Shop":
    return make_shop(make_remote(FILES))


def test_a_copy_is_added_updated_and_removed(shop: "Shop") -> None:
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


def test_a_copy_follows_its_original_and_loses_removed_objects(shop: "Shop") -> None:
    feature(shop, "pr-1-a")
    without_ingress = WEB.partition("---\napiVersion: networking")[0]
    shop.edit({"shop/dev/web.yaml": without_ingress.replace("port: 80", "port: 8080")})
    assert feature(shop, "pr-1-a").results == ["merged"]
    copied = [path for path in shop.remote.files("main") if path.startswith("shop/dev/web-pr-1/")]
    assert [path.rpartition("/")[2] for path in copied] == [
        *("deployment-web.yaml", "kustomization.yaml", "service-web.yaml")
    ]
    assert "port: 8080" in shop.remote.show("shop/dev/web-pr-1/service-web.yaml", "main")


def test_a_copy_is_never_promoted_and_a_promotion_does_not_change_it(shop: "Shop") -> None:
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


def test_an_overwrite_changes_the_applications_own_tag_and_is_not_promoted(shop: "Shop") -> None:
    before = shop.remote.sha("main")
    merged = feature(shop, "pr-1-a", app="batch").only
    assert (merged["result"], merged["previous_tag"]) == ("merged", "1.0.0")
    assert merged["pull_request"]["title"].startswith("Feature pr-1 of shop/batch version pr-1-a")
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


def test_a_feature_goes_to_the_first_environment_of_its_application(shop: "Shop") -> None:
    start = shop.remote.sha("main")
    config = CONFIG.replace("featureOverwrite: true", "featureOverwrite: true, environments: [qa]") % "true"
    shop.edit({"gitops-promotion.yaml": config.replace("app: web}}", "app: web}, environments: [qa]}")})
    assert feature(shop, "pr-1-a", app="batch").only["environment"] == "qa"
    copy = feature(shop, "pr-1-a").only
    assert (copy["result"], copy["environment"]) == ("merged", "qa")
    changed = shop.remote.git("diff", "--name-only", start, "main", "--", "shop").splitlines()
    assert "shop/qa/web-pr-1/kustomization.yaml" in changed
    assert not [path for path in changed if path.startswith("shop/dev")]
    removal = shop.run("feature-stale", "--max-age", "0").only
    assert (removal["result"], removal["environment"]) == ("merged", "qa")
    assert removal["pull_request"]["title"] == "Remove stale features from environment qa"


def test_an_open_overwrite_never_becomes_a_promotion(shop: "Shop") -> None:
    disable_auto(shop)
    assert feature(shop, "pr-1-a", app="batch").results == ["opened"]
    text = shop.remote.show("shop/dev/kustomization.yaml", "main")
    shop.edit({"shop/dev/kustomization.yaml": text.replace("batch\n  newTag: 1.0.0", "batch\n  newTag: 1.0.1")})
    shop.run("promote", "--all")
    assert "promote/shop-batch" not in shop.remote.branches(), "it conflicts, and its tag is for no promotion"


def test_two_features_proposed_at_the_same_time_are_both_merged(shop: "Shop") -> None:
    """Both add a line at the same place; the scheduled `promote --all` rebuilds the second."""
    disable_auto(shop)
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


def test_a_feature_that_a_person_closes_in_the_middle_of_a_run_stays_closed(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    disable_auto(shop)
    pulls = [feature(shop, "1", name).only["pull_request"]["number"] for name in ("pr-1", "pr-2")]
    shop.local("merge", str(pulls[0]))
    meanwhile.before(monkeypatch, Repository, "push", lambda: shop.local("close", str(pulls[1])))
    messages = [outcome["message"] for outcome in shop.run("promote", "--all").outcomes]
    assert f"pull request #{pulls[1]} for it was closed meanwhile" in messages
    assert "- web-pr-2" not in shop.remote.show("shop/dev/kustomization.yaml", "main")


def test_a_feature_branch_with_a_persons_commit_is_not_rebuilt(shop: "Shop") -> None:
    disable_auto(shop)
    for name in ("pr-1", "pr-2"):
        number = feature(shop, "1", name).only["pull_request"]["number"]
    shop.edit({"shop/dev/web-pr-2/service-web.yaml": "a: b\n"}, branch="feature/shop-web-pr-2")
    head = shop.remote.branches()["feature/shop-web-pr-2"]
    shop.local("merge", str(number - 1))
    shop.run("promote", "--all")
    assert shop.remote.branches()["feature/shop-web-pr-2"] == head


def test_a_feature_that_cannot_be_rebuilt_fails_alone(shop: "Shop") -> None:
    disable_auto(shop)
    numbers = [
        feature(shop, "1", name, app=app).only["pull_request"]["number"]
        for name, app in (("pr-1", "web"), ("pr-2", "web"), ("pr-3", "batch"))
    ]
    shop.local("merge", str(numbers[0]))
    text = shop.remote.show("shop/dev/kustomization.yaml", "main")
    shop.edit(
        {
            "gitops-promotion.yaml": (CONFIG % "false").replace("web: {featureLabelSelector: {app: web}}", "web: {}"),
            "shop/dev/kustomization.yaml": text.replace("batch\n  newTag: 1.0.0", "batch\n  newTag: 1.0.1"),
        }
    )
    head = shop.remote.branches()["feature/shop-web-pr-2"]
    outcomes = shop.run("promote", "--all", code=2).outcomes
    (failure,) = [outcome for outcome in outcomes if outcome["result"] == "failed"]
    assert (failure["group"], failure["app"], failure["environment"]) == ("shop", "web", "dev")
    assert failure["message"].startswith("shop/web has neither featureLabelSelector nor featureOverwrite: true")
    assert shop.remote.branches()["feature/shop-web-pr-2"] == head
    (rebuilt,) = [outcome for outcome in outcomes if outcome["pull_request"]]
    assert (rebuilt["result"], rebuilt["pull_request"]["number"]) == ("updated", numbers[2])


def test_the_check_passes_a_feature(shop: "Shop") -> None:
    disable_auto(shop)
    for app in ("web", "batch"):
        pull = feature(shop, "pr-1-a", app=app).only["pull_request"]
        assert shop.check(pull["number"]).results == ["passed"]


def test_a_patch_of_the_repository_is_allowed_and_a_file_outside_of_it_is_not(shop: "Shop") -> None:
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


def test_an_open_feature_is_updated_and_then_withdrawn(shop: "Shop") -> None:
    disable_auto(shop)
    first = feature(shop, "pr-1-a").only
    assert first["result"] == "opened"
    assert feature(shop, "pr-1-a").results == ["unchanged"], "its reviews stay valid"
    updated = feature(shop, "pr-1-b").only
    assert (updated["result"], updated["pull_request"]["number"]) == ("updated", first["pull_request"]["number"])
    withdrawn = delete(shop).only
    assert withdrawn["result"] == "updated"
    assert withdrawn["pull_request"]["state"] == "closed"
    assert delete(shop).results == ["unchanged"]
    assert feature(shop, "pr-1-c").results == ["opened"], "it can come back"


def test_the_newest_of_feature_and_feature_delete_replaces_the_other(shop: "Shop") -> None:
    feature(shop, "pr-1-a")
    disable_auto(shop)
    removal = delete(shop).only
    assert removal["result"] == "opened"
    assert removal["pull_request"]["title"] == "Remove feature pr-1 of shop/web from environment dev"
    newer = feature(shop, "pr-1-b").only
    assert (newer["result"], newer["pull_request"]["number"]) == ("updated", removal["pull_request"]["number"])
    shop.local("merge", str(newer["pull_request"]["number"]))
    assert "newTag: pr-1-b" in shop.remote.show("shop/dev/kustomization.yaml", "main")


def test_a_persons_commit_on_the_branch_is_not_overwritten(shop: "Shop") -> None:
    disable_auto(shop)
    feature(shop, "pr-1-a")
    shop.edit({"shop/dev/web-pr-1/service-web.yaml": "a: b\n"}, branch="feature/shop-web-pr-1")
    run = feature(shop, "pr-1-b", code=2)
    assert "by someone else" in run.only["message"]
    assert delete(shop).only["pull_request"]["state"] == "closed", "its branch stays"
    assert shop.remote.show("shop/dev/web-pr-1/service-web.yaml", "feature/shop-web-pr-1") == "a: b\n"


@pytest.mark.parametrize("name", ["", "___", "-a", "a-", "x" * 64, "x" * 60])
def test_b37_an_invalid_name_is_an_error_before_anything_is_written(shop: "Shop", name: str) -> None:
    refs = shop.remote.git("for-each-ref")
    assert feature(shop, "1", name, code=2).code == 2
    assert shop.remote.git("for-each-ref") == refs


@pytest.mark.parametrize(
    ("app", "name", "message"),
    [
        ("nope", "pr-1", "shop/nope is not below groups"),
        ("bare", "pr-1", "shop/bare has neither featureLabelSelector nor featureOverwrite"),
        ("web", "api-x", "feature 'x' of shop/web-api would share"),
        ("../web", "pr-1", "not a valid name"),
    ],
)
def test_an_application_that_cannot_be_copied_is_an_error(shop: "Shop", app: str, name: str, message: str) -> None:
    refs = shop.remote.git("for-each-ref")
    assert message in feature(shop, "1", name, app=app, code=2).only["message"]
    assert shop.remote.git("for-each-ref") == refs


def test_b32_an_ambiguous_feature_is_an_error_of_feature_delete_too(shop: "Shop") -> None:
    assert "would share a folder or a branch" in delete(shop, "api-x", code=2).only["message"]
    assert delete(shop, "x", app="web-api").results == ["unchanged"], "nor can the longer name have no features at all"


def test_a_folder_of_that_name_that_is_no_copy_is_not_changed(shop: "Shop") -> None:
    shop.edit({"shop/dev/web-pr-1/kustomization.yaml": "resources: []\n"})
    run = feature(shop, "1", code=2)
    assert "shop/dev/web-pr-1 exists and is no copy" in run.only["message"]
    assert delete(shop).results == ["unchanged"]


def test_without_kustomize_the_error_says_how_to_install_it(shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_copy_that_breaks_its_environment_can_still_be_removed(shop: "Shop") -> None:
    feature(shop, "pr-1-a")
    shop.edit({"shop/dev/web-pr-1/service-web.yaml": "kind: [broken\n"})
    assert delete(shop).results == ["merged"]
    assert shop.remote.show("shop/dev/kustomization.yaml", "main") == KUSTOMIZATION


def test_an_object_with_the_label_outside_of_the_copy_prevents_the_removal(shop: "Shop") -> None:
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
