"""The gates of time: what they say at each boundary, and which keys make them."""

from datetime import UTC, datetime, timedelta

import pytest

from gitops_promotion.core.config import Config, parse
from gitops_promotion.core.gates import Evidence, Question, Verdict, judge
from gitops_promotion.core.names import Application
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ConfigError

FILE = "gitops-promotion.yaml"
WINDOW = '{days: [mon-thu], from: "09:00", to: "16:00", zone: Europe/Stockholm}'
FREEZE = "{from: 2026-12-20, until: 2027-01-06, reason: Christmas, zone: Europe/Stockholm}"


def config(prod: str, top: str = "") -> Config:
    return parse(f"environments:\n- {{name: prod, auto: true, {prod}}}\n{top}", FILE)


def verdict(config: Config, now: str, environment: str = "prod") -> Verdict:
    question = Question(
        application=Application("webshop", "webui"), tag=Tag("1.4.2"), environment=environment, requirements=()
    )
    return judge(config.gates(environment), question, Evidence(now=datetime.fromisoformat(now)))


BOTH = config(f"windows: [{WINDOW}]", f"freezes: [{FREEZE}]\n")
OPEN = "windows of prod: open (mon-thu 09:00-16:00 Europe/Stockholm)"


@pytest.mark.parametrize(
    ("now", "decision", "reasons", "earliest"),
    [
        (
            "2026-11-30T07:59:59Z",
            "wait",
            ["windows of prod: closed until Mon 2026-11-30 09:00 Europe/Stockholm (08:00 UTC)"],
            "2026-11-30T08:00Z",
        ),
        ("2026-11-30T08:00:00Z", "pass", [OPEN, "freezes of prod: no freeze now"], None),
        ("2026-11-30T14:59:59Z", "pass", [OPEN, "freezes of prod: no freeze now"], None),
        (
            "2026-12-03T15:00:00Z",
            "wait",
            ["windows of prod: closed until Mon 2026-12-07 09:00 Europe/Stockholm (08:00 UTC)"],
            "2026-12-07T08:00Z",
        ),
        # A freeze beats an open window, and the next opening is that of the window after it.
        (
            "2026-12-21T12:00:00Z",
            "wait",
            [
                "freezes of prod: frozen until Thu 2027-01-07 00:00 Europe/Stockholm (2027-01-06 23:00 UTC) "
                "(Christmas); it opens on Thu 2027-01-07 09:00 Europe/Stockholm (08:00 UTC)",
            ],
            "2027-01-07T08:00Z",
        ),
        # The last window before it is over: the next one lies behind the freeze.
        (
            "2026-12-18T15:00:00Z",
            "wait",
            ["windows of prod: closed until Thu 2027-01-07 09:00 Europe/Stockholm (08:00 UTC)"],
            "2027-01-07T08:00Z",
        ),
    ],
)
def test_windows_and_freezes_say_when_it_opens(
    now: str, decision: str, reasons: list[str], earliest: str | None
) -> None:
    found = verdict(BOTH, now)
    assert found.decision == decision
    shown = [str(reason) for reason in found.reasons]
    assert shown[: len(reasons)] == reasons
    assert found.reasons[0].earliest == (datetime.fromisoformat(earliest) if earliest else None)


def test_both_gates_tell_the_same_opening_when_both_wait() -> None:
    found = verdict(BOTH, "2026-12-24T23:00Z")
    assert [reason.gate for reason in found.reasons] == ["windows of prod", "freezes of prod"]
    assert {reason.earliest for reason in found.reasons} == {datetime(2027, 1, 7, 8, tzinfo=UTC)}


@pytest.mark.parametrize("offset", [-1, 0])
def test_a_date_freezes_its_whole_last_day(offset: int) -> None:
    end = datetime(2027, 1, 6, 23, tzinfo=UTC) + timedelta(seconds=offset)
    found = verdict(config("", f"freezes: [{FREEZE}]\n"), end.isoformat())
    assert found.decision == ("wait" if offset else "pass")


