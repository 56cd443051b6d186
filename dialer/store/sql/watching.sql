-- name: watch_members
SELECT state, count(*) AS members
  FROM members
 WHERE campaign_id = :campaign_id
 GROUP BY state;

-- name: watch_slots
-- Attempts are looked for among the ids of their time, which begin with it.
SELECT a.intent_at / :slot_ms AS slot, a.outcome, count(*) AS attempts,
       count(a.closed_at) AS closed, min(a.intent_at) AS first_at,
       CAST(sum(a.closed_at - a.intent_at) AS BIGINT) AS held_ms
  FROM attempts a
 WHERE a.id > :since_id AND a.campaign_id = :campaign_id AND a.state <> 'released'
 GROUP BY 1, 2;

-- name: watch_started$
SELECT count(*)
  FROM attempts
 WHERE id > :since_id AND campaign_id = :campaign_id AND state <> 'released';

-- name: watch_pulse^
-- The last signs of life: the reasons written down, a lease that holds, news nobody has folded.
SELECT (SELECT max(w.noted_at)
          FROM campaign_waits w
          JOIN campaigns c ON c.id = w.campaign_id
         WHERE c.status IN ('draft', 'active', 'paused')) AS noted_at,
       (SELECT max(lease_until) FROM daemons
         WHERE ended_at IS NULL AND lease_until >= :now) AS lease_until,
       (SELECT min(received_at) FROM call_events WHERE folded_at IS NULL) AS unfolded_at;

-- name: newest_calls
-- Among so many of the newest attempts of all campaigns, or the walk back would have no end for a
-- campaign that has been quiet for long.
SELECT recent.id, recent.phone, recent.state, recent.outcome, recent.detail, recent.intent_at,
       recent.answered_at, recent.ended_at, recent.duration_s, recent.sid, n.phone AS from_,
       ca.name AS campaign, ca.max_retries, ct.name AS contact, m.state AS member_state,
       m.next_at, m.attempts, m.reason, recent.machine_kind, recent.message_left_at, recent.label,
       CASE WHEN m.attempt_id = recent.id THEN 1 ELSE 0 END AS latest
  FROM (SELECT newest.*
          FROM (SELECT * FROM attempts WHERE id > :after_id ORDER BY id DESC LIMIT :among) newest
         WHERE (:campaign_id = 0 OR newest.campaign_id = :campaign_id)
         ORDER BY newest.id DESC
         LIMIT :limit) recent
  JOIN numbers n ON n.id = recent.number_id
  JOIN campaigns ca ON ca.id = recent.campaign_id
  JOIN members m ON m.id = recent.member_id
  JOIN contacts ct ON ct.id = m.contact_id
 ORDER BY recent.id DESC;

-- name: answer_rates
-- Of the newest attempts alone: how people answer now, at a price that does not grow.
SELECT newest.campaign_id, count(newest.outcome) AS calls,
       count(CASE WHEN newest.outcome = 'human' THEN 1 END) AS humans
  FROM (SELECT campaign_id, outcome FROM attempts ORDER BY id DESC LIMIT :among) newest
 WHERE newest.outcome <> 'not_placed'
 GROUP BY newest.campaign_id;

-- name: soonest_waits
SELECT campaign_id, reason, members, until_at, detail, noted_at
  FROM campaign_waits
 ORDER BY campaign_id, members DESC, reason;

-- name: last_backup^
SELECT ended_at, subject FROM jobs
 WHERE kind = 'backup' AND state = 'done'
 ORDER BY ended_at DESC
 LIMIT 1;
