-- name: add_job$
INSERT INTO jobs (kind, subject, state, actor, worker, total, started_at, beat_at)
VALUES (:kind, :subject, 'running', :actor, :worker, :total, :now, :now)
RETURNING id;

-- name: beat_job!
UPDATE jobs SET done = :done, beat_at = :now WHERE id = :job_id AND state = 'running';

-- name: job_cancel_at$
SELECT cancel_at FROM jobs WHERE id = :job_id;

-- name: finish_job!
UPDATE jobs
   SET state = :state, message = :message, beat_at = :now, ended_at = :now
 WHERE id = :job_id AND state = 'running';

-- name: cancel_job!
UPDATE jobs SET cancel_at = COALESCE(cancel_at, :now) WHERE id = :job_id AND state = 'running';

-- name: list_jobs
SELECT * FROM jobs
 WHERE CAST(:kind AS TEXT) = '' OR kind = :kind
 ORDER BY id DESC
 LIMIT :limit;

-- name: job_by_id^
SELECT * FROM jobs WHERE id = :job_id;
