-- name: hold_calendars
SELECT id, name, body, created_at FROM holiday_calendars ORDER BY id FOR UPDATE;
