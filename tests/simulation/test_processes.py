"""Processes in one loop: they die without a word, and nobody else notices more than that."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any, Final, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.simulation.effects import Effects, Kill, kill_at, kill_at_random
from dialer.simulation.loop import DeadlockError, run, running
from dialer.simulation.processes import Machine, Process, current

HOUR_S: Final = 3_600.0

Said: TypeAlias = list[tuple[float, str]]
Story: TypeAlias = Callable[[Machine, Said], Coroutine[Any, Any, object]]


def told(story: Story) -> Said:
    """What was said in a run, and when."""
    said: Said = []

    async def main() -> None:
        await story(Machine(running()), said)

    run(main())
    return said


def say(said: Said, words: str) -> None:
    said.append((asyncio.get_running_loop().time(), words))


async def talk(said: Said, name: str, *, times: int = 3) -> None:
    """Say *name* once a second; whoever stops it in Python's way hears of it."""
    try:
        for _ in range(times):
            await asyncio.sleep(1)
            say(said, name)
    except BaseException:
        said.append((-1.0, f"{name} unwinds"))
        raise
    finally:
        said.append((-1.0, f"{name} is done"))


def heard(said: Said) -> Said:
    """What was said while time was passing."""
    return [entry for entry in said if entry[0] >= 0]


# -- kills ---------------------------------------------------------------------------------------


def test_a_killed_process_runs_nothing_more_and_the_others_live_on() -> None:
    async def story(machine: Machine, said: Said) -> None:
        one = machine.spawn("one", talk(said, "one"))
        two = machine.spawn("two", talk(said, "two"))
        machine.later(1.5, machine.kill, one)
        await two.ended.wait()
        said.append((-1.0, "over"))
        assert (one.alive, one.killed, two.alive, two.killed) == (False, True, False, False)

    said = told(story)

    assert heard(said) == [(1, "one"), (1, "two"), (2, "two"), (3, "two")]
    assert said.index((-1.0, "one unwinds")) > said.index((-1.0, "over"))


def test_everything_a_process_started_dies_with_it() -> None:
    async def parent(said: Said) -> None:
        asyncio.get_running_loop().call_later(2, say, said, "timer")
        async with asyncio.TaskGroup() as group:
            group.create_task(talk(said, "child"))
            group.create_task(talk(said, "sibling"))

    async def story(machine: Machine, said: Said) -> None:
        process = machine.spawn("parent", parent(said))
        machine.later(1.5, machine.kill, process)
        await asyncio.sleep(HOUR_S)

    assert heard(told(story)) == [(1, "child"), (1, "sibling")]


def test_the_dead_are_not_waited_for_and_hold_no_clock() -> None:
    async def story(machine: Machine, said: Said) -> None:
        process = machine.spawn("sleeper", asyncio.sleep(HOUR_S))
        await asyncio.sleep(1)
        machine.kill(process)
        await asyncio.sleep(1)
        assert len(asyncio.all_tasks()) == 1
        with pytest.raises(DeadlockError):
            running()._jump()
        say(said, "over")

    assert told(story) == [(2, "over")]


def test_events_of_the_world_survive_whoever_caused_them() -> None:
    async def caller(machine: Machine, said: Said) -> None:
        machine.later(5, say, said, "it rings")
        machine.start(talk(said, "the callee", times=1))
        asyncio.get_running_loop().call_later(5, say, said, "never")
        await asyncio.sleep(HOUR_S)

    async def story(machine: Machine, said: Said) -> None:
        process = machine.spawn("caller", caller(machine, said))
        machine.later(0.5, machine.kill, process)
        await asyncio.sleep(10)

    assert heard(told(story)) == [(1, "the callee"), (5, "it rings")]


@asynccontextmanager
async def held(said: Said) -> AsyncIterator[None]:
    try:
        yield
    finally:
        said.append((-1.0, "released"))
        await asyncio.sleep(1)
        said.append((-1.0, "never"))


def test_the_dead_rest_until_the_loop_is_closed_and_then_reach_nothing() -> None:
    async def holder(said: Said) -> None:
        async with held(said), asyncio.TaskGroup() as group:
            group.create_task(talk(said, "holder"))

    async def story(machine: Machine, said: Said) -> None:
        machine.later(1.5, machine.kill, machine.spawn("holder", holder(said)))
        await asyncio.sleep(2)
        gc.collect()
        await asyncio.sleep(HOUR_S)
        say(said, "the end")

    said = told(story)

    assert said[:2] == [(1, "holder"), (HOUR_S + 2, "the end")]
    assert sorted(words for _, words in said[2:]) == [
        "holder is done",
        "holder unwinds",
        "released",
    ]


