package bunstore_test

import (
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
)

func TestTextThatCanNotBeKeptIsInvalid(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address := database(t)
		s := furnished(t, address, bunstore.Options{})
		audit := records(t, beside(t, address))
		for _, bad := range []string{"a\x00b", "a\xffb"} {
			broken := func(change func(*domain.Project)) domain.Project {
				p := project(2)
				change(&p)
				return p
			}
			user := func(change func(*domain.User)) domain.User {
				u := domain.NewUser("v", "v", domain.RoleMember, domain.NewSecret("hash"), nil, time.Unix(1, 0))
				change(&u)
				return u
			}
			session := func(change func(*domain.Session)) domain.Session {
				a := assistant("a", 1)
				change(&a)
				return a
			}
			audited := func(change func(*domain.Record)) domain.Record {
				r := record("request")
				change(&r)
				return r
			}
			ctx, p, set := t.Context(), s.Projects(), s.Sessions()
			add := func(p domain.Project) error { return s.Projects().Add(ctx, p, someKey, record("add")) }
			find := func(in domain.Visible, ref domain.ProjectRef) error { _, err := p.Find(ctx, in, ref); return err }
			create := func(u domain.User) error { return s.Users().Create(ctx, u, record("create")) }
			open := func(a domain.Session, r domain.Record) error { _, err := set.OpenAssistant(ctx, a, r); return err }
			everything := domain.Operator().Sees()
			createToken := func(change func(*domain.AccessToken)) error {
				token := someToken("u")
				change(&token)
				return s.AccessTokens().Create(ctx, token, someHash, record("create"))
			}
			converse := func(change func(*domain.Conversation)) error {
				c := someConversation("c", 1900)
				change(&c)
				return s.Conversations().Open(ctx, c)
			}
			count := func(change func(*domain.Usage)) error {
				u := domain.Usage{UsageKey: domain.UsageKey{Day: "2026-11-25"}, Calls: 1}
				change(&u)
				return s.Usage().Add(ctx, []domain.Usage{u})
			}
			events := func(f domain.AuditFilter) error {
				_, err := s.AuditLog().Page(ctx, f, nil, 1)
				return err
			}
			report := func(change func(*domain.UsageQuery, *domain.UsageKey)) error {
				q, after := domain.UsageQuery{GroupBy: domain.UsageFields()}, domain.UsageKey{}
				change(&q, &after)
				return second(s.Usage().Report(ctx, q, &after, 1))
			}
			grants := func(filter domain.GrantFilter, after domain.Cursor) error {
				return second(s.Projects().Grants(ctx, filter, after, 1))
			}
			put := func(id string, slot, key, name, platform string) error {
				sealed := domain.Sealed{Key: domain.KeyID(key), Bytes: []byte("x")}
				as := domain.Description{Name: name, Platform: platform}
				return second(p.PutKey(ctx, domain.ProjectID(id), domain.Slot(slot), sealed, as, time.Unix(1, 0), record("put")))
			}
			use := func(c domain.Credential) error { return second(s.Access().ForUse(ctx, c)) }
			standing := func(use domain.OpenUse) error {
				return second(s.Access().Standing(ctx, []domain.OpenUse{use}))
			}
			replace := func(change func(*domain.Resealed)) error {
				r := domain.Resealed{Ref: domain.SealedRef{Kind: domain.SealedConversation, ID: "c"}, From: someKey, To: someKey}
				change(&r)
				return second(s.Sealings().Replace(ctx, []domain.Resealed{r}))
			}
			for what, err := range map[string]error{
				"Add, id":           add(broken(func(p *domain.Project) { p.ID = domain.ProjectID(bad) })),
				"Add, name":         add(broken(func(p *domain.Project) { p.Name = bad })),
				"Add, Voiceflow id": add(broken(func(p *domain.Project) { p.Voiceflow = domain.VoiceflowID(bad) })),
				"Add, version":      add(broken(func(p *domain.Project) { p.Version = bad })),
				"Add, platform":     add(broken(func(p *domain.Project) { p.Platform = bad })),
				"Add, key":          p.Add(ctx, project(2), domain.Sealed{Key: domain.KeyID(bad), Bytes: []byte("x")}, record("add")),
				"Remove":            p.Remove(ctx, domain.ProjectID(bad), record("remove")),
				"Find, id":          find(everything, domain.ProjectRef{ID: domain.ProjectID(bad)}),
				"Find, name":        find(everything, domain.ProjectRef{Name: bad}),
				"Find, Voiceflow":   find(everything, domain.ProjectRef{Voiceflow: domain.VoiceflowID(bad)}),
				"Find, user":        find(domain.GrantedTo(domain.UserID(bad)), domain.ProjectRef{ID: "x"}),
				"Page, name":        second(p.Page(ctx, everything, domain.Cursor{Name: bad}, 1)),
				"Page, id":          second(p.Page(ctx, everything, domain.Cursor{ID: bad}, 1)),
				"Page, user":        second(p.Page(ctx, domain.GrantedTo(domain.UserID(bad)), domain.Cursor{}, 1)),
				"Keys":              second(p.Keys(ctx, domain.ProjectID(bad))),
				"Grant, user":       p.Grant(ctx, domain.UserID(bad), "project-1", 0, time.Unix(1, 0), record("grant")),
				"Grant, project":    p.Grant(ctx, "u", domain.ProjectID(bad), 0, time.Unix(1, 0), record("grant")),
				"Revoke, user":      p.Revoke(ctx, domain.UserID(bad), "project-1", record("revoke")),
				"Revoke, project":   p.Revoke(ctx, "u", domain.ProjectID(bad), record("revoke")),
				"Create, id":        create(user(func(u *domain.User) { u.ID = domain.UserID(bad) })),
				"Create, name":      create(user(func(u *domain.User) { u.Name = domain.Username(bad) })),
				"Create, hash":      create(user(func(u *domain.User) { u.PasswordHash = domain.NewSecret(bad) })),
				"Create, grants":    create(user(func(u *domain.User) { u.Assistants = []domain.ProjectID{domain.ProjectID(bad)} })),
				"Users.Find":        second(s.Users().Find(ctx, domain.UserID(bad))),
				"FindByName":        second(s.Users().FindByName(ctx, domain.Username(bad))),
				"Users.Page":        second(s.Users().Page(ctx, domain.Cursor{Name: bad}, 1)),
				"Update, keep": second(s.Users().Update(ctx, "u", func(u *domain.User, _ bool) error {
					u.PasswordHash = domain.NewSecret("other")
					return nil
				}, domain.SessionID(bad), record("update"))),
				"Update, id":        second(s.Users().Update(ctx, domain.UserID(bad), leave, "", record("update"))),
				"Users.Remove":      s.Users().Remove(ctx, domain.UserID(bad), leave, record("remove")),
				"OpenLogin":         set.OpenLogin(ctx, login(domain.SessionID(bad), "u"), domain.NewSecret("hash"), record("login")),
				"OpenLogin, hash":   set.OpenLogin(ctx, login("l", "u"), domain.NewSecret(bad), record("login")),
				"Open, id":          open(session(func(a *domain.Session) { a.ID = domain.SessionID(bad) }), record("set")),
				"Open, user":        open(session(func(a *domain.Session) { a.User = domain.UserID(bad) }), record("set")),
				"Open, login":       open(session(func(a *domain.Session) { a.Login = domain.SessionID(bad) }), record("set")),
				"Open, project":     open(session(func(a *domain.Session) { a.Project = domain.ProjectID(bad) }), record("set")),
				"Open, address":     open(session(func(a *domain.Session) { a.Address = bad }), record("set")),
				"Open, agent":       open(session(func(a *domain.Session) { a.Agent = bad }), record("set")),
				"record, actor":     open(assistant("a", 1), audited(func(r *domain.Record) { r.Actor = domain.Actor(bad) })),
				"record, action":    open(assistant("a", 1), audited(func(r *domain.Record) { r.Action = domain.Action(bad) })),
				"record, object":    open(assistant("a", 1), audited(func(r *domain.Record) { r.Object = bad })),
				"record, outcome":   open(assistant("a", 1), audited(func(r *domain.Record) { r.Outcome = bad })),
				"record, request":   open(assistant("a", 1), audited(func(r *domain.Record) { r.RequestID = bad })),
				"record, address":   open(assistant("a", 1), audited(func(r *domain.Record) { r.Address = bad })),
				"record of Add":     p.Add(ctx, project(2), someKey, audited(func(r *domain.Record) { r.Object = bad })),
				"Sessions.Find":     second(set.Find(ctx, domain.SessionID(bad))),
				"Touch":             set.Touch(ctx, domain.SessionID(bad), time.Unix(1, 0), time.Unix(2, 0)),
				"End":               set.End(ctx, domain.SessionID(bad), "", record("end")),
				"End, user":         set.End(ctx, "l", domain.UserID(bad), record("end")),
				"EndAll":            set.EndAll(ctx, domain.UserID(bad), record("end")),
				"MarkSealed":        set.MarkSealed(ctx, domain.SessionID(bad), "1"),
				"MarkSealed, key":   set.MarkSealed(ctx, "l", domain.KeyID(bad)),
				"Sessions.Page":     second(set.Page(ctx, domain.UserID(bad), domain.Cursor{}, 1)),
				"Sessions.Page, id": second(set.Page(ctx, "u", domain.Cursor{ID: bad}, 1)),
				"BySession":         second(s.Callers().BySession(ctx, domain.SessionID(bad))),

				"Grants, user":              grants(domain.GrantFilter{User: domain.UserID(bad)}, domain.Cursor{}),
				"Grants, project":           grants(domain.GrantFilter{Project: domain.ProjectID(bad)}, domain.Cursor{}),
				"Grants, name":              grants(domain.GrantFilter{}, domain.Cursor{Name: bad}),
				"Grants, id":                grants(domain.GrantFilter{}, domain.Cursor{ID: bad}),
				"MarkKey":                   p.MarkKey(ctx, domain.ProjectID(bad), domain.SlotPrimary, domain.KeyRejected, time.Time{}, record("mark")),
				"MarkKey, status":           p.MarkKey(ctx, "project-1", domain.SlotPrimary, domain.KeyStatus(bad), time.Time{}, record("mark")),
				"PutKey":                    put(bad, "primary", "1", "n", ""),
				"PutKey, slot":              put("project-1", bad, "1", "n", ""),
				"PutKey, key":               put("project-1", "primary", bad, "n", ""),
				"PutKey, name":              put("project-1", "primary", "1", bad, ""),
				"PutKey, platform":          put("project-1", "primary", "1", "n", bad),
				"Refresh":                   p.Refresh(ctx, domain.ProjectID(bad), domain.Description{Name: "n"}, record("refresh")),
				"Refresh, name":             p.Refresh(ctx, "project-1", domain.Description{Name: bad}, record("refresh")),
				"Refresh, platform":         p.Refresh(ctx, "project-1", domain.Description{Name: "n", Platform: bad}, record("refresh")),
				"MarkCredits":               p.MarkCredits(ctx, domain.ProjectID(bad), domain.CreditsUsedUp, record("mark")),
				"MarkCredits, credits":      p.MarkCredits(ctx, "project-1", domain.Credits(bad), record("mark")),
				"Add, key status":           add(broken(func(p *domain.Project) { p.KeyStatus = domain.KeyStatus(bad) })),
				"Add, credits":              add(broken(func(p *domain.Project) { p.Credits = domain.Credits(bad) })),
				"token, id":                 createToken(func(t *domain.AccessToken) { t.ID = domain.TokenID(bad) }),
				"token, name":               createToken(func(t *domain.AccessToken) { t.Name = bad }),
				"token, prefix":             createToken(func(t *domain.AccessToken) { t.Prefix = bad }),
				"token, user":               createToken(func(t *domain.AccessToken) { t.User = domain.UserID(bad) }),
				"token, project":            createToken(func(t *domain.AccessToken) { t.Project = domain.ProjectID(bad) }),
				"AccessTokens.Page, user":   second(s.AccessTokens().Page(ctx, domain.UserID(bad), domain.Cursor{}, 1)),
				"AccessTokens.Page, id":     second(s.AccessTokens().Page(ctx, "", domain.Cursor{ID: bad}, 1)),
				"AccessTokens.Remove, id":   s.AccessTokens().Remove(ctx, domain.TokenID(bad), "", record("remove")),
				"AccessTokens.Remove, user": s.AccessTokens().Remove(ctx, "token", domain.UserID(bad), record("remove")),
				"Used":                      s.AccessTokens().Used(ctx, map[domain.TokenID]time.Time{domain.TokenID(bad): time.Unix(1, 0)}),
				"conversation, id":          converse(func(c *domain.Conversation) { c.ID = domain.ConversationID(bad) }),
				"conversation, project":     converse(func(c *domain.Conversation) { c.Project = domain.ProjectID(bad) }),
				"conversation, user":        converse(func(c *domain.Conversation) { c.UserID = bad }),
				"conversation, session":     converse(func(c *domain.Conversation) { c.Session = domain.SessionID(bad) }),
				"conversation, token":       converse(func(c *domain.Conversation) { c.Token = domain.TokenID(bad) }),
				"conversation, key":         converse(func(c *domain.Conversation) { c.Key.Key = domain.KeyID(bad) }),
				"Renew, id":                 second(s.Conversations().Renew(ctx, domain.ConversationID(bad), someKey, someKey)),
				"Renew, from":               second(s.Conversations().Renew(ctx, "c", domain.Sealed{Key: domain.KeyID(bad)}, someKey)),
				"Renew, to":                 second(s.Conversations().Renew(ctx, "c", someKey, domain.Sealed{Key: domain.KeyID(bad)})),
				"usage, day":                count(func(u *domain.Usage) { u.Day = domain.Day(bad) }),
				"usage, project":            count(func(u *domain.Usage) { u.Project = domain.ProjectID(bad) }),
				"usage, user":               count(func(u *domain.Usage) { u.User = domain.UserID(bad) }),
				"usage, token":              count(func(u *domain.Usage) { u.Token = domain.TokenID(bad) }),
				"usage, scope":              count(func(u *domain.Usage) { u.Scope = domain.Scope(bad) }),
				"Report, from":              report(func(q *domain.UsageQuery, _ *domain.UsageKey) { q.From = domain.Day(bad) }),
				"Report, to":                report(func(q *domain.UsageQuery, _ *domain.UsageKey) { q.To = domain.Day(bad) }),
				"Report, day":               report(func(_ *domain.UsageQuery, k *domain.UsageKey) { k.Day = domain.Day(bad) }),
				"Report, project":           report(func(_ *domain.UsageQuery, k *domain.UsageKey) { k.Project = domain.ProjectID(bad) }),
				"Report, user":              report(func(_ *domain.UsageQuery, k *domain.UsageKey) { k.User = domain.UserID(bad) }),
				"Report, token":             report(func(_ *domain.UsageQuery, k *domain.UsageKey) { k.Token = domain.TokenID(bad) }),
				"Report, scope":             report(func(_ *domain.UsageQuery, k *domain.UsageKey) { k.Scope = domain.Scope(bad) }),
				"the audit, actor":          events(domain.AuditFilter{Actor: domain.Actor(bad)}),
				"the audit, action":         events(domain.AuditFilter{Action: domain.Action(bad)}),
				"the audit, object":         events(domain.AuditFilter{Object: bad}),
				"the audit, outcome":        events(domain.AuditFilter{Outcome: bad}),
				"the audit, request":        events(domain.AuditFilter{RequestID: bad}),
				"Append of several":         s.AuditLog().Append(ctx, record("x"), audited(func(r *domain.Record) { r.Object = bad })),
				"Append":                    s.AuditLog().Append(ctx, audited(func(r *domain.Record) { r.Object = bad })),
				"Sealings.Page, key":        second(s.Sealings().Page(ctx, domain.KeyID(bad), domain.SealedRef{}, 1)),
				"Sealings.Page, id":         second(s.Sealings().Page(ctx, "", domain.SealedRef{Kind: domain.SealedConversation, ID: bad}, 1)),
				"Replace, id":               replace(func(r *domain.Resealed) { r.Ref.ID = bad }),
				"Replace, slot":             replace(func(r *domain.Resealed) { r.Ref.Slot = domain.Slot(bad) }),
				"Replace, from":             replace(func(r *domain.Resealed) { r.From.Key = domain.KeyID(bad) }),
				"Replace, to":               replace(func(r *domain.Resealed) { r.To.Key = domain.KeyID(bad) }),
				"Forget": second(s.Sealings().Forget(ctx, []domain.SealedRow{
					{Ref: domain.SealedRef{Kind: domain.SealedConversation, ID: bad}, Sealed: someKey},
				})),
				"Mark": s.Sealings().Mark(ctx, domain.SealedRow{
					Ref: domain.SealedRef{Kind: domain.SealedProjectKey, ID: bad, Slot: domain.SlotPrimary}, Sealed: someKey,
				}, false, record("mark")),
				"EndSealedBy":            second(s.Sealings().EndSealedBy(ctx, domain.KeyID(bad), true, record("end"))),
				"ForUse, login":          use(domain.Credential{Login: domain.SessionID(bad)}),
				"ForUse, assistant":      use(domain.Credential{Login: "l", Assistant: domain.SessionID(bad)}),
				"ForUse, user":           use(domain.Credential{User: domain.UserID(bad)}),
				"ForUse, conversation":   use(domain.Credential{Conversation: domain.ConversationID(bad)}),
				"ForUse, conversation's": use(domain.Credential{Conversation: "c", User: domain.UserID(bad)}),
				"Standing, session":      standing(domain.OpenUse{Session: domain.SessionID(bad)}),
				"Standing, token":        standing(domain.OpenUse{Token: domain.TokenID(bad)}),
			} {
				wantKind(t, what, err, domain.Invalid)
			}
		}
		if got := records(t, beside(t, address)); len(got) != len(audit) {
			t.Errorf("got %d audit rows, want %d as before", len(got), len(audit))
		}
	})
}

func TestAnUpdateThatBringsSuchTextIsInvalidAndChangesNothing(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		s := furnished(t, database(t), bunstore.Options{})
		_, err := s.Users().Update(t.Context(), "u", func(u *domain.User, _ bool) error {
			u.Disabled, u.Assistants = true, []domain.ProjectID{"a\x00b"}
			return nil
		}, "", record("update"))
		wantKind(t, "Update", err, domain.Invalid)
		if u, err := s.Users().Find(t.Context(), "u"); err != nil || u.Disabled || len(u.Assistants) != 1 {
			t.Errorf("got %+v and error %v, want the user unchanged", u, err)
		}
	})
}

func leave(*domain.User, bool) error { return nil }

func second[T any](_ T, err error) error { return err }
