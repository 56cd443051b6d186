-- name: any_erased$
SELECT hash FROM erased_phones LIMIT 1;

-- name: erased_among
SELECT hash, erased_at
  FROM erased_phones
 WHERE hash IN (SELECT value FROM json_each(:hashes));

-- name: add_erased*!
INSERT INTO erased_phones (hash, erased_at) VALUES (:hash, :now) ON CONFLICT (hash) DO NOTHING;

-- name: hold_attempts_at
-- Nobody folds news of these, or moves their members, until the number is gone.
SELECT a.id, a.detail
  FROM contacts c
  JOIN members m ON m.contact_id = c.id
  JOIN attempts a ON a.member_id = m.id
 WHERE c.phone = :phone
 ORDER BY a.id;

-- name: hold_members_of
-- Nor does anybody claim them.
SELECT m.id, m.state
  FROM contacts c
  JOIN members m ON m.contact_id = c.id
 WHERE c.phone = :phone
 ORDER BY m.id;

-- name: calls_in_progress
SELECT a.id, a.sid, a.state, ca.name AS campaign
  FROM attempts a
  JOIN campaigns ca ON ca.id = a.campaign_id
 WHERE a.phone = :phone AND a.closed_at IS NULL
 ORDER BY a.id;

-- name: erase_contact!
-- Where the callee was stays, for the statistics: a region is nobody's name.
UPDATE contacts
   SET phone = :pseudonym, name = '', email = '', zone = NULL, language = NULL, tags = '[]',
       variables = '{}', changed_at = :now
 WHERE phone = :phone;

-- name: erase_attempts*!
UPDATE attempts SET phone = :pseudonym, detail = :detail, said = '' WHERE id = :id;

-- name: erase_dnc!
DELETE FROM dnc WHERE phone = :phone;

-- name: erase_dnc_history!
UPDATE dnc_history SET phone = :pseudonym, detail = '' WHERE phone = :phone;

-- name: own_number$
SELECT id FROM numbers WHERE phone = :phone;

-- name: mentions
-- Every text somebody may have written a number in, where it has these digits in this order.
-- One row per text: what it is, the key of its row, and the text.
SELECT 'contact_name' AS what, id AS id, 0 AS part, name AS said FROM contacts WHERE name LIKE :digits
UNION ALL
SELECT 'contact_email', id, 0, email FROM contacts WHERE email LIKE :digits
UNION ALL
SELECT 'contact_tags', id, 0, tags FROM contacts WHERE tags LIKE :digits
UNION ALL
SELECT 'contact_variables', id, 0, variables FROM contacts WHERE variables LIKE :digits
UNION ALL
SELECT 'dnc_note', id, 0, note FROM dnc WHERE note LIKE :digits
UNION ALL
SELECT 'dnc_detail', id, 0, detail FROM dnc_history WHERE detail LIKE :digits
UNION ALL
SELECT 'import_value', import_id, row_number, value FROM import_rows WHERE value LIKE :digits
UNION ALL
SELECT 'import_name', id, 0, file_name FROM imports WHERE file_name LIKE :digits
UNION ALL
SELECT 'campaign_notes', id, 0, notes FROM campaigns WHERE notes LIKE :digits
UNION ALL
SELECT 'campaign_reason', id, 0, pause_reason FROM campaigns WHERE pause_reason LIKE :digits
UNION ALL
SELECT 'hold_reason', id, 0, hold_reason FROM control WHERE hold_reason LIKE :digits
UNION ALL
SELECT 'export_path', id, 0, path FROM exports WHERE path LIKE :digits
UNION ALL
SELECT 'campaign_wait', campaign_id, 0, detail FROM campaign_waits WHERE detail LIKE :digits
UNION ALL
SELECT 'import_column', import_id, row_number, column_name
  FROM import_rows WHERE column_name LIKE :digits
UNION ALL
SELECT 'import_mapping', id, 0, mapping FROM imports WHERE mapping LIKE :digits
UNION ALL
SELECT 'import_options', id, 0, options FROM imports WHERE options LIKE :digits
UNION ALL
SELECT 'import_report', id, 0, report_path FROM imports WHERE report_path LIKE :digits
UNION ALL
SELECT 'job_subject', id, 0, subject FROM jobs WHERE subject LIKE :digits
UNION ALL
SELECT 'job_message', id, 0, message FROM jobs WHERE message LIKE :digits
UNION ALL
SELECT 'calendar_labels', id, 0, body FROM holiday_calendars WHERE body LIKE :digits
UNION ALL
SELECT 'rule_notes', id, 0, body FROM rule_sets WHERE body LIKE :digits;

