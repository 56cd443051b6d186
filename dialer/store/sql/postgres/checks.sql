-- name: storage_faults
-- The server looks after its pages itself.
SELECT '' AS what WHERE false;

-- name: broken_references
-- The server checks every one of them.
SELECT '' AS what WHERE false;
