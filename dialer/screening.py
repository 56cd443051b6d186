"""Asking an operator's own check about every claim, before it waits for its slot.

Theory of operation. Claims come here with their intents durable and leave in one of three ways:
to the launcher, which takes its own last look whatever was answered here; failed for good; or back
in line, uncounted. So many are asked about at once and each question has its time, so a check that
hangs costs its own claims and nobody else's. No answer is no permission, unless the operator has
said otherwise: the claim goes back, its campaign rests for a while, doubling, and says why.
"""

import asyncio
import heapq
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Final, TypeAlias, assert_never

from dialer.batching import Batcher
from dialer.calls import PRE_DIAL_CHECK, Calls
from dialer.errors import DialerError, UnreachableError
from dialer.lazy_log import Log
from dialer.masking import mask
from dialer.model import AttemptId, CampaignId, Claim
from dialer.ports import (
    Clock,
    Database,
    Later,
    MayCall,
    Never,
    PreDialAnswer,
    PreDialCheck,
    PreDialQuestion,
    Row,
)

log = Log()

MS: Final = 1000
#: After a question without an answer its campaign rests this long, doubling up to the bound.
REST_S: Final = 1.0
REST_MAX_S: Final = 30.0
MOST_DOUBLINGS: Final = 10
#: A member whose question had no answer comes again after this: it may be the member's own fault.
ASK_AGAIN_S: Final = 60.0
#: A check that says *later* is asked again no sooner than this, whatever it says.
SOONEST_S: Final = 1.0

Hold: TypeAlias = Callable[[CampaignId, int, str], None]


