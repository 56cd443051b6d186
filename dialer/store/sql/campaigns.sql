-- name: active_plans
SELECT c.*, g.kind AS agent_kind, s.body AS schedule_body,
       (SELECT max(r.id) FROM rule_sets r) AS rule_set_id
  FROM campaigns c
  JOIN agents g ON g.id = c.agent_id
  LEFT JOIN schedules s ON s.id = c.schedule_id
 WHERE c.status = 'active'
 ORDER BY c.id;

-- name: calling_plans
SELECT c.*, g.kind AS agent_kind, s.body AS schedule_body,
       (SELECT max(r.id) FROM rule_sets r) AS rule_set_id
  FROM campaigns c
  JOIN agents g ON g.id = c.agent_id
  LEFT JOIN schedules s ON s.id = c.schedule_id
 WHERE c.id IN (SELECT campaign_id FROM attempts WHERE closed_at IS NULL)
 ORDER BY c.id;

-- name: campaign_plan^
SELECT c.*, g.kind AS agent_kind, s.body AS schedule_body,
       (SELECT max(r.id) FROM rule_sets r) AS rule_set_id
  FROM campaigns c
  JOIN agents g ON g.id = c.agent_id
  LEFT JOIN schedules s ON s.id = c.schedule_id
 WHERE c.id = :campaign_id;

-- name: deciding_plan^
-- The plan a member is moved by: its campaign does not end before that is done.
SELECT c.*, g.kind AS agent_kind, s.body AS schedule_body,
       (SELECT max(r.id) FROM rule_sets r) AS rule_set_id
  FROM campaigns c
  JOIN agents g ON g.id = c.agent_id
  LEFT JOIN schedules s ON s.id = c.schedule_id
 WHERE c.id = :campaign_id;

-- name: move_campaign!
-- Compare and set; every move makes the plans read by daemons stale.
UPDATE campaigns
   SET status = :status,
       revision = revision + 1,
       started_at = CASE WHEN :status = 'active' AND started_at IS NULL THEN :now ELSE started_at END,
       paused_at = CASE WHEN :status = 'paused' THEN :now END,
       paused_by = CASE WHEN :status = 'paused' THEN :by END,
       pause_reason = :reason,
       hang_up_at = CASE WHEN :status = 'paused' THEN CAST(:hang_up_at AS BIGINT) END,
       ended_at = CASE WHEN :status IN ('completed', 'cancelled') THEN :now END
 WHERE id = :campaign_id AND status = :was;

-- name: hang_up_campaign!
UPDATE campaigns SET hang_up_at = :now
 WHERE id = :campaign_id AND status = 'paused' AND hang_up_at IS NULL;

-- name: revision^
-- With the hold, so that whoever looks for commands sees it at once.
SELECT revision, held_at, held_by, hold_reason FROM control WHERE id = 1;

-- name: bump_revision!
UPDATE control SET revision = revision + 1 WHERE id = 1;

-- name: open_plans
SELECT c.*, g.kind AS agent_kind, s.body AS schedule_body,
       (SELECT max(r.id) FROM rule_sets r) AS rule_set_id
  FROM campaigns c
  JOIN agents g ON g.id = c.agent_id
  LEFT JOIN schedules s ON s.id = c.schedule_id
 WHERE c.status IN ('draft', 'active', 'paused')
 ORDER BY c.id;

-- name: waiting_counts
SELECT state, window_key, CASE WHEN reason = 'callee_cap' THEN 1 ELSE 0 END AS put_off,
       count(*) AS members,
       count(CASE WHEN next_at <= :now THEN 1 END) AS due,
       min(CASE WHEN next_at > :now THEN next_at END) AS next_at
  FROM members
 WHERE campaign_id = :campaign_id AND state IN ('pending', 'dialing', 'called', 'retry')
 GROUP BY 1, 2, 3;

-- name: clear_waits!
DELETE FROM campaign_waits WHERE campaign_id = :campaign_id;

-- name: add_waits*!
-- Another daemon may have written the same reasons since they were cleared: the last word counts.
INSERT INTO campaign_waits (campaign_id, reason, members, until_at, detail, noted_at)
VALUES (:campaign_id, :reason, :members, :until_at, :detail, :noted_at)
    ON CONFLICT (campaign_id, reason) DO UPDATE
   SET members = excluded.members, until_at = excluded.until_at, detail = excluded.detail,
       noted_at = excluded.noted_at;

-- name: campaign_waits
SELECT reason, members, until_at, detail, noted_at
  FROM campaign_waits
 WHERE campaign_id = :campaign_id
 ORDER BY members DESC, reason;

-- name: campaign_by_name^
SELECT c.*, g.kind AS agent_kind, s.body AS schedule_body
  FROM campaigns c
  JOIN agents g ON g.id = c.agent_id
  LEFT JOIN schedules s ON s.id = c.schedule_id
 WHERE c.name = :name;

-- name: campaign_names
SELECT name FROM campaigns ORDER BY id;

-- name: add_campaign$
INSERT INTO campaigns (name, status, agent_id, schedule_id, start_at, notes, labels, strategy,
                       spam_threshold, max_calls_per_day, stay_on_number, call_interval_ms,
                       max_concurrent, ring_timeout_s, amd, amd_shadow, on_machine, max_retries,
                       retry_intervals_s, retry_rules, completion_timeout_s,
                       callee_calls_per_day, callee_calls_per_week, created_at)
VALUES (:name, :status, :agent_id, :schedule_id, :start_at, :notes, :labels, :strategy,
        :spam_threshold, :max_calls_per_day, :stay_on_number, :call_interval_ms,
        :max_concurrent, :ring_timeout_s, :amd, :amd_shadow, :on_machine, :max_retries,
        :retry_intervals_s, :retry_rules, :completion_timeout_s,
        :callee_calls_per_day, :callee_calls_per_week, :now)
RETURNING id;

-- name: add_campaign_number*!
INSERT INTO campaign_numbers (campaign_id, number_id, weight)
VALUES (:campaign_id, :number_id, :weight);

-- name: cancel_members!
-- The literals are the rows (pending|retry, cancel) of the member table; a test ties them to it.
UPDATE members
   SET state = 'failed', reason = 'cancelled', changed_at = :now
 WHERE campaign_id = :campaign_id AND state IN ('pending', 'retry');

-- name: campaign_overview
SELECT c.id, c.name, c.status, c.start_at, c.pause_reason, c.paused_at, c.paused_by, c.ended_at,
       c.archived_at, c.created_at,
       s.name AS schedule, s.body AS schedule_body, g.name AS agent, g.kind AS agent_kind,
       (SELECT count(*) FROM campaign_numbers cn WHERE cn.campaign_id = c.id) AS numbers
  FROM campaigns c
  JOIN agents g ON g.id = c.agent_id
  LEFT JOIN schedules s ON s.id = c.schedule_id
 ORDER BY c.id;

-- name: member_counts
SELECT campaign_id, state, count(*) AS members
  FROM members
 GROUP BY campaign_id, state;

-- name: failure_counts
SELECT reason, count(*) AS members
  FROM members
 WHERE campaign_id = :campaign_id AND state = 'failed'
 GROUP BY reason
 ORDER BY members DESC;

-- name: outcome_counts
SELECT outcome, count(*) AS calls
  FROM attempts
 WHERE campaign_id = :campaign_id AND outcome IS NOT NULL
 GROUP BY outcome
 ORDER BY calls DESC;

-- name: attempt_counts
SELECT state, count(*) AS attempts
  FROM attempts
 WHERE campaign_id = :campaign_id
 GROUP BY state;
