"""What Python compiles of the tests and the package, kept for other processes and runs.

Compiling, with pytest's rewriting of assertions, is most of the time of a collection. Where Python may write bytecode
next to the sources it happens once. Where PYTHONDONTWRITEBYTECODE forbids that, every process would do it anew: here
they share a folder of their own, in pytest's cache, or for this run alone where there is no cache.
"""

import importlib
import shutil
import sys
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

OWN = ("gitops_promotion", "tests", "hypothesis")
"""The packages to keep. Others are installed with their bytecode; of hypothesis pytest rewrites assertions, too."""


def share(config: pytest.Config) -> None:
    """Keep the bytecode of what is imported from now on in a folder that all processes of this run know."""
    if sys.dont_write_bytecode:
        config.pluginmanager.register(Shared(_folder(config)))


def _folder(config: pytest.Config) -> str:
    worker = getattr(config, "workerinput", {})
    if "bytecode" in worker:
        return str(worker["bytecode"])
    with suppress(AttributeError, OSError):  # -p no:cacheprovider; a checkout that cannot be written to
        return str(config.cache.mkdir("bytecode"))
    folder = tempfile.mkdtemp()
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    return folder


class Shared:
    """A finder that finds nothing: it tells Python where the bytecode of the module asked for belongs."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, *_: Any) -> None:
        """Import looks these up again between here and the execution of the module, and not later."""
        own = name.partition(".")[0] in OWN
        sys.pycache_prefix = self._folder if own else None
        sys.dont_write_bytecode = not own

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["bytecode"] = self._folder

    def pytest_collection_finish(self) -> None:
        """Leave Python to the tests as it was."""
        self.pytest_unconfigure()

    def pytest_unconfigure(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)
            sys.pycache_prefix, sys.dont_write_bytecode = None, True


def import_another_part_first(config: pytest.Config) -> None:
    """Import the tests from another one on in each process: of two, each finds a half compiled by the other."""
    worker = getattr(config, "workerinput", {"workerid": "gw0", "workercount": 1})
    number, processes = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
    files = sorted(file for folder in config.args for file in Path(folder).rglob("test_*.py"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # as in the collection: what warns is not kept
        for file in files[len(files) * number // processes :] if number else []:
            # The collection meets the same error, and reports it.
            with suppress(Exception, pytest.skip.Exception):
                name = file.resolve().relative_to(config.rootpath).with_suffix("")
                importlib.import_module(".".join(name.parts))
