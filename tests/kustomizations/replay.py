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


def replay(copy: str, arguments: list[str]) -> int:
    """Give the recorded answer; `copy` is a file with what was recorded that is quick to read."""
    root, folder = os.getcwd(), arguments[1]
    with open(copy, "rb") as file:
        known = marshal.load(file)  # noqa: S302  written by the test
    answer = known["builds"].get(question(root, folder, arguments[2:]))
    if answer is None:
        return _unknown(root, folder, arguments)
    if "error" in answer:
        print(answer["error"].replace("{root}", root), file=sys.stderr)
        return 1
    print("---\n".join(known["documents"][each] for each in answer["documents"]), end="")
    return 0


def _unknown(root: str, folder: str, arguments: list[str]) -> int:
    key, name = question(root, folder, arguments[2:]), os.path.relpath(folder, root)
    print(f"no recorded answer {key} for {name}: record it (CONTRIBUTING.md)", file=sys.stderr)
    return 97


def run(real: list[str], mode: str, arguments: list[str]) -> int:
    """Give the real one's answer, after it was recorded or compared."""
    import subprocess

    root, folder = os.getcwd(), arguments[1]
    key = question(root, folder, arguments[2:])
    answer = load()["builds"].get(key)
    done = subprocess.run([*real, *arguments[1:]], capture_output=True, text=True, check=False)
    if done.returncode:
        found: dict[str, Any] = {"error": without_time(done.stderr.replace(root, "{root}").strip())}
        documents: dict[str, str] = {}
    else:
        documents = taken_apart(done.stdout)
        found = {"documents": list(documents)}
    if mode == "record":
        record(key, found, documents)
    elif answer is None:
        return _unknown(root, folder, arguments)
    elif ("error" in answer) != ("error" in found) or sorted(answer.get("documents", ())) != sorted(
        found.get("documents", ())
    ):
        # Words of errors differ between versions; what comes out must not.
        print(f"{' '.join(real)} does not answer {key} as recorded: record it anew (CONTRIBUTING.md)", file=sys.stderr)
        return 98
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


if __name__ == "__main__":
    mode, argument, *arguments = sys.argv[1:]
    sys.exit(replay(argument, arguments) if mode == "replay" else run(argument.split("\n"), mode, arguments))
