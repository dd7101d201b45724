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
			ctx, p, set := t.Context(), s.Ports().Projects, s.Ports().Sessions
			granted := s.Ports().Grants
			add := func(p domain.Project) error { return s.Ports().Projects.Add(ctx, act("add"), p) }
			find := func(in domain.Visible, ref domain.ProjectRef) error { _, err := p.Find(ctx, in, ref); return err }
			create := func(u domain.User) error { return s.Ports().Users.Create(ctx, act("create"), u) }
			open := func(a domain.Session, r domain.Record) error {
				act := setting(a, "")
				act.Record = r
				return second(set.OpenAssistant(ctx, act, a))
			}
			everything := domain.Operator().Sees()
			createToken := func(change func(*domain.AccessToken)) error {
				token := someToken("u")
				change(&token)
				return s.Ports().Tokens.Create(ctx, act("create"), token, someHash)
			}
			converse := func(change func(*domain.Conversation)) error {
				c := someConversation("c", 1900)
				change(&c)
				return s.Ports().Conversations.Open(ctx, c)
			}
			count := func(change func(*domain.Usage)) error {
				u := domain.Usage{UsageKey: domain.UsageKey{Day: "2026-11-25"}, Calls: 1}
				change(&u)
				return s.Ports().Usage.Add(ctx, []domain.Usage{u}, nil)
			}
			events := func(f domain.AuditFilter) error {
				_, err := s.Ports().Audit.Page(ctx, f, nil, 1)
				return err
			}
			report := func(change func(*domain.UsageQuery, *domain.UsageKey)) error {
				q, after := domain.UsageQuery{GroupBy: domain.UsageFields()}, domain.UsageKey{}
				change(&q, &after)
				return second(s.Ports().Usage.Report(ctx, q, &after, 1))
			}
			grants := func(filter domain.GrantFilter, after domain.Cursor) error {
				return second(s.Ports().Grants.Page(ctx, filter, after, 1))
			}
			put := func(id, key, name, platform string) error {
				sealed := domain.Sealed{Key: domain.KeyID(key), Bytes: []byte("x")}
				as := domain.Description{Name: name, Platform: platform}
				return second(p.Update(ctx, act("put"), domain.ProjectID(id), func(p *domain.Project) error {
					p.PutKey(domain.SlotPrimary, sealed, time.Unix(1, 0), time.Unix(1, 0))
					p.Describe(as)
					return nil
				}))
			}
			note := func(id string, change func(*domain.Project) bool) error {
				return p.Note(ctx, domain.ProjectID(id), change, record("note"))
			}
			use := func(c credential) error { return second(c(ctx, s.Ports().Access)) }
			stands := func(by domain.Caller, needs domain.Need) error {
				return second(set.End(ctx, domain.Act{By: by, Needs: needs, Record: record("end")}, domain.OneSession("l")))
			}
			end := func(which domain.SessionsToEnd) error { return second(set.End(ctx, act("end"), which)) }
			findUser := func(ref domain.UserRef) error { return second(s.Ports().Users.Find(ctx, ref)) }
			standing := func(use domain.OpenUse) error {
				return second(s.Ports().Access.StillAllowed(ctx, []domain.OpenUse{use}))
			}
			replace := func(change func(*domain.Resealed)) error {
				r := domain.Resealed{Ref: domain.SealedRef{Kind: domain.SealedConversation, ID: "c"}, From: someKey, To: someKey}
				change(&r)
				return second(s.Ports().Sealings.Replace(ctx, []domain.Resealed{r}))
			}
			for what, err := range map[string]error{
				"Add, id":           add(broken(func(p *domain.Project) { p.ID = domain.ProjectID(bad) })),
				"Add, name":         add(broken(func(p *domain.Project) { p.Name = bad })),
				"Add, Voiceflow id": add(broken(func(p *domain.Project) { p.Voiceflow = domain.VoiceflowID(bad) })),
				"Add, version":      add(broken(func(p *domain.Project) { p.Version = bad })),
				"Add, platform":     add(broken(func(p *domain.Project) { p.Platform = bad })),
				"Add, key":          add(broken(func(p *domain.Project) { p.Primary.Sealed.Key = domain.KeyID(bad) })),
				"Add, secondary key": add(broken(func(p *domain.Project) {
					p.Secondary = domain.Key{Sealed: domain.Sealed{Key: domain.KeyID(bad), Bytes: []byte("x")}, Status: domain.KeyOK}
				})),
				"Remove":           p.Remove(ctx, act("remove"), domain.ProjectID(bad)),
				"Find, id":         find(everything, domain.ProjectRef{ID: domain.ProjectID(bad)}),
				"Find, name":       find(everything, domain.ProjectRef{Name: bad}),
				"Find, Voiceflow":  find(everything, domain.ProjectRef{Voiceflow: domain.VoiceflowID(bad)}),
				"Find, user":       find(domain.GrantedTo(domain.UserID(bad)), domain.ProjectRef{ID: "x"}),
				"Page, name":       second(p.Page(ctx, everything, domain.ProjectFilter{}, domain.Cursor{Name: bad}, 1)),
				"Page, id":         second(p.Page(ctx, everything, domain.ProjectFilter{}, domain.Cursor{ID: bad}, 1)),
				"Page, user":       second(p.Page(ctx, domain.GrantedTo(domain.UserID(bad)), domain.ProjectFilter{}, domain.Cursor{}, 1)),
				"Grant, user":      granted.Put(ctx, act("grant"), domain.UserID(bad), "project-1", 0, time.Unix(1, 0)),
				"Grant, project":   granted.Put(ctx, act("grant"), "u", domain.ProjectID(bad), 0, time.Unix(1, 0)),
				"Revoke, user":     granted.Remove(ctx, act("revoke"), domain.UserID(bad), "project-1"),
				"Revoke, project":  granted.Remove(ctx, act("revoke"), "u", domain.ProjectID(bad)),
				"Create, id":       create(user(func(u *domain.User) { u.ID = domain.UserID(bad) })),
				"Create, name":     create(user(func(u *domain.User) { u.Name = domain.Username(bad) })),
				"Create, hash":     create(user(func(u *domain.User) { u.PasswordHash = domain.NewSecret(bad) })),
				"Create, grants":   create(user(func(u *domain.User) { u.Assistants = []domain.ProjectID{domain.ProjectID(bad)} })),
				"Users.Find":       findUser(domain.UserRef{ID: domain.UserID(bad)}),
				"Users.Find, both": findUser(domain.UserRef{ID: "u", Name: domain.Username(bad)}),
				"Users.Find, name": findUser(domain.UserRef{Name: domain.Username(bad)}),
				"Users.Page":       second(s.Ports().Users.Page(ctx, domain.Cursor{Name: bad}, 1)),
				"Update, keep": second(s.Ports().Users.Update(ctx, act("update"), "u", func(u *domain.User, _ bool) error {
					u.PasswordHash = domain.NewSecret("other")
					return nil
				}, domain.Kept{Login: domain.SessionID(bad)})),
				"Update, hash": second(s.Ports().Users.Update(ctx, act("update"), "u", func(u *domain.User, _ bool) error {
					u.PasswordHash = domain.NewSecret(bad)
					return nil
				}, domain.Kept{})),
				"Update, id":        second(s.Ports().Users.Update(ctx, act("update"), domain.UserID(bad), leave, domain.Kept{})),
				"Users.Remove":      s.Ports().Users.Remove(ctx, act("remove"), domain.UserID(bad), leave),
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
				"record of Add":     p.Add(ctx, domain.Act{By: domain.Operator(), Record: audited(func(r *domain.Record) { r.Object = bad })}, project(2)),
				"Touch":             set.Touch(ctx, domain.SessionID(bad), domain.SessionUse{At: time.Unix(1, 0), Idle: time.Unix(2, 0)}),
				"End":               end(domain.OneSession(domain.SessionID(bad))),
				"End, user":         end(domain.SessionsOf(domain.UserID(bad))),
				"End, key":          end(domain.SessionsSealedBy(domain.KeyID(bad), false)),
				"End, handles":      end(domain.SessionsSealedBy(domain.KeyID(bad), true)),
				"Touch, key":        set.Touch(ctx, "l", domain.SessionUse{SealedBy: domain.KeyID(bad)}),
				"Sessions.Page":     second(set.Page(ctx, domain.UserID(bad), domain.Cursor{}, 1)),
				"Sessions.Page, id": second(set.Page(ctx, "u", domain.Cursor{ID: bad}, 1)),
				"act, login":        stands(domain.Caller{ID: "u", Login: domain.Session{ID: domain.SessionID(bad)}}, domain.NeedsCaller()),
				"act, token":        stands(domain.Caller{ID: "u", Token: domain.TokenID(bad)}, domain.NeedsCaller()),
				"act, user":         stands(domain.Caller{ID: domain.UserID(bad), Login: login("l", "u")}, domain.NeedsUse("project-1", 0)),
				"act, project": stands(domain.CallerByLogin(login("l", "u"), domain.RoleMember),
					domain.NeedsUse(domain.ProjectID(bad), 0)),

				"Grants, user":               grants(domain.GrantFilter{User: domain.UserID(bad)}, domain.Cursor{}),
				"Grants, project":            grants(domain.GrantFilter{Project: domain.ProjectID(bad)}, domain.Cursor{}),
				"Grants, name":               grants(domain.GrantFilter{}, domain.Cursor{Name: bad}),
				"Grants, id":                 grants(domain.GrantFilter{}, domain.Cursor{ID: bad}),
				"Mark":                       note(bad, func(p *domain.Project) bool { return p.Mark(someKey, domain.KeyRejected, time.Unix(1, 0)) }),
				"Mark, status":               note("project-1", func(p *domain.Project) bool { return p.Mark(someKey, domain.KeyStatus(bad), time.Unix(1, 0)) }),
				"PutKey":                     put(bad, "1", "n", ""),
				"PutKey, key":                put("project-1", bad, "n", ""),
				"PutKey, name":               put("project-1", "1", bad, ""),
				"PutKey, platform":           put("project-1", "1", "n", bad),
				"Describe":                   note(bad, func(p *domain.Project) bool { return p.Describe(domain.Description{Name: "n"}) }),
				"Describe, name":             note("project-1", func(p *domain.Project) bool { return p.Describe(domain.Description{Name: bad}) }),
				"Describe, platform":         note("project-1", func(p *domain.Project) bool { return p.Describe(domain.Description{Name: "n", Platform: bad}) }),
				"MarkCredits":                note(bad, func(p *domain.Project) bool { return p.MarkCredits(domain.CreditsUsedUp) }),
				"MarkCredits, credits":       note("project-1", func(p *domain.Project) bool { return p.MarkCredits(domain.Credits(bad)) }),
				"MarkOpens":                  note(bad, func(p *domain.Project) bool { return p.MarkOpens(someKey, false) }),
				"Add, key status":            add(broken(func(p *domain.Project) { p.Primary.Status = domain.KeyStatus(bad) })),
				"Add, secondary status":      add(broken(func(p *domain.Project) { p.Secondary.Status = domain.KeyStatus(bad) })),
				"Add, credits":               add(broken(func(p *domain.Project) { p.Credits = domain.Credits(bad) })),
				"token, id":                  createToken(func(t *domain.AccessToken) { t.ID = domain.TokenID(bad) }),
				"token, name":                createToken(func(t *domain.AccessToken) { t.Name = bad }),
				"token, prefix":              createToken(func(t *domain.AccessToken) { t.Prefix = bad }),
				"token, user":                createToken(func(t *domain.AccessToken) { t.User = domain.UserID(bad) }),
				"token, project":             createToken(func(t *domain.AccessToken) { t.Project = domain.ProjectID(bad) }),
				"AccessTokens.Page, user":    second(s.Ports().Tokens.Page(ctx, domain.UserID(bad), domain.Cursor{}, 1)),
				"AccessTokens.Page, id":      second(s.Ports().Tokens.Page(ctx, "", domain.Cursor{ID: bad}, 1)),
				"AccessTokens.Remove, id":    s.Ports().Tokens.Remove(ctx, act("remove"), domain.TokenID(bad)),
				"Used":                       s.Ports().Usage.Add(ctx, nil, map[domain.TokenID]time.Time{domain.TokenID(bad): time.Unix(1, 0)}),
				"conversation, id":           converse(func(c *domain.Conversation) { c.ID = domain.ConversationID(bad) }),
				"conversation, project":      converse(func(c *domain.Conversation) { c.Project = domain.ProjectID(bad) }),
				"conversation, user":         converse(func(c *domain.Conversation) { c.UserID = bad }),
				"conversation, session":      converse(func(c *domain.Conversation) { c.Session = domain.SessionID(bad) }),
				"conversation, token":        converse(func(c *domain.Conversation) { c.Token = domain.TokenID(bad) }),
				"conversation, key":          converse(func(c *domain.Conversation) { c.Key.Key = domain.KeyID(bad) }),
				"Renew, id":                  second(s.Ports().Conversations.Renew(ctx, domain.ConversationID(bad), someKey, someKey)),
				"Renew, from":                second(s.Ports().Conversations.Renew(ctx, "c", domain.Sealed{Key: domain.KeyID(bad)}, someKey)),
				"Renew, to":                  second(s.Ports().Conversations.Renew(ctx, "c", someKey, domain.Sealed{Key: domain.KeyID(bad)})),
				"usage, day":                 count(func(u *domain.Usage) { u.Day = domain.Day(bad) }),
				"usage, project":             count(func(u *domain.Usage) { u.Project = domain.ProjectID(bad) }),
				"usage, user":                count(func(u *domain.Usage) { u.User = domain.UserID(bad) }),
				"usage, token":               count(func(u *domain.Usage) { u.Token = domain.TokenID(bad) }),
				"usage, scope":               count(func(u *domain.Usage) { u.Scope = domain.Scope(bad) }),
				"Report, from":               report(func(q *domain.UsageQuery, _ *domain.UsageKey) { q.From = domain.Day(bad) }),
				"Report, to":                 report(func(q *domain.UsageQuery, _ *domain.UsageKey) { q.To = domain.Day(bad) }),
				"Report, day":                report(func(_ *domain.UsageQuery, k *domain.UsageKey) { k.Day = domain.Day(bad) }),
				"Report, project":            report(func(_ *domain.UsageQuery, k *domain.UsageKey) { k.Project = domain.ProjectID(bad) }),
				"Report, user":               report(func(_ *domain.UsageQuery, k *domain.UsageKey) { k.User = domain.UserID(bad) }),
				"Report, token":              report(func(_ *domain.UsageQuery, k *domain.UsageKey) { k.Token = domain.TokenID(bad) }),
				"Report, scope":              report(func(_ *domain.UsageQuery, k *domain.UsageKey) { k.Scope = domain.Scope(bad) }),
				"the audit, actor":           events(domain.AuditFilter{Actor: domain.Actor(bad)}),
				"the audit, action":          events(domain.AuditFilter{Action: domain.Action(bad)}),
				"the audit, object":          events(domain.AuditFilter{Object: bad}),
				"the audit, outcome":         events(domain.AuditFilter{Outcome: bad}),
				"the audit, request":         events(domain.AuditFilter{RequestID: bad}),
				"Append of several":          s.Ports().Audit.Append(ctx, record("x"), audited(func(r *domain.Record) { r.Object = bad })),
				"Append":                     s.Ports().Audit.Append(ctx, audited(func(r *domain.Record) { r.Object = bad })),
				"Sealings.Page, key":         second(s.Ports().Sealings.Page(ctx, domain.KeyID(bad), domain.SealedRef{}, 1)),
				"Sealings.Page, id":          second(s.Ports().Sealings.Page(ctx, "", domain.SealedRef{Kind: domain.SealedConversation, ID: bad}, 1)),
				"Replace, id":                replace(func(r *domain.Resealed) { r.Ref.ID = bad }),
				"Replace, slot":              replace(func(r *domain.Resealed) { r.Ref.Slot = domain.Slot(bad) }),
				"Replace, from":              replace(func(r *domain.Resealed) { r.From.Key = domain.KeyID(bad) }),
				"Replace, to":                replace(func(r *domain.Resealed) { r.To.Key = domain.KeyID(bad) }),
				"Replace, forgotten":         replace(func(r *domain.Resealed) { r.Ref.ID, r.To = bad, domain.Sealed{} }),
				"ByLogin":                    use(byLogin(domain.SessionID(bad), "")),
				"ByLogin, assistant":         use(byLogin("l", domain.SessionID(bad))),
				"ByLogin, with one":          use(byLogin(domain.SessionID(bad), "a")),
				"ByHostUser":                 use(byHostUser(domain.UserID(bad), "a")),
				"ByHostUser, assistant":      use(byHostUser("u", domain.SessionID(bad))),
				"ByLogin, project":           use(byLoginNaming("l", domain.ProjectID(bad))),
				"ByLogin, with a project":    use(byLoginNaming(domain.SessionID(bad), "p")),
				"ByHostUser, project":        use(byHostUserNaming("u", domain.ProjectID(bad))),
				"ByHostUser, with a project": use(byHostUserNaming(domain.UserID(bad), "p")),
				"ByConversation":             use(byConversation(domain.ConversationID(bad), "")),
				"ByConversation, user":       use(byConversation("c", domain.UserID(bad))),
				"StillAllowed, session":      standing(domain.OpenUse{Session: domain.SessionID(bad)}),
				"StillAllowed, token":        standing(domain.OpenUse{Token: domain.TokenID(bad)}),
				"StillAllowed, project":      standing(domain.OpenUse{Project: domain.ProjectID(bad), Login: "l"}),
				"StillAllowed, login":        standing(domain.OpenUse{Project: "p", Login: domain.SessionID(bad)}),
				"StillAllowed, user":         standing(domain.OpenUse{Project: "p", User: domain.UserID(bad)}),
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
		_, err := s.Ports().Users.Update(t.Context(), act("update"), "u", func(u *domain.User, _ bool) error {
			u.Disabled, u.Assistants = true, []domain.ProjectID{"a\x00b"}
			return nil
		}, domain.Kept{})
		wantKind(t, "Update", err, domain.Invalid)
		if u, err := s.Ports().Users.Find(t.Context(), domain.UserRef{ID: "u"}); err != nil || u.Disabled || len(u.Assistants) != 1 {
			t.Errorf("got %+v and error %v, want the user unchanged", u, err)
		}
	})
}

func leave(*domain.User, bool) error { return nil }

func second[T any](_ T, err error) error { return err }
