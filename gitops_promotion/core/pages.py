"""The addresses of this project's pages, for messages that name one."""

REPOSITORY = "https://github.com/XenitAB/gitops-promotion"
"""The project's own repository."""


def page(path: str, anchor: str = "") -> str:
    """Return the address of a page of the repository, such as `docs/checks.md`, at one of its headings."""
    return f"{REPOSITORY}/blob/main/{path}" + (f"#{anchor}" if anchor else "")
