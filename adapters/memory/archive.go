package memory

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports/archive"
)

// archiver is a ports.Archive.
type archiver struct{ store *Store }

// Snapshot calls each for a copy of every row.
func (v archiver) Snapshot(ctx context.Context, each func(archive.Row) error) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	rows := s.archived()
	s.leave()
	for _, row := range rows {
		if ctx.Err() != nil {
			return unavailable(context.Cause(ctx))
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return nil
}

// archived returns every row, in order.
func (s *Store) archived() []archive.Row {
	var rows []archive.Row
	add := func(table string, values ...any) {
		rows = append(rows, archive.Row{Table: table, Values: values})
	}
	if i := s.installation; !i.Known.IsZero() {
		var key, pseudonyms any
		if !i.Pseudonyms.IsZero() {
			key, pseudonyms = i.Pseudonyms.Key, bytes.Clone(i.Pseudonyms.Bytes)
		}
		add("installation", int64(1), i.Known.Key, bytes.Clone(i.Known.Bytes), string(i.Origin), key, pseudonyms)
	}
	for _, p := range s.projects {
		add("projects", string(p.ID), p.Name, string(p.Voiceflow), p.Version, p.Platform, micros(p.Created), micros(p.VoiceflowCreated),
			string(p.Primary.Status), string(p.Credits), string(p.Secondary.Status), micros(p.Primary.Checked), micros(p.Primary.Set),
			micros(p.Secondary.Checked), micros(p.Secondary.Set), p.Environments.Text(),
			string(p.Personal.Status), micros(p.Personal.Checked), micros(p.Personal.Set), domain.PictureOriginsText(p.PictureOrigins),
			domain.SearchText(p.Name))
		for _, slot := range domain.Slots() {
			if k := p.Key(slot); !k.Empty() {
				add("project_keys", string(p.ID), string(slot), k.Sealed.Key, bytes.Clone(k.Sealed.Bytes))
			}
		}
	}
	rows = append(rows, s.archivedAudit()...)
	for _, u := range s.users {
		add("users", string(u.ID), string(u.Name), string(u.Role), u.Disabled, u.PasswordHash, micros(u.Created),
			u.Identity.Issuer, u.Identity.Subject, micros(u.SignedOn), u.AdminBy, u.AdminKept)
		for _, name := range s.groups[u.ID] {
			add("user_groups", string(u.ID), name)
		}
	}
	for _, g := range s.grants {
		add("grants", string(g.User), string(g.Project), s.projects[g.Project].Name, micros(g.Created), g.Scopes.Text(), g.SourcesText())
	}
	for _, r := range s.rules {
		add("group_rules", archivedRule(r)...)
	}
	for _, t := range s.tokens {
		add("access_tokens", t.archived()...)
	}
	for _, w := range s.webhooks {
		add("webhooks", archivedWebhook(w)...)
	}
	for _, u := range s.usage {
		add("usage", string(u.Day), string(u.Project), string(u.User), string(u.Token), string(u.Scope), u.Calls, u.Errors, u.Milliseconds)
	}
	slices.SortFunc(rows, func(a, b archive.Row) int {
		if a.After(b) {
			return 1
		}
		return -1
	})
	return rows
}

// archivedAudit returns the rows of the audit and its chain.
func (s *Store) archivedAudit() []archive.Row {
	var rows []archive.Row
	for i, r := range s.records {
		rows = append(rows, archive.Row{Table: "audit", Values: []any{
			s.removed + int64(i+1), micros(r.At), string(r.Actor), string(r.Action), r.Object, r.Outcome, r.RequestID, r.Address, r.Count,
		}})
	}
	for _, link := range s.chain.links {
		rows = append(rows, archive.Row{Table: "audit_chain", Values: []any{link.Seq, link.Row, bytes.Clone(link.Hash[:])}})
	}
	if h := s.chain.head; !h.Sealed.IsZero() {
		rows = append(rows, archive.Row{Table: "audit_head", Values: []any{
			int64(1), h.Seq, bytes.Clone(h.Hash[:]), h.Sealed.Key, bytes.Clone(h.Sealed.Bytes), h.Settled, h.Cut.Text(),
		}})
	}
	return rows
}

// archivedRule returns the values of the rule's row.
func archivedRule(r domain.GroupRule) []any {
	var project any
	if r.Project != "" {
		project = string(r.Project)
	}
	return []any{string(r.ID), r.Group, project, r.Scopes.Text(), domain.EnvironmentNamesText(r.Environments), micros(r.Created)}
}

// archived returns the values of the token's row.
func (t token) archived() []any {
	var project, previous any
	if t.Project != "" {
		project = string(t.Project)
	}
	if t.secrets.Previous != (domain.TokenHash{}) {
		previous = bytes.Clone(t.secrets.Previous[:])
	}
	return []any{
		string(t.ID), bytes.Clone(t.secrets.Current[:]), t.Name, t.Prefix, string(t.User), project, t.Scopes.Text(), t.OwnUsers,
		micros(t.Created), micros(t.Expires), micros(t.LastUsed), int64(t.Rate), int64(t.Open),
		domain.EnvironmentNamesText(t.Environments), micros(t.Renewed), previous, micros(t.PreviousEnds),
	}
}

// Restore fills the store with rows. It keeps the order of the audit's rows, but not their ids.
func (v archiver) Restore(ctx context.Context, rows iter.Seq2[archive.Row, error], act domain.Act) error {
	s := v.store
	if _, err := s.begin(ctx, act); err != nil {
		return err
	}
	defer s.leave()
	if len(s.users) > 0 || len(s.projects) > 0 {
		return &domain.Error{Kind: domain.Conflict, Public: "the store has users or assistants; restore the backup into an empty store; restore the backup into an empty store"}
	}
	filled := New(s.now)
	var before archive.Row
	for row, err := range rows {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return unavailable(context.Cause(ctx))
		}
		if err := row.CheckAfter(before); err != nil {
			return err
		}
		if !filled.restoreRow(row) {
			return &domain.Error{Kind: domain.Corrupt, Public: "its rows contradict each other"}
		}
		before = row
	}
	filled.record(act.Record)
	s.projects, s.grants, s.users, s.sessions = filled.projects, filled.grants, filled.users, filled.sessions
	s.groups, s.rules, s.providerLogins, s.used = filled.groups, filled.rules, filled.providerLogins, filled.used
	s.tokens, s.conversations, s.usage = filled.tokens, filled.conversations, filled.usage
	s.webhooks, s.deliveries = filled.webhooks, filled.deliveries
	s.removed, s.records, s.chain, s.installation = filled.removed, filled.records, filled.chain, filled.installation
	s.check, s.turns = filled.check, filled.turns
	return nil
}

