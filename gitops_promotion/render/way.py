"""The environments of one application as a drawing: boxes and arrows with their places."""

from dataclasses import dataclass

from gitops_promotion.core.board import Cell, Line

WIDTH, HEIGHT = 148, 56
_GAP_X, _GAP_Y = 44, 16
_MARGIN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One environment; `x` and `y` are its upper left corner."""

    cell: Cell
    x: int
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """The way from one environment to the next; `is_any`: of several sources one suffices."""

    x1: int
    y1: int
    x2: int
    y2: int
    is_any: bool

    @property
    def path(self) -> str:
        """Return the line as SVG writes it."""
        middle = (self.x1 + self.x2) // 2
        return f"M{self.x1} {self.y1}C{middle} {self.y1} {middle} {self.y2} {self.x2 - 6} {self.y2}"

    @property
    def head(self) -> str:
        """Return the arrow's head as SVG writes it."""
        return f"M{self.x2 - 7} {self.y2 - 4}L{self.x2} {self.y2}L{self.x2 - 7} {self.y2 + 4}z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """All boxes and arrows, and the size of the whole."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    width: int
    height: int


def draw(line: Line) -> Drawing:
    """Return the drawing of an application's environments: sources stand to the left of their targets."""
    present = {cell.environment for cell in line.cells}
    columns: dict[str, int] = {}
    rows: dict[int, int] = {}
    boxes: dict[str, Box] = {}
    # The cells are in the order of the pipeline, so the sources of each have their places already.
    for cell in line.cells:
        groups = line.requirements.get(cell.environment, ())
        sources = [name for group in groups for name in group if name in columns]
        column = max((columns[name] + 1 for name in sources), default=0)
        columns[cell.environment] = column
        row = rows.get(column, 0)
        rows[column] = row + 1
        boxes[cell.environment] = Box(
            cell=cell, x=_MARGIN + column * (WIDTH + _GAP_X), y=_MARGIN + row * (HEIGHT + _GAP_Y)
        )
    arrows = tuple(
        Arrow(
            x1=boxes[source].x + WIDTH,
            y1=boxes[source].y + HEIGHT // 2,
            x2=boxes[target].x,
            y2=boxes[target].y + HEIGHT // 2,
            is_any=len(group) > 1,
        )
        for target, groups in line.requirements.items()
        for group in groups
        for source in group
        if source in present and target in present
    )
    return Drawing(
        boxes=tuple(boxes.values()),
        arrows=arrows,
        width=max((box.x for box in boxes.values()), default=0) + WIDTH + _MARGIN,
        height=max((box.y for box in boxes.values()), default=0) + HEIGHT + _MARGIN,
    )
