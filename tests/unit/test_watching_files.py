"""The rules and the board that come with the program ask for what the daemon tells."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from dialer.metrics.registry import Metrics
from tests.support.cli import ROOT

ALERTS: Final = ROOT / "deploy" / "prometheus" / "alerts.yml"
BOARD: Final = ROOT / "deploy" / "grafana" / "dialer.json"
#: A metric in an expression, and the labels that are asked for.
ASKED: Final = re.compile(r"\b((?:dialer|process)_[a-z_]+)(?:\{([^}]*)\})?")
LINE: Final = re.compile(r"\s*(?:- )?(\w+): ?(.*)")


def series() -> Mapping[str, frozenset[str]]:
    """The names of all samples, with the labels of each."""
    told: dict[str, frozenset[str]] = {}
    for family in Metrics().registry.collect():
        suffixes = {
            "counter": ["_total"],
            "histogram": ["_bucket", "_sum", "_count"],
            "info": ["_info"],
        }.get(family.type, [""])
        labels = {name for sample in family.samples for name in sample.labels}
        names = labels | set(getattr(family, "_labelnames", ()))
        told |= {f"{family.name}{suffix}": frozenset(names) for suffix in suffixes}
    return told


def rules() -> list[dict[str, str]]:
    """Every rule with what is said of it; the file keeps each value on a line of its own."""
    found: list[dict[str, str]] = []
    for line in ALERTS.read_text(encoding="utf-8").splitlines():
        if match := LINE.fullmatch(line):
            name, value = match[1], match[2]
            if name == "alert":
                found.append({})
            if found and value:
                found[-1][name] = json.loads(value) if value.startswith('"') else value
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    for panel in board()["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def board() -> Any:
    return json.loads(BOARD.read_text(encoding="utf-8"))


def test_every_metric_that_is_asked_for_is_told_with_its_labels() -> None:
    told = series()

    unknown = []
    for expression in expressions():
        for name, labels in ASKED.findall(expression):
            asked = set(re.findall(r"(\w+)\s*=", labels)) - {"job", "instance"}
            if name not in told or asked - told[name]:
                unknown.append((name, asked))

    assert unknown == []


def test_what_is_told_is_on_the_board_or_in_a_rule() -> None:
    asked = {name for expression in expressions() for name, _ in ASKED.findall(expression)}
    bases = {re.sub(r"_(total|bucket|sum|count|info)$", "", name) for name in asked}

    told = {re.sub(r"_(total|bucket|sum|count|info)$", "", name) for name in series()}
    ours = {name for name in told if name.startswith("dialer_")}
    assert ours - bases == {
        "dialer_amd_results",
        "dialer_build",
        "dialer_config_last_reload_success_timestamp_seconds",
        "dialer_db_busy",
        "dialer_numbers",
    }


def test_there_are_eight_rules_and_each_says_what_is_wrong() -> None:
    assert len(rules()) == 8
    for rule in rules():
        assert rule["severity"] in {"critical", "warning"}
        assert rule["summary"]
        assert len(rule["description"]) > len(rule["summary"])
        assert rule["expr"].count("(") == rule["expr"].count(")")


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_rule_is_explained(rule: Mapping[str, str]) -> None:
    page = (ROOT / "docs" / "how-to" / "monitoring.md").read_text(encoding="utf-8")

    assert f"`{rule['alert']}`" in page


def test_the_panels_of_the_board_stand_beside_each_other() -> None:
    panels = board()["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert all(x < 24 for x, _ in cells)
        taken |= cells
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["targets"]
    assert len({panel["id"] for panel in panels}) == len(panels)
