import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import bytecode


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the packages `own_sample` and `other_sample`, of which the first counts as the tests' own."""
    for name in ("own_sample", "other_sample"):
        folder = tmp_path / "packages" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        for number in range(4):
            (folder / f"test_{number}.py").touch()
    monkeypatch.setattr(bytecode, "OWN", ("own_sample",))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    yield tmp_path / "packages"
    for name in [name for name in sys.modules if name.startswith(("own_sample", "other_sample"))]:
        del sys.modules[name]


def imported() -> list[str]:
    return sorted(name for name in sys.modules if name.startswith("own_sample."))


def test_only_bytecode_of_the_own_packages_is_kept_and_none_beside_the_sources(packages: Path, tmp_path: Path) -> None:
    shared = bytecode.Shared(str(tmp_path / "bytecode"))
    try:
        importlib.import_module("own_sample.test_1")
        importlib.import_module("other_sample.test_1")
    finally:
        shared.pytest_unconfigure()
    importlib.import_module("own_sample.test_2")
    kept = sorted(file.name.partition(".")[0] for file in (tmp_path / "bytecode").rglob("*.pyc"))
    assert kept == ["__init__", "test_1"]
    assert not list(packages.rglob("*.pyc"))
    assert (sys.pycache_prefix, sys.dont_write_bytecode) == (None, True)


@pytest.mark.parametrize(
    ("worker", "expected"),
    [
        ({}, []),
        ({"workerid": "gw0", "workercount": 2}, []),
        ({"workerid": "gw1", "workercount": 2}, ["own_sample.test_2", "own_sample.test_3"]),
        ({"workerid": "gw1", "workercount": 4}, ["own_sample.test_1", "own_sample.test_2", "own_sample.test_3"]),
    ],
)
def test_each_process_begins_with_another_part(packages: Path, worker: dict[str, Any], expected: list[str]) -> None:
    (packages / "own_sample" / "test_3.py").write_text("raise ValueError\n")
    config: Any = SimpleNamespace(args=[str(packages / "own_sample")], rootpath=packages, workerinput=worker)
    if not worker:
        del config.workerinput
    bytecode.import_another_part_first(config)
    assert imported() == [name for name in expected if name != "own_sample.test_3"]