def test_a_pass_rests_on_the_opening_so_that_a_failed_check_runs_again() -> None:
    assert verdict(BOTH, "2026-11-30T12:00Z").newest_evidence == datetime(2026, 11, 30, 8, tzinfo=UTC)
    frozen = config("", f"freezes: [{FREEZE}]\n")
    assert verdict(frozen, "2027-01-08T12:00Z").newest_evidence == datetime(2027, 1, 6, 23, tzinfo=UTC)
    assert verdict(frozen, "2026-11-30T12:00Z").newest_evidence is None


def test_no_key_makes_no_gate_and_a_freeze_of_one_environment_is_its_own() -> None:
    plain = parse("environments: [{name: dev}, {name: prod}]\n", FILE)
    assert [len(plain.gates(name)) for name in ("dev", "prod")] == [0, 1]
    text = f"environments:\n- {{name: dev}}\n- {{name: prod, after: dev, freezes: [{FREEZE}]}}\n"
    both = parse(text, FILE)
    assert [len(both.gates(name)) for name in ("dev", "prod")] == [0, 2]
    everywhere = parse(f"{text}freezes: [{FREEZE}]\n", FILE)
    assert everywhere.is_gated(Application("webshop", "webui"), "dev")
    assert verdict(everywhere, "2026-12-24T12:00Z", "dev").decision == "wait"
    assert not both.is_gated(Application("webshop", "webui"), "dev")


def test_a_freeze_may_be_as_long_as_the_calendar() -> None:
    always = config(f"windows: [{WINDOW}]", "freezes: [{from: 2026-01-01, until: 2199-12-31}]\n")
    found = verdict(always, "2026-11-28T12:00Z")
    assert (found.decision, found.reasons[0].evidence[:25]) == ("wait", "closed until Wed 2200-01-")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("windows: []", "environments[0].windows is an empty list, write [{days: [mon-thu]"),
        ('windows: {from: "09:00", to: "16:00"}', "environments[0].windows is not a list"),
        ("windows: [09:00-16:00]", "environments[0].windows[0] is not a mapping"),
        ('windows: [{from: "09:00"}]', "environments[0].windows[0] has no to"),
        ("windows: [{days: mon}]", "environments[0].windows[0] has no from and no to"),
        ('windows: [{from: "24:00", to: "09:00"}]', "from is '24:00': write a time from 00:00 to 23:59"),
        ('windows: [{from: "9:00", to: "16:00"}]', "from is '9:00': write a time"),
        ('windows: [{from: "09:00", to: "24:01"}]', "to is '24:01': write a time from 00:00 to 24:00"),
        ('windows: [{from: "09:00", to: "09:00"}]', "begins and ends at 09:00: a whole day is"),
        ('windows: [{from: "09:00", to: "16:00", days: [monday]}]', "days[0] is 'monday': accepted are mon, tue"),
        ('windows: [{from: "09:00", to: "16:00", days: []}]', "days is an empty list"),
        ('windows: [{from: "09:00", to: "16:00", zone: CET5}]', "zone is 'CET5': unknown time zone"),
        ('windows: [{from: "09:00", to: "16:00", zone: localtime}]', "no place's time zone"),
        ('windows: [{from: "09:00", to: "16:00", day: mon}]', "unknown key 'day', did you mean 'days'?"),
        ("freezes: []", "environments[0].freezes is an empty list"),
        ("freezes: [{from: 2026-12-20}]", "environments[0].freezes[0] has no until"),
        ("freezes: [{from: 20.12.2026, until: 2027-01-06}]", "from is '20.12.2026': write a date such as"),
        ("freezes: [{from: 2026-02-30, until: 2027-01-06}]", "there is no such day or time"),
        ("freezes: [{from: 1026-12-20, until: 2027-01-06}]", "from is '1026-12-20': write a date"),
        ("freezes: [{from: 2026-12-20T18:00, until: 2027-01-06}]", "a time needs an offset"),
        ("freezes: [{from: 2026-12-20, until: 2026-12-19}]", "which is not after its beginning on Sun 2026-12-20"),
        (
            'freezes: [{from: "2026-12-20T18:00Z", until: "2026-12-20T19:00+01:00"}]',
            "ends on Sun 2026-12-20 18:00 UTC, which is not after its beginning on Sun 2026-12-20 18:00 UTC",
        ),
        ("freezes: [{from: 2026-12-20, until: 2027-01-06, zone: Europe}]", "zone is 'Europe': unknown time zone"),
        ('freezes: [{from: 2026-12-20, until: 2027-01-06, reason: "a\\nb"}]', "reason is 'a\\nb': write one line"),
        ("freezes: [christmas]", "environments[0].freezes[0] is not a mapping"),
    ],
)
def test_a_wrong_window_or_freeze_is_an_error_with_its_line(written: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(written)
    faults = [str(fault) for fault in caught.value.faults]
    assert any(words in fault for fault in faults)
    assert all(fault.startswith(f"{FILE}:2: ") for fault in faults)


def test_a_freeze_of_the_top_level_is_checked_too() -> None:
    with pytest.raises(ConfigError, match=r"^gitops-promotion.yaml:3: freezes.0. ends on"):
        config("", "freezes: [{from: 2026-12-20, until: 2026-12-19}]\n")


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("[mon-thu]", (0, 1, 2, 3)),
        ("mon-thu", (0, 1, 2, 3)),
        ("[Mon, wed-wed, SUN]", (0, 2, 6)),
        ("[fri-mon]", (0, 4, 5, 6)),
        ("~", tuple(range(7))),
    ],
)
def test_days_are_names_and_ranges(written: str, days: tuple[int, ...]) -> None:
    found = config(f'windows: [{{days: {written}, from: "09:00", to: "24:00"}}]').environment("prod").setting("windows")
    assert [window.days for window in found] == [days]


