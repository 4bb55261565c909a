"""The REST endpoints of git's objects: trees and commits, which GitHub signs for Apps and workflows."""

import hashlib
from typing import Any

from tests.forges import github_acts as acts
from tests.forges.github_rest import Answer, Call, endpoint
from tests.forges.github_shapes import Shape, node_id, time
from tests.support.objects import Signature

GITHUB = ("GitHub", "noreply@github.com")


@endpoint("POST /repos/{owner}/{repo}/git/trees", "contents:write")
def create_tree(call: Call) -> Answer:
    objects, base = call.repo.git.objects, call.body.get("base_tree")
    if base and not objects.has(base):
        raise acts.InvalidError([], "base_tree is not a valid tree oid")
    files: dict[str, bytes | None] = {}
    for entry in call.body["tree"]:
        if entry.get("sha", "") is None and not (base and objects.find(base, entry["path"])):
            raise acts.InvalidError([], "GitRPC::BadObjectState")
        files[entry["path"]] = entry["content"].encode() if "content" in entry else None
    tree = objects.edit(base, files, {entry["path"]: entry["mode"].encode() for entry in call.body["tree"]})
    shown = [
        {"path": name.decode(), "mode": mode.decode().rjust(6, "0"), "type": objects.read(sha)[0], "sha": sha}
        for name, (mode, sha) in objects.entries(tree).items()
    ]
    url = f"{call.shapes.api}/repos/{call.repo.full_name}/git/trees/{tree}"
    return 201, {"sha": tree, "url": url, "tree": shown, "truncated": False}, {}


@endpoint("POST /repos/{owner}/{repo}/git/commits", "contents:write")
def create_commit(call: Call) -> Answer:
    objects, body = call.repo.git.objects, call.body
    parents = body.get("parents", [])
    if not objects.has(body["tree"]):
        raise acts.InvalidError([], "Tree SHA does not exist")
    if not all(call.repo.git.one_commit(parent) for parent in parents):
        raise acts.InvalidError([], "Parent SHA does not exist or is not a commit object")
    now = call.world.clock.tick()
    bot = call.token.kind != "user"
    own = (call.token.login, f"{call.token.login}@users.noreply.github.com")
    named: Any = body.get("author")
    author = Signature.of((named["name"], named["email"]) if named else own, now)
    committer = author if named or not bot else Signature.of(GITHUB, now)
    lines = [f"tree {body['tree']}", *(f"parent {parent}" for parent in parents)]
    head = "\n".join([*lines, f"author {author}", f"committer {committer}"])
    # GitHub stores a message without the line breaks at its end.
    message = body["message"].strip()
    payload = f"{head}\n\n{message}"
    signature = None
    if bot and not named and not body.get("committer"):
        digest = hashlib.sha256(payload.encode()).hexdigest()
        signature = f"-----BEGIN PGP SIGNATURE-----\n\n{digest}\n-----END PGP SIGNATURE-----\n"
        # Its last line is empty in the object too.
        header = "gpgsig " + signature.replace("\n", "\n ")
        sha = objects.write("commit", f"{head}\n{header}\n\n{message}".encode())
    else:
        sha = objects.write("commit", payload.encode())
    url = f"{call.shapes.api}/repos/{call.repo.full_name}/git"
    html = f"{call.shapes.site}/{call.repo.full_name}/commit"
    shown: Shape = {
        "sha": sha,
        "node_id": node_id("C", call.repo.id, sha),
        "url": f"{url}/commits/{sha}",
        "html_url": f"{html}/{sha}",
        "author": {"name": author.name, "email": author.email, "date": time(now)},
        "committer": {"name": committer.name, "email": committer.email, "date": time(now)},
        "tree": {"sha": body["tree"], "url": f"{url}/trees/{body['tree']}"},
        "message": message,
        "parents": [{"sha": p, "url": f"{url}/commits/{p}", "html_url": f"{html}/{p}"} for p in parents],
        "verification": {
            "verified": signature is not None,
            "reason": "valid" if signature else "unsigned",
            "signature": signature,
            "payload": payload if signature else None,
            "verified_at": time(now) if signature else None,
        },
    }
    return 201, shown, {}
