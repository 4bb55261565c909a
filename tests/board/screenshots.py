"""Pictures of the board: three widths, light and dark, with 3 and 300 applications, and with a row open.

Run as `python -m tests.board.screenshots FOLDER` on a machine with Chromium.
"""

import sys
from pathlib import Path

from gitops_promotion.render import page
from tests.board import boards
from tests.board.browser import Browser, find

WIDTHS = {"phone": (390, 844), "tablet": (820, 1100), "wall": (1600, 900)}


def main() -> int:
    """Write the pictures, and return the exit code."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    program = find()
    if program is None:
        print("no Chromium on this machine: install it, or set CHROMIUM to its path")
        return 1
    pages = {
        "3": (boards.small(), "#open=webshop/webui"),
        "300": (boards.large(), "#open=team-6/service-006"),
    }
    with Browser(program) as browser:
        for count, (board, row) in pages.items():
            path = folder / f"board-{count}.html"
            path.write_text(page.board(board), encoding="utf-8")
            for size, (width, height) in WIDTHS.items():
                for scheme in ("light", "dark"):
                    for name, fragment in (("", ""), ("-open", row)):
                        browser.open(path, fragment, width=width, height=height, dark=scheme == "dark")
                        picture = folder / f"{count}-{size}-{scheme}{name}.png"
                        picture.write_bytes(browser.picture())
                        print(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
