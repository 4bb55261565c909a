"""Promotions while Flux reports, reports late, reports twice or does not report.

docs/facts/flux.md#commit-statuses
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.stories.story import Story


def test_b14_what_fails_waits_for_flux_to_recover_and_passes_then(story: "Story") -> None:
    dev = story.clusters[0]
    dev.sick = {"1.4.2"}
    story.later(150, dev.sick.clear)
    runs = story.build("1.4.2", until="qa")
    assert (runs[-1].verb, *runs[-1].results) == ("status", "passed")
    assert story.now > 150
    assert story.tags()[:2] == ("1.4.2", "1.4.2")


def test_what_stays_sick_goes_no_further_and_the_next_build_passes_it(story: "Story") -> None:
    story.clusters[0].sick = {"1.4.2"}
    story.build("1.4.2")
    refused = story.runs[-1]
    assert (refused.verb, refused.results, refused.code) == ("status", ["refused"], 3)
    assert "health check failed" in refused.printed
    assert story.tags() == ("1.4.2", "1.0.0", "1.0.0")
    story.build("1.4.3", until="qa")
    assert story.tags() == ("1.4.3", "1.4.3", "1.0.0")


def test_a_silent_cluster_ends_the_wait_and_the_healing_run_tries_again(story: "Story") -> None:
    dev = story.clusters[0]
    dev.silent = True
    story.build("1.4.2")
    late = story.runs[-1]
    assert (late.results, late.code) == (["timed-out"], 4)
    assert story.tags() == ("1.4.2", "1.0.0", "1.0.0")
    story.heal()
    assert story.tags() == ("1.4.2", "1.0.0", "1.0.0")
    dev.silent = False
    story.wait(120)
    assert story.heal(until="qa")[0].results == ["updated"]
    assert story.tags() == ("1.4.2", "1.4.2", "1.0.0")


def test_b17_every_cluster_of_an_environment_must_be_healthy(story: "Story") -> None:
    second = story.cluster("dev", "2fb0a5b0", interval=90)
    story.wait(120)  # the second one has been heard of
    second.sick = {"1.4.2"}
    story.build("1.4.2")
    assert story.runs[-1].results == ["refused"]
    assert "2fb0a5b0" in story.runs[-1].printed
    assert story.tags()[1] == "1.0.0"


def test_b18_the_commit_that_flux_skipped_is_covered_by_a_later_one(story: "Story") -> None:
    story.add("cart")
    story.stage.dispatch("webshop", "webui", "1.4.2")
    story.stage.dispatch("webshop", "cart", "2.0.0")
    # Both are in dev before any cluster looks at main: only the second merge ever gets a status.
    story.play(until={"webui": "1.4.2", "cart": "2.0.0"}, environment="qa")
    assert story.tags()[:2] == ("1.4.2", "1.4.2")
    assert story.tags("cart")[:2] == ("2.0.0", "2.0.0")


def test_b13_statuses_of_others_are_no_word_of_flux(story: "Story") -> None:
    story.clusters[0].silent = True

    def noise() -> None:
        tip = story.stage.branches()["main"]
        for context in ("codecov", "ci/build", "kustomization/webshop-dev2/0c9c2e40", "webshop-dev"):
            story.stage.post(tip, context, passed=True)

    story.later(20, noise)
    story.build("1.4.2")
    assert story.runs[-1].results == ["timed-out"]
    assert story.tags()[1] == "1.0.0"
