-- name: pre_dial_questions
SELECT a.id, a.phone, n.phone AS caller_id, c.name AS campaign, m.attempts,
       ct.name, ct.email, ct.language, ct.variables
  FROM attempts a
  JOIN numbers n ON n.id = a.number_id
  JOIN campaigns c ON c.id = a.campaign_id
  JOIN members m ON m.id = a.member_id
  JOIN contacts ct ON ct.id = m.contact_id
 WHERE a.id IN (SELECT json_array_elements_text(CAST(:ids AS json)))
   AND a.state = 'intent';
