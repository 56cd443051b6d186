"""The question and the answer as JSON, the same for commands and addresses."""

import json
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from dialer.errors import UnreachableError
from dialer.ports import Later, MayCall, Never, PreDialAnswer, PreDialQuestion

MS: Final = 1000
#: An answer is a line or two; more of it than this is not read.
MAX_BYTES: Final = 64 * 1024
REASON_CHARS: Final = 200
#: A check that says *later* and not when is asked again after this.
LATER_S: Final = 3600.0
#: Nobody is put off for longer: a time further away is a mistake.
FURTHEST_S: Final = 400 * 86_400.0


class _Answer(BaseModel):
    answer: Literal["call", "never", "later"]
    reason: str = ""
    until: AwareDatetime | None = None
    after_s: Annotated[float | None, Field(ge=0, le=FURTHEST_S)] = None


def question_bytes(question: PreDialQuestion) -> bytes:
    """The question as one JSON object."""
    return json.dumps(
        {
            "attempt": question.attempt_id,
            "phone": question.phone,
            "caller_id": question.caller_id,
            "campaign": question.campaign,
            "name": question.name,
            "email": question.email,
            "language": question.language,
            "variables": question.variables,
            "attempts": question.attempts,
        },
        ensure_ascii=False,
    ).encode()


def answer_from(body: bytes, now: int) -> PreDialAnswer:
    """Read an answer; raises UnreachableError, quoting no more than its kind, for rubbish."""
    try:
        said = _Answer.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UnreachableError(f"not an answer: {where or 'body'}: {first['msg']}") from None
    match said.answer:
        case "call":
            return MayCall()
        case "never":
            return Never(reason_from(said.reason))
        case "later":
            return Later(_until_at(said, now), reason_from(said.reason))


def later(now: int, reason: str) -> Later:
    """Later, without a word when."""
    return Later(now + int(LATER_S * MS), reason_from(reason))


def reason_from(text: str) -> str:
    """What may be shown of a reason: one line, not too long."""
    words = " ".join(text.split())
    return "".join(each for each in words if each.isprintable())[:REASON_CHARS]


def _until_at(said: _Answer, now: int) -> int:
    if said.until is None:
        return now + int((LATER_S if said.after_s is None else said.after_s) * MS)
    until_at = _ms(said.until)
    if until_at > now + int(FURTHEST_S * MS):
        raise UnreachableError(
            f"not an answer: until lies more than {FURTHEST_S / 86_400:g} days ahead"
        )
    return until_at


def _ms(at: datetime) -> int:
    return int(at.timestamp() * MS)
