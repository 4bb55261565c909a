"""Holds: what each one covers, what cannot be read and whom it concerns, and edits that leave all other bytes alone."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_promotion.core.config import parse as parse_config
from gitops_promotion.core.gates import Evidence, Question, Verdict
from gitops_promotion.core.gates.table import make_gates
from gitops_promotion.core.holds import ANY, Hold, HoldsFile, covering, lifted, lifted_by_promotion
from gitops_promotion.core.holds_file import edited, parse
from gitops_promotion.core.names import Application
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ConfigError, UsageError

NAMES = ("dev", "qa", "prod")
WEBUI, CART = Application("webshop", "webui"), Application("webshop", "cart")
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
ENTRY = "{group: webshop, app: webui, environment: prod"


def hold(group: str = "webshop", app: str = "webui", environment: str = "prod", *tags: str) -> Hold:
    return Hold(group=group, app=app, environment=environment, tags=tuple(map(Tag.parse, tags)))


@pytest.mark.parametrize(
    ("entry", "application", "environment", "tag", "is_held"),
    [
        (hold(), WEBUI, "prod", "1.4.2", True),
        (hold(), WEBUI, "qa", "1.4.2", False),
        (hold(), CART, "prod", "1.4.2", False),
        (hold(), Application("other", "webui"), "prod", "1.4.2", False),
        (hold(app=ANY), CART, "prod", "1.4.2", True),
        (hold(environment=ANY), WEBUI, "dev", "1.4.2", True),
        (hold(ANY, ANY, ANY), CART, "dev", "1.4.2", True),
        (hold(ANY, "webui"), Application("other", "webui"), "prod", "1.4.2", True),
        # One that names tags lets all others pass.
        (hold("webshop", "webui", "prod", "1.4.2"), WEBUI, "prod", "1.4.2", True),
        (hold("webshop", "webui", "prod", "1.4.2"), WEBUI, "prod", "1.4.3", False),
        (hold("webshop", "webui", "prod", "1.4.1", "1.4.2"), WEBUI, "prod", "1.4.2", True),
        (hold("webshop", "webui", "prod", "1.4.2"), WEBUI, "prod", f"1.4.2@sha256:{'a' * 64}", True),
        (
            hold("webshop", "webui", "prod", f"1.4.2@sha256:{'b' * 64}"),
            WEBUI,
            "prod",
            f"1.4.2@sha256:{'a' * 64}",
            False,
        ),
    ],
)
def test_a_hold_covers_names_stars_and_tags(
    entry: Hold, application: Application, environment: str, tag: str, is_held: bool
) -> None:
    assert bool(covering([entry], application, environment, Tag.parse(tag), NOW)) == is_held


@pytest.mark.parametrize(("now", "is_held"), [("2026-12-05T23:59:59Z", True), ("2026-12-06T00:00:00Z", False)])
def test_a_hold_ends_when_its_time_is_over(now: str, is_held: bool) -> None:
    [entry] = parse(f"holds: [{ENTRY}, until: 2026-12-05}}]".encode(), NAMES).holds
    assert entry.covers(WEBUI, "prod", Tag("1.4.2"), datetime.fromisoformat(now)) == is_held


def test_a_file_is_read_with_all_its_keys() -> None:
    text = """
holds:
  # a comment
  - group: webshop
    app: webui
    environment: prod
    tag: [1.4.2, 010]
    reason: "breaks: the checkout"
    by: ann
    since: 2026-11-30T10:00+01:00
    until: 2026-12-05
  - {group: "*", app: "*", environment: "*", tag: 1.5, x-ticket: OPS-1}
