"""`dialer amd`: who picked up, a person or a machine, and how well that is told."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands import amd_audio, amd_report
from dialer.commands.console import emit, say, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dialer.evaluation.texts import Judged

app = typer.Typer(help="Who picked up, and how well that is told.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def amd() -> None:
    """Who picked up, and how well that is told."""


@app.command(epilog="Example: dialer amd evaluate --texts greetings.csv --json")
def evaluate(
    texts: Annotated[
        Path | None, typer.Option(help="CSV file with the columns label, lang, text.")
    ] = None,
    audio: Annotated[
        Path | None, typer.Option(help="CSV file with the columns file, label: recordings.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Model of `dialer amd train`; without it the shipped one.")
    ] = None,
    errors: Annotated[
        bool, typer.Option("--errors", help="List what was judged wrongly, people first.")
    ] = False,
    json_: Json = False,
) -> None:
    """Judge labelled texts, fed word by word, or recordings, fed as they would sound, and count.

    A label is human or machine; a column sublabel (of recordings: kind) is counted apart.
    False-machine is the share of people taken for machines, recall that of machines found; both
    with their 95 % interval.
    """
    from dialer.errors import UsageError

    if texts is not None and audio is not None:
        raise UsageError("--texts and --audio are judged apart; name one of them")
    if audio is not None:
        amd_audio.evaluate(audio, model, with_errors=errors, as_json=json_)
        return
    if texts is None:
        raise UsageError(
            "nothing to judge; name a file with --texts FILE.csv or --audio MANIFEST.csv"
        )
    _evaluate_texts(texts, with_errors=errors, as_json=json_)


def _evaluate_texts(path: Path, *, with_errors: bool, as_json: bool) -> None:
    from dialer.evaluation import texts

    found = list(texts.judged(texts.read(path)))
    figures = texts.summary(found)
    wrong = texts.errors(found) if with_errors else []
    if as_json:
        emit({**figures, "errors": wrong} if with_errors else figures)
        return
    _show(found, figures)
    for each in wrong:
        say(f"  row {each['row']}: {each['label']} {each['lang']}: {each['text']}")
        say(f"    {each['cause'] or 'nothing decided'}")


def _show(found: "Sequence[Judged]", figures: dict[str, Any]) -> None:
    rows = [("all", figures), *figures["per_label"].items(), *figures["per_language"].items()]
    columns = ["of", "texts", "false-machine", "recall", "words p50", "words p90"]
    table(columns, [_row(name, each) for name, each in rows])
    say(f"{len(found):,} texts judged")


def _row(name: str, figures: dict[str, Any]) -> list[object]:
    from dialer.evaluation.intervals import Rate

    rates = [Rate(figures[key]["hits"], figures[key]["of"]) for key in ("false_machine", "recall")]
    words = figures["words_to_machine"]
    return [name, figures["texts"], *map(str, rates), words["p50"], words["p90"]]


app.command(epilog="Example: dialer amd train calls.csv --out calls.onnx")(amd_audio.train)
app.command(epilog=amd_report.EXAMPLE)(amd_report.report)
