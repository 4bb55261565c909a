"""The time that the markers of large manifests take to find, for several shapes of a manifest.

Run as `python -m benchmarks manifests`. Each shape is measured at half a megabyte and at one megabyte, in CPU seconds.
Exits 1 if one megabyte takes longer than LIMIT, or the double size more than GROWTH times as long.
"""

import time
from collections.abc import Callable, Sequence

from gitops_promotion.core.markers import scan

LIMIT = 1.0
GROWTH = 3.0
# Nested flow collections keep libyaml busy for each level: they only must not grow faster than the file.
DEEP = "deep flow collections"
MARKER = b'# {"$imagepolicy": "shop:web:tag"}'
FIRST = b"tag: v1 " + MARKER + b"\n"

SHAPES: dict[str, Callable[[int], bytes]] = {
    "short keys": lambda n: FIRST + b"".join(b"k%d: v\n" % i for i in range(n // 10)),
    "short items": lambda n: FIRST + b"list:\n" + b"- x\n" * (n // 4),
    "nested keys": lambda n: FIRST + b"".join(b"k%d:\n  a: b\n" % i for i in range(n // 15)),
    "comments": lambda n: FIRST + b"# x\n" * (n // 4),
    "empty lines": lambda n: FIRST + b"\n" * n,
    "a block scalar": lambda n: FIRST + b"text: |\n" + b"  x\n" * (n // 4),
    "a quoted value": lambda n: FIRST + b"text: '" + b"x\n  " * (n // 4) + b"'\n",
    "a plain value": lambda n: FIRST + b"text: x\n" + b"  y\n" * (n // 4),
    "a flow list": lambda n: FIRST + b"list: [" + b"x, " * (n // 3) + b"]\n",
    "documents": lambda n: FIRST + b"---\na: b\n" * (n // 9),
    "markers": lambda n: b"".join(b"k%d: v1 %b\n" % (i, MARKER) for i in range(n // 45)),
    "escapes": lambda n: FIRST + b'a: "\\u0041"\n' * (n // 12),
    "aliases": lambda n: FIRST + b"a: &a x\n" + b"b: *a\n" * (n // 6),
    DEEP: lambda n: FIRST + b"a: " + b"[" * 490 + b"x, " * (n // 3) + b"]" * 490 + b"\n",
}


def seconds(content: bytes) -> float:
    """Return the CPU seconds of one scan."""
    start = time.process_time()
    scan(content, "manifest.yaml")
    return time.process_time() - start


def main(_: Sequence[str]) -> int:
    """Measure all shapes, and return the exit code."""
    slow = 0
    for shape, build in SHAPES.items():
        half, whole = (min(seconds(build(size) + b"#" * turn) for turn in range(3)) for size in (500_000, 1_000_000))
        growth = whole / max(half, 0.01)
        bad = growth > GROWTH or (whole > LIMIT and shape != DEEP)
        slow += bad
        print(f"{shape:24} {half:6.2f} s {whole:6.2f} s {growth:5.1f} times{'  too slow' if bad else ''}")
    return 1 if slow else 0
