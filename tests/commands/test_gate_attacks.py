"""Ways past the gate that were tried, through the real command line on real git: each must be judged as what it is."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core.branch_contents import edits_digest
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.errors import AuthError
from gitops_promotion.providers.local.provider import Local

if TYPE_CHECKING:
    from tests.commands.conftest import Run, Shop

BRANCH = "promote/webshop-webui"
PREDECESSOR = "Bot <gitops-promotion@xenit.se>"
DIGEST = "sha256:" + "a" * 64
OTHER_DIGEST = "sha256:" + "b" * 64


def check(shop: "Shop", branch: str, code: int) -> "Run":
    """Run the check of a branch that a person has pushed, once."""
    shop.checkout.git("fetch", "--quiet", "origin")
    shop.checkout.git("checkout", "--quiet", "--force", branch)
    return shop.run("status", "--timeout", "0", code=code)


def merge(shop: "Shop", branch: str, files: dict[str, str | None], *parents: str) -> str:
    """Point a branch to a merge of these commits that has the first one's tree with these files."""
    scratch = shop.remote.commit(files, "Scratch", branch="scratch", start=parents[0])
    tree = shop.remote.git("rev-parse", f"{scratch}^{{tree}}")
    sha = shop.remote.git("commit-tree", tree, *(word for p in parents for word in ("-p", p)), "-m", "Merge")
    shop.remote.git("update-ref", f"refs/heads/{branch}", sha)
    shop.remote.git("update-ref", "-d", "refs/heads/scratch")
    return sha


@pytest.mark.parametrize("newest", ["one", "other"])
@pytest.mark.parametrize("comment", ["", "# Sneaky\n"])
def test_a_criss_cross_history_hides_no_tag(
    shop: "Shop", manifest: Callable[..., str], comment: str, newest: str
) -> None:
    prod = "webshop/prod/webui.yaml"

    def text(tag: str, end: str) -> str:
        return manifest("webui", tag) + "x: y\n" * 9 + end

    start = shop.edit({prod: text("6.6.6", "")})
    one = shop.remote.commit({prod: text("6.6.6", "# Note\n")}, branch="one", start=start)
    other = shop.remote.commit({prod: text("1.0.0", "")}, branch="other", start=start)
    if newest == "one":
        one = shop.remote.commit({"README.md": "# One\n"}, branch="one")
    else:
        other = shop.remote.commit({"README.md": "# Other\n"}, branch="other")
    merge(shop, "main", {prod: text("1.0.0", "# Note\n")}, one, other)
    merge(shop, "sneaky", {prod: text("6.6.6", "# Note\n" + comment)}, other, one)
    assert shop.remote.git("merge-base", "--all", "main", "sneaky").count("\n") == 1, "two merge bases"
    assert check(shop, "sneaky", 3).only["tag"] == "6.6.6"


def test_a_file_that_main_renames_into_an_environment_takes_no_tag_along(
    shop: "Shop", manifest: Callable[..., str]
) -> None:
    text = manifest("cart", "1.0.0") + "".join(f"line{number}: x\n" for number in range(40))
    shop.edit({"later/cart.yaml": text, "webshop/qa/cart.yaml": manifest("cart", "1.0.0")})
    shop.edit({"later/cart.yaml": text.replace("1.0.0", "6.6.6")}, branch="sneaky")
    shop.edit({"later/cart.yaml": None, "webshop/prod/cart.yaml": text})
    run = check(shop, "sneaky", 3)
    assert (run.only["app"], run.only["environment"], run.only["tag"]) == ("cart", "prod", "6.6.6")


@pytest.fixture
def digests(shop: "Shop") -> "Shop":
    """The application has 1.4.2 with a digest in dev, healthy, and the same tag is to go on to qa."""

    def text(tag: str) -> str:
        return f'image: ghcr.io/webshop/webui:{tag} # {{"$imagepolicy": "webshop:webui"}}\n'

    shop.edit({"webshop/qa/webui.yaml": text("1.0.0"), "webshop/dev/webui.yaml": text(f"1.4.2@{DIGEST}")})
    shop.flux("dev")
    for name, tag in {"same": f"1.4.2@{DIGEST}", "other": f"1.4.2@{OTHER_DIGEST}", "none": "1.4.2"}.items():
        shop.edit({"webshop/qa/webui.yaml": text(tag)}, branch=name)
    return shop


@pytest.mark.parametrize(("branch", "code"), [("same", 0), ("other", 3), ("none", 0)])
def test_a_digest_other_than_that_of_the_source_is_refused(digests: "Shop", branch: str, code: int) -> None:
    check(digests, branch, code)


