-- name: account_lane^
-- Whoever holds this row may claim: caps are counted and taken by one claim at a time.
SELECT l.next_slot_us, c.held_at, c.held_by, c.hold_reason
  FROM lanes l
  JOIN control c ON c.id = 1
 WHERE l.name = 'account';

-- name: move_account_lane!
UPDATE lanes SET next_slot_us = :next_slot_us WHERE name = 'account';

-- name: claim_campaign^
SELECT status, revision, next_slot_us,
       (SELECT max(r.id) FROM rule_sets r) AS rule_set_id
  FROM campaigns
 WHERE id = :campaign_id;

-- name: move_campaign_lane!
UPDATE campaigns SET next_slot_us = :next_slot_us WHERE id = :campaign_id;

-- name: live_calls
SELECT campaign_id, number_id, count(*) AS calls
  FROM attempts
 WHERE closed_at IS NULL
 GROUP BY campaign_id, number_id;

-- name: campaign_pool
SELECT n.id, n.phone, n.zone, n.disabled_at, n.spam_score, n.max_live,
       cn.weight, cn.last_turn, cn.credit, cn.last_used_at
  FROM campaign_numbers cn
  JOIN numbers n ON n.id = cn.number_id
 WHERE cn.campaign_id = :campaign_id
 ORDER BY n.id;

-- name: pool_days
SELECT d.number_id, d.day, d.calls
  FROM campaign_numbers cn
  JOIN number_days d ON d.number_id = cn.number_id
 WHERE cn.campaign_id = :campaign_id AND d.day >= :since_day;

-- name: claim_due
-- Priority by equality, so that the walk never steps over members of a higher priority that are
-- not due yet. A callee with an open attempt, in whatever campaign, is passed over.
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
 LIMIT :limit;

-- name: claim_queues
-- When the first member is due at each place and of each priority: a walk from key to key of the
-- index, however many members wait.
WITH RECURSIVE keys(window_key) AS (
    SELECT min(m.window_key)
      FROM members m
     WHERE m.campaign_id = :campaign_id AND m.state IN ('pending', 'retry')
     UNION ALL
    SELECT (SELECT min(m.window_key)
              FROM members m
             WHERE m.campaign_id = :campaign_id AND m.state IN ('pending', 'retry')
               AND m.window_key > keys.window_key)
      FROM keys
     WHERE keys.window_key IS NOT NULL
), queues AS (
    SELECT keys.window_key, ranks.priority,
           (SELECT min(m.next_at)
              FROM members m
             WHERE m.campaign_id = :campaign_id AND m.state IN ('pending', 'retry')
               AND m.window_key = keys.window_key
               AND m.priority = ranks.priority) AS next_at
      FROM keys
     CROSS JOIN (SELECT 0 AS priority UNION ALL SELECT 1 UNION ALL SELECT 2) ranks
     WHERE keys.window_key IS NOT NULL
)
SELECT window_key, priority, next_at FROM queues WHERE next_at IS NOT NULL;

-- name: recent_calls
-- What was placed or may have been, of whatever campaign.
SELECT m.contact_id, a.send_at
  FROM members m
  JOIN attempts a ON a.member_id = m.id
 WHERE m.contact_id IN (SELECT value FROM json_each(:contact_ids))
   AND a.send_at > :since_at
   AND (a.sid IS NOT NULL OR a.state IN ('intent', 'unknown'))
UNION ALL
SELECT c.id, f.placed_at
  FROM contacts c
  JOIN found_calls f ON f.phone = c.phone
 WHERE c.id IN (SELECT value FROM json_each(:contact_ids))
   AND f.placed_at > :since_at;

-- name: put_off_members*!
UPDATE members SET next_at = :next_at, reason = 'callee_cap', changed_at = :now
 WHERE id = :member_id AND state = :was;

-- name: claim_members*!
UPDATE members
   SET state = :state, attempt_id = :attempt_id, last_number_id = :number_id, reason = NULL,
       changed_at = :now
 WHERE id = :member_id AND state = :was;

-- name: add_attempts*!
INSERT INTO attempts (id, member_id, campaign_id, number_id, owner, phone, state, day,
                      intent_at, send_at, check_at, window_key, local_weekday, local_hour,
                      rule_set_id)
VALUES (:id, :member_id, :campaign_id, :number_id, :owner, :phone, :state, :day,
        :intent_at, :send_at, :check_at, :window_key, :local_weekday, :local_hour,
        :rule_set_id);

-- name: count_number_calls*!
-- A negative count gives back what a claim took and no call used.
INSERT INTO number_days (number_id, day, calls)
VALUES (:number_id, :day, :calls)
    ON CONFLICT (number_id, day) DO UPDATE SET calls = number_days.calls + excluded.calls;

-- name: count_number_totals*!
UPDATE numbers SET calls_total = calls_total + :calls WHERE id = :number_id;

-- name: save_rotation*!
UPDATE campaign_numbers
   SET last_turn = :last_turn, credit = :credit, last_used_at = :last_used_at
 WHERE campaign_id = :campaign_id AND number_id = :number_id;

-- name: unfinished_member$
SELECT id FROM members
 WHERE campaign_id = :campaign_id AND state IN ('pending', 'dialing', 'called', 'retry')
 LIMIT 1;

-- name: hold_campaign$
-- Whoever brings members in holds the campaign against its end.
SELECT id FROM campaigns WHERE id = :campaign_id;

-- name: members_to_explain
-- What a claim would be decided from, of every membership of a contact.
SELECT m.id, m.campaign_id, m.contact_id, m.state, m.attempts, m.next_at, m.reason, m.window_key,
       m.priority, m.last_outcome, c.phone, c.name,
       (SELECT min(d.source) FROM dnc d
         WHERE d.phone = c.phone
           AND (d.campaign_id IS NULL OR d.campaign_id = m.campaign_id)) AS listed_by,
       (SELECT count(*) FROM attempts a
         WHERE a.phone = c.phone AND a.closed_at IS NULL) AS open_attempts
  FROM members m
  JOIN contacts c ON c.id = m.contact_id
 WHERE m.contact_id = :contact_id
 ORDER BY m.id;

-- name: next_slots^
-- As the claim reads them, for whoever takes nothing.
SELECT c.next_slot_us AS campaign_us, l.next_slot_us AS account_us
  FROM campaigns c
  JOIN lanes l ON l.name = 'account'
 WHERE c.id = :campaign_id;

-- name: attempt_to_explain^
-- Attempts of a day are looked for among the ids of its time, which begin with it.
SELECT a.id, a.member_id, a.campaign_id, m.contact_id, a.phone, a.state, a.outcome, a.intent_at,
       a.send_at, a.window_key, a.local_hour, a.rule_set_id, a.day, n.phone AS from_,
       (SELECT count(*) FROM attempts b
         WHERE b.number_id = a.number_id AND b.day = a.day AND b.id < a.id AND b.id > :since_id
           AND (b.sid IS NOT NULL OR b.state IN ('intent', 'unknown'))) AS number_calls
  FROM attempts a
  JOIN members m ON m.id = a.member_id
  JOIN numbers n ON n.id = a.number_id
 WHERE a.id = :attempt_id;