-- name: fixed_mentions
-- Texts that nobody changes for an operator: things are found by their names, and callees hear or
-- reach what an agent says.
SELECT 'campaign' AS kind, id AS id, 'name' AS part, name AS said FROM campaigns WHERE name LIKE :digits
UNION ALL
SELECT 'campaign', id, 'labels', labels FROM campaigns WHERE labels LIKE :digits
UNION ALL
SELECT 'agent', id, 'name', name FROM agents WHERE name LIKE :digits
UNION ALL
SELECT 'agent', id, 'target', target FROM agents WHERE target LIKE :digits
UNION ALL
SELECT 'agent', id, 'options', options FROM agents WHERE options LIKE :digits
UNION ALL
SELECT 'number', id, 'name', name FROM numbers WHERE name LIKE :digits
UNION ALL
SELECT 'schedule', id, 'name', name FROM schedules WHERE name LIKE :digits
UNION ALL
SELECT 'schedule', id, 'body', body FROM schedules WHERE body LIKE :digits
UNION ALL
SELECT 'holiday calendar', id, 'name', name FROM holiday_calendars WHERE name LIKE :digits
UNION ALL
SELECT 'rule set', id, 'body', body FROM rule_sets WHERE body LIKE :digits;

-- name: number_with$
-- A number that stays and has these digits; it may be somebody else's altogether.
SELECT phone FROM numbers WHERE phone LIKE :digits
UNION ALL
SELECT phone FROM contacts WHERE phone LIKE :digits
UNION ALL
SELECT phone FROM dnc WHERE phone LIKE :digits
 LIMIT 1;

-- name: mentions_in_attempts
SELECT id, detail AS said FROM attempts WHERE detail LIKE :digits;

-- name: mend_contact_name*!
UPDATE contacts SET name = :mended WHERE id = :id AND name = :said;

-- name: mend_contact_email*!
UPDATE contacts SET email = :mended WHERE id = :id AND email = :said;

-- name: mend_contact_tags*!
UPDATE contacts SET tags = :mended WHERE id = :id AND tags = :said;

-- name: mend_contact_variables*!
UPDATE contacts SET variables = :mended WHERE id = :id AND variables = :said;

-- name: mend_dnc_note*!
UPDATE dnc SET note = :mended WHERE id = :id AND note = :said;

-- name: mend_dnc_detail*!
UPDATE dnc_history SET detail = :mended WHERE id = :id AND detail = :said;

-- name: mend_import_value*!
UPDATE import_rows SET value = :mended
 WHERE import_id = :id AND row_number = :part AND value = :said;

-- name: mend_import_name*!
UPDATE imports SET file_name = :mended WHERE id = :id AND file_name = :said;

-- name: mend_import_column*!
UPDATE import_rows SET column_name = :mended
 WHERE import_id = :id AND row_number = :part AND column_name = :said;

-- name: mend_import_mapping*!
UPDATE imports SET mapping = :mended WHERE id = :id AND mapping = :said;

-- name: mend_import_options*!
UPDATE imports SET options = :mended WHERE id = :id AND options = :said;

-- name: mend_import_report*!
UPDATE imports SET report_path = :mended WHERE id = :id AND report_path = :said;

-- name: mend_job_subject*!
UPDATE jobs SET subject = :mended WHERE id = :id AND subject = :said;

-- name: mend_job_message*!
UPDATE jobs SET message = :mended WHERE id = :id AND message = :said;

-- name: mend_campaign_wait*!
UPDATE campaign_waits SET detail = :mended WHERE campaign_id = :id AND detail = :said;

-- name: mend_calendar_labels*!
UPDATE holiday_calendars SET body = :mended WHERE id = :id AND body = :said;

-- name: mend_rule_notes*!
UPDATE rule_sets SET body = :mended WHERE id = :id AND body = :said;

-- name: mend_campaign_notes*!
UPDATE campaigns SET notes = :mended WHERE id = :id AND notes = :said;

-- name: mend_campaign_reason*!
UPDATE campaigns SET pause_reason = :mended WHERE id = :id AND pause_reason = :said;

-- name: mend_hold_reason*!
UPDATE control SET hold_reason = :mended WHERE id = :id AND hold_reason = :said;

-- name: mend_export_path*!
UPDATE exports SET path = :mended WHERE id = :id AND path = :said;

-- name: mend_attempt_detail*!
UPDATE attempts SET detail = :mended WHERE id = :id AND detail = :said;