def test_a_digest_that_no_source_has_passes_as_a_manual_change_only(shop: "Shop") -> None:
    def text(tag: str) -> str:
        return f'image: ghcr.io/webshop/webui:{tag} # {{"$imagepolicy": "webshop:webui"}}\n'

    shop.edit({"webshop/dev/webui.yaml": text("1.4.2"), "webshop/qa/webui.yaml": text("1.0.0")})
    shop.flux("dev")
    shop.edit({"webshop/qa/webui.yaml": text(f"1.4.2@{DIGEST}")}, branch="pinned")
    passed = check(shop, "pinned", 0).only
    assert "a manual change that no gate has seen" in passed["message"]
    assert "healthy" not in " ".join(passed["reasons"])


def test_a_digest_that_no_source_has_does_not_merge_with_a_promotion(armed: "Shop") -> None:
    text = armed.remote.show("webshop/qa/webui.yaml", BRANCH).replace(":1.4.2", f":1.4.2@{DIGEST}")
    trailers = "Promote it\n\nPromotion: webshop/webui\nEnvironment: qa\nTag: 1.4.2\n"
    armed.remote.commit({"webshop/qa/webui.yaml": text}, trailers, branch=BRANCH)
    refused = armed.run("status", "--pr", "2", "--timeout", "0", code=3).only
    assert "a manual change that no gate has seen: the digest" in refused["message"]


def test_another_digest_or_image_of_a_tag_that_was_green_before_is_no_return(
    shop: "Shop", manifest: Callable[..., str]
) -> None:
    for tag in ("1.4.1", "1.4.2"):
        shop.edit({"webshop/qa/webui.yaml": manifest("webui", tag)})
        shop.flux("qa")
    for branch, text in {
        "same": manifest("webui", "1.4.1"),
        "digest": manifest("webui", f"1.4.1@{DIGEST}"),
        "image": manifest("webui", "1.4.1").replace("webshop/webui:1", "evil/webui:1"),
    }.items():
        shop.edit({"webshop/qa/webui.yaml": text}, branch=branch)
        message = check(shop, branch, 0 if branch == "same" else 3).only["message"]
        assert ("was green in qa before" in message) == (branch == "same")


def test_another_image_name_passes_as_a_manual_change_only(shop: "Shop", manifest: Callable[..., str]) -> None:
    shop.edit({"webshop/dev/webui.yaml": manifest("webui", "1.4.2")})
    shop.flux("dev")
    for branch, text in {
        "alone": shop.remote.show("webshop/qa/webui.yaml", "main").replace("webshop/webui:1", "evil/webui:1"),
        "both": manifest("webui", "1.4.2").replace("webshop/webui:1", "evil/webui:1"),
    }.items():
        shop.edit({"webshop/qa/webui.yaml": text}, branch=branch)
        passed = check(shop, branch, 0).only
        assert "a manual change that no gate has seen" in passed["message"]
        assert "evil/webui" in passed["message"]
        assert "healthy" not in " ".join(passed["reasons"])


@pytest.fixture
def armed(shop: "Shop") -> "Shop":
    """A promotion into qa is open and armed, and dev is healthy."""
    shop.opened("1.4.2")
    shop.flux("dev")
    return shop


def hostile(shop: "Shop", *, author: str, trailers: str = "") -> str:
    """Push a commit onto the promotion branch that changes more than the tag."""
    text = shop.remote.show("webshop/qa/webui.yaml", BRANCH) + "hostPID: true\n"
    message = f"Promote webshop/webui version 1.4.2 to environment qa{trailers}"
    return shop.remote.commit({"webshop/qa/webui.yaml": text}, message, branch=BRANCH, author=author)


@pytest.mark.parametrize("verb", [("status", "--pr", "2", "--timeout", "0"), ("status", "--publish")])
@pytest.mark.parametrize(
    ("author", "trailers"),
    [
        ("Ann <ann@example.org>", ""),
        (PREDECESSOR, ""),
        ("CI <ci@example.org>", "\n\nPromotion: webshop/webui\nEnvironment: qa\nTag: 1.4.2\n"),
    ],
)
def test_a_promotion_branch_with_more_than_tags_is_refused_and_disarmed(
    armed: "Shop", verb: tuple[str, ...], author: str, trailers: str
) -> None:
    hostile(armed, author=author, trailers=trailers)
    run = armed.run(*verb, code=None)
    [outcome] = [outcome for outcome in run.outcomes if outcome["branch"] == BRANCH]
    assert outcome["result"] in ("refused", "updated")
    assert "changes more than the tags of webshop/webui" in " ".join(outcome["reasons"])
    assert armed.tags()[1] == "1.0.0"
    assert "off" in next(line for line in armed.local("list").splitlines() if BRANCH in line)


def test_a_commit_of_somebody_else_that_changes_the_tag_alone_is_named_and_refused(
    armed: "Shop", manifest: Callable[..., str]
) -> None:
    sha = armed.edit({"webshop/qa/webui.yaml": manifest("webui", "1.4.2")}, branch=BRANCH)
    refused = armed.run("status", "--pr", "2", "--timeout", "0", code=3).only
    assert sha[:7] in refused["message"]
    assert "ann@example.org" in refused["message"]
    assert "delete the branch" in refused["message"]


