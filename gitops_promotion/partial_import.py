"""Importing modules of a package without the module of the package itself, which may load far more than is used."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec


@contextmanager
def without_init(package: str) -> Iterator[None]:
    """Let modules of a package be imported in this context without running its `__init__.py`.

    An empty module stands in its place meanwhile. Afterwards Python does not know the package and these modules, so
    that whoever imports the package gets all of it. A package that is imported already is used as it is.
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
