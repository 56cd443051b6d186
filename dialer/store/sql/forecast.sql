-- What a forecast reads of the live database; its own database is in memory (the last part).

-- name: forecast_campaign^
SELECT c.*, g.kind AS agent_kind, g.target AS agent_target, g.options AS agent_options,
       s.name AS schedule, s.body AS schedule_body
  FROM campaigns c
  JOIN agents g ON g.id = c.agent_id
  LEFT JOIN schedules s ON s.id = c.schedule_id
 WHERE c.name = :name OR CAST(c.id AS TEXT) = :name
 ORDER BY CASE WHEN c.name = :name THEN 0 ELSE 1 END
 LIMIT 1;

-- name: forecast_members
-- Everybody who is not done, with the outcome that is still open for those called just now.
SELECT m.id, m.contact_id, c.phone, m.state, m.priority, m.next_at, m.window_key, m.attempts, m.rejections,
       m.not_placed, m.last_number_id, m.last_outcome, a.outcome, a.error_code, a.duration_s,
       EXISTS (SELECT 1 FROM dnc d
                WHERE d.phone = c.phone
                  AND (d.campaign_id IS NULL OR d.campaign_id = m.campaign_id)) AS listed
  FROM members m
  JOIN contacts c ON c.id = m.contact_id
  LEFT JOIN attempts a ON m.state = 'called' AND a.id = m.attempt_id
 WHERE m.campaign_id = :campaign_id AND m.state IN ('pending', 'retry', 'dialing', 'called');

-- name: forecast_done
SELECT state, count(*) AS members
  FROM members
 WHERE campaign_id = :campaign_id AND state IN ('completed', 'failed', 'no_conversation')
 GROUP BY state;

-- name: forecast_history
-- The latest calls of a campaign, and how many calls each callee had before.
SELECT a.outcome, a.error_code, a.duration_s, a.send_at, a.closed_at,
       CASE WHEN a.sid IS NULL THEN 0 ELSE 1 END AS made,
       (SELECT count(*) FROM attempts b
         WHERE b.member_id = a.member_id AND b.id < a.id AND b.sid IS NOT NULL) AS calls_before
  FROM attempts a
 WHERE a.campaign_id = :campaign_id
   AND a.state IN ('ended', 'not_placed')
   AND a.outcome <> 'canceled'
 ORDER BY a.id DESC
 LIMIT :limit;

-- name: forecast_recent_calls
-- The latest calls to everybody who is not done, by whatever campaign, for the caps on callees;
-- those under way are still to be made in a forecast.
SELECT theirs.contact_id, a.send_at
  FROM members ours
  JOIN members theirs ON theirs.contact_id = ours.contact_id
  JOIN attempts a ON a.member_id = theirs.id
 WHERE ours.campaign_id = :campaign_id
   AND ours.state IN ('pending', 'retry', 'dialing', 'called')
   AND a.send_at > :since_at
   AND a.sid IS NOT NULL
   AND a.closed_at IS NOT NULL;

-- name: forecast_neighbours
-- Other campaigns that dial, and how many caller ids they share with this one.
SELECT c.name,
       (SELECT count(*)
          FROM campaign_numbers theirs
          JOIN campaign_numbers ours ON ours.number_id = theirs.number_id
         WHERE theirs.campaign_id = c.id AND ours.campaign_id = :campaign_id) AS shared
  FROM campaigns c
 WHERE c.status = 'active' AND c.id <> :campaign_id
 ORDER BY c.id;

-- name: forecast_add_numbers*!
INSERT INTO numbers (id, phone, zone, max_live, spam_score, disabled_at, created_at)
VALUES (:id, :phone, :zone, :max_live, :spam_score, :disabled_at, :now);

-- name: forecast_add_contacts*!
INSERT INTO contacts (id, phone, created_at, changed_at) VALUES (:id, :phone, :now, :now);

-- name: forecast_add_members*!
INSERT INTO members (id, campaign_id, contact_id, state, priority, next_at, window_key, attempts,
                     rejections, not_placed, last_number_id, last_outcome, attempt_id, created_at,
                     changed_at)
VALUES (:id, :campaign_id, :id, :state, :priority, :next_at, :window_key, :attempts, :rejections,
        :not_placed, :last_number_id, :last_outcome, :attempt_id, :now, :now);

-- name: forecast_add_calls*!
-- The calls before the forecast that still matter: their outcome is open, or caps count them.
INSERT INTO attempts (id, member_id, campaign_id, number_id, owner, phone, state, day, intent_at,
                      send_at, check_at, sid, outcome, error_code, duration_s, closed_at)
VALUES (:id, :member_id, :campaign_id, :number_id, :owner, :phone, 'ended', '', 0,
        :send_at, 0, :id, :outcome, :error_code, :duration_s, 0);

-- name: forecast_pace!
UPDATE campaigns
   SET call_interval_ms = :call_interval_ms, max_concurrent = :max_concurrent,
       max_calls_per_day = :max_calls_per_day
 WHERE id = :campaign_id;

-- name: forecast_calls
-- The calls that were made, in their order.
SELECT number_id, day, intent_at, outcome
  FROM attempts
 WHERE intent_at > 0 AND sid IS NOT NULL
 ORDER BY intent_at, id;

-- name: forecast_members_done
SELECT state, changed_at
  FROM members
 WHERE state IN ('completed', 'failed', 'no_conversation');

-- name: forecast_campaign_end^
SELECT status, ended_at FROM campaigns WHERE id = :campaign_id;
