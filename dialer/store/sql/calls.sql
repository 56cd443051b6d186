-- name: sendable
-- The last question before requests leave: still ours, still wanted, still allowed? By other
-- rules, or somewhere else, the callee's window was never looked at.
-- Whoever asks compares the revision: a campaign that was edited may want another call by now.
SELECT a.id, c.revision
  FROM attempts a
  JOIN campaigns c ON c.id = a.campaign_id
  JOIN members m ON m.id = a.member_id
 WHERE a.id IN (SELECT value FROM json_each(:ids))
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

-- name: add_events*!
INSERT INTO call_events (attempt_id, sid, source, status, sequence, occurred_at, duration_s,
                         sip_code, error_code, answered_by, received_at, news, folded_at,
                         verdict)
VALUES (:attempt_id, :sid, :source, :status, :sequence, :occurred_at, :duration_s,
        :sip_code, :error_code, :answered_by, :received_at, :news, :folded_at,
        :verdict)
    ON CONFLICT (attempt_id, news) DO NOTHING;

-- name: unfolded_events
SELECT attempt_id, sid, source, status, sequence, occurred_at, duration_s, sip_code, error_code,
       answered_by, received_at
  FROM call_events
 WHERE folded_at IS NULL
 ORDER BY received_at
 LIMIT :limit;

-- name: mark_folded*!
UPDATE call_events SET folded_at = :now, verdict = :verdict
 WHERE attempt_id = :attempt_id AND news = :news AND folded_at IS NULL;

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
 WHERE a.id IN (SELECT value FROM json_each(:ids));

-- name: inbox_of
-- News of a second call never becomes a fact of the first.
SELECT attempt_id, sid, source, status, sequence, occurred_at, duration_s, sip_code, error_code,
       answered_by, received_at
  FROM call_events
 WHERE attempt_id IN (SELECT value FROM json_each(:ids))
   AND folded_at IS NOT NULL
   AND verdict <> 'conflict';

-- name: save_attempts*!
UPDATE attempts
   SET state = :state, check_at = :check_at, checks = :checks, sid = :sid, status = :status,
       ringing_at = :ringing_at, answered_at = :answered_at, ended_at = :ended_at,
       duration_s = :duration_s, sip_code = :sip_code, error_code = :error_code,
       answered_by = :answered_by, verdict = :verdict, verdict_seq = :verdict_seq,
       machine_kind = :machine_kind, message_left_at = :message_left_at,
       outcome = :outcome, detail = :detail, closed_at = :closed_at
 WHERE id = :id AND state = :was;

-- name: move_members*!
-- Only the member's latest attempt may move it, and only from the state it was read in.
UPDATE members
   SET state = :state, next_at = :next_at, attempts = attempts + :counted,
       rejections = rejections + :rejected, not_placed = not_placed + :absent,
       reason = :reason, last_outcome = :outcome, changed_at = :now
 WHERE id = :member_id AND state = :was AND attempt_id = :attempt_id;

-- name: outcomes_due
SELECT m.id, m.campaign_id, m.attempts, m.rejections, m.not_placed, m.attempt_id, m.reason,
       m.window_key, m.last_outcome AS previous_outcome, a.outcome, a.error_code,
       a.duration_s, a.message_left_at
  FROM members m
  JOIN attempts a ON a.id = m.attempt_id
 WHERE m.state = 'called' AND m.next_at <= :now
 ORDER BY m.next_at
 LIMIT :limit;

-- name: next_outcome_due$
SELECT min(next_at) FROM members WHERE state = 'called';

-- name: attempts_to_check
SELECT id, state, sid, phone, number_id, campaign_id, member_id, intent_at, check_at, checks,
       taken_over_at,
       (SELECT n.phone FROM numbers n WHERE n.id = attempts.number_id) AS from_
  FROM attempts
 WHERE closed_at IS NULL AND check_at <= :now AND owner = :owner
 ORDER BY check_at
 LIMIT :limit;

