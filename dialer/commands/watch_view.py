"""A frame of :mod:`dialer.watching` as lines of a screen. Pure: size, zone and alphabet are given.

Whatever the size, what comes first is whether what is seen is true, then how far the campaign is,
then why it is not faster; the newest calls take what room is left.
"""

import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from dialer.commands import words
from dialer.commands.console import one_line
from dialer.commands.screen import LABEL, WIDE, Line, Look, Span, apart, cut, fitted, flow
from dialer.commands.words import CALLABLE, Clock
from dialer.model import WaitReason
from dialer.ports import Row
from dialer.states import CampaignStatus, MemberState
from dialer.watching import Call, Frame, Life, Number, Rate

MS: Final = 1000
#: Below this many lines nothing is left empty.
TALL: Final = 20
_BARS: Final = "▁▂▃▄▅▆▇█"
_PLAIN_BARS: Final = "_:-=+*%#"
_LEAST_BAR: Final = 5  # calls that a bar of the sparkline needs
#: Told by the line of states already.
_NOT_WAITING: Final = frozenset({WaitReason.IN_CALL, WaitReason.AWAITING_OUTCOME})

HELP: Final = (
    ("q", "leave; the campaign goes on"),
    ("p", "pause the campaign: no new calls, running ones end by themselves"),
    ("r", "resume it"),
    ("e", "how to ask why one contact is or is not called"),
    ("?", "this"),
)


