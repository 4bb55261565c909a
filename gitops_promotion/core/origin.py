"""The origin of a promotion: who started it, and who proposed it again after a decline."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from gitops_promotion.core.commits import read_time
from gitops_promotion.core.overrides import Override
from gitops_promotion.core.untrusted import line

_NAME_LIMIT = 100
_MOST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The people behind a promotion, as the trailers of its commit name them.

    `triggered_by` are those who started the run that built or proposed it: their opinion on it does not count.
    `again_by` is who proposed it again after a decline, at `again_at`: earlier opinions do not count. `override` is the
    claim of this one commit that a person sent it past its gates.
    """

    triggered_by: tuple[str, ...] = ()
    again_by: str = ""
    again_at: datetime | None = None
    override: Override | None = None

    @property
    def trailers(self) -> Mapping[str, str]:
        """The trailers of the commit; a value "" leaves one out."""
        return {
            "Triggered-By": ", ".join(map(_one_name, self.triggered_by[:_MOST])),
            "Again-By": _one_name(self.again_by),
            "Again-At": self.again_at.isoformat() if self.again_at else "",
            **(self.override.trailers if self.override else {}),
        }

    @classmethod
    def read(cls, trailers: Mapping[str, str]) -> Self:
        """Read the trailers of a commit; what is malformed counts as absent."""
        names = (name.strip() for name in trailers.get("Triggered-By", "").split(","))
        return cls(
            triggered_by=tuple(name for name in names if name)[:_MOST],
            again_by=trailers.get("Again-By", ""),
            again_at=read_time(trailers.get("Again-At", "")),
            override=Override.read(trailers),
        )

    def joined(self, earlier: Self) -> Self:
        """Return the origin of a promotion that replaces `earlier`, which proposed the same tag.

        An override of `earlier` does not count for it.
        """
        newer, older = (self, earlier) if self.again_at else (earlier, self)
        return type(self)(
            triggered_by=tuple(dict.fromkeys((*earlier.triggered_by, *self.triggered_by))),
            again_by=newer.again_by or older.again_by,
            again_at=newer.again_at or older.again_at,
            override=self.override,
        )

    def with_starter(self, name: str) -> Self:
        """Return the origin with one more person who started the promotion; "" changes nothing."""
        return self.joined(type(self)(triggered_by=(name,))) if name else self


UNKNOWN = Origin()
"""The origin of a promotion of which it is not known who started it."""


def _one_name(name: str) -> str:
    """Return a name that is one item of a list on one line."""
    return line(name.replace(",", " "), _NAME_LIMIT)
