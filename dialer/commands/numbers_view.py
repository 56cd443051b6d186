"""How numbers are shown."""

from typing import TYPE_CHECKING, Any

from dialer.commands.console import iso

if TYPE_CHECKING:
    from dialer.numbers import NumberReport


def listed(report: "NumberReport") -> dict[str, Any]:
    """A number as programs read it."""
    row = report.row
    return {
        "id": row["id"],
        "phone": row["phone"],
        "name": row["name"],
        "status": "active" if report.active else "disabled",
        "calls_today": report.calls_today,
        "calls_total": row["calls_total"],
        "score": row["spam_score"],
        "band": report.band,
        "score_source": row["spam_source"],
        "scored_at": iso(row["spam_scored_at"]),
        "zone": row["zone"],
        "max_live": row["max_live"],
        "disabled_at": iso(row["disabled_at"]),
        "created_at": iso(row["created_at"]),
    }
