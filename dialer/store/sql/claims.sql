-- name: account_lane$
-- Whoever holds this row may claim: caps are counted and taken by one claim at a time.
SELECT next_slot_us FROM lanes WHERE name = 'account';

-- name: move_account_lane!
UPDATE lanes SET next_slot_us = :next_slot_us WHERE name = 'account';

-- name: claim_campaign^
SELECT status, revision, next_slot_us FROM campaigns WHERE id = :campaign_id;

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
       m.last_number_id, c.phone,
       EXISTS (SELECT 1 FROM dnc d
                WHERE d.phone = c.phone
                  AND (d.campaign_id IS NULL OR d.campaign_id = m.campaign_id)) AS listed
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

-- name: next_due$
SELECT min(m.next_at)
  FROM members m
 WHERE m.campaign_id = :campaign_id
   AND m.window_key = :window_key
   AND m.priority = :priority
   AND m.state IN ('pending', 'retry');

-- name: claim_members*!
UPDATE members
   SET state = :state, attempt_id = :attempt_id, last_number_id = :number_id, reason = NULL,
       changed_at = :now
 WHERE id = :member_id AND state = :was;

-- name: add_attempts*!
INSERT INTO attempts (id, member_id, campaign_id, number_id, owner, phone, state, day,
                      intent_at, send_at, check_at)
VALUES (:id, :member_id, :campaign_id, :number_id, :owner, :phone, :state, :day,
        :intent_at, :send_at, :check_at);

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
