-- Setting the state and the variables of a conversation gets a scope of its own, state. Until now,
-- converse allowed it, so what has converse gets state. Scopes are in the order of domain.Scopes,
-- and no other scope begins or ends with converse.
UPDATE grants SET scopes = replace(scopes, 'converse', 'converse state')
WHERE ' ' || scopes || ' ' LIKE '% converse %' AND ' ' || scopes || ' ' NOT LIKE '% state %';
UPDATE access_tokens SET scopes = replace(scopes, 'converse', 'converse state')
WHERE ' ' || scopes || ' ' LIKE '% converse %' AND ' ' || scopes || ' ' NOT LIKE '% state %';