// cells are the values of a row that are not taken yet.
type cells []any

func take[T any](c *cells) T {
	value, _ := (*c)[0].(T) // an optional one is the zero T
	*c = (*c)[1:]
	return value
}

func (c *cells) text() string       { return take[string](c) }
func (c *cells) number() int64      { return take[int64](c) }
func (c *cells) flag() bool         { return take[bool](c) }
func (c *cells) bytes() []byte      { return bytes.Clone(take[[]byte](c)) }
func (c *cells) instant() time.Time { return instant(c.number()) }

func (c *cells) sealed() domain.Sealed {
	key := take[domain.KeyID](c)
	return domain.Sealed{Key: key, Bytes: c.bytes()}
}

// restoreRow stores a row that has passed its check. It returns false if the row contradicts
// others.
func (s *Store) restoreRow(row archive.Row) bool {
	c := cells(slices.Clone(row.Values))
	switch row.Table {
	case "installation":
		c.number()
		s.installation.Known = c.sealed()
		s.installation.Origin = domain.Origin(c.text())
		s.installation.Pseudonyms = c.sealed()
	case "projects":
		return s.restoreProject(&c)
	case "project_keys":
		return s.restoreKey(&c)
	case "users":
		return s.restoreUser(&c)
	case "grants":
		return s.restoreGrant(&c)
	case "user_groups":
		return s.restoreGroup(&c)
	case "group_rules":
		return s.restoreRule(&c)
	case "access_tokens":
		return s.restoreToken(&c)
	case "webhooks":
		return s.restoreWebhook(&c)
	case "usage":
		key := domain.UsageKey{
			Day: domain.Day(c.text()), Project: domain.ProjectID(c.text()), User: domain.UserID(c.text()), Token: domain.TokenID(c.text()),
			Scope: domain.Scope(c.text()),
		}
		s.usage[key] = domain.Usage{UsageKey: key, Calls: c.number(), Errors: c.number(), Milliseconds: c.number()}
	case "audit":
		if id := c.number(); len(s.records) == 0 {
			s.removed = id - 1
		}
		s.records = append(s.records, domain.Record{
			At: c.instant(), Actor: domain.Actor(c.text()), Action: domain.Action(c.text()), Object: c.text(), Outcome: c.text(),
			RequestID: c.text(), Address: c.text(), Count: c.number(),
		})
	case "audit_chain":
		return s.restoreLink(&c)
	case "audit_head":
		return s.restoreHead(&c)
	}
	return true
}

// restoreKey stores a key of a project. It returns false if there is no such project.
func (s *Store) restoreKey(c *cells) bool {
	p, found := s.projects[domain.ProjectID(c.text())]
	if found {
		slot := domain.Slot(c.text())
		s.projects[p.ID] = p.Resealed(slot, c.sealed())
	}
	return found
}

// restoreGroup stores that a user is in a group. It returns false if there is no such user.
func (s *Store) restoreGroup(c *cells) bool {
	id := domain.UserID(c.text())
	s.groups[id] = append(s.groups[id], c.text())
	_, there := s.users[id]
	return there
}

