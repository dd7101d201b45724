-- The origins from which the chat page of an assistant may show pictures, separated by spaces. '' is
-- none, as all assistants have until now.
ALTER TABLE projects ADD COLUMN picture_origins text COLLATE "C" NOT NULL DEFAULT '';
-- The name in the form in which a search compares it (domain.SearchText). The program fills it in. ''
-- is that of an assistant which an older program added, whose name counts in its place.
ALTER TABLE projects ADD COLUMN search text COLLATE "C" NOT NULL DEFAULT '';
-- The usage of one assistant, and of one user.
CREATE INDEX usage_by_project ON usage (project_id, day, user_id, token_id, scope);
CREATE INDEX usage_by_user ON usage (user_id, day, project_id, token_id, scope);
-- The rows of the audit with one action, actor or outcome. Some are rare.
CREATE INDEX audit_by_action ON audit (action, at, id);
CREATE INDEX audit_by_actor ON audit (actor, at, id);
CREATE INDEX audit_by_outcome ON audit (outcome, at, id);