@pytest.mark.parametrize(
    ("times", "start", "end"),
    [
        ("from: 2026-12-20, until: 2026-12-20", "2026-12-20T00:00Z", "2026-12-21T00:00Z"),
        (
            "from: 2026-12-20, until: 2026-12-20, zone: Asia/Tokyo",
            "2026-12-20T00:00+09:00",
            "2026-12-21T00:00+09:00",
        ),
        (
            "from: 2026-12-20T18:00, until: 2026-12-20 18:00:01, zone: Asia/Tokyo",
            "2026-12-20T18:00+09:00",
            "2026-12-20T18:00:01+09:00",
        ),
        # An offset counts, whatever the zone; it is for showing the times.
        (
            'from: "2026-12-20T18:00Z", until: "2026-12-21T18:00-05:00", zone: Asia/Tokyo',
            "2026-12-20T18:00Z",
            "2026-12-21T18:00-05:00",
        ),
        # A doubled time begins at its first and ends at its second instant.
        (
            "from: 2026-10-25T02:30, until: 2026-10-25T02:30, zone: Europe/Stockholm",
            "2026-10-25T00:30Z",
            "2026-10-25T01:30Z",
        ),
        ("from: 2026-09-06, until: 2026-09-06, zone: America/Santiago", "2026-09-06T04:00Z", "2026-09-07T03:00Z"),
    ],
)
def test_a_freeze_is_of_dates_or_times(times: str, start: str, end: str) -> None:
    [freeze] = config(f"freezes: [{{{times}}}]").environment("prod").setting("freezes")
    assert (freeze.start, freeze.end) == (datetime.fromisoformat(start), datetime.fromisoformat(end))


@pytest.mark.parametrize(
    ("window", "warnings"),
    [
        ('{from: "09:00", to: "09:29"}', ["is open for 29 minutes: a scheduled run may come too late"]),
        ('{from: "09:00", to: "09:30"}', []),
        ('{from: "23:50", to: "00:10"}', ["is open for 20 minutes"]),
        ('{from: "02:00", to: "03:00", zone: Europe/Stockholm}', ["stays shut on 2026-03-29: the clock skips"]),
        ('{from: "02:00", to: "03:00", zone: Europe/Stockholm, days: [mon-fri]}', []),
    ],
)
def test_a_window_that_is_easily_missed_is_warned_about(window: str, warnings: list[str]) -> None:
    found = config(f"windows: [{window}]").warnings
    assert len(found) == len(warnings)
    assert all(words in str(warning) for words, warning in zip(warnings, found, strict=True))
