"""Git's smart HTTP before the repositories of a forge, as gitprotocol-http(5) and gitprotocol-v2(5) describe it."""

import gzip
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.forges.faults import Request, Response
from tests.forges.repository import ENVIRON
from tests.support import refs, served

_FLUSH = b"0000"

_capabilities: dict[tuple[str, bytes], bytes] = {}
"""What version 2 of the protocol advertises, by the version and the configuration: it says nothing of a repository."""


def serve_git(root: Path, request: Request, user: str) -> Response:
    """Answer a request for the repositories below `root`; who may do what was decided before.

    Does what git's `http-backend` does. What a client of version 2 asks before it fetches needs no process.
    """
    service = request.query.get("service") or request.path.rpartition("/")[2]
    asks = request.method == "GET"
    folder = root / request.path.strip("/").removesuffix("/info/refs" if asks else f"/{service}")
    if service not in ("git-upload-pack", "git-receive-pack") or not (folder / "HEAD").exists():
        return Response(status=404, headers={"Content-Type": "text/plain"}, body=b"Not Found\n")
    if act := served.act_of(request.headers):
        act(folder)
        return Response(status=200)
    version = request.headers.get("git-protocol", "")
    modern = service == "git-upload-pack" and "version=2" in version
    body = request.body
    if request.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    if asks:
        answer = _advertise(service, folder, version, user, modern=modern)
    else:
        answer = (modern and list_refs(folder, body)) or _run(service, folder, version, user, body)
    kind = "advertisement" if asks else "result"
    headers = {"Content-Type": f"application/x-{service}-{kind}", "Cache-Control": "no-cache"}
    return Response(status=200, headers=headers, body=answer)


def _advertise(service: str, folder: Path, version: str, user: str, *, modern: bool) -> bytes:
    if not modern:
        line = f"# service={service}\n".encode()
        return _packet(line) + _FLUSH + _run(service, folder, version, user, b"", "--advertise-refs")
    key = version, (folder / "config").read_bytes()
    if key not in _capabilities:
        _capabilities[key] = _run(service, folder, version, user, b"", "--advertise-refs")
    return _capabilities[key]


def _run(service: str, folder: Path, version: str, user: str, body: bytes, *options: str) -> bytes:
    command = ["git", service.removeprefix("git-"), "--stateless-rpc", *options, str(folder)]
    environ = {**ENVIRON, "GIT_PROTOCOL": version, "REMOTE_USER": user}
    # What fails says so in its output, as `http-backend` hands it on.
    return subprocess.run(command, input=body, env=environ, capture_output=True, check=False).stdout


def list_refs(folder: Path, body: bytes) -> bytes | None:
    """Answer `command=ls-refs` of version 2; None for other commands, and for what needs git: tags, no HEAD."""
    packets = list(_packets(body))
    if not packets or packets[0] != b"command=ls-refs":
        return None
    prefixes = tuple(line.removeprefix(b"ref-prefix ").decode() for line in packets if line.startswith(b"ref-prefix "))
    found, head = refs.read_refs(folder), refs.read_head(folder)
    if head not in found or any(name.startswith("refs/tags/") for name in found):
        return None
    target = f" symref-target:{head}" if b"symrefs" in packets else ""
    lines = {"HEAD": f"{found[head]} HEAD{target}\n"} | {name: f"{sha} {name}\n" for name, sha in found.items()}
    shown = (line for name, line in lines.items() if not prefixes or name.startswith(prefixes))
    return b"".join(_packet(line.encode()) for line in shown) + _FLUSH


def _packet(line: bytes) -> bytes:
    return b"%04x%s" % (len(line) + 4, line)


def _packets(body: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(body):
        size = int(body[start : start + 4], 16)
        if size > 4:
            yield body[start + 4 : start + size].removesuffix(b"\n")
        start += max(size, 4)
