-- name: list_calendars
SELECT id, name, body, created_at FROM holiday_calendars ORDER BY id;

-- name: hold_calendars
-- Whoever writes a calendar, or copies its days into a schedule, comes after whoever does already.
SELECT id, name, body, created_at FROM holiday_calendars ORDER BY id;

-- name: add_calendar$
INSERT INTO holiday_calendars (name, body, created_at) VALUES (:name, :body, :now)
RETURNING id;

-- name: save_calendar!
UPDATE holiday_calendars SET body = :body WHERE id = :calendar_id;

-- name: remove_calendar!
DELETE FROM holiday_calendars WHERE id = :calendar_id;

-- name: schedule_bodies
SELECT id, name, body FROM schedules ORDER BY id;

-- name: save_schedule_body!
-- Compare and set: what somebody else has written meanwhile is not undone.
UPDATE schedules SET body = :body WHERE id = :schedule_id AND body = :was;

-- name: revise_campaigns_of_schedule!
-- Plans that daemons have read before are stale.
UPDATE campaigns SET revision = revision + 1 WHERE schedule_id = :schedule_id;
