"""The structure holds: layers, one door each, no ambient time or chance, no SQL made of strings."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from importlinter.api import read_configuration
from importlinter.cli import lint_imports

ROOT: Final = Path(__file__).parent.parent
PACKAGES: Final = ("dialer", "rotation", "amd", "retries")
PRODUCT: Final = ("cli.py", *(f"{package}/**/*.py" for package in PACKAGES))

# The two ports to the machine: the time is read in one, chance and names are drawn in the other.
PORTS_TO_THE_MACHINE: Final = ("dialer/clock.py", "dialer/randomness.py")

AMBIENT: Final = re.compile(
    r"""time\.(time|monotonic|perf_counter|process_time|clock_gettime)(_ns)?
      | time\.(localtime|gmtime|ctime)
      | datetime\.datetime\.(now|utcnow|today)
      | datetime\.date\.today
      | random\.(?!Random$)\w+                  # Random(seed) repeats itself
      | secrets\.(?!compare_digest$)\w+
      | uuid\.(uuid1|uuid4|uuid6|uuid7|getnode)
      | os\.(urandom|getrandom)
      | sqlalchemy\.func\.(now|random|current_\w+|\w+_timestamp)
    """,
    re.VERBOSE,
)
AMBIENT_SQL: Final = re.compile(
    r"""\b(current_(timestamp|date|time)|localtime(stamp)?|unixepoch)\b
      | \b(now|random|randomblob|clock_timestamp|statement_timestamp|transaction_timestamp
          |timeofday|gen_random_uuid|uuidv\d|uuid_generate_v\d)\s*\(
      | \b(date|time|datetime|julianday|strftime)\s*\([^)]*'now'
    """,
    re.VERBOSE | re.IGNORECASE,
)
SPAWNERS: Final = ("create_task", "ensure_future")
LOOP: Final = re.compile(r"(^|[._])loop(\(\))?$")
RUNS_SQL: Final = re.compile(r"execute\w*|fetch(row|val|many|all)?|prepare|text")

Finding: TypeAlias = str
Lint: TypeAlias = Callable[[ast.Module], Iterator[Finding]]


# -- layers and doors ----------------------------------------------------------------------------


def contracts() -> list[dict[str, Any]]:
    options: list[dict[str, Any]] = read_configuration(str(ROOT / "pyproject.toml"))[
        "contracts_options"
    ]
    return options


def lint_the_imports_of(tree: Path) -> str:
    """What import-linter prints about a tree of its own, in a process of its own."""
    command = "from importlinter.cli import lint_imports_command as run; run()"
    options = ("--no-logo", "--no-cache", "--config", str(ROOT / "pyproject.toml"))
    done = subprocess.run(
        [sys.executable, "-c", command, *options],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.stdout + done.stderr


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    """Every module the contracts name, empty but for what its door is there for."""
    named = set(PACKAGES)
    for contract in contracts():
        for container in contract.get("containers", []):
            layers = " ".join(contract["layers"])
            named |= {f"{container}.{name}" for name in re.findall(r"\w+", layers)}
        named |= set(contract.get("allowed_importers", []))
        named |= set(contract.get("source_modules", []))
    packages = {name.rpartition(".")[0] for name in named} | set(PACKAGES)
    for name in named:
        path = tmp_path.joinpath(*name.split("."))
        file = path / "__init__.py" if name in packages else path.with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    for contract in contracts():
        for importer in contract.get("allowed_importers", []):
            for module in contract["protected_modules"]:
                plant(tmp_path, importer, f"import {module}")
    return tmp_path


def plant(tree: Path, module: str, line: str) -> None:
    path = tree.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    file.write_text(f"{file.read_text()}{line}\n")


def test_the_import_contracts_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = lint_imports(str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)

    assert verdict == 0, capsys.readouterr().out


def test_a_tree_in_good_order_keeps_every_contract(skeleton: Path) -> None:
    report = lint_the_imports_of(skeleton)

    assert f"{len(contracts())} kept, 0 broken" in report, report


def test_every_contract_notices_what_it_forbids(skeleton: Path) -> None:
    plant(skeleton, "rotation", "import retries")  # the domain packages stand alone
    plant(skeleton, "dialer.ports", "import dialer.calls")  # layers
    plant(skeleton, "dialer.claims", "import dialer.plans")  # no cycles
    plant(skeleton, "dialer.plans", "import dialer.claims")
    plant(skeleton, "dialer.pacing", "def now():\n    import time")  # the core is pure
    plant(skeleton, "dialer.audit", "import dialer.states")  # the audit shares nothing
    for contract in contracts():
        for module in contract.get("protected_modules", []):
            plant(skeleton, "dialer.dispatcher", f"import {module}")

    report = lint_the_imports_of(skeleton)

    assert f"0 kept, {len(contracts())} broken" in report, report


def test_the_command_line_opens_no_door() -> None:
    behind_doors = {
        name for contract in contracts() for name in contract.get("protected_modules", [])
    }
    imported = meanings(ast.parse((ROOT / "cli.py").read_text())).values()

    assert not behind_doors & {name.partition(".")[0] for name in imported}


#: What listening to sound needs besides; whoever judges by words does without.
SOUND = ROOT / "amd" / "audio"
FOR_SOUND = {"numpy", "onnxruntime"}


def test_the_domain_packages_need_the_standard_library_alone() -> None:
    for package in PACKAGES[1:]:
        for file in sorted((ROOT / package).rglob("*.py")):
            imported = meanings(ast.parse(file.read_text())).values()
            tops = {name.partition(".")[0] for name in imported}
            more = FOR_SOUND if file.is_relative_to(SOUND) else set()
            assert tops <= sys.stdlib_module_names | {package} | more, file


# -- what imports cannot show --------------------------------------------------------------------


def meanings(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for: its full name, by the name it has in the module."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                for alias in names:
                    top = alias.name.partition(".")[0]
                    known[alias.asname or top] = alias.name if alias.asname else top
            case ast.ImportFrom(module=str(module), names=names, level=0):
                known |= {alias.asname or alias.name: f"{module}.{alias.name}" for alias in names}
    return known


def dotted(node: ast.AST) -> str | None:
    """``a.b.c`` as it is written, or None for anything that is not plain names."""
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(value, attribute):
            return (owner := dotted(value)) and f"{owner}.{attribute}"
    return None


def resolved(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Every use of an imported name, by the full name of what it means."""
    meaning = meanings(tree)
    for node in ast.walk(tree):
        base, dot, rest = (dotted(node) or "").partition(".")
        if base in meaning:
            yield node, f"{meaning[base]}{dot}{rest}"


def ambient_reads(tree: ast.Module) -> Iterator[Finding]:
    """The clock, chance or fresh ids, taken from the machine instead of an argument."""
    for node, name in resolved(tree):
        if AMBIENT.fullmatch(name):
            yield at(node, f"{name} is read here; take the clock, rng or id as an argument")
    seeds = {id(node) for node, name in resolved(tree) if name == "random.Random"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and id(node.func) in seeds and not node.args:
            yield at(node, "Random() seeds itself from the machine; give it a seed")


def stray_tasks(tree: ast.Module) -> Iterator[Finding]:
    """Tasks outside a TaskGroup: their errors get lost, and nobody waits for them."""
    for node, name in resolved(tree):
        if name in {f"asyncio.{spawner}" for spawner in SPAWNERS}:
            yield at(node, f"{name}; use a TaskGroup")
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in SPAWNERS:
                if LOOP.search(ast.unparse(owner)):
                    yield at(node, f"a loop's {attr}; use a TaskGroup")


def composed_sql(tree: ast.Module) -> Iterator[Finding]:
    """A statement put together from strings: a parameter belongs in a placeholder."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=[first, *_]):
                if RUNS_SQL.fullmatch(name) and is_composed(first):
                    yield at(node, f"{name}() of a composed string; use placeholders")


def is_composed(node: ast.expr) -> bool:
    match node:
        case ast.JoinedStr(values):
            return any(isinstance(value, ast.FormattedValue) for value in values)
        case ast.BinOp(op=ast.Add() | ast.Mod()):
            return True
        case ast.Call(func=ast.Attribute(attr="format" | "join" | "replace")):
            return True
    return False


def ambient_sql(tree: ast.Module) -> Iterator[Finding]:
    """SQL in Python strings that lets the database read its clock or roll its dice."""
    prose = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in prose:
                for found in AMBIENT_SQL.finditer(text):
                    yield at(node, f"{found[0]!r} in SQL; pass the value as a parameter")


def at(node: ast.AST, what: str) -> Finding:
    return f"line {getattr(node, 'lineno', '?')}: {what}"


def findings(lint: Lint, *patterns: str, excused: tuple[str, ...] = ()) -> list[Finding]:
    return [
        f"{name}, {finding}"
        for pattern in patterns
        for file in sorted(ROOT.glob(pattern))
        if (name := file.relative_to(ROOT).as_posix()) not in excused
        for finding in lint(ast.parse(file.read_text()))
    ]


def test_only_the_ports_read_the_clock_chance_and_ids() -> None:
    assert findings(ambient_reads, *PRODUCT, excused=PORTS_TO_THE_MACHINE) == []


def test_every_task_belongs_to_a_group() -> None:
    assert findings(stray_tasks, *PRODUCT) == []


def test_no_statement_is_composed_of_strings() -> None:
    # Tables and columns have no placeholders: a migration composes names of its own.
    migrations = [
        file.relative_to(ROOT).as_posix() for file in ROOT.glob("dialer/store/migrations/**/*.py")
    ]
    assert findings(composed_sql, *PRODUCT, excused=tuple(migrations)) == []


def test_sql_takes_time_and_chance_as_parameters() -> None:
    in_files = [
        f"{file.relative_to(ROOT)}: {found[0]!r}"
        for file in sorted((ROOT / "dialer").rglob("*.sql"))
        for found in AMBIENT_SQL.finditer(re.sub(r"--.*", "", file.read_text()))
    ]

    assert in_files == []
    assert findings(ambient_sql, "dialer/store/**/*.py") == []


@pytest.mark.parametrize(
    ("lint", "code"),
    [
        (ambient_reads, "import time\nstart = time.monotonic()"),
        (ambient_reads, "from time import time_ns as tick\ntick()"),
        (ambient_reads, "from datetime import UTC, datetime\ndatetime.now(UTC)"),
        (ambient_reads, "import datetime as dt\ndt.date.today()"),
        (ambient_reads, "import random\nrandom.shuffle(pool)"),
        (ambient_reads, "from random import Random\ndice = Random()"),
        (ambient_reads, "from secrets import token_urlsafe\nurl = token_urlsafe()"),
        (ambient_reads, "from uuid import uuid4\nnames = map(uuid4, calls)"),
        (ambient_reads, "import os\nos.urandom(16)"),
        (ambient_reads, "import sqlalchemy as sa\ndefault = sa.func.now()"),
        (stray_tasks, "import asyncio\nasyncio.create_task(ring())"),
        (stray_tasks, "from asyncio import ensure_future as go\ngo(ring())"),
        (stray_tasks, "asyncio.get_running_loop().create_task(ring())"),
        (stray_tasks, "self._loop.create_task(ring())"),
        (composed_sql, "db.execute(f'SELECT {column} FROM calls')"),
        (composed_sql, "db.executemany('SELECT ' + column, rows)"),
        (composed_sql, "db.fetchrow('SELECT %s' % column)"),
        (composed_sql, "text('SELECT {}'.format(column))"),
        (ambient_sql, "db.execute('SELECT now()')"),
        (ambient_sql, "sa.Column(server_default='CURRENT_TIMESTAMP')"),
        (ambient_sql, "QUERY = \"SELECT strftime('%s', 'now')\""),
        (ambient_sql, "QUERY = 'SELECT id FROM members ORDER BY random()'"),
    ],
)
def test_a_lint_notices(lint: Lint, code: str) -> None:
    assert list(lint(ast.parse(code)))


@pytest.mark.parametrize(
    ("lint", "code"),
    [
        (ambient_reads, "def due(now: int) -> bool: return now > self.due_at"),
        (ambient_reads, "from datetime import datetime, time\ndatetime.combine(day, time(9))"),
        (ambient_reads, "from random import Random\ndice = Random(seed)"),
        (ambient_reads, "import asyncio\nasyncio.get_running_loop().time()"),
        (ambient_reads, "from dialer.clock import time\ntime.time()"),
        (stray_tasks, "async with TaskGroup() as loops: loops.create_task(ring())"),
        (composed_sql, "db.execute('SELECT 1 WHERE id = ?', (call_id,))"),
        (composed_sql, "db.execute(queries['claim'].text, values)"),
        (composed_sql, "log.info(f'{calls} calls')"),
        (ambient_sql, 'def later() -> str:\n    """Not now(), later."""'),
        (ambient_sql, "QUERY = 'UPDATE calls SET ended_at = :now WHERE id = :id'"),
    ],
)
def test_a_lint_leaves_alone(lint: Lint, code: str) -> None:
    assert list(lint(ast.parse(code))) == []
