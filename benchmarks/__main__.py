"""`python -m benchmarks [MEASUREMENT [ARGUMENTS]]`: runs one measurement, without a name that of the verbs."""

import sys
from importlib import import_module

MEASUREMENTS = {
    "verbs": "the verbs beside their floor: [ROUNDS], 3 without; writes docs/performance.md",
    "images": "comparing images beside the builds alone: [ROUNDS], 3 without; writes docs/performance.md",
    "scale": "the requests of promotions, for docs/scale.md",
    "no_checkout": "what `new --repo` fetches: [FILES], 100,000 without",
    "races": "many runs of `new` at the same time: [RUNS], 100 without",
    "board": "board, history and why after many promotions: [PROMOTIONS [FOLDER]], 10,000 without",
    "manifests": "finding the markers of large manifests",
}


def main() -> int:
    """Run one measurement and return its exit code, 1 where a limit is exceeded."""
    name, *arguments = sys.argv[1:] or ["verbs"]
    if name not in MEASUREMENTS:
        print("usage: python -m benchmarks [MEASUREMENT [ARGUMENTS]]\n")
        print("\n".join(f"  {each:12} {text}" for each, text in MEASUREMENTS.items()))
        return 0 if name in ("-h", "--help") else 2
    code: int = import_module(f"benchmarks.{name}").main(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