// restoreLink stores a link of the chain. It returns false if its hash has the wrong length.
func (s *Store) restoreLink(c *cells) bool {
	link := domain.ChainLink{ChainPoint: domain.ChainPoint{Seq: c.number()}, Row: c.number()}
	hash := c.bytes()
	copy(link.Hash[:], hash)
	s.chain.links = append(s.chain.links, link)
	return len(hash) == len(link.Hash)
}

// restoreHead stores the head of the chain. It returns false if its hash has the wrong length.
func (s *Store) restoreHead(c *cells) bool {
	c.number()
	head := domain.AuditHead{ChainPoint: domain.ChainPoint{Seq: c.number()}}
	hash := c.bytes()
	copy(head.Hash[:], hash)
	head.Sealed, head.Settled, head.Cut = c.sealed(), c.number(), domain.ParseAuditCut(c.text())
	s.chain.head = head
	return len(hash) == len(head.Hash)
}

func (s *Store) restoreProject(c *cells) bool {
	p := domain.Project{
		ID: domain.ProjectID(c.text()), Name: c.text(), Voiceflow: domain.VoiceflowID(c.text()), Version: c.text(), Platform: c.text(),
		Created: c.instant(), VoiceflowCreated: c.instant(),
	}
	p.Primary.Status, p.Credits, p.Secondary.Status = domain.KeyStatus(c.text()), domain.Credits(c.text()), domain.KeyStatus(c.text())
	p.Primary.Checked, p.Primary.Set = c.instant(), c.instant()
	p.Secondary.Checked, p.Secondary.Set = c.instant(), c.instant()
	p.Environments = domain.EnvironmentsFromText(c.text())
	p.Personal.Status = domain.KeyStatus(c.text())
	p.Personal.Checked, p.Personal.Set = c.instant(), c.instant()
	p.PictureOrigins = domain.PictureOriginsFromText(c.text())
	for _, other := range s.projects {
		if other.Voiceflow == p.Voiceflow && other.Version == p.Version {
			return false
		}
	}
	s.projects[p.ID] = p
	return true
}

func (s *Store) restoreUser(c *cells) bool {
	u := domain.User{
		ID: domain.UserID(c.text()), Name: domain.Username(c.text()), Role: domain.Role(c.text()), Disabled: c.flag(),
		PasswordHash: take[domain.Secret](c), Created: c.instant(),
		Identity: domain.Identity{Issuer: c.text(), Subject: c.text()}, SignedOn: c.instant(), AdminBy: c.text(), AdminKept: c.flag(),
	}
	for _, there := range s.users {
		if there.Name == u.Name || u.Identity.Subject != "" && there.Identity == u.Identity {
			return false
		}
	}
	s.users[u.ID] = u
	return true
}

func (s *Store) restoreGrant(c *cells) bool {
	g := domain.Grant{User: domain.UserID(c.text()), Project: domain.ProjectID(c.text())}
	p, there := s.projects[g.Project]
	there = there && p.Name == c.text()
	g.Created, g.Scopes = c.instant(), domain.ScopesFromText(c.text())
	s.grants[grant{g.User, g.Project}] = g.WithSources(c.text())
	return there
}

func (s *Store) restoreRule(c *cells) bool {
	r := domain.GroupRule{
		ID: domain.RuleID(c.text()), Group: c.text(), Project: domain.ProjectID(c.text()), Scopes: domain.ScopesFromText(c.text()),
		Environments: domain.EnvironmentNamesFromText(c.text()), Created: c.instant(),
	}
	for _, there := range s.rules {
		if r.Replaces(there) {
			return false
		}
	}
	s.rules[r.ID] = r
	_, there := s.projects[r.Project]
	return there || r.MakesAdmins()
}

func (s *Store) restoreToken(c *cells) bool {
	var t token
	t.ID = domain.TokenID(c.text())
	hash := c.bytes()
	copy(t.secrets.Current[:], hash)
	t.Name, t.Prefix, t.User, t.Project = c.text(), c.text(), domain.UserID(c.text()), domain.ProjectID(c.text())
	t.Scopes, t.OwnUsers = domain.ScopesFromText(c.text()), c.flag()
	t.Created, t.Expires, t.LastUsed = c.instant(), c.instant(), c.instant()
	t.Rate, t.Open = int(c.number()), int(c.number())
	t.Environments = domain.EnvironmentNamesFromText(c.text())
	t.Renewed = c.instant()
	previous := c.bytes()
	copy(t.secrets.Previous[:], previous)
	t.PreviousEnds = c.instant()
	if s.hashIsTaken(t.secrets.Current) || s.hashIsTaken(t.secrets.Previous) || previous != nil && t.secrets.Previous == t.secrets.Current ||
		previous != nil && len(previous) != len(t.secrets.Previous) {
		return false
	}
	_, user := s.users[t.User]
	_, project := s.projects[t.Project]
	s.tokens[t.ID] = t
	return user && (project || t.Project == "") && len(hash) == len(t.secrets.Current)
}

// micros returns a time in the form of an archive. The zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant reverses micros.
func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
