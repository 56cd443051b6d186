-- name: account_lane^
SELECT l.next_slot_us, c.held_at, c.held_by, c.hold_reason
  FROM lanes l
  JOIN control c ON c.id = 1
 WHERE l.name = 'account'
   FOR UPDATE OF l;

-- name: claim_campaign^
-- Held before its members, in the order in which a campaign's end takes them.
SELECT status, revision, next_slot_us,
       (SELECT max(r.id) FROM rule_sets r) AS rule_set_id
  FROM campaigns
 WHERE id = :campaign_id FOR KEY SHARE;

-- name: claim_due
-- As in the common file; a row somebody edits at this moment is left for the next claim.
SELECT m.id, m.state, m.attempts, m.rejections, m.not_placed, m.next_at, m.last_outcome,
       m.last_number_id, m.window_key, m.contact_id, c.phone,
       EXISTS (SELECT 1 FROM dnc d
                WHERE d.phone = c.phone
                  AND (d.campaign_id IS NULL OR d.campaign_id = m.campaign_id)) AS listed,
       (SELECT max(f.placed_at) FROM found_calls f WHERE f.phone = c.phone) AS found_at
  FROM members m
  JOIN contacts c ON c.id = m.contact_id
 WHERE m.campaign_id = :campaign_id
   AND m.window_key = :window_key
   AND m.priority = :priority
   AND m.state IN ('pending', 'retry')
   AND m.next_at <= :now
   AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.phone = c.phone AND a.closed_at IS NULL)
 ORDER BY m.next_at, m.id
 LIMIT :limit
   FOR UPDATE OF m SKIP LOCKED;

-- name: hold_campaign$
SELECT id FROM campaigns WHERE id = :campaign_id FOR UPDATE;

-- name: recent_calls
SELECT m.contact_id, a.send_at
  FROM members m
  JOIN attempts a ON a.member_id = m.id
 WHERE m.contact_id IN (SELECT CAST(json_array_elements_text(CAST(:contact_ids AS json)) AS bigint))
   AND a.send_at > :since_at
   AND (a.sid IS NOT NULL OR a.state IN ('intent', 'unknown'))
UNION ALL
SELECT c.id, f.placed_at
  FROM contacts c
  JOIN found_calls f ON f.phone = c.phone
 WHERE c.id IN (SELECT CAST(json_array_elements_text(CAST(:contact_ids AS json)) AS bigint))
   AND f.placed_at > :since_at;
