"""The share of dear cases that is tried each day: --git and --thorough try all of them."""

import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

import gitops_promotion

T = TypeVar("T")


def is_whole(config: pytest.Config) -> bool:
    """Return whether all cases of tests that start git are tried."""
    return bool(config.getoption("--git") or config.getoption("--thorough"))


def of_git(config: pytest.Config, count: int, cases: Sequence[T], salt: str) -> list[T]:
    """Return the cases of a test that starts git for each of them: `count` of them if not all are tried."""
    return list(cases) if is_whole(config) else chosen(count, cases, salt)


def chosen(count: int, points: Sequence[T], salt: str) -> list[T]:
    """Return `count` of these points; which ones changes with the code of the package, and with nothing else."""
    turn = zlib.crc32(salt.encode(), _code())
    step = max(1, len(points) // count)
    return [points[(turn + number * step) % len(points)] for number in range(count)]


@cache
def _code() -> int:
    """Return a checksum of the package's code."""
    checksum = 0
    for path in sorted(Path(gitops_promotion.__file__).parent.rglob("*.py")):
        checksum = zlib.crc32(path.read_bytes(), checksum)
    return checksum
