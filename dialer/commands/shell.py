"""The tree of commands: a noun's module is imported when it is used, and not before.

Every command takes the shared options of :mod:`dialer.commands.presentation` too, wherever they
stand in the line, unless it has one of the same name itself.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import islice
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command

from dialer.commands import presentation
from dialer.commands.presentation import Colour, Output

MORE_OPTIONS: Final = "Options of every command: dialer --help"


class Noun(NamedTuple):
    """Where a word of the command line is implemented, and what it is about."""

    place: str  # MODULE:ATTRIBUTE in dialer.commands, a Typer app or a function
    about: str
    kind: str  # the heading it stands under


class Tree(TyperGroup):
    """The top of the tree; subclasses say what is in it."""

    nouns: Mapping[str, Noun] = {}
    daily: Sequence[str] = ()  # those shown when nothing was asked for
    examples: Sequence[str] = ()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  the base names it
        """Every word, in the order of the table."""
        return list(self.nouns)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  as above
        """The command or group behind a word, made when it is asked for."""
        noun = self.nouns.get(cmd_name)
        if noun is None:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _made(cmd_name, noun)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As the base does, which looks for what may have been meant among what was made."""
        try:
            return super().resolve_command(ctx, args)
        except typer.TyperException as error:
            if args and args[0] not in self.nouns and "Did you mean" not in error.message:
                from dialer.suggestions import close_matches, did_you_mean

                meant = self._below(ctx, args[0]) or close_matches(args[0], self.nouns)
                error.message = f"no such command: {args[0]!r}{did_you_mean(meant)}"
            raise

    def _below(self, ctx: Any, word: str) -> list[str]:
        """Commands of nouns that are called *word*, those of every day first; few, as a hint is."""
        from dialer.suggestions import MEANT_AT_MOST

        nouns = sorted(self.nouns, key=lambda name: name not in self.daily)
        found = (
            f"{ctx.command_path} {name} {word}"
            for name in nouns
            if word in getattr(self.get_command(ctx, name), "commands", ())
        )
        return list(islice(found, MEANT_AT_MOST))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """What there is, by group, from the table alone."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name, noun in self.nouns.items():
            groups.setdefault(noun.kind, []).append((name, noun.about))
        formatter.write_usage(ctx.command_path, "COMMAND …")
        for title, rows in groups.items():
            with formatter.section(title):
                formatter.write_dl(rows)
        self._write_options(ctx, formatter)
        self._write_examples(formatter)

    def short_help_text(self, ctx: Any) -> str:
        """The commands of every day, and what to begin with."""
        formatter = ctx.make_formatter()
        formatter.write_usage(ctx.command_path, "COMMAND …")
        with formatter.section("Every day"):
            formatter.write_dl([(name, self.nouns[name].about) for name in self.daily])
        self._write_examples(formatter)
        formatter.write("\nEverything there is: dialer --help\n")
        return str(formatter.getvalue())

    def _write_options(self, ctx: Any, formatter: Any) -> None:
        records = [param.get_help_record(ctx) for param in self.get_params(ctx)]
        with formatter.section("Options, which may stand after any command"):
            formatter.write_dl([record for record in records if record])

    def _write_examples(self, formatter: Any) -> None:
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"  {example}\n")


def _made(name: str, noun: Noun) -> Any:
    module_name, _, attribute = noun.place.partition(":")
    module = import_module(f"dialer.commands.{module_name}")
    found = getattr(module, attribute)
    if not isinstance(found, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command(name=name, epilog=getattr(module, "EXAMPLES", None))(found)
        found = app
    command = get_command(found)
    command.name = name
    # Typer's own; ours is a noun.
    command.params = [each for each in command.params if "completion" not in (each.name or "")]
    give_shared_options(command)
    return command


def give_shared_options(command: Any) -> None:
    """Let every command of a tree take the shared options."""
    if isinstance(command, TyperGroup):
        command.params += [_hidden(each) for each in shared_options()]
        for each in command.commands.values():
            give_shared_options(each)
        return
    own = {flag for param in command.params for flag in param.opts}
    for param in command.params:
        if "--json" in param.opts:  # what another form of data needs is data
            param.default = lambda: presentation.current().wants_data
            param.show_default = False
            param.callback = _json_asked_for
    shared = [each for each in shared_options() if not own & set(each.opts)]
    # One line says where the others are told of.
    command.params += [each if "--output" in each.opts else _hidden(each) for each in shared]
    command.epilog = "\n\n".join(filter(None, [command.epilog, MORE_OPTIONS]))


def _json_asked_for(context: Any, param: Any, found: bool) -> bool:
    """``--json`` is a form of data like others, also where rows are chosen or cut."""
    source = context.get_parameter_source(param.name)
    if found and source is not None and source.name == "COMMANDLINE":
        asked = presentation.current()
        asked.output = asked.output or presentation.Output.JSON
    return found


def _hidden(param: Any) -> Any:
    param.hidden = True
    return param


def shared_options() -> list[Any]:
    """The shared options as parameters, whose values go to the presentation."""
    app = typer.Typer(add_completion=False)
    app.command()(_shared)
    return [each for each in get_command(app).params if each.expose_value is False]


def _takes(name: str) -> Any:
    def take(found: Any) -> Any:
        if found is not None and found is not False and found != []:
            setattr(presentation.current(), name, found)
        return found

    return take


def _names(name: str) -> Any:
    def take(found: str | None) -> str | None:
        if found:
            setattr(presentation.current(), name, tuple(part.strip() for part in found.split(",")))
        return found

    return take


def _option(*flags: str, into: Any, about: str, **more: Any) -> Any:
    return typer.Option(
        *flags,
        callback=into,
        expose_value=False,
        is_eager=True,
        help=about,
        **more,
    )


def _take_zone(found: str | None) -> str | None:
    if found and found != presentation.LOCAL:
        from dialer.timezones import zone

        zone(found)  # a mistake is told of, whether times are shown or not
    return _takes("zone")(found)  # type: ignore[no-any-return]  # what it was given


def _take_where(found: list[str] | None) -> list[str] | None:
    if found:
        presentation.current().where = tuple(found)
    return found


def _shared(
    output: Annotated[
        Output | None,
        _option("--output", "-o", into=_takes("output"), about="Form of the answer."),
    ] = None,
    columns: Annotated[
        str | None,
        _option(
            "--columns",
            metavar="A,B",
            into=_names("columns"),
            about="These fields, by their names in JSON: a,b.c.",
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        _option(
            "--where",
            metavar="TEXT",
            into=_take_where,
            about="Rows with 'state=retry and attempts>1'.",
        ),
    ] = None,
    sort: Annotated[
        str | None,
        _option("--sort", metavar="A,-B", into=_names("sort"), about="By fields: -attempts,id."),
    ] = None,
    limit: Annotated[
        int | None,
        _option("--limit", metavar="N", into=_takes("limit"), about="Rows at most.", min=0),
    ] = None,
    cursor: Annotated[
        str | None,
        _option("--cursor", metavar="ID", into=_takes("cursor"), about="Rows after this id."),
    ] = None,
    quiet: Annotated[
        bool, _option("--quiet", "-q", into=_takes("quiet"), about="No words, only data.")
    ] = False,
    verbose: Annotated[
        bool, _option("--verbose", "-v", into=_takes("verbose"), about="Where an error comes from.")
    ] = False,
    dry_run: Annotated[
        bool,
        _option(
            "--dry-run",
            "-n",
            into=_takes("dry_run"),
            about="Do it, say what came of it, and take it back.",
        ),
    ] = False,
    no_input: Annotated[
        bool, _option("--no-input", into=_takes("no_input"), about="Never ask anything.")
    ] = False,
    color: Annotated[
        Colour | None, _option("--color", into=_takes("colour"), about="When to use colour.")
    ] = None,
    tz: Annotated[
        str | None,
        _option(
            "--tz",
            metavar="ZONE",
            into=_take_zone,
            about="Zone of times: Europe/Berlin, local; else DIALER_DEFAULT_ZONE.",
        ),
    ] = None,
    database: Annotated[
        str | None,
        _option(
            "--database",
            "-d",
            metavar="NAME",
            into=_takes("database"),
            about="SQLite file or PostgreSQL DSN; else DIALER_DATABASE, else dialer.db.",
        ),
    ] = None,
    config: Annotated[
        str | None,
        _option(
            "--config", metavar="FILE", into=_takes("config"), about="TOML file; else dialer.toml."
        ),
    ] = None,
) -> None:
    """The options every command has."""