def test_the_last_words_of_the_dead_start_nothing_on_any_other_loop() -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def tidy() -> None:
        try:
            await asyncio.sleep(HOUR_S)
        finally:
            loops.append(asyncio.get_event_loop())
            await asyncio.shield(asyncio.sleep(0))

    async def main() -> asyncio.AbstractEventLoop:
        machine = Machine(running())
        machine.later(1, machine.kill, machine.spawn("tidy", tidy()))
        await asyncio.sleep(2)
        return running()

    assert [run(main())] == loops


async def stubborn() -> None:
    for _ in range(3):
        with suppress(GeneratorExit):
            await asyncio.get_running_loop().create_future()


def test_even_the_stubborn_are_unwound_in_the_end() -> None:
    async def story(machine: Machine, said: Said) -> None:
        machine.later(1, machine.kill, machine.spawn("stubborn", stubborn()))
        await asyncio.sleep(2)

    assert told(story) == []


def test_a_process_killed_before_its_first_step_never_runs() -> None:
    async def story(machine: Machine, said: Said) -> None:
        machine.kill(machine.spawn("unborn", talk(said, "unborn")))
        await asyncio.sleep(HOUR_S)

    assert told(story) == []


def test_a_second_kill_changes_nothing() -> None:
    released: list[str] = []

    async def story(machine: Machine, said: Said) -> None:
        process = machine.spawn("one", asyncio.sleep(1))
        process.owns(lambda: released.append("lock"))
        machine.kill(process)
        machine.kill(process)
        await asyncio.sleep(1)

    told(story)

    assert released == ["lock"]


def test_a_power_cut_ends_them_all() -> None:
    async def story(machine: Machine, said: Said) -> None:
        names = ("one", "two", "three")
        processes = [machine.spawn(name, talk(said, name)) for name in names]
        await asyncio.sleep(1.5)
        machine.power_off()
        await asyncio.sleep(HOUR_S)
        assert all(process.killed for process in processes)

    assert heard(told(story)) == [(1, "one"), (1, "two"), (1, "three")]


# -- ends ----------------------------------------------------------------------------------------


def test_the_operating_system_takes_back_what_a_process_owned_last_first() -> None:
    async def owner(released: list[str]) -> None:
        process = current()
        assert process is not None
        process.owns(lambda: released.append("file"))
        process.owns(lambda: released.append("lock"))

    async def story(machine: Machine, said: Said) -> None:
        released: list[str] = []
        await machine.spawn("owner", owner(released)).ended.wait()
        assert released == ["lock", "file"]

    told(story)


async def crash() -> None:
    await asyncio.sleep(1)
    raise LookupError("as planned")


def test_a_crash_nobody_watches_ends_the_run() -> None:
    async def story(machine: Machine, said: Said) -> None:
        machine.spawn("crashing", crash())
        await asyncio.sleep(HOUR_S)

    with pytest.raises(LookupError, match="as planned"):
        told(story)


def test_a_watcher_hears_of_the_end_in_the_world() -> None:
    async def story(machine: Machine, said: Said) -> None:
        def mourn(process: Process) -> None:
            assert current() is None
            say(said, f"{process.name}: {process.error!r}")

        machine.spawn("crashing", crash()).when_over(mourn)
        (killed := machine.spawn("killed", asyncio.sleep(9))).when_over(mourn)
        machine.later(2, machine.kill, killed)
        await asyncio.sleep(HOUR_S)

    assert told(story) == [(1, "crashing: LookupError('as planned')"), (2, "killed: None")]


def test_who_still_lives_at_the_end_of_a_run_may_tidy_up() -> None:
    async def story(machine: Machine, said: Said) -> None:
        machine.spawn("one", talk(said, "one"))
        await asyncio.sleep(1.5)

    assert told(story) == [(1, "one"), (-1, "one unwinds"), (-1, "one is done")]


def test_an_event_that_fails_ends_the_run() -> None:
    async def by_a_timer(machine: Machine, said: Said) -> None:
        machine.later(1, {}.__getitem__, "missing")
        await asyncio.sleep(HOUR_S)

    async def by_an_errand(machine: Machine, said: Said) -> None:
        machine.start(crash())
        await asyncio.sleep(HOUR_S)

    for story in (by_a_timer, by_an_errand):
        with pytest.raises(LookupError):
            told(story)


# -- pauses --------------------------------------------------------------------------------------


