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
				"Grant, user":       p.Grant(ctx, domain.UserID(bad), "project-1", time.Unix(1, 0), record("grant")),
				"Grant, project":    p.Grant(ctx, "u", domain.ProjectID(bad), time.Unix(1, 0), record("grant")),
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
				"Update, id":      second(s.Users().Update(ctx, domain.UserID(bad), leave, "", record("update"))),
				"Users.Remove":    s.Users().Remove(ctx, domain.UserID(bad), leave, record("remove")),
				"OpenLogin":       set.OpenLogin(ctx, login(domain.SessionID(bad), "u"), domain.NewSecret("hash"), record("login")),
				"OpenLogin, hash": set.OpenLogin(ctx, login("l", "u"), domain.NewSecret(bad), record("login")),
				"Open, id":        open(session(func(a *domain.Session) { a.ID = domain.SessionID(bad) }), record("set")),
				"Open, user":      open(session(func(a *domain.Session) { a.User = domain.UserID(bad) }), record("set")),
				"Open, login":     open(session(func(a *domain.Session) { a.Login = domain.SessionID(bad) }), record("set")),
				"Open, project":   open(session(func(a *domain.Session) { a.Project = domain.ProjectID(bad) }), record("set")),
				"Open, address":   open(session(func(a *domain.Session) { a.Address = bad }), record("set")),
				"Open, agent":     open(session(func(a *domain.Session) { a.Agent = bad }), record("set")),
				"record, actor":   open(assistant("a", 1), audited(func(r *domain.Record) { r.Actor = domain.Actor(bad) })),
				"record, action":  open(assistant("a", 1), audited(func(r *domain.Record) { r.Action = domain.Action(bad) })),
				"record, object":  open(assistant("a", 1), audited(func(r *domain.Record) { r.Object = bad })),
				"record, outcome": open(assistant("a", 1), audited(func(r *domain.Record) { r.Outcome = bad })),
				"record, request": open(assistant("a", 1), audited(func(r *domain.Record) { r.RequestID = bad })),
				"record, address": open(assistant("a", 1), audited(func(r *domain.Record) { r.Address = bad })),
				"record of Add":   p.Add(ctx, project(2), someKey, audited(func(r *domain.Record) { r.Object = bad })),
				"Sessions.Find":   second(set.Find(ctx, domain.SessionID(bad))),
				"Touch":           set.Touch(ctx, domain.SessionID(bad), time.Unix(1, 0), time.Unix(2, 0)),
				"End":             set.End(ctx, domain.SessionID(bad), record("end")),
				"BySession":       second(s.Callers().BySession(ctx, domain.SessionID(bad))),
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
