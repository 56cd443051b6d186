"""The project as a whole: what a fresh checkout needs is there, pinned and free of this machine."""

import os
import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import dialer

ROOT: Final = Path(__file__).parent.parent
RUNTIME: Final = "requirements.txt"
DEVELOPMENT: Final = "requirements-dev.txt"
LOCKS: Final = (RUNTIME, DEVELOPMENT)

# Written so that this file does not contain them itself.
FOREIGN: Final = {
    "a home directory": re.compile(r"/[h]ome/\w|/[U]sers/\w|/[r]oot/\w|[A-Z]:\\[U]sers\\"),
    "a package index": re.compile(r"[p]ypi\.org|[p]ythonhosted\.org"),
}


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def declared(*groups: str) -> list[Requirement]:
    """What the project asks for: its dependencies, then those of *groups*."""
    project = pyproject()
    lines = list(project["project"]["dependencies"])
    for group in groups:
        lines += [line for line in project["dependency-groups"][group] if isinstance(line, str)]
    return [Requirement(line) for line in lines]


def entries(lock: str) -> list[str]:
    """The lock's requirements, each with its hashes on one line, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    return text.replace("\\\n", " ").splitlines()


def pins(lock: str) -> dict[str, Requirement]:
    found = [Requirement(line.partition("--hash")[0]) for line in entries(lock)]
    return {canonicalize_name(pin.name): pin for pin in found}


def version_of(pin: Requirement) -> str:
    return str(pin.specifier).removeprefix("==")


def needed(requirement: Requirement, seen: set[str]) -> Iterator[str]:
    """*requirement* and all it pulls in on this interpreter, by canonical name."""
    name = canonicalize_name(requirement.name)
    here = [{"extra": extra} for extra in ("", *requirement.extras)]
    if f"{requirement}" in seen:
        return
    seen.add(f"{requirement}")
    yield name
    for line in distribution(name).requires or ():
        inner = Requirement(line)
        if inner.marker is None or any(inner.marker.evaluate(extra) for extra in here):
            yield from needed(inner, seen)


def checked_in() -> Iterator[Path]:
    """Every file of the tree that .gitignore does not leave out."""
    ignored = [".git", *(ROOT / ".gitignore").read_text().split()]

    def kept(name: str) -> bool:
        return not any(fnmatch(name, pattern.strip("/")) for pattern in ignored)

    for folder, folders, files in os.walk(ROOT):
        folders[:] = filter(kept, folders)
        yield from (Path(folder, name) for name in filter(kept, files))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_exact_versions_with_hashes_and_no_address(lock: str) -> None:
    for line in entries(lock):
        assert re.fullmatch(
            r"[a-z0-9.-]+==[^\s;]+( ; .+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*", line
        ), line


@pytest.mark.parametrize(
    ("lock", "groups"), [(RUNTIME, ("build",)), (DEVELOPMENT, ("build", "dev"))]
)
def test_a_lock_satisfies_what_the_project_declares(lock: str, groups: tuple[str, ...]) -> None:
    pinned = pins(lock)
    for requirement in declared(*groups):
        pin = pinned.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{lock} lacks {requirement.name}: make lock"
        assert requirement.specifier.contains(version_of(pin)), f"{lock}: {pin}: make lock"


@pytest.mark.parametrize(
    ("lock", "groups"), [(RUNTIME, ("build",)), (DEVELOPMENT, ("build", "dev"))]
)
def test_a_lock_is_complete(lock: str, groups: tuple[str, ...]) -> None:
    seen: set[str] = set()
    everything = {name for root in declared(*groups) for name in needed(root, seen)}

    assert everything - set(pins(lock)) == set()


def test_the_locks_agree() -> None:
    development = pins(DEVELOPMENT)

    assert all(development[name] == pin for name, pin in pins(RUNTIME).items())


def test_the_build_backend_is_the_locked_one() -> None:
    (backend,) = map(Requirement, pyproject()["build-system"]["requires"])

    assert pins(RUNTIME)[backend.name].specifier == backend.specifier


def test_the_version_is_told_once() -> None:
    assert dialer.__version__ == pyproject()["project"]["version"]
    assert f"## {dialer.__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(
    "entry",
    [
        "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "pyproject.toml",
        "requirements.txt", "requirements-dev.txt", "cli.py", ".ci/run", ".gitignore",
        "dialer/__init__.py", "rotation/__init__.py", "amd/__init__.py", "retries/__init__.py",
        "tests", "benchmarks", "docs/adr/README.md",
    ],
)  # fmt: skip
def test_what_others_look_for_is_there(entry: str) -> None:
    assert (ROOT / entry).exists()


def test_the_ci_script_can_be_run() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text()
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))

    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
    assert re.findall(r"\((\d{4}-[\w-]+\.md)\)", index) == records


def test_nothing_points_at_the_machine_it_was_written_on() -> None:
    found = [
        f"{path.relative_to(ROOT)} names {what}: {hit[0]}"
        for path in checked_in()
        for what, pattern in FOREIGN.items()
        for hit in pattern.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]

    assert found == []