"""
    file = parse(text.encode(), NAMES)
    assert file.problems == ()
    first, second = file.holds
    assert [str(tag) for tag in first.tags] == ["1.4.2", "010"]
    assert (first.since, first.until) == (datetime(2026, 11, 30, 9, tzinfo=UTC), datetime(2026, 12, 6, tzinfo=UTC))
    assert str(first) == (
        "webshop/webui 1.4.2, 010 in prod is on hold by ann since 2026-11-30 09:00 UTC until 2026-12-06 00:00 UTC: "
        "breaks: the checkout"
    )
    assert str(second) == "every application 1.5 in every environment is on hold"
    assert second.release == "gitops-promotion release --group '*' --app '*' --env '*'"


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n\n  # here\n", "holds:\n", "holds: []\n", "holds: ~\n"])
def test_a_file_without_an_entry_holds_nothing(text: str) -> None:
    assert parse(text.encode(), NAMES) == HoldsFile()


@pytest.mark.parametrize(
    ("text", "fault", "environment"),
    [
        ("holds: [", ":1: is not valid YAML here", ""),
        ("[]", ":1: the file is not a mapping", ""),
        ("holds: {}", ":1: holds is not a list", ""),
        ("hold: []", ":1: the file has an unknown key 'hold', did you mean 'holds'?", ""),
        ("x-y: 1", ":1: the file has no holds", ""),
        ("holds: [], frozen: 1", ":1: is not valid YAML here", ""),
        ("holds: [webui]", ":1: holds[0] is not a mapping", ""),
        (f"holds:\n- {ENTRY}, tags: 1}}", ":2: holds[0] has an unknown key 'tags', did you mean 'tag'?", "prod"),
        ("holds: [{group: webshop, environment: prod}]", ":1: holds[0] has no app", "prod"),
        ("holds: [{group: webshop, app: webui}]", ":1: holds[0] has no environment", ""),
        ("holds: [{group: web/shop, app: webui, environment: qa}]", "holds[0].group is 'web/shop': group", "qa"),
        ("holds: [{group: a, app: b, environment: [prod]}]", "holds[0].environment is a sequence", ""),
        ('holds: [{group: a, app: b, environment: "*", bad: 1}]', "unknown key 'bad'", ""),
        (f"holds: [{ENTRY}, environment: qa}}]", "has the key 'environment' twice", ""),
        (f"holds: [{ENTRY}, until: tomorrow}}]", "holds[0].until is 'tomorrow': write a date such as", "prod"),
        (f"holds: [{ENTRY}, until: 2026-12-05T10:00}}]", "a time needs an offset", "prod"),
        (f"holds: [{ENTRY}, tag: a/b}}]", "holds[0].tag is 'a/b'", "prod"),
        (f"holds: [{ENTRY}, tag: []}}]", "holds[0].tag is an empty list", "prod"),
        (f'holds: [{ENTRY}, reason: "a\\nb"}}]', "write one line of at most 300 characters", "prod"),
        ("holds: [{group: a, app: b, environment: prodd}]", "environment is 'prodd', which is none: use dev", ""),
        ("holds: [{<<: {environment: qa}, group: a, app: b, bad: 1, environment: dev}]", "unknown key 'bad'", ""),
    ],
)
def test_what_cannot_be_read_says_whom_it_can_concern(text: str, fault: str, environment: str) -> None:
    file = parse(text.encode(), NAMES)
    assert any(fault in str(problem.fault) and problem.environment == environment for problem in file.problems), file
    assert all(str(problem.fault).startswith("gitops-promotion.holds.yaml:") for problem in file.problems)


@pytest.mark.parametrize("text", ["[]", "webui", "hold: []", "x: 1", "holds: [webui]"])
def test_one_mistake_is_one_problem(text: str) -> None:
    assert len(parse(text.encode(), NAMES).problems) == 1


def test_what_can_be_read_holds_beside_what_cannot() -> None:
    file = parse(
        b"holds:\n- {group: a, app: b, environment: qa, bad: 1}\n- {group: a, app: b, environment: prod}\n", NAMES
    )
    assert [len(file.faults(name)) for name in NAMES] == [0, 1, 0]
    assert [file.is_about(name) for name in NAMES] == [False, True, True]
    assert parse(b"\xff", NAMES).faults("dev")


# The gate


def verdict(file: HoldsFile, *, opened: tuple[Hold, ...] = (), now: datetime = NOW) -> Verdict | None:
    config = parse_config("environments: [{name: dev}, {name: prod}]", "f")
    common = replace(config.common, settings={"holds": file})
    gates = make_gates("dev", config.pipeline, common)
    if not gates:
        return None
    question = Question(application=WEBUI, tag=Tag("1.4.2"), environment="dev", requirements=())
    return gates[0].judge(question, Evidence(now=now, holds=opened))


def test_without_a_hold_in_reach_there_is_no_gate() -> None:
    assert verdict(HoldsFile()) is None
    assert verdict(HoldsFile(holds=(hold(),))) is None
    assert verdict(HoldsFile(holds=(hold(environment=ANY),))) is not None
    assert verdict(HoldsFile(has_open=True)) is not None


def test_a_hold_waits_and_says_who_why_until_when_and_how_to_lift_it() -> None:
    entry = replace(
        hold(environment="dev"), by="ann", reason="broken", until=datetime(2026, 12, 1, tzinfo=UTC), since=NOW
    )
    found = verdict(HoldsFile(holds=(entry,)))
    assert found is not None
    [reason] = found.reasons
    assert found.decision == "wait"
    assert str(reason) == (
        "holds of dev: webshop/webui in dev is on hold by ann since 2026-11-30 12:00 UTC until 2026-12-01 00:00 UTC: "
        "broken; to lift it: gitops-promotion release --group webshop --app webui --env dev"
    )
    assert (reason.who, reason.earliest) == (("ann",), entry.until)
    after = verdict(HoldsFile(holds=(entry,)), now=datetime(2026, 12, 1, tzinfo=UTC))
    assert after is not None
    assert (after.decision, after.newest_evidence) == ("pass", entry.until)


def test_an_open_pull_request_holds_already() -> None:
    found = verdict(HoldsFile(has_open=True), opened=(replace(hold(environment=ANY), pull_request=7),))
    assert found is not None
    assert found.decision == "wait"
    assert "(pull request #7 is open)" in str(found.reasons[0])


# Edits


NEW = Hold(
    group="webshop",
    app=ANY,
    environment="prod",
    tags=(Tag("1.4.2"), Tag("1.10")),
    reason='says: "no" #1',
    by="ann b",
    since=NOW,
)
LINES = (
    '- group: webshop\n  app: "*"\n  environment: prod\n  tag: ["1.4.2", "1.10"]\n  reason: "says: \\"no\\" #1"\n'
    '  by: ann b\n  since: "2026-11-30T12:00:00+00:00"\n'
)


def indented(by: int) -> str:
    return "".join(" " * by + line + "\n" for line in LINES.splitlines())


ONE = "- {group: a, app: b, environment: qa}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"holds:\n{indented(2)}"),
        ("# Ours\n", f"# Ours\nholds:\n{indented(2)}"),
        ("holds:\n", f"holds:\n{indented(2)}"),
        ("holds:", f"holds:\n{indented(2)}"),
        ("holds: []\n# End\n", f"holds:\n{indented(2)}# End\n"),
        ("holds: ~ # none\n", f"holds: # none\n{indented(2)}"),
        ("x-a: 1\nholds:   # none yet\nx-b: 2\n", f"x-a: 1\nholds:   # none yet\n{indented(2)}x-b: 2\n"),
        (f"holds:\n{ONE}\n", f"holds:\n{ONE}\n{LINES}"),
        (f"holds:\n    {ONE} # why\n# End\nx-b: 2\n", f"holds:\n    {ONE} # why\n{indented(4)}# End\nx-b: 2\n"),
        (f"holds:\n{ONE}", f"holds:\n{ONE}\n{LINES}"),
        (
            "holds:\n- group: a\n  app: b\n  environment: qa\n  reason: |-\n    text\n\nx-b: 2\n",
            f"holds:\n- group: a\n  app: b\n  environment: qa\n  reason: |-\n    text\n\n{LINES}x-b: 2\n",
        ),
        (f"holds:\r\n{ONE}\r\n", f"holds:\r\n{ONE}\r\n{LINES}".replace("\r\n", "\n").replace("\n", "\r\n")),
    ],
)
def test_an_entry_is_added_and_no_other_byte_changes(before: str, after: str) -> None:
    assert edited(before.encode(), added=[NEW]).decode() == after
    # Once more is no change.
    assert edited(after.encode(), added=[NEW]).decode() == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"holds:\n{ONE}\n{LINES}", f"holds:\n{ONE}\n"),
        (f"holds:\n{LINES}{ONE}\n", f"holds:\n{ONE}\n"),
        (f"holds:\n{LINES}", "holds:\n"),
        (f"# a\nholds: # b\n{LINES}# c\n{ONE} # d\n# e\n", f"# a\nholds: # b\n# c\n{ONE} # d\n# e\n"),
        (f"holds:\n{LINES}{LINES}", "holds:\n"),
        (f"holds:\n  -\n{indented(2).replace('- ', '  ', 1)}  {ONE}\n", f"holds:\n  {ONE}\n"),
        (f"holds:\n{LINES}".replace("\n", "\r\n"), "holds:\r\n"),
        (f"holds:\n{ONE}\n", f"holds:\n{ONE}\n"),
    ],
)
def test_an_entry_is_removed_and_no_other_byte_changes(before: str, after: str) -> None:
    assert edited(before.encode(), removed=[NEW]).decode() == after


@pytest.mark.parametrize(
    "text",
    [
        f"holds: [{ENTRY}}}]\n",
        f"holds:\n- &a {ENTRY}}}\n- *a\n",
        "holds:\n- {group: &a webshop, app: webui, environment: prod}\n- {group: *a, app: cart, environment: prod}\n",
    ],
)
def test_what_only_a_person_can_edit_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="by hand"):
        edited(text.encode(), removed=[hold()])


def test_a_file_that_cannot_be_read_is_not_edited() -> None:
    with pytest.raises(ConfigError):
        edited(b"holds: [", added=[NEW])


NAME = st.sampled_from(["webshop", "a-b.c", "on", "0", "*"])
TEXT = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=40).map(str.strip)
HOLDS = st.builds(
    Hold,
    group=NAME,
    app=NAME,
    environment=NAME,
    tags=st.lists(st.sampled_from(["1.4.2", "010", "1e3", "on"]).map(Tag.parse), max_size=2, unique=True).map(tuple),
    reason=TEXT.filter(str.isprintable),
    by=TEXT.filter(str.isprintable),
    since=st.none() | st.just(NOW),
    until=st.none() | st.just(NOW),
)


@given(st.lists(HOLDS, min_size=1, max_size=4, unique=True))
def test_whatever_was_added_is_read_back_and_removed(holds: list[Hold]) -> None:
    source = b"# Ours\nholds:\n  - {group: z, app: z, environment: z}  # stays\n# End\n"
    added = edited(source, added=holds)
    assert parse(added, ()).holds[1:] == tuple(holds)
    assert edited(added, removed=holds) == source


OF_ROLLBACK = replace(hold("webshop", "webui", "prod", "2"), reason="rolled back to 1")


@pytest.mark.parametrize(
    ("entry", "tag", "overridden", "is_lifted"),
    [
        (OF_ROLLBACK, "3", False, True),
        (OF_ROLLBACK, "2", False, False),
        (OF_ROLLBACK, f"2@sha256:{'a' * 64}", False, False),
        (OF_ROLLBACK, "2", True, True),
        (replace(OF_ROLLBACK, reason="by hand"), "3", False, False),
        (replace(OF_ROLLBACK, tags=()), "3", False, False),
        (hold(), "3", True, True),
        (hold(), "3", False, False),
        (hold("webshop", "webui", "prod", "2"), "3", True, False),
        (hold("webshop", "webui", "qa"), "3", True, False),
        (hold("webshop", "cart"), "3", True, False),
        (hold(app=ANY), "3", True, False),
    ],
)
def test_a_promotion_takes_out_the_holds_of_earlier_rollbacks_and_an_override_its_own(
    entry: Hold, tag: str, overridden: bool, is_lifted: bool
) -> None:
    lifted = lifted_by_promotion([entry], WEBUI, "prod", Tag.parse(tag), overridden=overridden)
    assert lifted == ((entry,) if is_lifted else ())


def test_a_release_takes_out_the_holds_of_its_names_or_one_of_their_tags() -> None:
    two, one, every = (hold("webshop", "webui", "prod", *tags) for tags in (("1", "2"), ("2",), ()))
    entries = [two, hold("webshop", "webui", "qa"), one, every, hold("webshop", ANY)]
    names = ("webshop", "webui", "prod")
    assert list(lifted(entries, names, None)) == [(two, None), (one, None), (every, None)]
    assert list(lifted(entries, names, Tag("2"))) == [(two, replace(two, tags=(Tag("1"),))), (one, None)]
    assert list(lifted(entries, names, Tag("3"))) == []
