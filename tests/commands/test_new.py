"""`new` (docs/concepts.md#new): a tag into the first environment, through the real command line on real git."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.commands.conftest import Shop
    from tests.conftest import Remote

HEX = "sha256:" + "a" * 64


def test_the_tag_is_merged_into_the_first_environment_and_nothing_else_changes(shop: "Shop") -> None:
    before = shop.remote.sha("main")
    outcome = shop.new("1.4.2").only
    assert (outcome["result"], outcome["previous_tag"], outcome["tag"]) == ("merged", "1.0.0", "1.4.2")
    assert outcome["pull_request"]["state"] == "merged"
    assert outcome["pull_request"]["merge_sha"] == shop.remote.sha("main")
    assert shop.tags() == ("1.4.2", "1.0.0", "1.0.0")
    assert shop.remote.git("diff", "--numstat", before, "main") == "1\t1\twebshop/dev/webui.yaml"


def test_again_is_unchanged_without_a_commit_or_a_pull_request(shop: "Shop") -> None:
    shop.new("1.4.2")
    before = shop.remote.git("for-each-ref")
    assert shop.new("1.4.2").results == ["unchanged"]
    assert shop.remote.git("for-each-ref") == before


def test_the_title_body_and_trailers_are_the_predecessors(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    base = shop.remote.sha("main")
    pull = shop.new("1.4.2").only["pull_request"]
    assert pull["title"] == "Promote webshop/webui version 1.4.2 to environment dev"
    assert pull["head"] == "promote/webshop-webui"
    shown = shop.local("show", "1")
    assert (
        f'<!-- metadata = {{"group": "webshop", "app": "webui", "tag": "1.4.2", "env": "dev", "sha": "{base}", '
        '"feature": "", "type": "promote"} -->' in shown
    )
    message = shop.remote.git("log", "-1", "--format=%B", "promote/webshop-webui")
    for trailer in ("Promotion: webshop/webui", "Environment: dev", "Tag: 1.4.2", "Previous-Tag: 1.0.0"):
        assert trailer in message.splitlines()


def test_auto_false_waits_for_a_person_and_a_newer_tag_takes_the_branch_over(
    shop: "Shop", config: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    assert shop.new("1.4.2").results == ["opened"]
    second = shop.new("1.4.3").only
    assert (second["result"], second["pull_request"]["number"]) == ("updated", 1)
    assert shop.tags()[0] == "1.0.0"
    shop.local("merge", "1")
    assert shop.tags()[0] == "1.4.3"


def test_an_open_promotion_into_another_environment_is_named_that_this_one_replaces(shop: "Shop") -> None:
    shop.opened("1.4.2")
    assert shop.new("1.5.0").only["message"].endswith("; it takes the place of 1.4.2 into qa, which was open")


def test_the_same_request_leaves_branch_and_pull_request_alone(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.new("1.4.2")
    before = shop.remote.git("for-each-ref")
    shop.edit({"README.md": "# Another\n"})
    assert shop.new("1.4.2").results == ["unchanged"]
    after = shop.remote.git("for-each-ref")
    assert [line for line in after.splitlines() if "refs/heads/main" not in line] == [
        line for line in before.splitlines() if "refs/heads/main" not in line
    ]


def test_a_branch_that_conflicts_is_rebuilt_on_the_tip(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.new("1.4.2")
    text = shop.remote.show("webshop/dev/webui.yaml", "main")
    shop.edit({"webshop/dev/webui.yaml": text.replace("1.0.0", "1.1.0")})
    assert shop.new("1.4.2").results == ["updated"]
    shop.local("merge", "1")
    assert shop.tags()[0] == "1.4.2"


def test_an_older_build_is_skipped_whether_the_newer_is_open_or_merged(
    shop: "Shop", config: Callable[..., str]
) -> None:
    shop.new("1.4.3", "--built-at", "2026-01-02T00:00:00Z")
    skipped = shop.new("1.4.2", "--built-at", "2026-01-01T00:00:00+00:00").only
    assert skipped["result"] == "skipped"
    assert "1.4.3" in skipped["message"]
    assert shop.new("1.4.3-again", "--built-at", "2026-01-02T00:00:00Z").results == ["merged"], "as old is not older"
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    assert shop.new("1.4.5", "--built-at", "2026-01-05T00:00:00Z").results == ["opened"]
    assert shop.new("1.4.4", "--built-at", "2026-01-04T00:00:00Z").results == ["skipped"]
    assert shop.new("1.4.4").results == ["updated"], "without --built-at the last run wins"


def test_a_tag_that_a_person_declined_is_proposed_again_on_purpose_only(
    shop: "Shop", config: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    first = shop.new("1.4.2").only
    shop.local("close", str(first["pull_request"]["number"]))
    declined = shop.new("1.4.2").only
    assert (declined["result"], declined["pull_request"]["number"]) == ("declined", first["pull_request"]["number"])
    assert declined["message"].endswith("new --group webshop --app webui --tag 1.4.2 --again")
    again = shop.new("1.4.2", "--again").only
    assert (again["result"], again["sha"] == first["sha"]) == ("opened", False)
    assert "\nAgain-By: Dev\n" in shop.remote.git("log", "-1", "--format=%B", again["sha"])
    assert shop.new("1.4.2").results == ["unchanged"]
    assert shop.new("1.4.3").results == ["updated"]


def test_b2_no_marker_is_an_error_that_lists_the_ones_there_and_the_nearest_name(shop: "Shop") -> None:
    before = shop.remote.git("for-each-ref")
    run = shop.run("new", "--group", "webshop", "--app", "webiu", "--tag", "1", code=2)
    assert "webshop:webui" in run.stderr
    assert "webui" in run.only["message"]
    assert shop.remote.git("for-each-ref") == before


def test_a_pointer_to_a_large_file_in_place_of_the_manifest_is_named(shop: "Shop") -> None:
    shop.edit({"webshop/dev/webui.yaml": "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n"})
    run = shop.new("1.4.2", code=2)
    assert "webshop/dev/webui.yaml: a pointer to a large file (Git LFS)" in run.only["message"]
    assert "keep manifests as files" in run.only["message"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--group", "../etc"),
        ("--group", "a/b"),
        ("--app", "x..y"),
        ("--app", "-rf"),
        ("--app", ""),
        ("--tag", "1:2"),
        ("--tag", "a/b"),
        ("--tag", "1\n2"),
        ("--tag", "1@sha256:short"),
        ("--tag", ""),
    ],
)
def test_b6_names_and_tags_that_could_be_paths_or_markup_are_refused(shop: "Shop", option: str, value: str) -> None:
    given = {"--group": "webshop", "--app": "webui", "--tag": "1.4.2"} | {option: value}
    before = shop.remote.git("for-each-ref")
    run = shop.run("new", *(f"{key}={text}" for key, text in given.items()), code=2)
    assert run.stderr.count("error:") == 1
    assert shop.remote.git("for-each-ref") == before


def test_b3_a_whole_image_keeps_its_registry_and_a_digest_goes_along(shop: "Shop") -> None:
    shop.new(f"1.4.2@{HEX}")
    assert f"image: ghcr.io/webshop/webui:1.4.2@{HEX} #" in shop.remote.show("webshop/dev/webui.yaml", "main")


def test_b11_commits_of_people_on_the_branch_stop_everything_and_disarm(
    shop: "Shop", config: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.new("1.4.2")
    mine = shop.edit({"webshop/dev/extra.yaml": "kind: ConfigMap\n"}, "My fix", branch="promote/webshop-webui")
    run = shop.new("1.4.3", code=2)
    assert mine[:7] in run.stderr
    assert "ann@example.org" in run.stderr
    assert "merge the pull request, or close it and delete the branch, then run again" in run.stderr
    assert shop.remote.branches()["promote/webshop-webui"] == mine


def test_b11_a_commit_of_ours_that_a_person_amended_is_theirs(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.new("1.4.2")
    message = shop.remote.git("log", "-1", "--format=%B", "promote/webshop-webui")
    text = shop.remote.show("webshop/dev/webui.yaml", "promote/webshop-webui").replace("Deployment", "StatefulSet")
    shop.remote.git("branch", "-D", "promote/webshop-webui")
    amended = shop.edit({"webshop/dev/webui.yaml": text}, message, branch="promote/webshop-webui")
    assert shop.new("1.4.3", code=2).only["result"] == "failed"
    assert shop.remote.branches()["promote/webshop-webui"] == amended


def test_the_predecessors_promotion_in_flight_is_carried_on(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    text = shop.remote.show("webshop/dev/webui.yaml", "main").replace("1.0.0", "1.4.1").replace("  image", "   image")
    shop.remote.commit(
        {"webshop/dev/webui.yaml": text},
        "Promote webshop/webui version 1.4.1 to environment dev",
        branch="promote/webshop-webui",
        start="main",
        author="gitops-promotion <gitops-promotion@xenit.se>",
    )
    assert shop.new("1.4.2").results == ["opened"]
    shop.local("merge", "1")
    assert shop.tags()[0] == "1.4.2"


def test_b32_applications_that_would_share_a_branch_are_an_error(shop: "Shop", manifest: Callable[..., str]) -> None:
    shop.edit(
        {
            "a/dev/x.yaml": manifest("b-c", "1", group="a"),
            "a-b/dev/x.yaml": manifest("c", "1", group="a-b"),
        }
    )
    run = shop.run("new", "--group", "a", "--app", "b-c", "--tag", "2", code=2)
    assert "a-b/c" in run.stderr
    assert "branchTemplate" in run.stderr


def test_b23_the_default_branch_is_asked_of_the_remote(
    shop: "Shop", make_remote: Callable[..., "Remote"], webshop: dict[str, str]
) -> None:
    trunk = make_remote(webshop, name="trunk.git", branch="trunk")
    checkout = trunk.clone("trunk")
    run = shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2", where=checkout.path)
    assert run.results == ["merged"]
    assert ":1.4.2 " in trunk.show("webshop/dev/webui.yaml", "trunk")


def test_dry_run_shows_everything_and_writes_nothing(shop: "Shop") -> None:
    before = shop.remote.git("for-each-ref")
    planned = shop.new("1.4.2", "--dry-run").only
    assert planned["result"] == "planned"
    plan = planned["plan"]
    assert plan["branch"] == "promote/webshop-webui"
    assert plan["base_sha"] == shop.remote.sha("main")
    assert plan["auto_merge"] is True
    assert "Promotion: webshop/webui" in plan["commit_message"]
    assert "-  image: ghcr.io/webshop/webui:1.0.0" in planned["diff"]
    assert "+  image: ghcr.io/webshop/webui:1.4.2" in planned["diff"]
    assert shop.remote.git("for-each-ref") == before


def test_the_checkout_is_never_touched(shop: "Shop") -> None:
    (shop.checkout.path / "credentials.json").write_text("secret")
    (shop.checkout.path / "README.md").write_text("edited, not committed")
    head, status = shop.checkout.sha(), shop.checkout.git("status", "--porcelain")
    shop.new("1.4.2")
    assert (shop.checkout.sha(), shop.checkout.git("status", "--porcelain")) == (head, status)
    assert shop.checkout.git("for-each-ref").count("promote") == 0
    assert not (shop.checkout.path / ".git" / "FETCH_HEAD").exists()
    assert "credentials.json" not in shop.remote.files("main")


def test_a_missing_configuration_says_where_it_belongs(shop: "Shop") -> None:
    shop.edit({"gitops-promotion.yaml": None})
    run = shop.new("1.4.2", code=2)
    assert "gitops-promotion.yaml: is in your checkout, not on origin/main: commit and push it" in run.stderr


def test_b39_the_configuration_is_read_from_the_tip_not_from_the_checkout(shop: "Shop") -> None:
    (shop.checkout.path / "gitops-promotion.yaml").write_text("environments: [{name: prod, auto: true}]\n")
    shop.new("1.4.2")
    assert shop.tags() == ("1.4.2", "1.0.0", "1.0.0")


def test_a_file_that_does_not_parse_and_carries_the_marker_is_named(shop: "Shop", manifest: Callable[..., str]) -> None:
    shop.edit({"webshop/dev/broken.yaml": manifest("webui", "1") + "x: [\n"})
    before = shop.remote.git("for-each-ref")
    assert "webshop/dev/broken.yaml:" in shop.new("1.4.2", code=2).stderr
    assert shop.remote.git("for-each-ref") == before
