"""The files of `markers/`: each has a manifest, the tag to set, and the resulting manifest, byte for byte.

The first line is the command: `# set-tag webshop:webui 2.0.0`, optionally with `--image NAME`. Lines such as
`# warning: text` or `# error: text` are the expected reports. Then comes the manifest, and behind a line `# output` the
result. Without that line the manifest stays as it is.
"""

import re
from pathlib import Path

import pytest

from gitops_promotion.core.markers.edit import Edited, set_tag
from gitops_promotion.core.markers.scan import scan
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError

CASES = sorted(Path(__file__).with_name("markers").glob("*.yaml"))
COMMAND = re.compile(rb"# set-tag (?P<group>\S+):(?P<app>\S+) (?P<tag>\S+)(?: --image (?P<image>\S+))?\n")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_golden_file_becomes_its_output(path: Path) -> None:
    content = path.read_bytes()
    command = COMMAND.match(content)
    assert command, "the first line is no `# set-tag group:app tag`"
    group, app, tag, image = (part.decode() for part in command.groups(b""))

    def run(manifest: bytes) -> Edited:
        return set_tag({"file.yaml": manifest}, group=group, app=app, tag=Tag.parse(tag), image=image)

    manifest = content[command.end() :]
    reports: dict[bytes, list[str]] = {b"warning": [], b"error": []}
    while report := re.match(rb"# (warning|error): (.*)\n", manifest):
        reports[report[1]].append(report[2].decode())
        manifest = manifest[report.end() :]
    manifest, separator, expected = manifest.partition(b"# output\n")
    expected = expected if separator else manifest

    if reports[b"error"]:
        with pytest.raises(ManifestError) as error:
            run(manifest)
        assert all(text in str(error.value) for text in reports[b"error"]), error.value
        return
    edited = run(manifest)
    assert edited.edits.get("file.yaml", manifest) == expected
    assert len(edited.warnings) == len(reports[b"warning"])
    assert all(text in warning for text, warning in zip(reports[b"warning"], edited.warnings, strict=True)), edited
    assert run(expected).edits == {}
    assert outside(manifest, group, app) == outside(expected, group, app)


def outside(content: bytes, group: str, app: str) -> list[bytes]:
    """The bytes around the marked scalars."""
    marked = [m for m in scan(content, "file.yaml").markers if (m.group, m.app) == (group, app)]
    edges = [0, *(edge for marker in marked for edge in (marker.start, marker.end)), len(content)]
    return [content[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
