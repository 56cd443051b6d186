-- name: add_schedule$
INSERT INTO schedules (name, body, created_at) VALUES (:name, :body, :now)
RETURNING id;

-- name: schedule_by_name^
SELECT * FROM schedules WHERE name = :name;

-- name: list_schedules
SELECT s.id, s.name, s.body, s.created_at,
       (SELECT count(*) FROM campaigns c WHERE c.schedule_id = s.id) AS campaigns
  FROM schedules s
 ORDER BY s.id;
