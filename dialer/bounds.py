"""The engine's bounds and limits, as a deployment's settings have them."""

from typing import TYPE_CHECKING

from dialer.limits import AccountLimits
from dialer.permission import ClaimTimes
from dialer.settings import Settings

if TYPE_CHECKING:
    from dialer.calls import CallTimes


def account_limits(settings: Settings) -> AccountLimits:
    """What the carrier's account allows."""
    return AccountLimits(settings.calls_per_second, settings.max_concurrent)


def claim_times(settings: Settings) -> ClaimTimes:
    """How far a claim reaches."""
    return ClaimTimes(
        look_ahead_s=settings.look_ahead_s,
        patience_s=settings.patience_s + settings.check_s,
        answer_s=settings.request_timeout_s + settings.accept_bound_s,
        accept_bound_s=settings.accept_bound_s,
        lead_s=settings.check_s,
    )


def call_times(settings: Settings) -> "CallTimes":
    """By when something has happened to a call, or never will."""
    from dialer.calls import CallTimes  # and all that calls need

    return CallTimes(
        leave_bound_s=settings.leave_bound_s,
        request_timeout_s=settings.request_timeout_s,
        accept_bound_s=settings.accept_bound_s,
        list_bound_s=settings.list_bound_s,
        longest_s=settings.call_time_limit_s,
        quarantine_s=settings.quarantine_s,
    )
