"""Pull requests, statuses and reviews on GitHub, GitHub Enterprise Cloud and Server; importing this loads no SDK."""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


def _import_when_used(name: str) -> None:
    """Put a stand-in in place of a module, which is imported when something in it is first used.

    `importlib.util.LazyLoader` would load it at the next `import` statement, which looks at its `__spec__`.
    """
    if name in sys.modules:
        return
    stand_in = ModuleType(name)

    def load(attribute: str) -> Any:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
        return getattr(import_module(name), attribute)

    stand_in.__spec__ = find_spec(name)
    stand_in.__getattr__ = load  # type: ignore[method-assign]  # a function of the module, by PEP 562
    sys.modules[name] = stand_in


# PyGithub imports it, and with it all of `cryptography`, which only the private key of an App needs.
_import_when_used("jwt")