def test_a_paused_process_catches_up_when_it_is_resumed() -> None:
    async def story(machine: Machine, said: Said) -> None:
        process = machine.spawn("one", talk(said, "one"))
        other = machine.spawn("two", talk(said, "two"))
        machine.later(1.5, machine.pause, process)
        machine.later(10, machine.resume, process)
        await process.ended.wait()
        assert not other.alive

    assert heard(told(story)) == [
        (1, "one"), (1, "two"), (2, "two"), (3, "two"), (10, "one"), (11, "one"),
    ]  # fmt: skip


def test_a_paused_process_may_be_killed_and_not_be_resumed_then() -> None:
    async def story(machine: Machine, said: Said) -> None:
        process = machine.spawn("one", talk(said, "one"))
        machine.pause(process)
        machine.later(5, machine.kill, process)
        machine.later(6, machine.resume, process)
        await asyncio.sleep(HOUR_S)

    assert heard(told(story)) == []


# -- requests ------------------------------------------------------------------------------------


async def served(said: Said) -> str:
    await asyncio.sleep(1)
    process = current()
    assert process is not None
    say(said, f"served by {process.name}")
    return "thanks"


def test_a_request_runs_in_the_process_that_serves_it() -> None:
    async def story(machine: Machine, said: Said) -> None:
        server = machine.spawn("server", asyncio.sleep(HOUR_S))
        say(said, await machine.ask(server, served(said)))
        with pytest.raises(LookupError):
            await machine.ask(server, crash())
        assert server.alive
        assert server.watchers == []

    assert told(story) == [(1, "served by server"), (1, "thanks")]


def test_a_request_to_a_dead_or_dying_process_fails_as_a_connection_does() -> None:
    async def story(machine: Machine, said: Said) -> None:
        server = machine.spawn("server", asyncio.sleep(HOUR_S))
        machine.later(0.5, machine.kill, server)
        with pytest.raises(ConnectionResetError):
            await machine.ask(server, served(said))
        with pytest.raises(ConnectionRefusedError):
            await machine.ask(server, served(said))
        say(said, "over")

    assert told(story) == [(0.5, "over")]


def test_who_stops_waiting_for_an_answer_does_not_stop_the_server() -> None:
    async def story(machine: Machine, said: Said) -> None:
        server = machine.spawn("server", asyncio.sleep(HOUR_S))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await machine.ask(server, served(said))
        await asyncio.sleep(1)
        assert server.watchers == []

    assert told(story) == [(1, "served by server")]


# -- kill points ---------------------------------------------------------------------------------


async def three_steps(effects: Effects, done: list[int]) -> None:
    for step in range(3):
        await effects.survive("before a step")
        done.append(step)
        await effects.survive("after a step")


def killed_at(*numbers: int) -> tuple[list[int], list[Kill], int]:
    done: list[int] = []

    async def main() -> Effects:
        machine = Machine(running())
        effects = Effects(machine, kill_at(numbers))
        await effects.survive("nothing: this is the world")
        await machine.spawn("one", three_steps(effects, done)).ended.wait()
        return effects

    effects = run(main())
    return done, effects.kills, effects.count


def test_a_kill_at_each_effect_leaves_what_was_done_before_it() -> None:
    for number in range(1, 7):
        done, kills, count = killed_at(number)

        assert done == list(range(number // 2))
        assert [kill.number for kill in kills] == [number] == [count]

    assert killed_at(7) == ([0, 1, 2], [], 6)


def test_a_kill_is_noted_with_what_it_struck() -> None:
    assert killed_at(4)[1] == [Kill(4, "one", "after a step")]


def test_the_dead_reach_no_effect() -> None:
    seen: list[bool] = []

    async def deaf(effects: Effects) -> None:
        seen.extend(effects.reach("any") for _ in range(3))

    async def main() -> int:
        machine = Machine(running())
        effects = Effects(machine, kill_at({2}))
        await machine.spawn("deaf", deaf(effects)).ended.wait()
        return effects.count

    assert run(main()) == 2
    assert seen == [True, False, False]


@given(st.integers(0, 6), st.integers(1, 50), st.integers())
def test_random_kills_are_as_many_and_as_close_as_asked_for(
    kills: int, apart: int, seed: int
) -> None:
    plan = kill_at_random(Random(seed), kills=kills, apart=apart)

    struck = [number for number in range(400) if plan(number)]

    assert len(struck) == kills
    assert all(0 < b - a <= apart for a, b in zip([0, *struck], struck, strict=False))
