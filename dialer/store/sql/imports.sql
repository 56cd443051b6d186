-- name: add_import$
INSERT INTO imports (campaign_id, file_name, digest, mapping, started_at)
VALUES (:campaign_id, :file_name, :digest, :mapping, :now)
RETURNING id;

-- name: count_import!
UPDATE imports
   SET rows_read = rows_read + :rows_read, added = added + :added, updated = updated + :updated,
       same = same + :same, rejected = rejected + :rejected,
       members_added = members_added + :members_added
 WHERE id = :import_id;

-- name: finish_import!
UPDATE imports SET finished_at = :now WHERE id = :import_id;

-- name: add_import_rows*!
INSERT INTO import_rows (import_id, row_number, column_name, value, reason)
VALUES (:import_id, :row_number, :column_name, :value, :reason);
