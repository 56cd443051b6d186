-- name: erased_among
SELECT hash, erased_at
  FROM erased_phones
 WHERE hash IN (SELECT json_array_elements_text(CAST(:hashes AS json)));

-- name: hold_attempts_at
-- In the order in which news takes them.
SELECT a.id, a.detail
  FROM contacts c
  JOIN members m ON m.contact_id = c.id
  JOIN attempts a ON a.member_id = m.id
 WHERE c.phone = :phone
 ORDER BY a.id
   FOR UPDATE OF a, m;

-- name: hold_members_of
SELECT m.id, m.state
  FROM contacts c
  JOIN members m ON m.contact_id = c.id
 WHERE c.phone = :phone
 ORDER BY m.id
   FOR UPDATE OF m;

-- name: attempts_to_purge
SELECT a.id, a.number_id, a.day,
       CASE WHEN a.state = 'ended' AND a.sid IS NOT NULL THEN 1 ELSE 0 END AS counted
  FROM attempts a
 WHERE a.id IN (SELECT json_array_elements_text(CAST(:ids AS json)))
   AND a.closed_at IS NOT NULL
 ORDER BY a.id
   FOR UPDATE;

-- name: purge_events!
DELETE FROM call_events
 WHERE attempt_id IN (SELECT json_array_elements_text(CAST(:ids AS json)))
   AND folded_at IS NOT NULL;

-- name: purge_verdicts!
DELETE FROM amd_verdicts
 WHERE attempt_id IN (SELECT json_array_elements_text(CAST(:ids AS json)));

-- name: forget_said!
UPDATE attempts SET said = ''
 WHERE id IN (SELECT json_array_elements_text(CAST(:ids AS json))) AND said <> '';
