"""Names of environments as people use them: which words are names of environments, and their usual order."""

import re
from collections.abc import Iterable, Iterator

_ORDER = (
    ("sandbox", "sbox", "local"),
    ("dev", "devel", "develop", "development"),
    ("test", "testing", "tst"),
    ("qa", "integration", "int", "ithc", "perf", "load"),
    ("uat", "acc", "acceptance", "demo"),
    ("stage", "staging", "stg"),
    ("preprod", "pre-prod", "preproduction", "pre-production"),
    ("prod", "production", "prd", "live"),
)
_RANKS = {word: rank for rank, words in enumerate(_ORDER) for word in words}
_LAST = len(_ORDER) - 1
_REGION = re.compile(
    r"eu|us|uk|de|fr|nl|ie|asia|ap|apac|emea|na|sa|au|jp|in|cn|sg|ca|br|global"
    r"|(?:(?:eu|us|ap|ca|sa)?(?:north|south|east|west|central)+(?:europe|us|asia|india)?)|(?:eu|us|ap|ca|sa)[a-z]?\d{1,2}"
    r"|[a-z]?\d{1,3}|canary|blue|green|primary|secondary"
)
_SEPARATOR = re.compile(r"([._-])")


def rank(name: str) -> int | None:
    """Return the place of an environment in the usual order, None for another word; `prod-eu` has that of `prod`."""
    lower = name.lower()
    if lower in _RANKS:
        return _RANKS[lower]
    parts = _SEPARATOR.split(lower)[::2]
    words = [part for part in parts if part in _RANKS]
    if len(words) != 1 or len(parts) > 4 or not all(_REGION.fullmatch(part) for part in parts if part not in _RANKS):
        return None
    return _RANKS[words[0]]


def is_production(name: str) -> bool:
    """Return True for an environment at the end of the usual order."""
    return rank(name) == _LAST


def region(name: str) -> str:
    """Return what is left of an environment's name without the word for its stage: `eu` of `prod-eu`."""
    return "-".join(part for part in _SEPARATOR.split(name.lower())[::2] if part not in _RANKS)


def ordered(names: Iterable[str]) -> list[list[str]]:
    """Return environments by stage, in the usual order; the stage before production has those of unknown names."""
    stages: dict[float, list[str]] = {}
    for name in sorted(names):
        number = rank(name)
        stages.setdefault(_LAST - 0.5 if number is None else number, []).append(name)
    return [stages[number] for number in sorted(stages)]


def words_in(stem: str) -> Iterator[tuple[str, str, str]]:
    """Yield an environment's name in the name of a file with the texts before and behind it, the longest name first."""
    pieces = _SEPARATOR.split(stem)
    count = len(pieces)
    for length in range(count, 0, -2):
        for start in range(0, count - length + 1, 2):
            name = "".join(pieces[start : start + length])
            if rank(name) is not None:
                yield "".join(pieces[:start]), name, "".join(pieces[start + length :])
                return