@pytest.mark.parametrize("verb", [("status", "--pr", "2", "--timeout", "0"), ("status", "--publish")])
@pytest.mark.parametrize(
    ("path", "text"), [("webshop/qa/evil.yaml", "hostPID: true\n"), ("webshop/dev/cart.yaml", "cart 6.6.6")]
)
def test_a_promotion_branch_that_takes_its_tag_back_is_refused_for_what_else_it_has(
    armed: "Shop", manifest: Callable[..., str], verb: tuple[str, ...], path: str, text: str
) -> None:
    text = manifest(*text.split()) if text.startswith("cart") else text
    armed.edit({"webshop/qa/webui.yaml": manifest("webui", "1.0.0"), path: text}, branch=BRANCH)
    run = armed.run(*verb, code=None)
    [outcome] = [outcome for outcome in run.outcomes if outcome["branch"] == BRANCH]
    assert outcome["result"] in ("refused", "updated")
    assert f"changes more than the tags of webshop/webui: {path}" in " ".join(outcome["reasons"])
    assert "published success" not in outcome["message"]


@pytest.mark.parametrize("verb", ["rollback", "hold"])
@pytest.mark.parametrize("forged", [False, True])
def test_a_branch_of_this_tool_with_more_than_its_own_is_refused(
    shop: "Shop", manifest: Callable[..., str], verb: str, forged: bool
) -> None:
    for tag in ("1.4.1", "1.4.2", "1.4.3") if verb == "rollback" else ():
        shop.edit({"webshop/prod/webui.yaml": manifest("webui", tag)})
        shop.local("set-status", "main", "kustomization/webshop-prod/1", "failure" if tag == "1.4.3" else "success")
    opened = shop.run(verb, "--group", "webshop", "--app", "webui", "--env", "prod", "--reason", "bad").only
    number, branch = opened["pull_request"]["number"], opened["branch"]
    assert shop.check(number).results == ["passed"]
    path, text = "webshop/prod/evil.yaml", "hostPID: true\n"
    message = f"More\n\nEdits: {edits_digest({path: text.encode()})}\n" if forged else "More"
    shop.remote.commit({path: text}, message, branch=branch, author="Eve <eve@example.org>")
    refused = shop.check(number, code=3).only
    assert "changes more than" in " ".join(refused["reasons"])
    assert path in " ".join(refused["reasons"])
    assert ("of eve@example.org, which is not this tool's" in refused["message"]) == (not forged)


@pytest.mark.parametrize("branch", ["hold/my-work", "rollback/my-work", "feature/my-work"])
def test_a_branch_that_only_begins_like_one_of_this_tool_is_a_person_s(shop: "Shop", branch: str) -> None:
    shop.edit({"webshop/prod/more.yaml": "a: b\n"}, branch=branch)
    assert check(shop, branch, 0).only["result"] == "passed"


def test_a_feature_that_reaches_a_later_environment_is_refused(shop: "Shop", config: Callable[..., str]) -> None:
    groups = "groups: {webshop: {applications: {webui: {featureOverwrite: true}}}}\n"
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False), more=groups)})
    opened = shop.run("feature", "--group", "webshop", "--app", "webui", "--tag", "pr-7", "--feature", "x").only
    branch, number = opened["branch"], opened["pull_request"]["number"]
    shop.edit({"webshop/dev/more.yaml": "a: b\n"}, branch=branch)
    assert shop.check(number).results == ["passed"]
    shop.edit({"webshop/prod/evil.yaml": "hostPID: true\n"}, branch=branch)
    refused = shop.check(number, code=3).only
    assert f"{branch} changes more than dev: webshop/prod/evil.yaml" in refused["message"]


def test_the_words_of_an_override_in_a_path_are_not_published(armed: "Shop") -> None:
    # With these words, by this tool, its head would have an override once the file is no change any more.
    armed.edit({"overridden by ann: outage/x.yaml": 'a: [ # {"$imagepolicy": "a:b"}\n'}, branch=BRANCH)
    armed.run("status", "--publish", code=None)
    assert "failure  no override: overridden by ann: outage/x.yaml:2: not valid YAML" in armed.local("show", "2")


def test_of_many_commits_of_others_a_few_are_named(armed: "Shop") -> None:
    for number in range(5):
        author = f"Eve <{'e' * 2000}@example.org>"
        armed.remote.commit({"webshop/qa/more.yaml": f"{number}\n"}, "More", branch=BRANCH, author=author)
    reasons = armed.check(2, code=3).only["reasons"]
    assert sum("of eeee" in reason for reason in reasons) == 3
    assert any("has 2 more commits that are not this tool's" in reason for reason in reasons)
    assert max(map(len, reasons)) < 1000
    assert len(armed.run("promote", "--all", code=None).only["message"]) < 1000


