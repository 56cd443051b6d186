-- name: call_to_listen_to^
-- With the number of the last finding about it, and how often a greeting was found to be over.
SELECT a.id, a.sid, a.phone, a.answered_at, c.amd, c.amd_shadow, g.options, ct.language, ct.place,
       (SELECT min(e.received_at) FROM call_events e
         WHERE e.attempt_id = a.id AND e.source = 'answer') AS asked_at,
       coalesce((SELECT max(e.sequence) FROM call_events e
                  WHERE e.attempt_id = a.id AND e.source = 'detector'), 0)
       + coalesce((SELECT max(v.seq) FROM amd_verdicts v WHERE v.attempt_id = a.id), 0) AS sequence,
       (SELECT count(*) FROM call_events e
         WHERE e.attempt_id = a.id AND e.source = 'detector'
           AND e.answered_by LIKE 'greeting_over%') AS greetings
  FROM attempts a
  JOIN campaigns c ON c.id = a.campaign_id
  JOIN agents g ON g.id = c.agent_id
  JOIN members m ON m.id = a.member_id
  JOIN contacts ct ON ct.id = m.contact_id
 WHERE a.id = :attempt_id AND a.closed_at IS NULL;

-- name: heard_before
-- By way of the callee. Only what a machine has said: whoever could not be told was talked to,
-- and people, too, pick up with the same words each time.
SELECT a.said
  FROM contacts c
  JOIN members m ON m.contact_id = c.id
  JOIN attempts a ON a.member_id = m.id
 WHERE c.phone = :phone AND a.phone = :phone AND a.id <> :attempt_id AND a.said <> ''
   AND coalesce(a.label, a.verdict) = 'machine'
 ORDER BY a.id DESC
 LIMIT :limit;

-- name: add_amd_verdicts*!
INSERT INTO amd_verdicts (attempt_id, mode, seq, acting, verdict, kind, confidence, cause, at_ms,
                          detector, model, decided_at)
VALUES (:attempt_id, :mode, :seq, :acting, :verdict, :kind, :confidence, :cause, :at_ms,
        :detector, :model, :decided_at)
    ON CONFLICT (attempt_id, mode, seq) DO NOTHING;

-- name: keep_said*!
UPDATE attempts SET said = :said WHERE id = :id;

-- name: live_call^
-- One that the carrier has named, and that was answered.
SELECT a.id, a.sid
  FROM attempts a
 WHERE a.closed_at IS NULL AND a.sid IS NOT NULL AND (a.id = :call OR a.sid = :call)
   AND (a.answered_at IS NOT NULL
        OR EXISTS (SELECT 1 FROM call_events e
                    WHERE e.attempt_id = a.id AND e.source = 'answer'));

-- name: verdicts_of_call
SELECT mode, seq, acting, verdict, kind, confidence, cause, at_ms, detector, model, decided_at
  FROM amd_verdicts
 WHERE attempt_id = :attempt_id
 ORDER BY seq, mode;

-- name: judged_calls
-- The answered calls of a campaign, with what anybody but a detector knows of who answered.
SELECT a.id, a.outcome, a.duration_s, a.label, a.message_left_at, g.kind AS agent_kind,
       CASE WHEN EXISTS (SELECT 1 FROM dnc d
                          WHERE d.phone = a.phone AND d.source = 'callee'
                            AND d.created_at >= a.intent_at
                            AND d.created_at <= a.closed_at + :grace_ms)
            THEN 1 ELSE 0 END AS opted_out
  FROM attempts a
  JOIN campaigns c ON c.id = a.campaign_id
  JOIN agents g ON g.id = c.agent_id
 WHERE a.campaign_id = :campaign_id AND a.outcome IN ('human', 'machine', 'fax')
 ORDER BY a.id;

-- name: verdicts_of_campaign
SELECT v.attempt_id, v.mode, v.acting, v.verdict, v.confidence, v.at_ms
  FROM attempts a
  JOIN amd_verdicts v ON v.attempt_id = a.id
 WHERE a.campaign_id = :campaign_id AND a.outcome IN ('human', 'machine', 'fax')
 ORDER BY v.attempt_id, v.seq;

-- name: label_call!
UPDATE attempts SET label = :label WHERE id = :attempt_id;

-- name: languages_expected
-- Of some of those who wait for a call that is told by its words.
SELECT DISTINCT waiting.language, waiting.place, waiting.options
  FROM (SELECT ct.language, ct.place, g.options
          FROM campaigns c
          JOIN members m ON m.campaign_id = c.id
          JOIN contacts ct ON ct.id = m.contact_id
          JOIN agents g ON g.id = c.agent_id
         WHERE c.status IN ('draft', 'active', 'paused')
           AND m.state IN ('pending', 'retry')
           AND (c.amd IN ('text', 'fused')
                OR c.amd_shadow LIKE '%text%' OR c.amd_shadow LIKE '%fused%')
         LIMIT :limit) waiting;
