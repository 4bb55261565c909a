"""A `kustomize` for tests: the real one where the machine has it, checked against its recorded answers; else those.

Started as a program by a script that `tests/kustomizations/program.py` puts on the PATH. An answer is known by a digest
of all files of the tree and the folder to build.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

VERSION = "v5.5.0"
"""What kustomize the answers are of."""

ANSWERS = Path(__file__).parent / "answers.json"


def question(root: Path, folder: Path, options: list[str]) -> str:
    """Return the digest of all that an answer depends on."""
    digest = hashlib.sha256("\0".join([os.path.relpath(folder, root), *options, ""]).encode())
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            digest.update(os.fsencode(path.relative_to(root)) + b"\0@" + os.fsencode(path.readlink()) + b"\0")
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).digest()
            digest.update(os.fsencode(path.relative_to(root)) + b"\0" + content)
    return digest.hexdigest()[:24]


def load() -> dict[str, Any]:
    if not ANSWERS.exists():
        return {"builds": {}, "documents": {}}
    found: dict[str, Any] = json.loads(ANSWERS.read_text(encoding="utf-8"))
    return found


def taken_apart(output: str) -> dict[str, str]:
    """Return the documents of an output by their digests, in its order."""
    documents = output.split("\n---\n")
    texts = [text if text.endswith("\n") else text + "\n" for text in documents]
    return {hashlib.sha256(text.encode()).hexdigest()[:16]: text for text in texts}


def without_time(error: str) -> str:
    """Return the error of a kubectl that logs it, with the same time and process number in every record."""
    return re.sub(r"^([EF])\d{4} [\d:.]+ +\d+ ", r"\g<1>0101 00:00:00.000000       1 ", error, flags=re.MULTILINE)


def record(key: str, answer: dict[str, Any], documents: dict[str, str]) -> None:
    known = load()
    known["builds"][key] = answer
    known["documents"].update(documents)
    ANSWERS.write_text(json.dumps(known, indent=0, sort_keys=True) + "\n", encoding="utf-8")


def main(real: list[str], mode: str, arguments: list[str]) -> int:
    root, folder = Path.cwd(), Path(arguments[1])
    key = question(root, folder, arguments[2:])
    known = load()
    answer = known["builds"].get(key)
    if not real:
        if answer is None:
            print(
                f"no recorded answer {key} for {folder.relative_to(root)}: record it (CONTRIBUTING.md)", file=sys.stderr
            )
            return 97
        if "error" in answer:
            print(answer["error"].replace("{root}", str(root)), file=sys.stderr)
            return 1
        print("---\n".join(known["documents"][each] for each in answer["documents"]), end="")
        return 0
    done = subprocess.run([*real, *arguments[1:]], capture_output=True, text=True, check=False)
    if done.returncode:
        found: dict[str, Any] = {"error": without_time(done.stderr.replace(str(root), "{root}").strip())}
        documents: dict[str, str] = {}
    else:
        documents = taken_apart(done.stdout)
        found = {"documents": list(documents)}
    if mode == "record":
        record(key, found, documents)
    elif answer is None:
        print(f"no recorded answer {key} for {folder.relative_to(root)}: record it (CONTRIBUTING.md)", file=sys.stderr)
        return 97
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
    sys.exit(main(json.loads(sys.argv[1]), sys.argv[2], sys.argv[3:]))
