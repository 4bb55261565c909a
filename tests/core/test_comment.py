"""The one comment on a pull request: its sections, and text from outside that stays text."""

from dataclasses import replace

import pytest

from gitops_promotion.core import comment
from gitops_promotion.core.comment import LIMIT, Part, says_the_same, text
from gitops_promotion.core.discussion import MARKER
from gitops_promotion.core.gates import Question, Reason, Verdict
from gitops_promotion.core.names import Application
from gitops_promotion.core.tags import NO_TAG, Tag

QUESTION = Question(
    application=Application("webshop", "webui"), tag=Tag("1.4.2"), environment="prod", requirements=(("qa",),)
)
WAITS = Part(
    question=QUESTION,
    verdict=Verdict(
        decision="wait",
        reasons=(
            Reason(gate="approvals of prod", evidence="1 of 2 of ops", missing="bob can approve it", who=("bob",)),
            Reason(gate="status gate of qa", evidence="webshop/webui 1.4.2 is healthy"),
        ),
    ),
    auto=True,
    asks_people=True,
)


def test_it_says_what_each_gate_says_who_can_act_and_how() -> None:
    assert text([WAITS], number=7) == (
        f"{MARKER}\n"
        "\n"
        "**Waits**: `webshop/webui` `1.4.2` into `prod`\n"
        "\n"
        "- `approvals of prod: 1 of 2 of ops; bob can approve it`\n"
        "- `status gate of qa: webshop/webui 1.4.2 is healthy`\n"
        "\n"
        "Who can act: `bob`.\n"
        "\n"
        "To approve, approve it in a review, or run `gitops-promotion approve --pr 7`.\n"
        "To decline, reject it in a review, or run `gitops-promotion decline --pr 7`.\n"
    )


@pytest.mark.parametrize(
    ("part", "line"),
    [
        (replace(WAITS, verdict=replace(WAITS.verdict, decision="pass")), "It merges by itself when all required"),
        (replace(WAITS, verdict=replace(WAITS.verdict, decision="pass"), auto=False), "A person merges it."),
        (replace(WAITS, asks_people=False), "To decline it, close it without merging"),
        (replace(WAITS, verdict=replace(WAITS.verdict, decision="refuse")), "To approve, approve it in a review"),
        (replace(WAITS, question=None, verdict=replace(WAITS.verdict, decision="refuse")), "**Refused**\n"),
    ],
)
def test_the_way_on_depends_on_the_verdict_and_on_the_environment(part: Part, line: str) -> None:
    assert line in text([part], number=7)


def test_nobody_can_act_on_what_has_passed() -> None:
    assert "Who can act" not in text([replace(WAITS, verdict=replace(WAITS.verdict, decision="pass"))], number=7)


HOSTILE = "@everyone <img src=x> ``` | [x](y) <!-- --> \n# Heading\x1b[0m"


def test_text_from_outside_is_no_markup() -> None:
    reason = Reason(evidence=HOSTILE, who=(HOSTILE,))
    body = text([replace(WAITS, verdict=Verdict(decision="wait", reasons=(reason,)))], number=7)
    [shown] = [line for line in body.splitlines() if line.startswith("- ")]
    assert shown.startswith("- ````@everyone <img src=x> ``` |")
    assert shown.endswith("````")
    assert "\n# Heading" not in body
    assert "\x1b" not in body


def test_a_long_comment_is_cut_between_lines() -> None:
    reasons = tuple(Reason(evidence=f"{number} " + "x" * 2000) for number in range(60))
    parts = [replace(WAITS, verdict=Verdict(decision="wait", reasons=reasons)) for _ in range(40)]
    body = text(parts, number=7)
    assert LIMIT - 3000 < len(body) <= LIMIT
    assert all(line.count("`") % 2 == 0 for line in body.splitlines())
    assert "- and 10 more reasons" in text(parts[:1], number=7)


def test_a_comment_may_be_as_long_as_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = text([WAITS], number=7)
    monkeypatch.setattr(comment, "LIMIT", len(whole))
    assert text([WAITS], number=7) == whole
    monkeypatch.setattr(comment, "LIMIT", len(whole) - 1)
    assert text([WAITS], number=7) == whole[: whole.rindex("To decline")]


def test_ids_of_commits_and_ends_of_lines_alone_are_no_news() -> None:
    one = text([WAITS], number=7)
    assert says_the_same(one, one.replace("\n", "\r\n").rstrip())
    assert says_the_same(f"{one} at 1a2b3c4", f"{one} at 5d6e7f8")
    assert not says_the_same(one, one.replace("1.4.2", "1.4.3"))


def test_a_question_about_images_alone_names_no_application() -> None:
    part = replace(WAITS, question=replace(QUESTION, tag=NO_TAG))
    assert "**Waits**: images of `prod`\n" in text([part], number=7)
