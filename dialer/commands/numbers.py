"""`dialer numbers`: the caller ids campaigns call from."""

from typing import TYPE_CHECKING, Annotated

import typer

from dialer.commands import numbers_more
from dialer.commands.console import counted, emit, say, table
from dialer.commands.numbers_view import listed

if TYPE_CHECKING:
    from dialer.numbers import NumberReport

app = typer.Typer(help="The numbers campaigns call from.", no_args_is_help=True)

Phone = Annotated[str, typer.Argument(help="The number, as in +12025550123.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(epilog="Example: dialer numbers add +12025550123 --name 'Main line' --max-live 5")
def add(
    phone: Phone,
    name: Annotated[str, typer.Option(help="What operators call it.")] = "",
    zone: Annotated[
        str | None, typer.Option(help="Time zone of its day; else the number's own.")
    ] = None,
    max_live: Annotated[int | None, typer.Option(help="Calls at once; else no limit.")] = None,
    score: Annotated[float | None, typer.Option(help="Spam score, 0-10.")] = None,
    json_: Json = False,
) -> None:
    """Add a number to call from."""
    from dialer import numbers
    from dialer.commands.session import settings_of, writing
    from dialer.ports import Tx

    settings = settings_of()
    new = numbers.NewNumber(phone, name, zone, max_live, score)

    async def use_case(tx: Tx, now: int) -> tuple[int, str]:
        return await numbers.add(
            tx, new, now, region=settings.default_region, default_zone=settings.default_zone
        )

    number_id, written = writing(use_case)
    if json_:
        emit({"id": number_id, "phone": written})
        return
    say(f"number {written} is added (id {number_id})")
    say(f"next:  dialer campaign create NAME --number {written} --say 'Hello {{{{name}}}}'")


@app.command("list", epilog="Example: dialer numbers list --json")
def list_(json_: Json = False) -> None:
    """All numbers, with their calls today and their spam scores."""
    from dialer import numbers
    from dialer.commands.session import reading
    from dialer.ports import Tx

    async def use_case(tx: Tx, now: int) -> list["NumberReport"]:
        return await numbers.reports(tx, now)

    reports = [listed(each) for each in reading(use_case)]
    if json_:
        emit(reports)
        return
    if not reports:
        say("no numbers yet; add one: dialer numbers add +12025550123")
    columns = ["phone", "name", "status", "calls_today", "calls_total", "score", "band", "zone"]
    table(
        [column.replace("_", " ") for column in columns],
        [[each[column] for column in columns] for each in reports],
        spare=("calls total", "band", "name", "zone"),
    )


@app.command(epilog="Example: dialer numbers enable +12025550123")
def enable(phone: Phone, json_: Json = False) -> None:
    """Let campaigns call from a number again."""
    from dialer import numbers
    from dialer.commands.session import settings_of, writing
    from dialer.ports import Row, Tx

    region = settings_of().default_region

    async def use_case(tx: Tx, now: int) -> Row:
        return await numbers.enable(tx, phone, region, now)

    row = writing(use_case)
    if json_:
        emit({"id": row["id"], "phone": row["phone"], "status": "active"})
    else:
        say(f"number {row['phone']} is active")


@app.command(epilog="Example: dialer numbers disable +12025550123")
def disable(phone: Phone, json_: Json = False) -> None:
    """Start no new call from a number; running ones go on."""
    from dialer import numbers
    from dialer.commands.session import settings_of, writing
    from dialer.ports import Row, Tx

    region = settings_of().default_region

    async def use_case(tx: Tx, now: int) -> Row:
        return await numbers.disable(tx, phone, region, now)

    row = writing(use_case)
    if json_:
        emit({"id": row["id"], "phone": row["phone"], "status": "disabled"})
    else:
        say(f"number {row['phone']} is disabled")


@app.command(epilog="Example: dialer numbers score +12025550123 6.5")
def score(
    phone: Phone,
    value: Annotated[float, typer.Argument(help="0 (good) to 10 (marked as spam).")],
    json_: Json = False,
) -> None:
    """Set a number's spam score by hand."""
    from dialer import numbers
    from dialer.commands.session import settings_of, writing
    from dialer.ports import Row, Tx

    region = settings_of().default_region

    async def use_case(tx: Tx, now: int) -> Row:
        return await numbers.score(tx, phone, value, region, now)

    row = writing(use_case)
    band = numbers.band_of(value)
    if json_:
        emit({"id": row["id"], "phone": row["phone"], "score": value, "band": band})
    else:
        say(f"number {row['phone']} has score {value:g} ({band})")


@app.command(epilog="Example: dialer numbers sync")
def sync(json_: Json = False) -> None:
    """Add the numbers that the carrier's account owns."""
    from dialer import numbers
    from dialer.commands.session import Desk, carrier_of, working

    async def use_case(desk: Desk) -> tuple[list[str], list[str]]:
        async with carrier_of(desk.settings, desk.clock) as carrier:
            owned = await carrier.owned_numbers()
        default_zone = desk.settings.default_zone
        async with desk.database.write() as tx:
            now = desk.clock.now()
            added = await numbers.sync(tx, owned, now, default_zone=default_zone)
        return [each.phone for each in owned], list(added)

    owned, added = working(use_case, whole=True)
    if json_:
        emit({"owned": owned, "added": added})
        return
    say(f"the account owns {counted(len(owned), 'number')}; {len(added)} new here")
    table(["phone"], [[phone] for phone in added])


app.command(epilog="Example: dialer numbers show +12025550123")(numbers_more.show)
app.command("test", epilog="Example: dialer numbers test +12025550123")(numbers_more.ask_carrier)
app.command(epilog="Example: dialer numbers exclude +12025550123 --campaign Renewals")(
    numbers_more.exclude
)
app.command(epilog="Example: dialer numbers remove +12025550123 --yes")(numbers_more.remove)
