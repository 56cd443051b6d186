"""What the audit reads of the database: plain SQL that both databases understand.

``?1`` and ``?2`` are the instants between which attempts are read, with their members and their
news; those still open are read whatever their age. From 0 on everything is read.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from dialer.audit.evidence import Evidence
from dialer.audit.records import (
    Attempt,
    Brake,
    Campaign,
    Daemon,
    Listing,
    Member,
    News,
    Number,
    NumberDay,
    Retry,
    RuleSet,
    Schedule,
)

#: Later than anything: for reading the whole history.
FOREVER: Final = 2**62

#: Statements by the field of the evidence they fill, with the record a row becomes.
STATEMENTS: Final[Mapping[str, tuple[type, str]]] = MappingProxyType(
    {
        "attempts": (
            Attempt,
            """
            SELECT id, member_id, campaign_id, number_id, owner, phone, state, day, intent_at,
                   send_at, sid, status, ringing_at, answered_at, ended_at, duration_s, sip_code,
                   error_code, answered_by, outcome, closed_at, window_key, rule_set_id,
                   verdict, verdict_seq, machine_kind, message_left_at
              FROM attempts
             WHERE (intent_at >= ?1 AND intent_at < ?2) OR closed_at IS NULL
            """,
        ),
        "members": (
            Member,
            """
            SELECT m.id, m.campaign_id, c.phone, m.state, m.attempts, m.attempt_id
              FROM members m
              JOIN contacts c ON c.id = m.contact_id
             WHERE CAST(?1 AS BIGINT) = 0
                OR m.id IN (SELECT member_id FROM attempts
                             WHERE (intent_at >= ?1 AND intent_at < ?2) OR closed_at IS NULL)
            """,
        ),
        "news": (
            News,
            """
            SELECT attempt_id, sid, source, status, occurred_at, duration_s, sip_code, error_code,
                   answered_by, received_at, folded_at, verdict, sequence
              FROM call_events
             WHERE attempt_id IN (SELECT id FROM attempts
                                   WHERE (intent_at >= ?1 AND intent_at < ?2)
                                      OR closed_at IS NULL)
            """,
        ),
        "campaigns": (
            Campaign,
            """
            SELECT id, name, status, schedule_id, start_at, spam_threshold, max_calls_per_day,
                   call_interval_ms, max_concurrent, ring_timeout_s, max_retries,
                   callee_calls_per_day, callee_calls_per_week, started_at, paused_at, ended_at
              FROM campaigns
            """,
        ),
        "numbers": (
            Number,
            """
            SELECT id, phone, zone, max_live, spam_score, spam_scored_at, disabled_at, calls_total
              FROM numbers
            """,
        ),
        "number_days": (NumberDay, "SELECT number_id, day, calls FROM number_days"),
        "schedules": (Schedule, "SELECT id, name, body FROM schedules"),
        "rule_sets": (RuleSet, "SELECT id, body, created_at FROM rule_sets"),
        "listings": (
            Listing,
            """
            SELECT id, phone, campaign_id, event, at
              FROM dnc_history
             WHERE event <> 'refused'
            """,
        ),
        "brakes": (
            Brake,
            """
            SELECT id, at, action
              FROM audit_log
             WHERE action IN ('dialing.hold', 'dialing.release')
            """,
        ),
        "retries": (
            Retry,
            "SELECT id, at, after FROM audit_log WHERE action = 'contacts.retry'",
        ),
        "daemons": (Daemon, "SELECT id, started_at, lease_until, ended_at FROM daemons"),
    }
)


def wants_period(statement: str) -> bool:
    """Whether a statement has parameters."""
    return "?1" in statement


def for_postgres(statement: str) -> str:
    """The same statement with PostgreSQL's marks for parameters."""
    return statement.replace("?", "$")


def evidence_from(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Evidence:
    """The database's side of the evidence, from the rows of :data:`STATEMENTS`."""
    tables: dict[str, Any] = {
        name: [record(**row) for row in rows[name]] for name, (record, _) in STATEMENTS.items()
    }
    return Evidence(**tables)
