-- name: campaigns_by_status
SELECT status, count(*) AS campaigns
  FROM campaigns
 GROUP BY status;

-- name: open_attempts
SELECT campaign_id, count(*) AS calls
  FROM attempts
 WHERE closed_at IS NULL
 GROUP BY campaign_id;

-- name: doubtful_attempts$
SELECT count(*) FROM attempts WHERE closed_at IS NULL AND state = 'unknown';

-- name: all_waits
SELECT campaign_id, reason, members FROM campaign_waits;

-- name: unfolded_count$
SELECT count(*) FROM call_events WHERE folded_at IS NULL;

-- name: last_backup_at$
SELECT max(ended_at) FROM jobs WHERE kind = 'backup' AND state = 'done';

-- name: database_bytes$
SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size();
