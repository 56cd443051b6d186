-- name: add_schedule$
INSERT INTO schedules (name, body, created_at) VALUES (:name, :body, :now)
RETURNING id;

-- name: schedule_by_name^
SELECT * FROM schedules WHERE name = :name;

-- name: schedule_by_id^
SELECT * FROM schedules WHERE id = :schedule_id;

-- name: list_schedules
SELECT s.id, s.name, s.body, s.created_at,
       (SELECT count(*) FROM campaigns c WHERE c.schedule_id = s.id) AS campaigns
  FROM schedules s
 ORDER BY s.id;

-- name: edit_schedule!
-- Compare and set: what somebody else has written meanwhile is not undone.
UPDATE schedules SET name = :name, body = :body WHERE id = :schedule_id AND body = :was;

-- name: schedule_users
SELECT name FROM campaigns WHERE schedule_id = :schedule_id ORDER BY id;

-- name: delete_schedule!
DELETE FROM schedules WHERE id = :schedule_id;
