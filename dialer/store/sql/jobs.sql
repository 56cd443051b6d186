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
-- An import names the job that is at it: a job of this kind that none names has a successor.
SELECT j.*, CASE WHEN j.kind = 'import' AND i.id IS NULL THEN 1 ELSE 0 END AS gone_on_with
  FROM jobs j
  LEFT JOIN imports i ON i.job_id = j.id
 WHERE CAST(:kind AS TEXT) = '' OR j.kind = :kind
 ORDER BY j.id DESC
 LIMIT :limit;

-- name: job_by_id^
SELECT j.*, CASE WHEN j.kind = 'import' AND i.id IS NULL THEN 1 ELSE 0 END AS gone_on_with
  FROM jobs j
  LEFT JOIN imports i ON i.job_id = j.id
 WHERE j.id = :job_id;
