-- name: campaign_weights
SELECT number_id, weight FROM campaign_numbers WHERE campaign_id = :campaign_id ORDER BY number_id;

-- name: edit_campaign!
UPDATE campaigns
   SET name = :name, agent_id = :agent_id, schedule_id = :schedule_id, start_at = :start_at,
       notes = :notes, labels = :labels, strategy = :strategy, spam_threshold = :spam_threshold,
       max_calls_per_day = :max_calls_per_day, stay_on_number = :stay_on_number,
       call_interval_ms = :call_interval_ms, max_concurrent = :max_concurrent,
       ring_timeout_s = :ring_timeout_s, amd = :amd, amd_shadow = :amd_shadow,
       on_machine = :on_machine, max_retries = :max_retries, retry_intervals_s = :retry_intervals_s,
       retry_rules = :retry_rules, completion_timeout_s = :completion_timeout_s,
       callee_calls_per_day = :callee_calls_per_day,
       callee_calls_per_week = :callee_calls_per_week,
       revision = revision + 1
 WHERE id = :campaign_id AND revision = :revision;

-- name: weigh_campaign_number*!
-- Its turns stay what they were.
INSERT INTO campaign_numbers (campaign_id, number_id, weight)
VALUES (:campaign_id, :number_id, :weight)
    ON CONFLICT (campaign_id, number_id) DO UPDATE SET weight = excluded.weight;

-- name: drop_campaign_number*!
DELETE FROM campaign_numbers WHERE campaign_id = :campaign_id AND number_id = :number_id;

-- name: clone_members!
-- In the order of the original, without those of members_not_cloned; each waits at the place where
-- the contact is now.
INSERT INTO members (campaign_id, contact_id, window_key, state, priority, next_at, created_at,
                     changed_at)
SELECT :campaign_id, m.contact_id, c.place, :state, m.priority, :now, :now, :now
  FROM members m
  JOIN contacts c ON c.id = m.contact_id
 WHERE m.campaign_id = :original_id
   AND m.state = :was
   AND c.phone NOT LIKE 'erased%'
   AND NOT EXISTS (SELECT 1 FROM dnc d
                    WHERE d.phone = c.phone
                      AND (d.campaign_id IS NULL OR d.campaign_id = m.campaign_id))
   AND NOT (m.state = 'failed'
            AND coalesce(m.reason, '') IN ('do_not_call', 'fax', 'invalid_number',
                                           'refused_by_check', 'skipped'))
 ORDER BY m.id;

-- name: members_not_cloned
-- Whom another campaign may not have from this one: erased, listed, or failed for a reason that a
-- retry by hand has to name. The literals are those reasons, and the mark of an erased number.
SELECT judged.why, count(*) AS members
  FROM (SELECT CASE WHEN c.phone LIKE 'erased%' THEN 'erased'
                    WHEN EXISTS (SELECT 1 FROM dnc d
                                  WHERE d.phone = c.phone
                                    AND (d.campaign_id IS NULL OR d.campaign_id = m.campaign_id))
                    THEN 'do_not_call'
                    WHEN m.state = 'failed'
                     AND m.reason IN ('do_not_call', 'fax', 'invalid_number', 'refused_by_check',
                                      'skipped')
                    THEN m.reason
                END AS why
          FROM members m
          JOIN contacts c ON c.id = m.contact_id
         WHERE m.campaign_id = :original_id AND m.state = :was) judged
 WHERE judged.why IS NOT NULL
 GROUP BY judged.why
 ORDER BY judged.why;

-- name: archive_campaign!
UPDATE campaigns SET archived_at = :archived_at, revision = revision + 1 WHERE id = :campaign_id;

-- name: campaign_traces^
-- What a campaign has left behind that outlives it.
SELECT (SELECT count(*) FROM attempts a WHERE a.campaign_id = :campaign_id) AS attempts,
       (SELECT count(*) FROM dnc d WHERE d.campaign_id = :campaign_id) AS listed,
       (SELECT count(*) FROM members m WHERE m.campaign_id = :campaign_id) AS members;

-- name: forget_imports_campaign!
UPDATE imports SET campaign_id = NULL WHERE campaign_id = :campaign_id;

-- name: forget_dnc_campaign!
UPDATE dnc_history SET campaign_id = NULL WHERE campaign_id = :campaign_id;

-- name: delete_members!
DELETE FROM members WHERE campaign_id = :campaign_id;

-- name: delete_waits!
DELETE FROM campaign_waits WHERE campaign_id = :campaign_id;

-- name: delete_campaign_numbers!
DELETE FROM campaign_numbers WHERE campaign_id = :campaign_id;

-- name: delete_campaign!
DELETE FROM campaigns WHERE id = :campaign_id;
