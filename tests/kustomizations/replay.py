"""A `kustomize` for tests: the real one where the machine has it, checked against its recorded answers; else those.

Started as a program by a script that `tests/kustomizations/program.py` puts on the PATH. An answer is known by a digest
of all files of the tree and the folder to build. What is imported when the recorded answer is all that is wanted takes
more time than the answer.
"""

import hashlib
import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

VERSION = "v5.5.0"
"""What kustomize the answers are of."""

ANSWERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "answers.json")


def question(root: str, folder: str, options: list[str]) -> str:
    """Return the digest of all that an answer depends on."""
    digest = hashlib.sha256("\0".join([os.path.relpath(folder, root), *options, ""]).encode())
    for path in sorted(_paths(root), key=lambda path: path.split("/")):
        name, full = os.fsencode(path), f"{root}/{path}"
        if os.path.islink(full):
            digest.update(name + b"\0@" + os.fsencode(os.readlink(full)) + b"\0")
        elif os.path.isfile(full):
            with open(full, "rb") as file:
                digest.update(name + b"\0" + hashlib.sha256(file.read()).digest())
    return digest.hexdigest()[:24]


def _paths(root: str) -> "Iterator[str]":
    for folder, folders, names in os.walk(root):
        for name in folders + names:
            yield os.path.relpath(f"{folder}/{name}", root)


def load() -> "Any":
    """Return what was recorded."""
    import json

    if not os.path.exists(ANSWERS):
        return {"builds": {}, "documents": {}}
    with open(ANSWERS, encoding="utf-8") as file:
        return json.load(file)


def taken_apart(output: str) -> dict[str, str]:
    """Return the documents of an output by their digests, in its order."""
    documents = output.split("\n---\n")
    texts = [text if text.endswith("\n") else text + "\n" for text in documents]
    return {hashlib.sha256(text.encode()).hexdigest()[:16]: text for text in texts}


def without_time(error: str) -> str:
    """Return the error of a kubectl that logs it, with the same time and process number in every record."""
    import re

    return re.sub(r"^([EF])\d{4} [\d:.]+ +\d+ ", r"\g<1>0101 00:00:00.000000       1 ", error, flags=re.MULTILINE)


def record(key: str, answer: "dict[str, Any]", documents: dict[str, str]) -> None:
    import json

    known = load()
    known["builds"][key] = answer
    known["documents"].update(documents)
    with open(ANSWERS, "w", encoding="utf-8") as file:
        file.write(json.dumps(known, indent=0, sort_keys=True) + "\n")


def replay(known: "Any", root: str, folder: str, options: list[str]) -> "tuple[int, str, str]":
    """Return exit code, output and error of the recorded answer."""
    key = question(root, folder, options)
    answer = known["builds"].get(key)
    if answer is None:
        name = os.path.relpath(folder, root)
        return 97, "", f"no recorded answer {key} for {name}: record it (CONTRIBUTING.md)\n"
    if "error" in answer:
        return 1, "", answer["error"].replace("{root}", root) + "\n"
    return 0, "---\n".join(known["documents"][each] for each in answer["documents"]), ""


def _read(copy: str) -> "Any":
    """Return what was recorded from a copy that is quick to read."""
    with open(copy, "rb") as file:
        return marshal.load(file)  # noqa: S302  written by the test


def compare(mode: str, copy: str, code: int, answered: str, arguments: list[str]) -> int:
    """Give the real one's answer, from the files `answered`.out and .err, after it was recorded or compared."""
    root, folder = os.getcwd(), arguments[1]
    key = question(root, folder, arguments[2:])
    with open(f"{answered}.out", encoding="utf-8") as out, open(f"{answered}.err", encoding="utf-8") as err:
        stdout, stderr = out.read(), err.read()
    if code:
        found: dict[str, Any] = {"error": without_time(stderr.replace(root, "{root}").strip())}
        documents: dict[str, str] = {}
    else:
        documents = taken_apart(stdout)
        found = {"documents": list(documents)}
    if mode == "record":
        record(key, found, documents)
    else:
        recorded = _read(copy)
        answer = recorded["builds"].get(key)
        if answer is None:
            return _printed(replay(recorded, root, folder, arguments[2:]))
        # Words of errors differ between versions; what comes out must not.
        if sorted(answer.get("documents", ["error"])) != sorted(found.get("documents", ["error"])):
            print(f"the real one does not answer {key} as recorded: record it anew (CONTRIBUTING.md)", file=sys.stderr)
            return 98
    sys.stdout.write(stdout)
    sys.stderr.write(stderr)
    return code


def _printed(answer: "tuple[int, str, str]") -> int:
    code, stdout, stderr = answer
    sys.stdout.write(stdout)
    sys.stderr.write(stderr)
    return code


if __name__ == "__main__":
    mode, copy, *arguments = sys.argv[1:]
    if mode == "replay":
        sys.exit(_printed(replay(_read(copy), os.getcwd(), arguments[1], arguments[2:])))
    sys.exit(compare(mode, copy, int(arguments[0]), arguments[1], arguments[2:]))
