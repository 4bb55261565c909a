"""Texts from templates in the configuration: Jinja2 in its sandbox, checked when they are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gitops_promotion.core import untrusted
from gitops_promotion.errors import ConfigError, TemplateError

NAMES = ("group", "app", "environment", "tag", "previous_tag", "url", "reasons")
"""The names that a template of a pull request can use."""

MAX_SOURCE = 10_000
"""The most characters of a template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template of the configuration; `key`, `path` and `line` are its place, for messages."""

    source: str
    key: str
    path: str
    line: int

    def text(self, values: Mapping[str, object]) -> str:
        """Return the text for these values. Raises ConfigError."""
        try:
            return rendered(self.source, values).strip()
        except TemplateError as error:
            raise self._error(str(error), error.line) from None

    def line_of_text(self, values: Mapping[str, object], limit: int) -> str:
        """Return the text for these values, one line, cut to `limit` characters. Raises ConfigError."""
        text = self.text(values)
        if problem := line_problem(text):
            raise self._error(problem, 1)
        return untrusted.cut(text, limit)

    def _error(self, problem: str, line: int) -> ConfigError:
        return ConfigError.at(self.path, self.line + line - 1, f"{self.key} {problem}")


def line_problem(text: str) -> str:
    """Return the problem with a text that must be one line, "" if there is none."""
    if not text:
        return "gives an empty text: write one that is never empty"
    if not text.isprintable():
        return "gives a line break or a control character: write it as one line"
    return ""


def problem_of(source: str, *, one_line: bool, names: Sequence[str] = NAMES) -> tuple[str, int]:
    """Return the problem with a template that can use these names, and its line from 1; ("", 0) if there is none."""
    if len(source) > MAX_SOURCE:
        return f"has more than {MAX_SOURCE} characters: shorten it", 1
    try:
        text = rendered(source, {**dict.fromkeys(names, "1"), "reasons": ["1", "1"]}).strip()
    except TemplateError as error:
        return str(error), error.line
    problem = line_problem(text) if one_line else ""
    return problem, 1 if problem else 0


def rendered(source: str, values: Mapping[str, object]) -> str:
    """Return the text of a template. Raises TemplateError, with the line."""
    # Imported here, since most configurations have no template.
    from jinja2 import TemplateError as JinjaError
    from jinja2 import TemplateSyntaxError

    try:
        return str(_compiled(source).render(dict(values)))
    except TemplateSyntaxError as error:
        raise TemplateError(f"is no template ({_message_of(error)}): correct it", line=error.lineno) from None
    except JinjaError as error:
        advice = f"use {', '.join(values)}"
        raise TemplateError(f"cannot be rendered ({_message_of(error)}): {advice}", line=_failed_line(error)) from None
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
        problem = f"cannot be rendered ({type(error).__name__}: {_message_of(error)}): correct it"
        raise TemplateError(problem, line=_failed_line(error)) from None


@lru_cache(maxsize=64)
def _compiled(source: str) -> Any:
    from jinja2 import StrictUndefined
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Environment(ImmutableSandboxedEnvironment):
        """A sandbox without the operators that make a long text from a short one."""

        intercepted_binops = frozenset({"*", "**"})

        def call_binop(self, _context: object, operator: str, _left: object, _right: object) -> Any:
            raise SecurityError(f"{operator} is not allowed")

    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)
    environment.globals.clear()
    return environment.from_string(source)


def _message_of(error: BaseException) -> str:
    return untrusted.line(str(error), 200)


def _failed_line(error: BaseException) -> int:
    """Return the line of a template that caused a failure: Jinja2 gives its frames the lines of the source."""
    lines: Sequence[int] = ()
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "<template>":
            lines = (*lines, frame.tb_lineno)
        frame = frame.tb_next
    return lines[-1] if lines else 1
