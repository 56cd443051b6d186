-- name: export_contacts
-- A page of everybody; what stands for an erased number is nobody.
SELECT c.id, c.phone, c.name, c.email, c.language, c.zone, c.place, c.tags, c.variables,
       c.import_id, c.created_at AS added_at,
       EXISTS (SELECT 1 FROM dnc d WHERE d.phone = c.phone AND d.campaign_id IS NULL) AS listed
  FROM contacts c
 WHERE c.id > :after
   AND c.phone LIKE '+%'
   AND (CAST(:tags AS TEXT) = '[]'
        OR EXISTS (SELECT 1 FROM json_array_elements_text(CAST(c.tags AS json)) AS t (tag)
                    WHERE t.tag IN
                          (SELECT json_array_elements_text(CAST(CAST(:tags AS TEXT) AS json)))))
 ORDER BY c.id
 LIMIT :limit;

-- name: count_contacts_to_export$
SELECT count(*)
  FROM contacts c
 WHERE c.phone LIKE '+%'
   AND (CAST(:tags AS TEXT) = '[]'
        OR EXISTS (SELECT 1 FROM json_array_elements_text(CAST(c.tags AS json)) AS t (tag)
                    WHERE t.tag IN
                          (SELECT json_array_elements_text(CAST(CAST(:tags AS TEXT) AS json)))));

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
   AND (CAST(:states AS TEXT) = '[]'
        OR m.state IN (SELECT json_array_elements_text(CAST(CAST(:states AS TEXT) AS json))))
   AND (CAST(:tags AS TEXT) = '[]'
        OR EXISTS (SELECT 1 FROM json_array_elements_text(CAST(c.tags AS json)) AS t (tag)
                    WHERE t.tag IN
                          (SELECT json_array_elements_text(CAST(CAST(:tags AS TEXT) AS json)))))
 ORDER BY m.contact_id
 LIMIT :limit;

-- name: count_members_to_export$
SELECT count(*)
  FROM members m
  JOIN contacts c ON c.id = m.contact_id
 WHERE m.campaign_id = :campaign_id
   AND c.phone LIKE '+%'
   AND (CAST(:states AS TEXT) = '[]'
        OR m.state IN (SELECT json_array_elements_text(CAST(CAST(:states AS TEXT) AS json))))
   AND (CAST(:tags AS TEXT) = '[]'
        OR EXISTS (SELECT 1 FROM json_array_elements_text(CAST(c.tags AS json)) AS t (tag)
                    WHERE t.tag IN
                          (SELECT json_array_elements_text(CAST(CAST(:tags AS TEXT) AS json)))));

-- name: variable_names
-- The custom variables of everybody, or of a campaign's members.
SELECT DISTINCT v.name
  FROM contacts c, json_object_keys(CAST(c.variables AS json)) AS v (name)
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
         WHERE m.contact_id IN
       (SELECT CAST(json_array_elements_text(CAST(:contact_ids AS json)) AS BIGINT))
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
 WHERE m.contact_id IN
       (SELECT CAST(json_array_elements_text(CAST(:contact_ids AS json)) AS BIGINT))
   AND (:campaign_id = 0 OR m.campaign_id = :campaign_id)
 ORDER BY a.id;
