"""What was told already: the line in the comment, and the record that runs change by turns."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from gitops_promotion.core import comment
from gitops_promotion.core.discussion import MARKER
from gitops_promotion.core.notifications.told import CLAIM, Record, in_comment, key_of, with_told

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = tuple(f"{number:016x}" for number in range(300))
BODY = f"{MARKER}\n\n**Waits**\n"


def test_each_channel_has_its_own_key_for_each_piece_of_news() -> None:
    keys = [key_of(news, channel) for news in ("a" * 32, "b" * 32) for channel in ("chat", "mail")]
    assert len(set(keys)) == 4
    assert in_comment(with_told(BODY, keys)) == tuple(keys)


def test_a_comment_keeps_the_keys_in_its_last_line() -> None:
    body = with_told(with_told(BODY, KEYS[:1]), KEYS[:2])
    assert in_comment(body) == KEYS[:2]
    assert body.startswith(BODY)
    assert body.count("told") == 1


def test_a_comment_without_keys_stays_as_it_is() -> None:
    assert with_told(BODY, ()) == BODY
    assert in_comment(BODY) == ()


def test_line_ends_of_a_forge_lose_no_key() -> None:
    assert in_comment(with_told(BODY, KEYS[:2]).replace("\n", "\r\n")) == KEYS[:2]


def test_text_that_looks_like_the_line_is_none() -> None:
    assert in_comment(f"- `<!-- gitops-promotion: told {KEYS[0]} -->`") == ()


def test_a_comment_keeps_the_newest_keys() -> None:
    assert in_comment(with_told(BODY, KEYS)) == KEYS[-200:]


def test_a_comment_that_is_written_again_says_the_same() -> None:
    written = with_told(BODY, KEYS[:1])
    assert comment.says_the_same(with_told(BODY, in_comment(written)), written)


def test_a_key_is_free_until_a_run_claims_it_or_has_told_it() -> None:
    record = Record().claimed(KEYS[:2], NOW)
    assert record.free(KEYS[:3], NOW) == [KEYS[2]]
    settled = record.settled(KEYS[:2], sent_keys=KEYS[:1])
    assert settled.free(KEYS[:3], NOW) == [KEYS[1], KEYS[2]]


@pytest.mark.parametrize("away", [CLAIM, -CLAIM])
def test_a_claim_lapses_and_a_time_to_come_claims_nothing(away: timedelta) -> None:
    record = Record().claimed(KEYS[:1], NOW)
    assert record.free(KEYS[:1], NOW + away) == list(KEYS[:1])
    assert record.claimed(KEYS[1:2], NOW + away).claims == {KEYS[1]: NOW + away}


def test_a_record_is_read_as_it_was_written() -> None:
    record = Record(told=KEYS[:2], claims={KEYS[3]: NOW})
    assert Record.parse(record.encode("n")) == record
    assert record.encode("n") != record.encode("m")


def test_a_record_keeps_the_newest_keys() -> None:
    keys = [f"{number:016x}" for number in range(6000)]
    assert Record().settled(keys, sent_keys=keys).told == tuple(keys[-5000:])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"version": 2, "told": [], "claims": {}}',
        b'{"version": 1}',
        b"[" * 100_000,
        b" " * (2 << 20),
    ],
)
def test_anything_else_is_no_record(content: bytes) -> None:
    with pytest.raises(ValueError, match="no record"):
        Record.parse(content)


def test_what_is_no_key_or_no_time_is_left_out() -> None:
    values = {"version": 1, "told": [1, "x", KEYS[0]], "claims": {"x": NOW.isoformat(), KEYS[1]: "soon", KEYS[2]: 3}}
    assert Record.parse(json.dumps(values).encode()) == Record(told=KEYS[:1])
