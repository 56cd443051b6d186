"""`dialer amd train`, and the part of `dialer amd evaluate` that listens to recordings."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.console import emit, say, table

if TYPE_CHECKING:
    from amd.audio.model import Model
    from dialer.evaluation.audio import Judged

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def train(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST.csv", help="CSV file with the columns file, label.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the model goes, as calls.onnx.")],
    scenes: Annotated[
        float,
        typer.Option(
            help="Build scenes from clips, this many times the shipped model's; 0 takes calls.",
            min=0,
            max=100,
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(help="Of everything random.", min=0)] = 1,
    workers: Annotated[int, typer.Option(help="Processes that listen.", min=1, max=64)] = 1,
    json_: Json = False,
) -> None:
    """Train a model on your own labelled calls; the same input makes the same file.

    Each row names a recording that begins when the call was answered (WAV, one channel, 8,000 Hz,
    mu-law or 16-bit) and its label, human or machine; 20 of each at least. A column speaker keeps
    calls of one voice together. A JSON file beside the model says what it was made of.
    """
    made = _with_extra("train", lambda: _made(manifest, out, scenes, seed, workers))
    facts = {key: value for key, value in made.facts.items() if key != "recordings"}
    if json_:
        emit({"file": str(made.out), "bytes": made.size, **facts})
        return
    unheard = facts["unheard_voices"]
    rows = [[name, _rate(unheard[name])] for name in ("false_machine", "recall")]
    table(["on voices not heard", "rate"], [[name.replace("_", "-"), rate] for name, rate in rows])
    say(f"model {made.version!r} is in {made.out} ({made.size:,} bytes)")
    say(f"next:  dialer amd evaluate --audio OTHER.csv --model {made.out}")


def evaluate(manifest: Path, model: Path | None, *, with_errors: bool, as_json: bool) -> None:
    """Judge labelled recordings, and print counts, rates and times."""
    found = _with_extra("ml", lambda: _judged(manifest, model))
    from dialer.evaluation import audio

    figures = audio.summary(found)
    wrong = audio.errors(found) if with_errors else []
    if as_json:
        emit({**figures, "errors": wrong} if with_errors else figures)
        return
    _show(figures)
    for each in wrong:
        say(f"  row {each['row']}: {each['label']}: {each['file']}")


def load_model(path: Path | None) -> "Model":
    """The model of a file, or the shipped one; raises UsageError for a file that is none."""
    from amd.audio import model
    from dialer.errors import UsageError

    try:
        return model.load(path and str(path))
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except model.ModelError as error:
        raise UsageError(
            f"{str(path)!r}: {error}", next_step="dialer amd train MANIFEST.csv --out FILE"
        ) from error


def _made(manifest: Path, out: Path, scenes: float, seed: int, workers: int) -> Any:
    from dialer.training.making import make

    return make(manifest, out, scenes=scenes, seed=seed, workers=workers, tell=say)


def _judged(manifest: Path, model: Path | None) -> "list[Judged]":
    from dialer.evaluation import audio
    from dialer.evaluation.recordings import recordings

    return list(audio.judged(recordings(manifest), load_model(model)))


def _with_extra(extra: str, work: Callable[[], Any]) -> Any:
    """Do *work*, which needs libraries that not everybody installs."""
    from dialer.errors import UsageError

    try:
        return work()
    except ModuleNotFoundError as error:
        raise UsageError(
            f"this needs {error.name}, which is not installed",
            next_step=f"pip install 'dialer[ml,{extra}]' (in a checkout: make ml)",
        ) from error


def _show(figures: dict[str, Any]) -> None:
    parts = [("all", figures), *figures["per_label"].items(), *figures["per_kind"].items()]
    columns = ["of", "calls", "false-machine", "recall", "by 3 s", "by 5 s", "person after speech"]
    table(columns, [_row(name, each) for name, each in parts])
    say(f"{figures['recordings']:,} recordings judged")


def _row(name: str, figures: dict[str, Any]) -> list[object]:
    moments = [
        f"{_share(by['false_machine'])} / {_share(by['recall'])}"
        for by in figures["by_ms"].values()
    ]
    after = figures["human_after_speech_ms"]
    waited = "-" if after["p50"] is None else f"{after['p50']} / {after['p95']} ms"
    rates = [_rate(figures[key]) for key in ("false_machine", "recall")]
    return [name, figures["recordings"], *rates, *moments, waited]


def _rate(found: dict[str, Any]) -> str:
    from dialer.evaluation.intervals import Rate

    return str(Rate(found["hits"], found["of"]))


def _share(found: dict[str, Any]) -> str:
    return "-" if found["rate"] is None else f"{found['rate']:.1%}"
