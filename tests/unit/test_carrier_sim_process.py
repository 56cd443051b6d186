"""Around the exchange: options that cannot work, strangers, errands that fail."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from dialer.carrier_sim.callee_hours import hour_at
from dialer.carrier_sim.errands import Errands
from dialer.carrier_sim.options import SimOptions
from dialer.carrier_sim.server import Credentials
from dialer.errors import UsageError
from tests.support.carrier_sim import HUMAN
from tests.support.virtual import EPOCH


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"cps": 0}, "calls per second must be more than 0, not 0"),
        ({"cps": float("nan")}, "calls per second"),
        ({"accept_bound_s": -1}, "accept bound must be more than 0 s"),
        ({"account_sid": "AC1"}, "not an account SID: 'AC1'"),
        ({"numbers": ("+12025550111", "555")}, "not a phone number in E.164 form: '555'"),
        ({"caller_ids": ("",)}, "not a phone number"),
    ],
)
def test_options_that_cannot_work_are_named(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        SimOptions(**options)


def test_options_keep_secrets_to_themselves() -> None:
    assert "hush" not in repr(SimOptions(auth_token="hush", api_secret="hush"))


@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        (b"AC1:token", True),
        (b"SK1:secret", True),
        (b"AC1:secret", False),
        (b":", False),
        (b"", False),
    ],
)
def test_the_account_and_its_api_key_are_accepted_each_with_its_own_secret(
    given: bytes, accepted: bool
) -> None:
    assert Credentials("AC1", "token", "SK1", "secret").accept(given) is accepted


def test_without_an_api_key_an_empty_one_is_not_accepted() -> None:
    assert not Credentials("AC1", "token").accept(b":")


def test_the_hour_is_that_of_the_callee() -> None:
    assert hour_at("+12025550101", EPOCH) == 10  # 15:00 UTC
    assert hour_at("+493012345678", EPOCH) == 16
    assert hour_at(HUMAN, EPOCH) is None  # +1 500 is everywhere


async def test_an_errand_that_fails_takes_no_other_down() -> None:
    home = asyncio.Event()

    async def fail() -> None:
        raise ValueError("lost the way")

    async def arrive(where: asyncio.Event) -> None:
        await asyncio.sleep(0)
        where.set()

    with capture_logs() as logs:
        async with Errands() as errands:
            errands.start(fail)
            errands.start(arrive, home)
            await home.wait()

    assert [line["event"] for line in logs] == ["carrier_sim.errand_failed"]


async def test_errands_end_with_their_block() -> None:
    async def wait_for_ever() -> None:
        await asyncio.get_running_loop().create_future()

    async with Errands() as errands:
        errands.start(wait_for_ever)
        await asyncio.sleep(0)
        errands.start(wait_for_ever)  # not begun yet when the block ends

    assert len(errands) == 0