def draw(frame: Frame, look: Look) -> list[Line]:
    """At most as many lines as there is height, none wider than the screen."""
    if look.help:
        return fitted([*_head(frame, look), (), *_help(frame)], look)
    foot = _foot(look)
    fixed = [*_head(frame, look), *_progress(frame, look)]
    pace = _paced(frame, look)
    waits, numbers = list(_waits(frame, look)), list(_numbers(frame, look))
    calls = [_call(each, look) for each in frame.calls]
    gap: list[Line] = [()] if look.height >= TALL else []
    room = look.height - len(fixed) - len(pace) - len(foot) - 3 * len(gap)
    least_calls = min(len(calls), max(2, room // 3))
    least_waits = 1 if look.width >= WIDE else 2  # a heading alone says nothing
    waits = cut(waits, max(least_waits, room - least_calls - len(numbers)), look)
    numbers = cut(numbers, max(0, room - len(waits) - least_calls), look)
    calls = calls[: max(0, room - len(waits) - len(numbers))]
    body = [*fixed, *gap, *pace, *gap, *waits, *numbers, *gap, *calls]
    empty: list[Line] = [()] * (look.height - len(foot) - len(body)) if look.keys else []
    return fitted([*body, *empty, *foot], look)


# -- the top --------------------------------------------------------------------------------------


def _head(frame: Frame, look: Look) -> Iterator[Line]:
    if look.banner:
        yield (Span(f"! {one_line(look.banner)}", "bold red"),)
    glyph = words.STATUS[frame.status]
    badge = (look.glyph(glyph), Span(f" {frame.status}", glyph.colour))
    name: Line = (Span(one_line(frame.name), "bold"), Span("  "), *badge)
    clock = f"{look.clock.full(frame.at)} {look.clock.zone_name()}"
    right = (Span(f"{clock}  "), *_life(frame, look))
    lefts = [name] if frame.over else [(*name, Span(f"  {hours}")) for hours in _hours(frame, look)]
    yield from apart(lefts, right, look)
    if frame.held is not None:
        held = f"EVERYTHING IS HELD since {look.clock.short(frame.held.at)} by {frame.held.words}"
        yield (Span(one_line(held), "bold red"),)
    if frame.status is CampaignStatus.PAUSED:
        yield (Span(_paused(frame, look), "yellow"),)
    if frame.start_at is not None and frame.start_at > frame.at and not frame.over:
        yield (Span(f"starts {look.clock.short(frame.start_at)}", "yellow"),)


def _hours(frame: Frame, look: Look) -> tuple[str, str]:
    """At length, and in short."""
    return (
        words.hours(frame.hours, look.clock),
        words.hours(frame.hours, look.clock, city=True),
    )


def _life(frame: Frame, look: Look) -> Line:
    pulse = frame.pulse
    if look.banner:
        return (Span("not read", "bold red"),)
    if pulse.life is Life.LIVE:
        return (Span(f"live, {pulse.behind_ms / MS:.1f} s behind", "green"),)
    if pulse.life is Life.STALE:
        assert pulse.seen_at is not None, "stale is what was live once"
        return (Span(f"stale since {look.clock.full(pulse.seen_at)}", "bold yellow"),)
    return (Span("no daemon: dialer run", "bold red"),)


def _paused(frame: Frame, look: Look) -> str:
    by = f" by {frame.paused_by}" if frame.paused_by else ""
    at = f" {look.clock.short(frame.paused_at)}" if frame.paused_at is not None else ""
    why = f': "{frame.pause_reason}"' if frame.pause_reason else ""
    return one_line(f"paused{at}{by}{why}")


def _progress(frame: Frame, look: Look) -> Iterator[Line]:
    share = frame.done / frame.total if frame.total else 0.0
    figures = f"  {words.percent(share)}  {frame.done:,} of {frame.total:,}"
    room = max(5, min(48, look.width - len(figures)))
    full = int(share * room)
    bar = ("#" if look.plain else "█") * full
    yield (Span(bar, "green"), Span("·" * (room - full), "bright_black"), Span(figures))
    if frame.status is CampaignStatus.ACTIVE:
        yield (Span(_finish(frame, look)),)
    elif frame.over and frame.ended_at is not None:
        yield (Span(f"{frame.status} {look.clock.short(frame.ended_at)}"),)


def _finish(frame: Frame, look: Look) -> str:
    command = f"dialer forecast {shlex.quote(frame.name)}"
    if frame.finish_at is None:
        return f"finish {words.UNKNOWN}   (no pace to tell it from; ask: {command})"
    when = look.clock.short(frame.finish_at)
    if look.width < WIDE:
        return f"finish ≈ {when} (estimate)"
    return f"finish ≈ {when}   (estimate; the range: {command})"


# -- how fast -------------------------------------------------------------------------------------


def _paced(frame: Frame, look: Look) -> list[Line]:
    """How fast it goes and where members stand: together, where there are few lines."""
    parts = [_pace(frame, look), _states(frame)]
    if look.height < TALL:
        parts = [[*parts[0], *parts[1]]]
    return [line for pieces in parts for line in flow(pieces, look)]


def _pace(frame: Frame, look: Look) -> list[Line]:
    pace = frame.pace
    most = f" (max {_whole(pace.most_per_minute)})" if pace.most_per_minute is not None else ""
    rate = frame.tally.rate
    return [
        (Span(f"calling {pace.live:,} of {pace.allowed:,}"),),
        (Span(f"attempts {_whole(pace.per_minute)}/min{most}"),),
        (
            Span(f"human {words.percent(rate.share)} "),
            Span(sparkline(frame.tally.slots, plain=look.plain), "green"),
        ),
    ]


def sparkline(slots: Sequence[Rate], *, plain: bool = False) -> str:
    """A bar for the share of people in each slot, a dot where there are too few calls."""
    bars = _PLAIN_BARS if plain else _BARS

    def bar(slot: Rate) -> str:
        if slot.calls < _LEAST_BAR:
            return "." if plain else "·"
        return bars[min(len(bars) - 1, int(slot.humans / slot.calls * len(bars)))]

    return "".join(map(bar, slots))


def _whole(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}".removesuffix(".0")


def _states(frame: Frame) -> list[Line]:
    members = frame.tally.members
    return [
        (Span(f"{state.replace('_', ' ')} "), Span(f"{members.get(state, 0):,}", "bold"))
        for state in MemberState
    ]


# -- why not faster -------------------------------------------------------------------------------


def _waits(frame: Frame, look: Look) -> Iterator[Line]:
    if frame.over:
        return
    shown = [row for row in frame.waits if row["reason"] not in _NOT_WAITING]
    wide = look.width >= WIDE
    if not wide:
        yield (Span("why not faster", "bold"),)
    heading = "why not faster"
    if not shown:
        quiet = "nobody waits for a call" if frame.total else "nobody is in this campaign yet"
        yield (Span(f"{heading:{LABEL}}" if wide else "", "bold"), Span(quiet))
    for row in shown:
        label = Span(f"{heading:{LABEL}}" if wide else "", "bold")
        heading = ""
        why = words.reason(row["reason"])
        yield (
            label,
            Span(f"{row['members']:>{8 if wide else 7},}", "bold"),
            Span(f"  {why:20}" if wide else f"  {why}"),
            Span(_then(row, frame, look)),
        )


def _then(row: Row, frame: Frame, look: Look) -> str:
    """What binds those who could be called, and when others can."""
    if row["reason"] in CALLABLE:
        return f"  {_bound(row['reason'], frame)}"
    detail = one_line(row["detail"])
    until = "" if row["until_at"] is None else f"  next {look.clock.short(row['until_at'])}"
    return f"{until}{f'  ({detail})' if detail else ''}"


def _bound(reason: str, frame: Frame) -> str:
    """The limit that those run into who could be called this moment."""
    pace = frame.pace
    match reason:
        case WaitReason.CALL_INTERVAL:
            return f"limit: call interval, 1 per {pace.interval_s:g} s"
        case WaitReason.CALLS_PER_SECOND:
            return f"limit: account, {pace.calls_per_second:g} calls/s"
        case WaitReason.CAMPAIGN_CONCURRENCY:
            return f"limit: its calls at once, {pace.allowed:,}"
        case WaitReason.ACCOUNT_CONCURRENCY:
            return "limit: account's calls at once"
    return "their turn comes"


# -- numbers and calls ----------------------------------------------------------------------------


def _numbers(frame: Frame, look: Look) -> Iterator[Line]:
    if frame.over:
        return
    wide = look.width >= WIDE
    pieces = [_number(each, look) for each in frame.numbers]
    label = (Span(f"{'numbers':{LABEL}}" if wide else "numbers  ", "bold"),)
    yield from flow(pieces or [(Span("none"),)], look, label, indent=LABEL if wide else 2)


def _number(number: Number, look: Look) -> Line:
    glyph, score = words.spam(number)
    unusable = f" {words.UNUSABLE[number.unusable]}" if number.unusable is not None else ""
    colour = "yellow" if unusable else ""
    return (
        Span(f"{number.phone[-4:]} "),
        look.glyph(glyph),
        Span(f"{score} {number.calls_today:,}"),
        Span(unusable, colour),
    )


def _call(call: Call, look: Look) -> Line:
    glyph, word = words.outcome(call)
    wide = look.width >= WIDE
    lasted = _lasted(call, look.clock.now)
    return (
        Span(f"{look.clock.full(call.at)}  "),
        Span(f"{call.phone:13}" if wide else f"{call.phone} "),
        look.glyph(glyph),
        Span(f" {word:14}" if wide else f" {word}", glyph.colour),
        Span(f"{lasted:>11}  " if wide else f" {lasted}  "),
        Span(follows(call, look.clock)),
    )


def _lasted(call: Call, now: int) -> str:
    if call.live:
        return words.length(max(0, now - (call.since_at or call.at)) / MS)
    return words.length(call.duration_s) if call.duration_s else ""


def follows(call: Call, clock: Clock) -> str:
    """What comes after a call for whoever was called."""
    if call.live:
        return ""
    match call.member:
        case None:
            return "called again since"
        case MemberState.RETRY:
            at = clock.short(call.next_at) if call.next_at is not None else "later"
            return f"retry {at}, attempt {call.attempt + 1} of {call.attempts}"
        case MemberState.CALLED:
            at = f" until {clock.short(call.next_at)}" if call.next_at is not None else ""
            return f"outcome open{at}"
        case MemberState.FAILED:
            return f"failed: {(call.reason or 'unknown').replace('_', ' ')}"
        case MemberState.PENDING:
            return "given back, not counted"
        case _:
            return call.member.replace("_", " ")


# -- the bottom ------------------------------------------------------------------------------------


def _foot(look: Look) -> list[Line]:
    note: list[Line] = [(Span(one_line(look.note), "bold"),)] if look.note else []
    if not look.keys:
        return note
    keys = "p pause  r resume  e explain  ? help  q leave"
    if look.width >= WIDE:
        keys += " (the campaign goes on)"
    return [*note, (Span(keys, "bright_black"),)]


def _help(frame: Frame) -> Iterator[Line]:
    for key, meaning in HELP:
        yield Span(f"  {key}  ", "bold"), Span(meaning)
    yield ()
    name = shlex.quote(frame.name)
    yield (Span(f"the same without a screen: dialer campaign status {name}"),)
    yield (Span(f"when it will be over:      dialer forecast {name}"),)
