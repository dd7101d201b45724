-- The origins from which the chat page of an assistant may show pictures, separated by spaces. '' is
-- none, as all assistants have until now.
ALTER TABLE projects ADD COLUMN picture_origins TEXT NOT NULL DEFAULT '';
-- The name in the form in which a search compares it (domain.SearchText). The program fills it in. ''
-- is that of an assistant which an older program added, whose name counts in its place.
ALTER TABLE projects ADD COLUMN search TEXT NOT NULL DEFAULT '';
-- A list with a filter reads this index, to its end at worst, and then the assistants of one page.
CREATE INDEX projects_by_search ON projects (name, id, search, voiceflow_id, version, key_status, secondary_status, personal_status, credits);
-- The usage of one assistant, and of one user.
CREATE INDEX usage_by_project ON usage (project_id, day, user_id, token_id, scope);
CREATE INDEX usage_by_user ON usage (user_id, day, project_id, token_id, scope);
-- The usage of all by day is added up from this index alone.
CREATE INDEX usage_by_day ON usage (day, calls, errors, milliseconds);
-- The rows of the audit with one action, actor or outcome. Some are rare.
CREATE INDEX audit_by_action ON audit (action, at, id);
CREATE INDEX audit_by_actor ON audit (actor, at, id);
CREATE INDEX audit_by_outcome ON audit (outcome, at, id);