-- name: queued_attempts
-- No news of them, or none but that they wait at the carrier.
SELECT a.id, a.sid
  FROM attempts a
 WHERE a.closed_at IS NULL AND a.state = 'placed' AND a.owner = :owner
   AND NOT EXISTS (SELECT 1 FROM call_events e
                    WHERE e.attempt_id = a.id AND coalesce(e.status, '') <> 'queued');

-- name: placed_attempts
SELECT a.id, a.sid, a.campaign_id, a.window_key, c.status AS campaign_status,
       coalesce(a.hang_up_at, c.hang_up_at,
                (SELECT k.hang_up_at FROM control k WHERE k.id = 1)) AS hang_up_at,
       EXISTS (SELECT 1 FROM dnc d
                WHERE d.phone = a.phone
                  AND (d.campaign_id IS NULL OR d.campaign_id = a.campaign_id)) AS listed
  FROM attempts a
  JOIN campaigns c ON c.id = a.campaign_id
 WHERE a.closed_at IS NULL AND a.state = 'placed' AND a.owner = :owner;

-- name: known_sids
-- By way of the callee, since a call between two numbers can only belong to one of theirs.
SELECT a.sid
  FROM contacts c
  JOIN members m ON m.contact_id = c.id
  JOIN attempts a ON a.member_id = m.id
 WHERE c.phone = :phone AND a.sid IS NOT NULL;

-- name: postpone_checks*!
UPDATE attempts SET check_at = :check_at, checks = checks + 1
 WHERE id = :id AND closed_at IS NULL;

-- name: live_attempts$
SELECT count(*) FROM attempts WHERE closed_at IS NULL AND owner = :owner;

-- name: list_calls
SELECT a.id, a.phone, a.state, a.outcome, a.detail, a.intent_at, a.answered_at, a.ended_at,
       a.duration_s, a.sid, a.machine_kind, a.message_left_at, a.label, n.phone AS from_,
       ca.name AS campaign, ct.name AS contact
  FROM attempts a
  JOIN numbers n ON n.id = a.number_id
  JOIN campaigns ca ON ca.id = a.campaign_id
  JOIN members m ON m.id = a.member_id
  JOIN contacts ct ON ct.id = m.contact_id
 WHERE (:campaign_id = 0 OR a.campaign_id = :campaign_id)
 ORDER BY a.id DESC
 LIMIT :limit;

-- name: call_to_show^
SELECT a.*, n.phone AS from_, ca.name AS campaign, m.contact_id, ct.name AS contact
  FROM attempts a
  JOIN numbers n ON n.id = a.number_id
  JOIN campaigns ca ON ca.id = a.campaign_id
  JOIN members m ON m.id = a.member_id
  JOIN contacts ct ON ct.id = m.contact_id
 WHERE a.id = :call OR a.sid = :call;

-- name: news_of_call
SELECT source, status, sequence, occurred_at, received_at, sip_code, error_code, answered_by,
       duration_s, verdict
  FROM call_events
 WHERE attempt_id = :attempt_id
 ORDER BY received_at, news;

-- name: hang_up_call!
UPDATE attempts SET hang_up_at = :now
 WHERE id = :attempt_id AND closed_at IS NULL AND hang_up_at IS NULL;

-- name: called_off
-- Those of the attempts that an operator has ended before they were calls.
SELECT id FROM attempts
 WHERE id IN (SELECT value FROM json_each(:ids)) AND hang_up_at IS NOT NULL;

-- name: call_script^
SELECT a.id, a.state, c.status AS campaign_status, c.amd, c.amd_shadow, c.on_machine,
       g.kind, g.target, g.options, n.phone AS caller_id, ct.phone, ct.name, ct.email, ct.language, ct.variables
  FROM attempts a
  JOIN campaigns c ON c.id = a.campaign_id
  JOIN agents g ON g.id = c.agent_id
  JOIN numbers n ON n.id = a.number_id
  JOIN members m ON m.id = a.member_id
  JOIN contacts ct ON ct.id = m.contact_id
 WHERE a.id = :attempt_id;
