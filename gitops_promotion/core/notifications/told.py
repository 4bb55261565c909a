"""What was told already: in the last line of this tool's comment on a pull request, else in one record for all."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gitops_promotion.core.commits import read_time

REF = "refs/gitops-promotion/told"
"""The ref of the record; it names a commit with one file, since not every server accepts a ref to another object."""

FILE = "told.json"
"""The file of the record."""

CLAIM = timedelta(minutes=3)
"""How long a claim lasts: if a run has not recorded news as told within this time, another run tells it."""

LIMIT = 1 << 20
"""The most bytes of a record."""

_LINE = re.compile(r"^<!-- gitops-promotion: told((?: [0-9a-f]{16})*) -->$", re.MULTILINE)
_KEY = re.compile("[0-9a-f]{16}")
_IN_COMMENT = 200
_IN_RECORD = 5000


def key_of(news_id: str, channel_name: str) -> str:
    """Return the key of a channel that was told some news: 16 hexadecimal digits."""
    return hashlib.sha256(f"{news_id} {channel_name}".encode()).hexdigest()[:16]


def in_comment(body: str) -> tuple[str, ...]:
    """Return the keys in a comment, oldest first."""
    return tuple(key for match in _LINE.finditer(body.replace("\r\n", "\n")) for key in match[1].split())


def with_told(body: str, keys: Iterable[str]) -> str:
    """Return a comment with these keys in its last line, which a page does not show; without any, as it is."""
    visible = _LINE.sub("", body.replace("\r\n", "\n")).rstrip("\n") + "\n"
    newest = list(dict.fromkeys(keys))[-_IN_COMMENT:]
    return f"{visible}\n<!-- gitops-promotion: told {' '.join(newest)} -->\n" if newest else body


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The keys that were told, oldest first, and those that a run is about to tell, with the time of its claim."""

    told: tuple[str, ...] = ()
    claims: Mapping[str, datetime] = field(default_factory=dict)

    @classmethod
    def parse(cls, content: bytes) -> "Record":
        """Read a record. Raises ValueError for anything else."""
        try:
            values = json.loads(content) if len(content) <= LIMIT else None
        except (ValueError, RecursionError):
            values = None
        fields = values if isinstance(values, dict) else {}
        keys, claims = fields.get("told"), fields.get("claims")
        if fields.get("version") != 1 or not isinstance(keys, list) or not isinstance(claims, dict):
            raise ValueError("it is no record of version 1")
        times = {key: read_time(time) for key, time in claims.items() if isinstance(time, str)}
        return cls(
            told=tuple(key for key in keys if isinstance(key, str) and _KEY.fullmatch(key)),
            claims={key: time for key, time in times.items() if time is not None and _KEY.fullmatch(key)},
        )

    def encode(self, nonce: str) -> bytes:
        """Return the record as bytes; the nonce makes two of the same content differ."""
        claims = {key: time.isoformat() for key, time in self.claims.items()}
        values = {"version": 1, "nonce": nonce, "told": list(self.told), "claims": claims}
        return json.dumps(values, indent=0).encode()

    def free(self, keys: Iterable[str], now: datetime) -> list[str]:
        """Return those of the keys that were not told, and that no other run is about to tell."""
        told_keys = set(self.told)
        # A time far in the future comes from a wrong clock, or from somebody who wants to suppress messages.
        claimed = {key for key, time in self.claims.items() if abs(now - time) < CLAIM}
        return [key for key in keys if key not in told_keys and key not in claimed]

    def claimed(self, keys: Iterable[str], now: datetime) -> "Record":
        """Return the record in which a run claims these keys; claims that have lapsed are left out."""
        claims = {key: time for key, time in self.claims.items() if abs(now - time) < CLAIM}
        return Record(told=self.told, claims={**claims, **dict.fromkeys(keys, now)})

    def settled(self, keys: Iterable[str], sent_keys: Iterable[str]) -> "Record":
        """Return the record without the claims of these keys, and with those that were sent."""
        own_keys = set(keys)
        told_keys = list(dict.fromkeys((*self.told, *sent_keys)))[-_IN_RECORD:]
        claims = {key: time for key, time in self.claims.items() if key not in own_keys}
        return Record(told=tuple(told_keys), claims=claims)
