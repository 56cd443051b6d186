-- name: export_contacts
-- A page of everybody; what stands for an erased number is nobody.
SELECT c.id, c.phone, c.name, c.email, c.language, c.zone, c.place, c.tags, c.variables,
       c.import_id, c.created_at AS added_at,
       EXISTS (SELECT 1 FROM dnc d WHERE d.phone = c.phone AND d.campaign_id IS NULL) AS listed
  FROM contacts c
 WHERE c.id > :after
   AND c.phone LIKE '+%'
   AND (:tags = '[]'
        OR EXISTS (SELECT 1 FROM json_each(c.tags) t
                    WHERE t.value IN (SELECT value FROM json_each(:tags))))
 ORDER BY c.id
 LIMIT :limit;

-- name: count_contacts_to_export$
SELECT count(*)
  FROM contacts c
 WHERE c.phone LIKE '+%'
   AND (:tags = '[]'
        OR EXISTS (SELECT 1 FROM json_each(c.tags) t
                    WHERE t.value IN (SELECT value FROM json_each(:tags))));

-- name: export_members
-- A page of a campaign's members, by their contacts.
SELECT c.id, c.phone, c.name, c.email, c.language, c.zone, c.place, c.tags, c.variables,
       coalesce(m.import_id, c.import_id) AS import_id, m.created_at AS added_at,
       m.priority, m.state, m.reason, m.attempts, m.last_outcome, m.next_at,
       EXISTS (SELECT 1 FROM dnc d
                WHERE d.phone = c.phone
                  AND (d.campaign_id IS NULL OR d.campaign_id = m.campaign_id)) AS listed
  FROM members m
  JOIN contacts c ON c.id = m.contact_id
 WHERE m.campaign_id = :campaign_id
   AND m.contact_id > :after
   AND c.phone LIKE '+%'
   AND (:states = '[]' OR m.state IN (SELECT value FROM json_each(:states)))
   AND (:tags = '[]'
        OR EXISTS (SELECT 1 FROM json_each(c.tags) t
                    WHERE t.value IN (SELECT value FROM json_each(:tags))))
 ORDER BY m.contact_id
 LIMIT :limit;

-- name: count_members_to_export$
SELECT count(*)
  FROM members m
  JOIN contacts c ON c.id = m.contact_id
 WHERE m.campaign_id = :campaign_id
   AND c.phone LIKE '+%'
   AND (:states = '[]' OR m.state IN (SELECT value FROM json_each(:states)))
   AND (:tags = '[]'
        OR EXISTS (SELECT 1 FROM json_each(c.tags) t
                    WHERE t.value IN (SELECT value FROM json_each(:tags))));

-- name: variable_names
-- The custom variables of everybody, or of a campaign's members.
SELECT DISTINCT v.key AS name
  FROM contacts c, json_each(c.variables) v
 WHERE c.variables <> '{}'
   AND (:campaign_id = 0
        OR c.id IN (SELECT m.contact_id FROM members m WHERE m.campaign_id = :campaign_id));

-- name: export_talks
-- What came of the calls of these contacts, by one campaign or by all.
SELECT t.contact_id, t.conversations, t.talk_s, l.intent_at AS last_called_at,
       n.phone AS last_number
  FROM (SELECT m.contact_id, max(a.id) AS last_id,
               count(CASE WHEN a.outcome = 'human' THEN 1 END) AS conversations,
               CAST(coalesce(sum(CASE WHEN a.outcome = 'human' THEN a.duration_s END), 0)
                    AS BIGINT) AS talk_s
          FROM members m
          JOIN attempts a ON a.member_id = m.id
         WHERE m.contact_id IN (SELECT value FROM json_each(:contact_ids))
           AND (:campaign_id = 0 OR m.campaign_id = :campaign_id)
           AND a.sid IS NOT NULL
         GROUP BY m.contact_id) t
  JOIN attempts l ON l.id = t.last_id
  JOIN numbers n ON n.id = l.number_id;

-- name: export_calls_of
-- Every attempt at these contacts, by one campaign or by all.
SELECT m.contact_id, a.id, ca.name AS campaign, ct.name, a.phone, n.phone AS number, a.state,
       a.outcome, a.detail, a.intent_at, a.send_at, a.ringing_at, a.answered_at, a.ended_at,
       a.closed_at, a.duration_s, a.status, a.sip_code, a.error_code, a.answered_by,
       a.verdict, a.machine_kind, a.message_left_at, a.label, a.sid,
       a.window_key, a.local_weekday, a.local_hour, a.rule_set_id
  FROM members m
  JOIN attempts a ON a.member_id = m.id
  JOIN contacts ct ON ct.id = m.contact_id
  JOIN campaigns ca ON ca.id = a.campaign_id
  JOIN numbers n ON n.id = a.number_id
 WHERE m.contact_id IN (SELECT value FROM json_each(:contact_ids))
   AND (:campaign_id = 0 OR m.campaign_id = :campaign_id)
 ORDER BY a.id;

-- name: export_calls
-- A page of all attempts, which their ids put in the order they were made.
SELECT m.contact_id, a.id, ca.name AS campaign, ct.name, a.phone, n.phone AS number, a.state,
       a.outcome, a.detail, a.intent_at, a.send_at, a.ringing_at, a.answered_at, a.ended_at,
       a.closed_at, a.duration_s, a.status, a.sip_code, a.error_code, a.answered_by,
       a.verdict, a.machine_kind, a.message_left_at, a.label, a.sid,
       a.window_key, a.local_weekday, a.local_hour, a.rule_set_id
  FROM attempts a
  JOIN members m ON m.id = a.member_id
  JOIN contacts ct ON ct.id = m.contact_id
  JOIN campaigns ca ON ca.id = a.campaign_id
  JOIN numbers n ON n.id = a.number_id
 WHERE a.id > :after
   AND (:campaign_id = 0 OR a.campaign_id = :campaign_id)
   AND a.intent_at >= :since_at
   AND a.intent_at < :until_at
 ORDER BY a.id
 LIMIT :limit;

-- name: count_calls_to_export$
SELECT count(*)
  FROM attempts a
 WHERE (:campaign_id = 0 OR a.campaign_id = :campaign_id)
   AND a.intent_at >= :since_at
   AND a.intent_at < :until_at;

-- name: add_export$
INSERT INTO exports (job_id, what, campaign_id, format, path, options, created_at)
VALUES (:job_id, :what, :campaign_id, :format, :path, :options, :now)
RETURNING id;

-- name: finish_export!
UPDATE exports SET rows_written = :rows_written, bytes = :bytes, finished_at = :now
 WHERE id = :export_id;

-- name: list_exports
SELECT e.id, e.job_id, e.what, ca.name AS campaign, e.format, e.path, e.options, e.rows_written,
       e.bytes, e.created_at, e.finished_at, j.state, j.actor, j.message, j.worker, j.beat_at
  FROM exports e
  JOIN jobs j ON j.id = e.job_id
  LEFT JOIN campaigns ca ON ca.id = e.campaign_id
 ORDER BY e.id DESC
 LIMIT :limit;

-- name: export_by_id^
SELECT e.id, e.job_id, e.what, ca.name AS campaign, e.format, e.path, e.options, e.rows_written,
       e.bytes, e.created_at, e.finished_at, j.state, j.actor, j.message, j.worker, j.beat_at
  FROM exports e
  JOIN jobs j ON j.id = e.job_id
  LEFT JOIN campaigns ca ON ca.id = e.campaign_id
 WHERE e.id = :export_id;
