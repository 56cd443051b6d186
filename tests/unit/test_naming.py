"""A password in a DSN is nobody's business."""

import pytest

from dialer.store.naming import shown


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        ("dialer.db", "dialer.db"),
        ("postgresql://ann:s3cret@db/dialer", "postgresql://ann:***@db/dialer"),
        ("postgresql://ann@db/dialer", "postgresql://ann@db/dialer"),
        ("postgresql://:p:w@/x?host=run", "postgresql://:***@/x?host=run"),
    ],
)
def test_a_dsn_is_shown_without_its_password(database: str, expected: str) -> None:
    assert shown(database) == expected
