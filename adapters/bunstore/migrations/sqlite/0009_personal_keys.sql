-- What is known of the personal key of a project: a personal access token of Voiceflow, in the slot
-- 'personal' of project_keys.
ALTER TABLE projects ADD COLUMN personal_status TEXT NOT NULL DEFAULT 'none';
ALTER TABLE projects ADD COLUMN personal_checked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN personal_set INTEGER NOT NULL DEFAULT 0;
DROP INDEX projects_to_reenter;
CREATE INDEX projects_to_reenter ON projects (id)
    WHERE key_status = 'needs_reentry' OR secondary_status = 'needs_reentry' OR personal_status = 'needs_reentry';
