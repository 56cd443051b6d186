-- name: add_daemon$
INSERT INTO daemons (name, started_at, lease_until) VALUES (:name, :now, :lease_until)
RETURNING id;

-- name: describe_daemon!
UPDATE daemons SET host = :host, pid = :pid, version = :version WHERE id = :id;

-- name: end_other_daemons!
UPDATE daemons SET ended_at = :now WHERE ended_at IS NULL AND id <> :id;

-- name: end_daemon!
UPDATE daemons SET ended_at = :now WHERE id = :id;

-- name: renew_lease!
UPDATE daemons SET lease_until = :lease_until
 WHERE id = :id AND ended_at IS NULL AND lease_until >= :not_before;

-- name: live_daemons
SELECT id, name, started_at, lease_until, host, pid, version FROM daemons
 WHERE ended_at IS NULL AND lease_until >= :now
 ORDER BY id;

-- name: adopt_from_ended!
-- The literals are the rows (intent, doubt) of the attempt table; a test ties them to it.
UPDATE attempts
   SET owner = :owner,
       state = CASE WHEN state = 'intent' THEN 'unknown' ELSE state END,
       check_at = CASE WHEN state = 'placed' THEN :now
                       WHEN intent_at + :first_look_ms > :settled_at
                       THEN intent_at + :first_look_ms ELSE :settled_at END
 WHERE closed_at IS NULL
   AND owner IN (SELECT id FROM daemons WHERE ended_at IS NOT NULL AND id <> :owner);

-- name: adopt_from_expired!
UPDATE attempts
   SET owner = :owner,
       state = CASE WHEN state = 'intent' THEN 'unknown' ELSE state END,
       check_at = CASE WHEN state = 'placed' THEN :now
                       WHEN intent_at + :first_look_ms > :settled_at
                       THEN intent_at + :first_look_ms ELSE :settled_at END,
       taken_over_at = :now
 WHERE closed_at IS NULL
   AND owner IN (SELECT id FROM daemons
                  WHERE ended_at IS NULL AND lease_until < :now AND id <> :owner);
