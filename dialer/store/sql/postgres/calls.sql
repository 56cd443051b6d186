-- name: sendable
SELECT a.id, c.revision
  FROM attempts a
  JOIN campaigns c ON c.id = a.campaign_id
  JOIN members m ON m.id = a.member_id
 WHERE a.id IN (SELECT json_array_elements_text(CAST(:ids AS json)))
   AND a.state = 'intent'
   AND a.owner = :owner
   AND a.hang_up_at IS NULL
   AND c.status = 'active'
   AND (SELECT k.held_at FROM control k WHERE k.id = 1) IS NULL
   AND m.window_key = a.window_key
   AND coalesce(a.rule_set_id, 0) = coalesce((SELECT max(r.id) FROM rule_sets r), 0)
   AND NOT EXISTS (SELECT 1 FROM dnc d
                    WHERE d.phone = a.phone
                      AND (d.campaign_id IS NULL OR d.campaign_id = a.campaign_id));

-- name: load_attempts
SELECT a.id, a.phone, a.state, a.day, a.number_id, a.intent_at, a.check_at, a.sid, a.status,
       a.ringing_at, a.answered_at, a.ended_at, a.duration_s, a.sip_code, a.error_code, a.answered_by,
       a.verdict, a.verdict_seq, a.machine_kind, a.message_left_at,
       a.outcome, a.detail, a.closed_at, a.checks, a.taken_over_at, a.member_id, a.campaign_id,
       m.state AS member_state, m.attempts, m.rejections, m.not_placed, m.next_at, m.reason,
       m.last_outcome, m.window_key, m.attempt_id AS member_attempt_id,
       c.amd, c.completion_timeout_s, c.on_machine, c.ring_timeout_s
  FROM attempts a
  JOIN members m ON m.id = a.member_id
  JOIN campaigns c ON c.id = a.campaign_id
 WHERE a.id IN (SELECT json_array_elements_text(CAST(:ids AS json)))
 ORDER BY a.id
   FOR UPDATE OF a, m;

-- name: called_off
SELECT id FROM attempts
 WHERE id IN (SELECT json_array_elements_text(CAST(:ids AS json))) AND hang_up_at IS NOT NULL;

-- name: outcomes_due
SELECT m.id, m.campaign_id, m.attempts, m.rejections, m.not_placed, m.attempt_id, m.reason,
       m.window_key, m.last_outcome AS previous_outcome, a.outcome, a.error_code,
       a.duration_s, a.message_left_at
  FROM members m
  JOIN attempts a ON a.id = m.attempt_id
 WHERE m.state = 'called' AND m.next_at <= :now
 ORDER BY m.next_at
 LIMIT :limit
   FOR UPDATE OF m SKIP LOCKED;

-- name: inbox_of
SELECT attempt_id, sid, source, status, sequence, occurred_at, duration_s, sip_code, error_code,
       answered_by, received_at
  FROM call_events
 WHERE attempt_id IN (SELECT json_array_elements_text(CAST(:ids AS json)))
   AND folded_at IS NOT NULL
   AND verdict <> 'conflict';
