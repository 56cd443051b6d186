-- Each query finds what must not be: no row is good news.

-- name: storage_faults
SELECT quick_check AS what FROM pragma_quick_check WHERE quick_check <> 'ok';

-- name: broken_references
SELECT "table" || ' -> ' || parent AS what FROM pragma_foreign_key_check;

-- name: dialing_without_attempt
SELECT 'member ' || m.id AS what
  FROM members m
 WHERE m.state = 'dialing'
   AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.id = m.attempt_id AND a.closed_at IS NULL);

-- name: attempts_nobody_follows
SELECT 'attempt ' || a.id AS what
  FROM attempts a
  JOIN members m ON m.id = a.member_id
 WHERE a.closed_at IS NULL
   AND (m.state <> 'dialing' OR m.attempt_id IS NULL OR m.attempt_id <> a.id);

-- name: attempts_half_closed
-- The literals are the open states of an attempt; a test ties them to the table.
SELECT 'attempt ' || id AS what
  FROM attempts
 WHERE (closed_at IS NULL) <> (state IN ('intent', 'unknown', 'placed'));

-- name: callees_called_twice
SELECT 'attempt ' || min(id) AS what
  FROM attempts
 WHERE closed_at IS NULL
 GROUP BY phone
HAVING count(*) > 1;

-- name: called_without_outcome
SELECT 'member ' || m.id AS what
  FROM members m
 WHERE m.state = 'called'
   AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.id = m.attempt_id AND a.outcome IS NOT NULL);

-- name: waiting_in_ended_campaigns
SELECT 'member ' || m.id AS what
  FROM campaigns c
  JOIN members m ON m.campaign_id = c.id
 WHERE c.status IN ('completed', 'cancelled') AND m.state IN ('pending', 'retry');

-- name: miscounted_number_days
-- A call counts from its intent on; released, absent and refused ones were given back.
SELECT 'number ' || number_id || ' on ' || day AS what
  FROM (SELECT number_id, day, calls FROM number_days
         UNION ALL
        SELECT number_id, day, -1 FROM attempts
         WHERE state IN ('intent', 'unknown', 'placed') OR (state = 'ended' AND sid IS NOT NULL)
       ) AS counted
 GROUP BY number_id, day
HAVING sum(calls) <> 0;

-- name: miscounted_number_totals
SELECT 'number ' || number_id AS what
  FROM (SELECT id AS number_id, calls_total AS calls FROM numbers
         UNION ALL
        SELECT number_id, -calls FROM number_days
       ) AS counted
 GROUP BY number_id
HAVING sum(calls) <> 0;
