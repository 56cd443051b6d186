"""The programs that measure, one after another; each prints what it does and its figures.

python -m benchmarks              all, in minutes
python -m benchmarks NAME …       some of them, as in: python -m benchmarks lives startup
python -m benchmarks.NAME --help  one, with its own options
"""

import importlib
import pkgutil
import sys

import benchmarks

#: How big a run of all of them is, where a program would measure for longer by itself.
OPTIONS = {
    "exports": ["--rows", "100000"],
    "imports": ["--rows", "200000", "--dnc", "200000"],
    "phones": ["--rows", "50000"],
    "proofs": ["--seeds", "20"],
}


def main(words: list[str]) -> int:
    """Run the programs named, or all; 2 when there is none of a name."""
    names = [each.name for each in pkgutil.iter_modules(benchmarks.__path__)]
    names.remove("__main__")
    unknown = [word for word in words if word not in names]
    if unknown:
        sys.stderr.write(f"error: no benchmark {unknown[0]!r}; there are {', '.join(names)}\n")
        return 2
    for name in words or names:
        print(f"== {name} ==", flush=True)
        sys.argv = [name, *OPTIONS.get(name, [])]
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
