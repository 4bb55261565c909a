"""Lists in pages: REST's numbered ones with Link headers, GraphQL's connections with cursors."""

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from tests.forges.github_shapes import Shape
from tests.forges.github_state import RefusedError

T = TypeVar("T")


def page(
    items: Sequence[T], show: Callable[[T], Shape], *, url: str, query: Mapping[str, str], cap: int
) -> tuple[list[Shape], dict[str, str]]:
    """Return one page of a list and the Link header that leads to the others; `cap` makes pages small."""
    size = max(1, min(int(query.get("per_page", 30)), 100, cap))
    number, last = int(query.get("page", 1)), max(1, math.ceil(len(items) / size))
    links = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
    wanted = ["prev", "first"] if number > 1 else []
    wanted += ["next", "last"] if number < last else []
    shown = ", ".join(f'<{url}?{urlencode({**query, "page": links[name]})}>; rel="{name}"' for name in wanted)
    values = [show(item) for item in items[(number - 1) * size : number * size]]
    return values, {"Link": shown} if shown else {}


def connection(name: str, items: Sequence[T], show: Callable[[T], Shape | None]) -> Callable[..., Shape]:
    """A list in pages, with GitHub's demand for `first` or `last` and its limit of 100."""

    def resolve(
        _: object,
        first: int | None = None,
        last: int | None = None,
        after: str | None = None,
        before: str | None = None,
        **__: object,
    ) -> Shape:
        count = first if first is not None else last
        if count is None:
            text = f"You must provide a `first` or `last` value to properly paginate the `{name}` connection."
            raise RefusedError(422, text, kind="MISSING_PAGINATION_BOUNDARIES")
        if not 0 <= count <= 100:
            text = f"Requesting {count} records on the `{name}` connection exceeds the `first` limit of 100 records."
            raise RefusedError(422, text, kind="EXCESSIVE_PAGINATION")
        start = _position(after) if after else 0
        end = _position(before) - 1 if before else len(items)
        # The first ones from the front of what is left, else the last ones from its back.
        shown = range(start, min(start + count, end)) if first is not None else range(max(start, end - count), end)
        return {
            "nodes": lambda _: [show(items[index]) for index in shown],
            "totalCount": len(items),
            "pageInfo": {
                "hasNextPage": shown.stop < len(items) if first is not None else before is not None,
                "hasPreviousPage": shown.start > 0,
                "startCursor": _cursor(shown.start) if shown else None,
                "endCursor": _cursor(shown.stop - 1) if shown else None,
            },
        }

    return resolve


def _cursor(index: int) -> str:
    return base64.b64encode(f"cursor:{index + 1}".encode()).decode()


def _position(cursor: str) -> int:
    try:
        return int(base64.b64decode(cursor).removeprefix(b"cursor:"))
    except ValueError as error:
        raise RefusedError(422, f"`{cursor}` does not appear to be a valid cursor.", kind="INVALID_CURSOR") from error
