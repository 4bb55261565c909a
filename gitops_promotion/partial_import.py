"""Imports modules of a package without running the package's `__init__.py`, which may load far more than is used."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec


@contextmanager
def without_init(package: str) -> Iterator[None]:
    """Let modules of a package be imported in this context without running its `__init__.py`.

    Meanwhile an empty module takes the package's place. Afterwards the package and these modules are removed from
    `sys.modules`, so that a later import loads the whole package. A package that is imported already stays as it is.
    """
    spec = find_spec(package) if package not in sys.modules else None
    if spec:
        sys.modules[package] = module_from_spec(spec)
    try:
        yield
    finally:
        if spec:
            for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
                del sys.modules[name]