class Screening:
    """Asks *check* about claims, *at_once* at a time. :meth:`run` must be running.

    *timeout_s* bounds each question. With *fail_closed* a claim without an answer goes back in
    line, else it is let through.
    """

    def __init__(
        self,
        clock: Clock,
        database: Database,
        batcher: Batcher,
        calls: Calls,
        check: PreDialCheck,
        *,
        timeout_s: float,
        fail_closed: bool,
        at_once: int,
    ) -> None:
        self._clock = clock
        self._database = database
        self._batcher = batcher
        self._calls = calls
        self._check = check
        self._timeout_s = timeout_s
        self._fail_closed = fail_closed
        self._at_once = at_once
        self._line: list[tuple[int, int, Claim]] = []
        self._order = count()
        self._asked: dict[AttemptId, Claim] = {}  # and not answered yet
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._failures: Counter[CampaignId] = Counter()  # in a row
        self._rest_until: dict[CampaignId, int] = {}
        self._clear: Callable[[Sequence[Claim]], None] = lambda _: None
        self._hold: Hold = lambda *_: None

    def attach(self, clear: Callable[[Sequence[Claim]], None], hold: Hold) -> None:
        """Name who takes claims that may be called, and who lets a campaign rest."""
        self._clear = clear
        self._hold = hold

    @property
    def busy(self) -> bool:
        """True while a claim waits for its question or for the answer."""
        return bool(self._line or self._asked)

    def add(self, claims: Sequence[Claim]) -> None:
        """Take claims whose intents are durable."""
        for claim in claims:
            heapq.heappush(self._line, (claim.send_at, next(self._order), claim))
        self._wake.set()

    def drain(self) -> list[Claim]:
        """Ask no more; returns the claims nobody has decided about, which are the caller's now."""
        left = [claim for _, _, claim in self._line] + list(self._asked.values())
        self._line.clear()
        self._asked.clear()
        for task in self._tasks:
            task.cancel()
        return left

    async def run(self) -> None:
        """Ask for ever."""
        async with asyncio.TaskGroup() as questions:
            while True:
                claims = self._next()
                if claims:
                    await self._ask(claims, questions)
                else:
                    self._wake.clear()
                    await self._wake.wait()

    def _next(self) -> list[Claim]:
        """The first in line, as many as there is room for; what cannot be asked about goes back."""
        now = self._clock.now()
        claims: list[Claim] = []
        while self._line and len(self._asked) < self._at_once:
            claim = heapq.heappop(self._line)[-1]
            rest_until = self._rest_until.get(claim.campaign_id, 0)
            if now < rest_until:
                self._release(claim, f"{PRE_DIAL_CHECK} rests", rest_until)
            elif now > claim.void_at:
                self._release(claim, f"{PRE_DIAL_CHECK} had no time for it")
            else:
                self._asked[claim.attempt_id] = claim
                claims.append(claim)
        return claims

    async def _ask(self, claims: Sequence[Claim], group: asyncio.TaskGroup) -> None:
        questions = await self._questions(claims)
        for claim in claims:
            question = questions.get(claim.attempt_id)
            if claim.attempt_id not in self._asked:
                continue  # drained meanwhile
            if question is None:
                del self._asked[claim.attempt_id]
                soonest_at = self._clock.now() + int(SOONEST_S * MS)
                self._release(claim, "no longer wanted, or not to be read", soonest_at)
            else:
                task = group.create_task(self._screen(claim, question))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _questions(self, claims: Sequence[Claim]) -> Mapping[AttemptId, PreDialQuestion]:
        ids = json.dumps([claim.attempt_id for claim in claims])
        try:
            async with self._database.read() as tx:
                rows = await tx.rows("pre_dial_questions", ids=ids)
            return {row["id"]: _question(row) for row in rows}
        except Exception as error:
            # Nobody is asked about, and nobody called, while the store does not say who it is.
            log.error("pre_dial.unreadable", claims=len(claims), error=str(error))
            return {}

    async def _screen(self, claim: Claim, question: PreDialQuestion) -> None:
        try:
            answer = await self._answer(question)
        except Exception as error:
            if self._asked.pop(claim.attempt_id, None) is not None:
                self._unanswered(claim, self._words(error))
        else:
            if self._asked.pop(claim.attempt_id, None) is not None:
                self._failures.pop(claim.campaign_id, None)
                self._heed(claim, answer)
        finally:
            self._asked.pop(claim.attempt_id, None)
            self._wake.set()

    async def _answer(self, question: PreDialQuestion) -> PreDialAnswer:
        async with asyncio.timeout(self._timeout_s):
            answer = await self._check(question)
        if not isinstance(answer, MayCall | Never | Later):  # an operator's own code may be untyped
            raise UnreachableError(f"{type(answer).__name__} is no answer")
        return answer

    def _heed(self, claim: Claim, answer: PreDialAnswer) -> None:
        match answer:
            case MayCall():
                self._clear([claim])
            case Never(reason=reason):
                self._batcher.post(self._calls.barred, [(claim.attempt_id, reason)])
            case Later(until_at=until_at, reason=reason):
                soonest_at = self._clock.now() + int(SOONEST_S * MS)
                why = f"put off by {PRE_DIAL_CHECK}: {reason or 'no reason given'}"
                self._release(claim, why, max(until_at, soonest_at))
            case _:
                assert_never(answer)

    def _unanswered(self, claim: Claim, why: str) -> None:
        in_a_row = self._failures[claim.campaign_id] + 1
        log.warning(
            "pre_dial.failed",
            attempt=claim.attempt_id,
            campaign=claim.campaign_id,
            in_a_row=in_a_row,
            closed=self._fail_closed,
            error=why,
        )
        if not self._fail_closed:
            self._failures[claim.campaign_id] = in_a_row
            self._clear([claim])
            return
        now = self._clock.now()
        if now >= self._rest_until.get(claim.campaign_id, 0):  # else one of the same trouble
            self._failures[claim.campaign_id] = in_a_row
            rest_s = min(REST_S * 2.0 ** min(in_a_row - 1, MOST_DOUBLINGS), REST_MAX_S)
            self._rest_until[claim.campaign_id] = now + int(rest_s * MS)
            self._hold(claim.campaign_id, now + int(rest_s * MS), why)
        self._release(claim, f"{PRE_DIAL_CHECK} failed: {why}", now + int(ASK_AGAIN_S * MS))

    def _words(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {self._timeout_s:g} s"
        if isinstance(error, DialerError):
            return mask(error.message)
        return mask(f"{type(error).__name__}: {error}")

    def _release(self, claim: Claim, why: str, due_at: int | None = None) -> None:
        self._batcher.post(self._calls.released, [(claim.attempt_id, why, due_at)])


def _question(row: Row) -> PreDialQuestion:
    return PreDialQuestion(
        attempt_id=row["id"],
        phone=row["phone"],
        caller_id=row["caller_id"],
        campaign=row["campaign"],
        name=row["name"],
        email=row["email"],
        language=row["language"],
        variables=json.loads(row["variables"]),
        attempts=row["attempts"],
    )
