"""Other programs that update images: they may undo a promotion, or a promotion may undo their update."""

import re
from collections.abc import Iterator, Mapping, Sequence

import yaml
from yaml.error import YAMLError

RENOVATE = (
    "renovate.json",
    "renovate.json5",
    ".renovaterc",
    ".renovaterc.json",
    *(f".github/{name}" for name in ("renovate.json", "renovate.json5")),
)
DEPENDABOT = tuple(f".github/{name}" for name in ("dependabot.yml", "dependabot.yaml"))
_EXCLUDES = re.compile(r"ignorePaths|enabled\"?\s*:\s*false|ignoreDeps")


def writers(
    contents: Mapping[str, bytes], files: Mapping[str, bytes], marked: Sequence[str]
) -> Iterator[tuple[str, int, str, str]]:
    """Yield the place, the problem and what to do for each program that may write marked lines."""
    if not marked:
        return
    for path in sorted(contents):
        if b"ImageUpdateAutomation" in contents[path]:
            yield from _automations(path, contents[path], marked)
    for path in RENOVATE:
        text = files.get(path, b"").decode(errors="replace")
        if text and not _EXCLUDES.search(text):
            yield (
                path,
                1,
                "Renovate is configured and excludes nothing, so it may update marked lines",
                "exclude your images or folders: docs/renovate.md",
            )
    for path in DEPENDABOT:
        text = files.get(path, b"").decode(errors="replace")
        if re.search(r"package-ecosystem:\s*[\"']?(?:docker|helm)", text):
            yield path, 1, "Dependabot updates images, so it may update marked lines", "limit its directories"


def _automations(path: str, content: bytes, marked: Sequence[str]) -> Iterator[tuple[str, int, str, str]]:
    try:
        documents = list(yaml.load_all(content.decode(errors="replace"), Loader=yaml.CBaseLoader))
    except YAMLError:
        return
    for document in documents:
        if not isinstance(document, dict) or document.get("kind") != "ImageUpdateAutomation":
            continue
        spec = document.get("spec")
        if not isinstance(spec, dict):
            continue
        update = spec.get("update")
        folder = str(update.get("path", "")) if isinstance(update, dict) else ""
        folder = folder.removeprefix("./").strip("/")
        covered = [file for file in marked if not folder or file.startswith(f"{folder}/")]
        if covered and str(spec.get("suspend", "false")) != "true":
            line = content[: content.find(b"ImageUpdateAutomation")].count(b"\n") + 1
            yield (
                path,
                line,
                f"this ImageUpdateAutomation writes the newest tag to the markers of {covered[0]}",
                "suspend it, or limit its update.path: docs/image-automation.md",
            )
