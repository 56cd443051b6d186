-- name: listed_among
SELECT phone
  FROM dnc
 WHERE phone IN (SELECT json_array_elements_text(CAST(:phones AS json)))
   AND coalesce(campaign_id, 0) = :scope;

-- name: fail_listed!
UPDATE members
   SET state = 'failed', reason = 'do_not_call', changed_at = :now
 WHERE contact_id IN (SELECT id FROM contacts
                       WHERE phone IN (SELECT json_array_elements_text(CAST(:phones AS json))))
   AND state IN ('pending', 'retry')
   AND (:scope = 0 OR campaign_id = :scope);
