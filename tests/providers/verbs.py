"""The verbs in a checkout of a repository on a forge of this process, through the real command line."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from gitops_promotion import cli
from tests.conftest import Checkout


@dataclass(kw_only=True)
class Verbs:
    """A checkout in which verbs run; `printed` is what those of `run` have printed."""

    checkout: Checkout
    capsys: pytest.CaptureFixture[str]
    printed: str = ""

    def run(self, *args: str, code: int | None = 0) -> list[dict[str, Any]]:
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([*args, "--sourcedir", str(self.checkout.path), "--output", "json"])
        out, err = self.capsys.readouterr()
        self.printed += out + err
        assert code is None or ended.value.code == code, out + err
        outcomes: list[dict[str, Any]] = json.loads(out)["outcomes"]
        return outcomes

    def look(self, *args: str) -> dict[str, Any]:
        """Run a verb that ends with 0 and prints a document of its own."""
        self.capsys.readouterr()
        cli.main([*args, "--sourcedir", str(self.checkout.path), "--output", "json"])
        document: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        return document

    def new(self, tag: str, *, app: str = "webui", code: int | None = 0) -> dict[str, Any]:
        [outcome] = self.run("new", "--group", "webshop", "--app", app, "--tag", tag, code=code)
        return outcome