-- name: old_attempts
-- Ids sort by the time they were made, so a walk goes along the primary key.
SELECT a.id
  FROM attempts a
  JOIN members m ON m.id = a.member_id
 WHERE a.id > :after
   AND a.intent_at < :before
   AND a.closed_at < :before
   AND NOT (m.attempt_id = a.id AND m.state IN ('dialing', 'called'))
 ORDER BY a.id
 LIMIT :limit;

-- name: count_old_attempts$
SELECT count(*)
  FROM attempts a
  JOIN members m ON m.id = a.member_id
 WHERE a.intent_at < :before
   AND a.closed_at < :before
   AND NOT (m.attempt_id = a.id AND m.state IN ('dialing', 'called'));

-- name: attempts_to_purge
-- Those of the walk that are still there, and whether they count as calls of their number.
SELECT a.id, a.number_id, a.day,
       CASE WHEN a.state = 'ended' AND a.sid IS NOT NULL THEN 1 ELSE 0 END AS counted
  FROM attempts a
 WHERE a.id IN (SELECT value FROM json_each(:ids))
   AND a.closed_at IS NOT NULL;

-- name: purge_attempts*!
DELETE FROM attempts WHERE id = :id;

-- name: purge_events!
DELETE FROM call_events
 WHERE attempt_id IN (SELECT value FROM json_each(:ids)) AND folded_at IS NOT NULL;

-- name: purge_verdicts!
DELETE FROM amd_verdicts WHERE attempt_id IN (SELECT value FROM json_each(:ids));

-- name: forget_said!
UPDATE attempts SET said = ''
 WHERE id IN (SELECT value FROM json_each(:ids)) AND said <> '';

-- name: attempts_with_old_events
SELECT a.id
  FROM attempts a
 WHERE a.id > :after
   AND a.intent_at < :before
   AND a.closed_at < :before
   AND EXISTS (SELECT 1 FROM call_events e
                WHERE e.attempt_id = a.id AND e.folded_at IS NOT NULL)
 ORDER BY a.id
 LIMIT :limit;

-- name: count_old_events$
SELECT count(*)
  FROM call_events e
  JOIN attempts a ON a.id = e.attempt_id
 WHERE a.intent_at < :before AND a.closed_at < :before AND e.folded_at IS NOT NULL;

-- name: old_import_rows
SELECT r.import_id, r.row_number
  FROM imports i
  JOIN import_rows r ON r.import_id = i.id
 WHERE i.started_at < :before
 ORDER BY r.import_id, r.row_number
 LIMIT :limit;

-- name: count_old_import_rows$
SELECT count(*)
  FROM imports i
  JOIN import_rows r ON r.import_id = i.id
 WHERE i.started_at < :before;

-- name: purge_import_rows*!
DELETE FROM import_rows WHERE import_id = :import_id AND row_number = :row_number;

-- name: old_dnc_history
-- The newest addition of an entry that holds is its proof, and stays as long as the entry does.
SELECT h.id
  FROM dnc_history h
 WHERE h.id > :after
   AND h.at < :before
   AND NOT (h.event = 'added'
            AND EXISTS (SELECT 1 FROM dnc d
                         WHERE d.phone = h.phone
                           AND coalesce(d.campaign_id, 0) = coalesce(h.campaign_id, 0))
            AND NOT EXISTS (SELECT 1 FROM dnc_history n
                             WHERE n.phone = h.phone AND n.event = 'added' AND n.id > h.id
                               AND coalesce(n.campaign_id, 0) = coalesce(h.campaign_id, 0)))
 ORDER BY h.id
 LIMIT :limit;

-- name: count_old_dnc_history$
SELECT count(*)
  FROM dnc_history h
 WHERE h.at < :before
   AND NOT (h.event = 'added'
            AND EXISTS (SELECT 1 FROM dnc d
                         WHERE d.phone = h.phone
                           AND coalesce(d.campaign_id, 0) = coalesce(h.campaign_id, 0))
            AND NOT EXISTS (SELECT 1 FROM dnc_history n
                             WHERE n.phone = h.phone AND n.event = 'added' AND n.id > h.id
                               AND coalesce(n.campaign_id, 0) = coalesce(h.campaign_id, 0)));

-- name: purge_dnc_history*!
DELETE FROM dnc_history WHERE id = :id;

-- name: files_written
-- Every file that people's rows were written to: rejected ones, exports.
SELECT report_path AS path FROM imports WHERE report_path <> ''
UNION
SELECT path FROM exports;
