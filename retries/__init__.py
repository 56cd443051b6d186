"""When a callee who was not reached is called again."""

from retries.outcome import Outcome
from retries.policy import NEVER, Decision, GiveUp, Policy, Reason, RetryAt

__all__ = ["NEVER", "Decision", "GiveUp", "Outcome", "Policy", "Reason", "RetryAt"]
