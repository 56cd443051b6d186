-- name: contacts_by_id
SELECT id, phone, name, tags
  FROM contacts
 WHERE id IN (SELECT value FROM json_each(:ids));

-- name: contact_ids
-- Of everybody, or of a campaign's members, all of them or those in one state.
SELECT c.id
  FROM contacts c
 WHERE :campaign_id = 0
    OR EXISTS (SELECT 1 FROM members m
                WHERE m.contact_id = c.id AND m.campaign_id = :campaign_id
                  AND (:state = '' OR m.state = :state))
 ORDER BY c.id;

-- name: finished_contact_ids
-- The literals are the states that a row (…, requeue) of the member table begins with.
SELECT m.contact_id
  FROM members m
 WHERE m.campaign_id = :campaign_id
   AND m.state IN ('completed', 'failed', 'no_conversation')
   AND (:state = '' OR m.state = :state)
   AND (:reason = '' OR m.reason = :reason)
   AND (:outcome = '' OR m.last_outcome = :outcome)
 ORDER BY m.id;

-- name: hold_members
-- Whose row nobody else works on at this moment; nobody does until the transaction ends.
SELECT m.id
  FROM members m
 WHERE m.campaign_id = :campaign_id
   AND m.contact_id IN (SELECT value FROM json_each(:contact_ids))
 ORDER BY m.id;

-- name: members_to_edit
SELECT m.id, m.campaign_id, m.contact_id, c.phone, c.name, m.state, m.reason, m.priority,
       m.next_at, m.attempts, m.attempt_id, m.last_outcome,
       EXISTS (SELECT 1 FROM dnc d
                WHERE d.phone = c.phone
                  AND (d.campaign_id IS NULL OR d.campaign_id = m.campaign_id)) AS listed,
       EXISTS (SELECT 1 FROM attempts a WHERE a.member_id = m.id) AS dialed,
       EXISTS (SELECT 1 FROM attempts a
                WHERE a.member_id = m.id AND a.closed_at IS NULL) AS in_call,
       (SELECT max(a.intent_at)
          FROM members o
          JOIN attempts a ON a.member_id = o.id
         WHERE o.contact_id = m.contact_id AND a.state = 'not_placed') AS unplaced_at
  FROM members m
  JOIN contacts c ON c.id = m.contact_id
 WHERE m.campaign_id = :campaign_id
   AND m.contact_id IN (SELECT value FROM json_each(:contact_ids))
 ORDER BY m.id;

-- name: requeue_members*!
UPDATE members
   SET state = :state, next_at = :next_at, reason = NULL, changed_at = :now
 WHERE id = :member_id AND state = :was
   AND NOT EXISTS (SELECT 1 FROM attempts a
                    WHERE a.member_id = members.id AND a.closed_at IS NULL);

-- name: skip_members*!
UPDATE members
   SET state = :state, reason = 'skipped', changed_at = :now
 WHERE id = :member_id AND state = :was;

-- name: prioritise_members*!
UPDATE members SET priority = :priority, changed_at = :now WHERE id = :member_id;

-- name: take_out_members*!
-- Whoever was dialed stays: the record of it hangs on the member.
DELETE FROM members
 WHERE id = :member_id AND attempt_id IS NULL
   AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.member_id = members.id);

-- name: hold_members_of_contact
SELECT m.id FROM members m WHERE m.contact_id = :contact_id ORDER BY m.id;

-- name: dialed_member$
-- One for whom there was an attempt, be it kept or not.
SELECT m.id
  FROM members m
 WHERE m.contact_id = :contact_id
   AND (m.attempt_id IS NOT NULL
        OR EXISTS (SELECT 1 FROM attempts a WHERE a.member_id = m.id))
 LIMIT 1;

-- name: forget_contact!
DELETE FROM contacts
 WHERE id = :contact_id
   AND NOT EXISTS (SELECT 1 FROM members m WHERE m.contact_id = contacts.id);

-- name: edit_contact!
UPDATE contacts
   SET phone = :phone, name = :name, email = :email, zone = :zone, place = :place,
       language = :language, variables = :variables, changed_at = :now
 WHERE id = :contact_id;

-- name: tag_contacts*!
UPDATE contacts SET tags = :tags, changed_at = :now WHERE id = :contact_id AND tags = :said;

-- name: move_members_of_contact!
-- Where a contact may be has turned out to be somewhere else.
UPDATE members SET window_key = :place, changed_at = :now
 WHERE contact_id = :contact_id AND window_key <> :place;

-- name: arrival_of^
-- With the file a contact came in by, if it was one.
SELECT c.created_at, i.file_name
  FROM contacts c
  LEFT JOIN imports i ON i.id = c.import_id
 WHERE c.id = :contact_id;

-- name: enrolments_of
SELECT m.created_at, ca.name AS campaign, i.file_name
  FROM members m
  JOIN campaigns ca ON ca.id = m.campaign_id
  LEFT JOIN imports i ON i.id = m.import_id
 WHERE m.contact_id = :contact_id
 ORDER BY m.id;

-- name: news_of_contact
SELECT e.attempt_id, ca.name AS campaign, e.source, e.status, e.answered_by, e.sip_code, e.verdict,
       coalesce(e.occurred_at, e.received_at) AS at
  FROM members m
  JOIN attempts a ON a.member_id = m.id
  JOIN campaigns ca ON ca.id = a.campaign_id
  JOIN call_events e ON e.attempt_id = a.id
 WHERE m.contact_id = :contact_id
 ORDER BY e.received_at, e.attempt_id, e.news;

-- name: contact_acts
-- What operators did to contacts by name, of whom an entry has the ids.
SELECT id, at, actor, action, after
  FROM audit_log
 WHERE at >= :since_at AND substr(action, 1, 9) = 'contacts.' AND after LIKE '%"contact_ids"%'
 ORDER BY id;
