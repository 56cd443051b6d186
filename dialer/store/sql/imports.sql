-- name: add_import$
INSERT INTO imports (campaign_id, job_id, state, file_name, file_size, digest, mapping, options,
                     report_path, started_at)
VALUES (:campaign_id, :job_id, 'running', :file_name, :file_size, :digest, :mapping, :options,
        :report_path, :now)
RETURNING id;

-- name: same_import^
-- The newest import of the same file for the same campaign, read in the same way.
SELECT i.*, j.state AS job_state, j.worker, j.beat_at
  FROM imports i
  LEFT JOIN jobs j ON j.id = i.job_id
 WHERE i.digest = :digest AND i.file_size = :file_size AND i.options = :options
   AND COALESCE(i.campaign_id, 0) = :campaign_id
 ORDER BY i.id DESC
 LIMIT 1;

-- name: take_over_import!
UPDATE imports SET job_id = :job_id, report_path = :report_path
 WHERE id = :import_id AND state = 'running';

-- name: checkpoint_import!
-- Only for whoever does the import now, for the campaign it is for, from where it was left.
UPDATE imports
   SET rows_read = rows_read + :rows_read, added = added + :added, updated = updated + :updated,
       same = same + :same, rejected = rejected + :rejected,
       members_added = members_added + :members_added, elsewhere = elsewhere + :elsewhere,
       next_offset = :next_offset, next_row = :next_row, report_size = :report_size
 WHERE id = :import_id AND job_id = :job_id AND state = 'running' AND next_row = :was_row
   AND COALESCE(campaign_id, 0) = :campaign_id;

-- name: finish_import!
UPDATE imports SET state = 'done', finished_at = :now
 WHERE id = :import_id AND job_id = :job_id AND state = 'running';

-- name: add_import_rows*!
INSERT INTO import_rows (import_id, row_number, column_name, value, reason)
VALUES (:import_id, :row_number, :column_name, :value, :reason);

-- name: import_reasons
SELECT reason, count(*) AS number FROM import_rows WHERE import_id = :import_id GROUP BY reason;

-- name: import_examples
-- The first rows of each reason.
SELECT reason, row_number, column_name, value
  FROM (SELECT reason, row_number, column_name, value,
               row_number() OVER (PARTITION BY reason ORDER BY row_number) AS place
          FROM import_rows
         WHERE import_id = :import_id) ranked
 WHERE place <= :most
 ORDER BY row_number;

-- name: list_imports
SELECT i.*, c.name AS campaign, j.state AS job_state, j.worker, j.beat_at, j.cancel_at
  FROM imports i
  LEFT JOIN campaigns c ON c.id = i.campaign_id
  LEFT JOIN jobs j ON j.id = i.job_id
 ORDER BY i.id DESC
 LIMIT :limit;

-- name: import_by_id^
SELECT i.*, c.name AS campaign, j.state AS job_state, j.worker, j.beat_at, j.cancel_at
  FROM imports i
  LEFT JOIN campaigns c ON c.id = i.campaign_id
  LEFT JOIN jobs j ON j.id = i.job_id
 WHERE i.id = :import_id;

-- name: not_to_be_called
-- Those of the phones that are listed everywhere, or for this campaign.
SELECT phone
  FROM dnc
 WHERE phone IN (SELECT value FROM json_each(:phones))
   AND coalesce(campaign_id, 0) IN (0, :campaign_id);

-- name: members_elsewhere
-- Those of the phones whose owner waits for a call in another campaign that goes on. CROSS JOIN
-- has SQLite begin with the phones: however few campaigns there are, it is asked of many.
SELECT c.phone
  FROM contacts c
 CROSS JOIN members m
 CROSS JOIN campaigns ca
 WHERE c.phone IN (SELECT value FROM json_each(:phones))
   AND m.contact_id = c.id AND m.campaign_id <> :campaign_id AND ca.id = m.campaign_id
   AND m.state IN ('pending', 'dialing', 'called', 'retry')
   AND ca.status IN ('active', 'paused');

-- name: dialed_of_import$
-- Members the import added who have been called, or are being called.
SELECT count(*)
  FROM members m
 WHERE m.campaign_id = :campaign_id AND m.import_id = :import_id
   AND (m.attempt_id IS NOT NULL OR m.attempts > 0 OR m.state IN ('dialing', 'called')
        OR EXISTS (SELECT 1 FROM attempts a WHERE a.member_id = m.id));

-- name: undialed_of_import
-- Members the import added who were never claimed, from one id on; who removes them holds them.
SELECT m.id
  FROM members m
 WHERE m.id > :after AND m.import_id = :import_id
   AND m.attempt_id IS NULL AND m.attempts = 0 AND m.state NOT IN ('dialing', 'called')
   AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.member_id = m.id)
 ORDER BY m.id
 LIMIT :limit;

-- name: remove_imported_members*!
DELETE FROM members WHERE id = :id;

-- name: imports_under_way
-- Into one campaign, ended or cut short, with the state of their jobs.
SELECT i.id, i.state, i.job_id, j.state AS job_state, j.worker, j.beat_at
  FROM imports i
  LEFT JOIN jobs j ON j.id = i.job_id
 WHERE i.campaign_id = :campaign_id AND i.state = 'running'
 ORDER BY i.id;

-- name: orphans_of_import
-- Contacts the import added who are nobody's members, from one id on. Of whom somebody has told
-- since, be it a list or an operator, is not the import's alone any more.
SELECT c.id
  FROM contacts c
 WHERE c.id > :after AND c.import_id = :import_id AND c.changed_at = c.created_at
   AND NOT EXISTS (SELECT 1 FROM members m WHERE m.contact_id = c.id)
 ORDER BY c.id
 LIMIT :limit;

-- name: told_of_since$
-- Contacts the import added who are nobody's members, and of whom somebody has told since.
SELECT count(*)
  FROM contacts c
 WHERE c.import_id = :import_id AND c.changed_at <> c.created_at
   AND NOT EXISTS (SELECT 1 FROM members m WHERE m.contact_id = c.id);

-- name: remove_imported_contacts*!
DELETE FROM contacts WHERE id = :id;

-- name: undo_import!
UPDATE imports SET state = 'undone', undone_at = COALESCE(undone_at, :now) WHERE id = :import_id;
