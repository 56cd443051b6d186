"""The sessions of all live calls, their clocks, and the way of what they find out into the inbox.

Theory of operation. A session is made when a call is answered, or by the first thing heard of a
call that nobody knows here: after a restart, that is. Nobody on the line waits for it, though the
first call in a language takes a second to get ready for. Whatever is heard is judged at once, in
memory; so is the passing of time, by one timer for each session. Findings wait in line for one
loop that makes them durable, the acting mode's as news of the call. A session ends with its call.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, NamedTuple

from amd.text import TextDetector
from amd.verdict import Decision
from dialer.batching import Batcher
from dialer.detection import word_of
from dialer.errors import DialerError
from dialer.lazy_log import Log
from dialer.listening import records
from dialer.listening.records import SaidRow, VerdictRow
from dialer.listening.session import Session, Spoken, Told
from dialer.listening.sound import NO_EARS, Ears
from dialer.model import BY_SOUND, BY_WORDS, AmdMode, AttemptId, CallEvent, CallSid, EventSource
from dialer.ports import Clock, Database, Sound, Words

MS: Final = 1000
#: Calls that are listened to at once; beyond it the oldest is given up, and counts as a person.
MOST_SESSIONS: Final = 10_000
#: A store that failed is asked again after this, in seconds.
REST_S: Final = 0.2
#: For so long, in seconds: a verdict that comes later finds nobody waiting for it.
INSIST_S: Final = 15.0
#: A timer that comes too early is set again for no sooner than this, in seconds.
TICK_S: Final = 0.01

log = Log()


class _Timer(NamedTuple):
    due_at: int
    handle: asyncio.TimerHandle


class _Finding(NamedTuple):
    """What was told of a call, on its way into the store."""

    session: Session
    told: Told
    at: int


async def read_hints(spoken: Spoken) -> None:
    """Have what words are told by read before they come, without stopping everybody."""
    await asyncio.to_thread(TextDetector, spoken.language, country=spoken.country)


class Listener:
    """Listens to live calls; :meth:`run` must be running for what is found to become news."""

    def __init__(
        self,
        clock: Clock,
        database: Database,
        batcher: Batcher,
        receive: Callable[..., Awaitable[None]],
        *,
        longest_s: float,
        ears: Callable[[], Ears] = lambda: NO_EARS,
        prepare: Callable[[Spoken], Awaitable[None]] = read_hints,
        most: int = MOST_SESSIONS,
    ) -> None:
        """A session is forgotten after *longest_s*, should nobody tell that its call has ended.

        *ears* is asked once, when a call is first to be told by its sound; *prepare* once for each
        language and country, when a call is first to be told by its words.
        """
        self._clock = clock
        self._database = database
        self._batcher = batcher
        self._receive = receive
        self._longest_ms = int(longest_s * MS)
        self._load_ears = ears
        self._ears: Ears | None = None
        self._most = most
        self._sessions: dict[AttemptId, Session] = {}
        self._opening: set[AttemptId] = set()  # what has ended meanwhile is in it no more
        self._timers: dict[AttemptId, _Timer] = {}
        self._prepare = prepare
        self._preparing = asyncio.Lock()
        self._prepared: set[Spoken] = set()
        self._answered: asyncio.Queue[tuple[AttemptId, CallSid]] = asyncio.Queue()
        self._found: asyncio.Queue[_Finding] = asyncio.Queue()

    @property
    def listening(self) -> int:
        """How many calls are listened to."""
        return len(self._sessions)

    # -- what is heard ---------------------------------------------------------------------------

    def answered(self, attempt_id: AttemptId, sid: CallSid) -> None:
        """A call was answered: it is listened to as soon as may be."""
        self._answered.put_nowait((attempt_id, sid))

    async def words(self, attempt_id: AttemptId, source: str, words: Words) -> None:
        """Something was said; *source* is one of ``session.SOURCES``."""
        session = await self._session(attempt_id, words.sid)
        if session is not None:
            now = self._clock.now()
            self._take(session, session.hear_words(source, words, now), now)

    async def carrier_word(self, attempt_id: AttemptId, sid: CallSid, word: str) -> None:
        """The carrier has told who answered."""
        session = await self._session(attempt_id, sid)
        if session is not None:
            now = self._clock.now()
            self._take(session, session.hear_carrier(word, now), now)

    async def stream(self, attempt_id: AttemptId, sid: CallSid) -> Session | None:
        """The session that takes a call's sound; None: there is no such call, or it has a stream.

        A call's sound comes once.
        """
        session = await self._session(attempt_id, sid)
        if session is None or session.streaming:
            return None
        session.streaming = True
        return session

    def sound(self, session: Session, sound: Sound) -> None:
        """A piece of sound came for a session that :meth:`stream` gave."""
        if self._sessions.get(session.brief.attempt_id) is session:
            now = self._clock.now()
            self._take(session, session.hear_sound(sound, now), now)

    def over(self, attempt_id: AttemptId) -> None:
        """A call has ended: nobody listens any more, and its words are kept for the next one."""
        self._opening.discard(attempt_id)
        session = self._forget(attempt_id)
        if session is not None and session.said:
            self._batcher.post(records.keep_said, [SaidRow(session.said, attempt_id)])

    # -- sessions --------------------------------------------------------------------------------

    async def _session(self, attempt_id: AttemptId, sid: CallSid) -> Session | None:
        session = self._sessions.get(attempt_id)
        if session is None:
            now = self._clock.now()
            self._opening.add(attempt_id)
            async with self._database.read() as tx:
                brief = await records.brief(tx, attempt_id, sid, now)
            if brief is None:
                self._opening.discard(attempt_id)
                return None
            if {brief.acting, *brief.shadow} & BY_WORDS:
                await self._get_ready(brief.spoken)
            sounds = {brief.acting, *brief.shadow} & BY_SOUND
            ears = await self._ears_for(sounds) if sounds else NO_EARS
            session = self._sessions.get(attempt_id)  # somebody else may have been quicker
            if session is None:
                if attempt_id not in self._opening:
                    return None
                self._opening.discard(attempt_id)
                ear = ears.make() if sounds else None
                session = self._sessions[attempt_id] = Session(brief, ear)
                self._make_room()
                self._set_timer(session)
        return session if session.brief.sid == sid else None

    async def _get_ready(self, spoken: Spoken) -> None:
        if spoken in self._prepared:
            return
        async with self._preparing:
            if spoken not in self._prepared:
                await self._prepare(spoken)
                self._prepared.add(spoken)

    async def _ears_for(self, modes: Collection[AmdMode]) -> Ears:
        """The ears, loaded when they are first wanted, while others go on; a daemon without any
        says so once."""
        async with self._preparing:
            if self._ears is None:
                self._ears = await self._loaded_ears(modes)
        return self._ears

    async def _loaded_ears(self, modes: Collection[AmdMode]) -> Ears:
        try:
            ears = await asyncio.to_thread(self._load_ears)
        except Exception:
            log.exception("listening.deaf", modes=sorted(modes))
            return NO_EARS
        if ears is NO_EARS:
            log.error("listening.deaf", modes=sorted(modes), why="the extra ml is missing")
        return ears

    def _make_room(self) -> None:
        """Forget whose end nobody told, and the oldest beyond the limit."""
        before = self._clock.now() - self._longest_ms
        for attempt_id, session in list(self._sessions.items()):
            if session.brief.answered_at >= before:
                break
            self.over(attempt_id)
        while len(self._sessions) > self._most:
            oldest = next(iter(self._sessions))
            log.warning("listening.crowded", attempt=oldest, sessions=self._most)
            self.over(oldest)

    def _forget(self, attempt_id: AttemptId) -> Session | None:
        timer = self._timers.pop(attempt_id, None)
        if timer is not None:
            timer.handle.cancel()
        return self._sessions.pop(attempt_id, None)

    # -- clocks ----------------------------------------------------------------------------------

    def _set_timer(self, session: Session) -> None:
        """Wake the session up when its time has come, and not for what it no longer waits for."""
        attempt_id, due_at = session.brief.attempt_id, session.due_at
        timer = self._timers.get(attempt_id)
        if timer is not None:
            if timer.due_at == due_at:
                return
            timer.handle.cancel()
            del self._timers[attempt_id]
        if due_at is not None:
            wait_s = max(TICK_S, (due_at - self._clock.now()) / MS)
            handle = asyncio.get_running_loop().call_later(wait_s, self._due, session)
            self._timers[attempt_id] = _Timer(due_at, handle)

    def _due(self, session: Session) -> None:
        self._timers.pop(session.brief.attempt_id, None)
        now = self._clock.now()
        self._take(session, session.wait(now), now)

    def _take(self, session: Session, told: Sequence[Told], at: int) -> None:
        """Put what was found in line."""
        for each in told:
            self._found.put_nowait(_Finding(session, each, at))
        if session.brief.attempt_id in self._sessions:
            self._set_timer(session)

    # -- into the store --------------------------------------------------------------------------

    async def run(self) -> None:
        """Begin to listen to calls as they are answered, and make findings durable, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._begin())
            group.create_task(self._write())

    async def _begin(self) -> None:
        for spoken in sorted(await self._expected(), key=str):
            await self._get_ready(spoken)
        while True:
            attempt_id, sid = await self._answered.get()
            try:
                await self._session(attempt_id, sid)
            except DialerError as error:  # its first words try again
                log.warning("listening.failed", attempt=attempt_id, error=str(error))

    async def _expected(self) -> Collection[Spoken]:
        """What those may speak who wait; each first call gets ready by itself without it."""
        try:
            async with self._database.read() as tx:
                return await records.expected_languages(tx)
        except DialerError as error:
            log.warning("listening.failed", attempt=None, error=str(error))
            return ()

    async def _write(self) -> None:
        while True:
            found = [await self._found.get()]
            while not self._found.empty():
                found.append(self._found.get_nowait())
            await self._keep(found)

    async def _keep(self, found: Sequence[_Finding]) -> None:
        """Write findings down, and tell the engine those that count; a store that fails is asked
        again, for a verdict that is lost is a machine that is talked to."""
        rows = [row for each in found if (row := self._row(each)) is not None]
        self._batcher.post(records.keep_verdicts, rows)
        by_call: dict[AttemptId, list[CallEvent]] = {}
        for each in filter(_counts, found):
            by_call.setdefault(each.session.brief.attempt_id, []).append(_event(each))
        await asyncio.gather(*map(self._tell, by_call.values()))

    async def _tell(self, events: Sequence[CallEvent]) -> None:
        """Insist for a while: one call whose news cannot be kept does not hold up the others."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + INSIST_S
        while True:
            try:
                await self._receive(*events)
                return
            except DialerError as error:
                log.warning("event.refused", events=len(events), error=str(error))
                if loop.time() >= until_s:
                    return
                await asyncio.sleep(REST_S)

    def _row(self, found: _Finding) -> VerdictRow | None:
        decision, told = found.told.finding, found.told
        if not isinstance(decision, Decision):
            return None
        return VerdictRow(
            attempt_id=found.session.brief.attempt_id,
            mode=str(told.mode),
            seq=told.sequence,
            acting=int(told.acting),
            verdict=str(decision.verdict),
            kind=decision.kind and str(decision.kind),
            confidence=decision.confidence,
            cause=decision.cause,
            at_ms=decision.at_ms,
            detector=str(decision.detector),
            model=self._ears.model if self._ears and told.mode in BY_SOUND else "",
            decided_at=found.at,
        )


def _counts(found: _Finding) -> bool:
    """Whether a finding is news: the carrier's own word has become news by itself."""
    return found.told.acting and found.told.mode is not AmdMode.CARRIER


def _event(found: _Finding) -> CallEvent:
    brief = found.session.brief
    return CallEvent(
        brief.attempt_id,
        brief.sid,
        EventSource.DETECTOR,
        received_at=found.at,
        sequence=found.told.sequence,
        answered_by=word_of(found.told.finding),
    )
