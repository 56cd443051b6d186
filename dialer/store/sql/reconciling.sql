-- name: number_called_from^
SELECT id, zone FROM numbers WHERE phone = :phone;

-- name: members_of_callee
-- Whose call it may have been, with what was known of them; for a call from one of our numbers.
SELECT m.id, m.campaign_id, m.state, m.next_at, m.window_key, m.attempt_id, m.contact_id,
       c.phone, ca.status AS campaign_status,
       (SELECT a.outcome FROM attempts a WHERE a.id = m.attempt_id) AS outcome,
       EXISTS (SELECT 1 FROM campaign_numbers cn
                WHERE cn.campaign_id = m.campaign_id AND cn.number_id = :number_id) AS from_it
  FROM contacts c
  JOIN members m ON m.contact_id = c.id
  JOIN campaigns ca ON ca.id = m.campaign_id
 WHERE c.phone = :phone
 ORDER BY m.id;

-- name: open_attempt_to$
SELECT id FROM attempts WHERE phone = :phone AND closed_at IS NULL LIMIT 1;

-- name: reopen_member!
UPDATE members
   SET state = :state, reason = NULL, rejections = rejections + :rejected,
       last_outcome = coalesce(:outcome, last_outcome), changed_at = :now
 WHERE id = :member_id AND state = :was;

-- name: phones_after
SELECT id, phone FROM contacts WHERE id > :after AND phone LIKE '+%' ORDER BY id LIMIT :limit;

-- name: let_members_rest*!
-- Not as by a cap, whose change would call them back.
UPDATE members SET next_at = :next_at, reason = NULL, changed_at = :now
 WHERE id = :member_id AND state = :was;

-- name: keep_found_call!
INSERT INTO found_calls (sid, phone, placed_at) VALUES (:sid, :phone, :placed_at)
    ON CONFLICT (sid) DO NOTHING;

-- name: forget_found_call!
DELETE FROM found_calls WHERE sid = :sid;

-- name: forget_old_found_calls!
DELETE FROM found_calls WHERE placed_at < :before_at;

-- name: erase_found_calls!
DELETE FROM found_calls WHERE phone = :phone;

-- name: claim_found_member!
-- As claim_members does, and tells whether the member was still there to be claimed.
UPDATE members
   SET state = :state, attempt_id = :attempt_id, last_number_id = :number_id, reason = NULL,
       changed_at = :now
 WHERE id = :member_id AND state = :was;