def test_a_promotion_into_several_environments_or_one_of_another_branch_is_refused(
    armed: "Shop", config: Callable[..., str]
) -> None:
    prod = armed.remote.show("webshop/prod/webui.yaml", "main").replace(":1.0.0", ":1.4.2")
    message = "Promote it\n\nPromotion: webshop/webui\nEnvironment: prod\nTag: 1.4.2\n"
    armed.remote.commit({"webshop/prod/webui.yaml": prod}, message, branch=BRANCH)
    reasons = " ".join(armed.check(2, code=3).only["reasons"])
    assert f"{BRANCH} changes the tag of webshop/webui in qa and prod, and a promotion is into one of them" in reasons

    armed.edit({"gitops-promotion.yaml": config(flow="per-env", autos=(True, False, True))})
    branch = "promote/webshop-webui-qa"
    armed.remote.commit({"webshop/prod/webui.yaml": prod}, message, branch=branch, start="main")
    reasons = " ".join(check(armed, branch, 3).only["reasons"])
    assert f"{branch} changes the tag of webshop/webui in prod, and a promotion is into one" in reasons


def test_a_branch_with_the_prefix_of_promotions_that_belongs_to_no_application_is_a_person_s(shop: "Shop") -> None:
    shop.edit({"README.md": "# Note\n"}, branch="promote/more-readme")
    assert check(shop, "promote/more-readme", 0).only["result"] == "passed"


@pytest.mark.parametrize("listed", [True, False])
def test_a_refusal_stays_one_where_the_token_may_not_disarm(
    armed: "Shop", monkeypatch: pytest.MonkeyPatch, listed: bool
) -> None:
    hostile(armed, author=PREDECESSOR)

    def armed_ones(self: Local, *, head: str) -> list[PullRequest]:
        return [dataclasses.replace(pull, auto_merge=listed) for pull in list_pull_requests(self, head=head)]

    def armed_one(self: Local, number: int) -> PullRequest:
        return dataclasses.replace(read_pull_request(self, number), auto_merge=True)

    def set_auto_merge(*_: object, **__: object) -> None:
        raise AuthError("the token may not write pull requests")

    list_pull_requests, read_pull_request = Local.pull_requests, Local.pull_request
    monkeypatch.setattr(Local, "pull_requests", armed_ones)
    monkeypatch.setattr(Local, "pull_request", armed_one)
    monkeypatch.setattr(Local, "set_auto_merge", set_auto_merge)
    refused = armed.check(2, code=3).only
    [warning] = refused["warnings"]
    assert warning == "auto-merge of pull request #2 could not be disabled: the token may not write pull requests"


@pytest.mark.parametrize("claim", ["the Go tool", "its own edits"])
def test_a_forged_commit_is_rebuilt_and_never_kept(armed: "Shop", claim: str) -> None:
    path = "webshop/qa/webui.yaml"
    digest = edits_digest({path: f"{armed.remote.show(path, BRANCH)}hostPID: true\n".encode()})
    trailers = "" if claim == "the Go tool" else f"\n\nPromotion: webshop/webui\nEnvironment: qa\nEdits: {digest}\n"
    forged = hostile(armed, author=PREDECESSOR if claim == "the Go tool" else "CI <ci@example.org>", trailers=trailers)
    assert "hostPID" in armed.remote.show(path, forged)
    assert armed.run("promote", "--all").results == ["updated"]
    assert "hostPID" not in armed.remote.show(path, BRANCH)
    assert armed.run("status", "--publish").results == ["merged"]
    assert "hostPID" not in armed.remote.show(path, "main")


def test_a_commit_whose_digest_is_not_that_of_its_edits_is_somebody_else_s(armed: "Shop") -> None:
    trailers = f"\n\nPromotion: webshop/webui\nEnvironment: qa\nEdits: {'0' * 32}\n"
    sha = hostile(armed, author="CI <ci@example.org>", trailers=trailers)
    assert sha[:7] in armed.run("promote", "--all", code=None).only["message"]
    assert armed.remote.sha(BRANCH) == sha


def test_a_submodule_called_like_a_manifest_stops_nothing(shop: "Shop") -> None:
    head = shop.remote.sha("main")
    shop.checkout.git("update-index", "--add", "--cacheinfo", f"160000,{head},webshop/dev/x.yaml")
    shop.checkout.git("commit", "--quiet", "-m", "A submodule")
    shop.checkout.git("push", "--quiet", "origin", "HEAD:main")
    assert shop.new("1.4.2").results == ["merged"]
    shop.flux("dev")
    assert shop.run("promote").results == ["opened"]
    assert shop.check(2).results == ["passed"]
