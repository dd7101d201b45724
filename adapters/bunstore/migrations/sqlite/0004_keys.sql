-- The key in the secondary slot gets times of its own. Until now, key_checked and key_set
-- were the times of both keys.
ALTER TABLE projects ADD COLUMN secondary_checked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN secondary_set INTEGER NOT NULL DEFAULT 0;
UPDATE projects SET secondary_checked = key_checked, secondary_set = key_set WHERE secondary_status <> 'none';
