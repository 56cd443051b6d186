"""The how-tos of campaigns, rotation, retries and scripts: every command, in order, in one folder.

Other pages are run beside the tests of what they are about.
"""

import re
from pathlib import Path
from typing import Final

import pytest

from dialer.errors import DialerError
from retries.outcome import Outcome
from retries.policy import FINAL, Policy, RetryAt
from rotation.caller import CallerId, Ineligible, Limits
from rotation.pool import Pool
from rotation.strategies import Strategy
from tests.support import pages, tutorial
from tests.support.cli import ROOT, Cli

HOW_TO: Final = ROOT / "docs" / "how-to"
NUMBERS: Final = ("+16465550100", "+16465550101")
PEOPLE: Final = "phone,name,tags\n+12025550101,Ada Moss,vip\n+12025550102,Ben Ortiz,\n"
MORE: Final = "phone,name\n+12025550103,Cleo Park\n"


def page(name: str) -> str:
    return (HOW_TO / f"{name}.md").read_text(encoding="utf-8")


@pytest.fixture
def cli(tmp_path: Path, sqlite_template: bytes) -> Cli:
    """An operator's folder with numbers, hours and lists, whatever the hour at which it is run."""
    cli = Cli(tmp_path)
    cli.database.write_bytes(sqlite_template)
    (tmp_path / "people.csv").write_text(PEOPLE, encoding="utf-8")
    (tmp_path / "more.csv").write_text(MORE, encoding="utf-8")
    (tmp_path / "vip.txt").write_text("+12025550101\n", encoding="utf-8")
    cli.here("schedule", "create", "Office", "--hours", "mon-fri 09:00-17:00").ok()
    return cli


def given_numbers(cli: Cli) -> None:
    for number in NUMBERS:
        cli.here("numbers", "add", number).ok()


def given_campaign(cli: Cli, name: str, *words: str) -> None:
    made = ("campaign", "create", name, "--number", NUMBERS[0], "--say", "Hello", *words)
    cli.here(*made).ok()
    cli.here("contacts", "import", "people.csv", "--campaign", name, "--again").ok()


def run_all(cli: Cli, name: str) -> dict[str, str]:
    """What each command of the page printed; none ends otherwise than the page says."""
    text = page(name)
    for found in re.finditer(r"<!-- (\S+\.toml) -->\n```toml\n(.*?)```", text, re.DOTALL):
        (cli.folder / found[1]).write_text(found[2], encoding="utf-8")
    said = {}
    for shown in pages.indented(text):
        done = pages.run(shown, cli)
        assert done.code == shown.code, (shown, done)
        said[shown.line] = done.out + done.err
    assert said
    return said


def test_the_page_about_campaigns_runs_as_it_says(cli: Cli) -> None:
    given_numbers(cli)

    said = run_all(cli, "campaigns")

    previewed = said["dialer campaign settings set Renewals call_interval=5s retries=3 --preview"]
    assert "call_interval\t10s\t5s\nretries\t2\t3\n" in previewed
    assert "2 contacts" in said['dialer campaign clone Renewals "Renewals for all" --contacts']


def test_the_page_about_rotation_runs_as_it_says(cli: Cli) -> None:
    cli.here("rules", "off", "US", "--reason", "a test").ok()

    said = run_all(cli, "rotation")

    assert "no number may call" in said["dialer campaign start Renewals"]


def test_what_needs_a_carrier_is_run_with_the_tutorial() -> None:
    (asked,) = pages.blocks(page("rotation"), None)

    assert set(pages.commands(asked)) <= set(tutorial.operator("account"))


def test_the_page_about_retries_runs_as_it_says(cli: Cli) -> None:
    given_numbers(cli)
    given_campaign(cli, "Renewals")
    cli.here("contacts", "skip", "+12025550101", "-c", "Renewals", "--reason", "a-test").ok()

    said = run_all(cli, "retries")

    rules = said["dialer campaign settings get Renewals retry_rule"]
    assert "busy=5m,15m; rejected=never" in rules


def test_the_page_about_scripts_runs_as_it_says(cli: Cli) -> None:
    given_numbers(cli)
    given_campaign(cli, "Renewals")
    given_campaign(cli, "Survey")

    said = run_all(cli, "scripting")

    assert said['dialer contacts list --where "name~ada" --where "tags=vip"'].count("+1202") == 1


# -- what the pages say in words ------------------------------------------------------------------


def rows(text: str, heading: str) -> list[list[str]]:
    """The table under a heading, cell by cell."""
    section = text.partition(heading)[2]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_outcomes_is_the_default_policy() -> None:
    told = {cells[0].strip("`"): cells[2] for cells in rows(page("retries"), "# Calling again")[2:]}
    policy = Policy()

    def again(outcome: Outcome) -> bool:
        return isinstance(policy.decide(outcome, 1, 0, 0.0, lambda at: at), RetryAt)

    assert set(told) == {outcome.value for outcome in Outcome}
    assert {name: not text.startswith("never") for name, text in told.items()} == {
        outcome.value: again(outcome) for outcome in Outcome
    }
    assert {name for name, text in told.items() if text.startswith("never")} == {
        outcome.value for outcome, reason in FINAL.items() if reason
    }


def test_the_table_of_exit_codes_has_every_error() -> None:
    told = {int(cells[0]) for cells in rows(page("scripting"), "## Exit codes")[2:]}

    def below(kind: type[DialerError]) -> set[int]:
        return {kind.exit_code}.union(*(below(each) for each in kind.__subclasses__()))

    assert below(DialerError) <= told
    assert told >= {0, 7, 124, 130}


def test_the_table_of_reasons_has_all_that_keeps_a_number_out() -> None:
    told = [
        re.findall("`([a-z_]+)`", cells[0])[0]
        for cells in rows(page("rotation"), "## Which may")[2:]
    ]

    assert told == [reason.value for reason in Ineligible]


def caller(id_: int, **known: object) -> CallerId:
    plain = CallerId(
        id=id_, phone=f"+1646555010{id_}", weight=1, enabled=True, spam_score=None, calls_today=0,
        live_calls=0, max_live=None, day_ends_at=1, last_turn=0, credit=0, last_used_at=None,
    )  # fmt: skip
    return plain._replace(**known)  # type: ignore[arg-type]  # as each test names them


LIMITS: Final = Limits(spam_threshold=7, max_calls_per_day=100)


def taken(strategy: Strategy, calls: int, *callers: CallerId) -> str:
    pool = Pool(callers, LIMITS, strategy, now=0)
    found = [pool.take() for _ in range(calls)]
    return ", ".join("ABC"[each.id - 1] for each in found if each)


@pytest.mark.parametrize(
    ("strategy", "callers", "said"),
    [
        (Strategy.ROUND_ROBIN, [{}, {}, {}], "A, B, C, A, B, C"),
        (Strategy.ROUND_ROBIN, [{}, {"calls_today": 100}, {}], "A, C, A, C"),
        (
            Strategy.LEAST_USED_TODAY,
            [{"calls_today": 12}, {"calls_today": 10}, {"calls_today": 10}],
            "B, C, B, C",
        ),
        (Strategy.WEIGHTED, [{}, {"weight": 3}, {}], "B, A, B, C, B"),
    ],
)
def test_the_worked_examples_of_strategies_are_so(
    strategy: Strategy, callers: list[dict[str, object]], said: str
) -> None:
    given = [caller(at, **known) for at, known in enumerate(callers, 1)]

    assert taken(strategy, said.count(",") + 1, *given) == said
    assert said in page("rotation")


def test_the_lowest_score_is_taken_until_its_cap() -> None:
    given = (
        caller(1, spam_score=2.0, calls_today=99),
        caller(2, spam_score=0.0, calls_today=98),
        caller(3, spam_score=5.0),
    )

    assert taken(Strategy.LOWEST_SPAM, 5, *given) == "B, B, A, C, C"


def test_what_is_said_when_no_number_is_usable_is_so() -> None:
    spent, bad = caller(1, calls_today=100), caller(2, spam_score=8.0)
    unavailable = Pool([spent, bad], LIMITS, Strategy.ROUND_ROBIN, now=0).unavailable()

    assert unavailable is not None
    assert unavailable.text in page("rotation")
