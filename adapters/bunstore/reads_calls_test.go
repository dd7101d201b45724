package bunstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// call is a call of a port on a large database, and how many rows it may read: those
// that it returns, in each table that they come from, and a few where it also writes.
type call struct {
	name string
	rows int
	do   func(ctx context.Context, s *Store) error
}

func calls() []call {
	everything, granted := domain.Operator().Sees(), domain.GrantedTo(greedy)
	page := func(in domain.Visible, after domain.Cursor) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			got, err := s.Ports().Projects.Page(ctx, in, domain.ProjectFilter{}, after, 50)
			return want(len(got), 50, err)
		}
	}
	find := func(in domain.Visible, ref domain.ProjectRef, n int) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			got, err := s.Ports().Projects.Find(ctx, in, ref)
			return want(len(got), n, err)
		}
	}
	later := time.Unix(1_000_000, 0)
	byOperator := domain.Act{By: domain.Operator()}
	byLogin := domain.CallerByLogin(domain.Session{ID: "l1001200", User: "u1001200"}, domain.RoleMember)
	byToken := domain.CallerByToken(domain.AccessToken{ID: "t1001201", User: "u1001201"}, domain.RoleMember)
	// What a right costs shows a call that does nothing else.
	right := func(by domain.Caller, needs domain.Need) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			_, err := s.Ports().Sessions.End(ctx, domain.Act{By: by, Needs: needs}, domain.OneSession("unknown"))
			return err
		}
	}
	user := func(ref domain.UserRef) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			u, err := s.Ports().Users.Find(ctx, ref)
			return want(len(u.Assistants), 5, err)
		}
	}
	use := func(look func(ctx context.Context, in ports.Access) (domain.Access, error)) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			a, err := look(ctx, s.Ports().Access)
			if err == nil && (a.Project.ID == "" || a.Project.Primary.Sealed.IsZero()) {
				err = errors.New("got no project, or no key")
			}
			return err
		}
	}
	byConversation := func(id domain.ConversationID) func(context.Context, *Store) error {
		return use(func(ctx context.Context, in ports.Access) (domain.Access, error) {
			return in.ByConversation(ctx, id, domain.Caller{})
		})
	}
	update := func(id domain.ProjectID, change func(*domain.Project)) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			_, err := s.Ports().Projects.Update(ctx, byOperator, id, func(p *domain.Project) error {
				change(p)
				return nil
			})
			return err
		}
	}
	note := func(id domain.ProjectID, change func(*domain.Project) bool) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			return s.Ports().Projects.Note(ctx, id, change, domain.Record{})
		}
	}
	end := func(by domain.Caller, which domain.SessionsToEnd, n domain.SessionsEnded) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			ended, err := s.Ports().Sessions.End(ctx, domain.Act{By: by}, which)
			if err == nil && ended != n {
				err = fmt.Errorf("ended %+v, want %+v", ended, n)
			}
			return err
		}
	}
	standing := func(n int, uses ...domain.OpenUse) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			got, err := s.Ports().Access.StillAllowed(ctx, uses)
			return want(len(got), n, err)
		}
	}
	grants := func(filter domain.GrantFilter, after domain.Cursor, n int) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			got, err := s.Ports().Grants.Page(ctx, filter, after, 50)
			return want(len(got), n, err)
		}
	}
	tokens := func(of domain.UserID, after domain.Cursor) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			got, err := s.Ports().Tokens.Page(ctx, of, after, 50)
			return want(len(got), 50, err)
		}
	}
	events := func(f domain.AuditFilter, before *domain.AuditPlace, n int) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			got, err := s.Ports().Audit.Page(ctx, f, before, 50)
			return want(len(got), n, err)
		}
	}
	session := func(id domain.SessionID, kind domain.SessionKind, user domain.UserID) domain.Session {
		return domain.Session{ID: id, Kind: kind, User: user, Idle: later, Expires: later}
	}
	assistant := func(id domain.SessionID, user domain.UserID, login domain.SessionID, project domain.ProjectID, byRole bool) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			a := session(id, domain.AssistantSession, user)
			a.Login, a.Project, a.ByRole = login, project, byRole
			by := domain.Caller{ID: user, Admin: byRole, Login: domain.Session{ID: login}}
			_, err := s.Ports().Sessions.OpenAssistant(ctx, domain.Act{By: by, Needs: domain.NeedsUse(project, 0)}, a)
			return err
		}
	}
	return []call{
		{"the first page of all projects", 50, page(everything, domain.Cursor{})},
		{"a page of all projects far down", 50, page(everything, domain.Cursor{Name: "name 1003000", ID: "p1015002"})},
		{"the first page of many granted projects", 100, page(granted, domain.Cursor{})},
		{"a page of many granted projects far down", 100, page(granted, domain.Cursor{Name: "name 1003000", ID: "p1015002"})},
		{"a project by id, with its keys", 2, find(everything, domain.ProjectRef{ID: "p1000008"}, 1)},
		{"projects by name", 10, find(everything, domain.ProjectRef{Name: "name 1000005"}, 5)},
		{"projects by Voiceflow id", 20, find(everything, domain.ProjectRef{Voiceflow: "v1000005"}, 10)},
		{"a granted project by id", 3, find(granted, domain.ProjectRef{ID: "p1000008"}, 1)},
		{"a project that is not granted, by id", 0, find(granted, domain.ProjectRef{ID: "p1000007"}, 0)},
		{"granted projects by name", 8, find(granted, domain.ProjectRef{Name: "name 1000005"}, 2)},
		{"granted projects by Voiceflow id", 20, find(granted, domain.ProjectRef{Voiceflow: "v1000005"}, 5)},
		{"the keys of a project", 2, func(ctx context.Context, s *Store) error {
			found, err := s.Ports().Projects.Find(ctx, everything, domain.ProjectRef{ID: "p1000008"})
			if err != nil {
				return err
			}
			return want(len(found[0].KeysToTry(&domain.Endpoint{})), 1, nil)
		}},
		{"the caller of a login", 2, func(ctx context.Context, s *Store) error {
			_, err := s.Ports().Access.ByLogin(ctx, "l1001500", domain.Use{})
			return err
		}},
		{"a use by login", 6, use(func(ctx context.Context, in ports.Access) (domain.Access, error) {
			return in.ByLogin(ctx, "l1001500", domain.UseSession("a1001500"))
		})},
		{"a use by a host's user with many sessions", 3, use(func(ctx context.Context, in ports.Access) (domain.Access, error) {
			return in.ByHostUser(ctx, domain.Caller{ID: hosted}, domain.UseSession("h1001500"))
		})},
		{"a use by login of a project that the call names", 5, use(func(ctx context.Context, in ports.Access) (domain.Access, error) {
			return in.ByLogin(ctx, "l1001500", domain.UseProject("p1001500"))
		})},
		{"a use by login of a project that is not granted", 2, func(ctx context.Context, s *Store) error {
			a, err := s.Ports().Access.ByLogin(ctx, "l1001501", domain.UseProject("p1001502"))
			return want(len(a.Project.ID), 0, err)
		}},
		{"a use by a host's user of a project that the call names", 3, use(func(ctx context.Context, in ports.Access) (domain.Access, error) {
			return in.ByHostUser(ctx, domain.Caller{ID: greedy}, domain.UseProject("p1000500"))
		})},
		{"a use by access token", 5, use(func(ctx context.Context, in ports.Access) (domain.Access, error) {
			return in.ByToken(ctx, tokenHash(1500))
		})},
		{"a use of a conversation that a session made", 7, byConversation("c1001500")},
		{"a use of a conversation that an access token made", 6, byConversation("d1001500")},
		{"open uses of sessions", 3*3 + 1, standing(4, domain.OpenUse{Session: "a1001500"}, domain.OpenUse{Session: "a1001700"},
			domain.OpenUse{Session: "a1001800"}, domain.OpenUse{Session: "h1000007"}, domain.OpenUse{Session: "unknown"})},
		{"open uses of access tokens", 2 * 3, standing(2, domain.OpenUse{Token: "t1001500"}, domain.OpenUse{Token: "t1001700"}, domain.OpenUse{Token: "unknown"})},
		{"open uses of projects that calls name", 4 + 4 + 4 + 2 + 1, standing(5,
			domain.OpenUse{Login: "l1001500", Project: "p1001500"}, domain.OpenUse{Login: "l1001500", Project: "p1003500"},
			domain.OpenUse{Login: "l1001700", Project: "p1001700"}, domain.OpenUse{User: greedy, Project: "p1000500"},
			domain.OpenUse{User: "an admin", Project: "p1000500", Admin: true}, domain.OpenUse{Login: "unknown", Project: "p1001500"})},
		{"the first page of many granted projects, with a scope", 100, page(granted.Within(domain.ScopeConverse), domain.Cursor{})},
		{"a granted project by id, with a scope", 3, find(granted.Within(domain.ScopeConverse), domain.ProjectRef{ID: "p1000008"}, 1)},
		{"the first page of all grants", 50, grants(domain.GrantFilter{}, domain.Cursor{}, 50)},
		{"a page of all grants far down", 50, grants(domain.GrantFilter{}, domain.Cursor{Name: "u1001000", ID: "p1000001"}, 50)},
		{"the first page of the many grants of a user", 50, grants(domain.GrantFilter{User: greedy}, domain.Cursor{}, 50)},
		{"a page of the many grants of a user far down", 50, grants(domain.GrantFilter{User: greedy}, domain.Cursor{Name: string(greedy), ID: "p1015002"}, 50)},
		{"the grants on a project", 2, grants(domain.GrantFilter{Project: "p1000500"}, domain.Cursor{}, 2)},
		{"the grants on a project behind one of them", 1, grants(domain.GrantFilter{Project: "p1000500"}, domain.Cursor{Name: string(greedy), ID: "p1000500"}, 1)},
		{"the grant of a user on a project", 1, grants(domain.GrantFilter{User: greedy, Project: "p1000500"}, domain.Cursor{}, 1)},
		{"a page of all access tokens far down", 50, tokens("", domain.Cursor{ID: "t1005000"})},
		{"a page of the many access tokens of a user far down", 50, tokens("u1000001", domain.Cursor{ID: "t1005000"})},
		{"a page of a report far down", 51, func(ctx context.Context, s *Store) error {
			q := domain.UsageQuery{From: "2026-01-01", To: "2026-01-31", GroupBy: domain.UsageFields()}
			got, err := s.Ports().Usage.Report(ctx, q, &domain.UsageKey{Day: "2026-01-20", Project: "p1010000"}, 50)
			return want(len(got), 50, err)
		}},
		{"a page of the audit far down", 50, events(domain.AuditFilter{}, &domain.AuditPlace{At: time.UnixMicro(5000), ID: 5000}, 50)},
		{"a page of the audit of a time", 50, events(domain.AuditFilter{Since: time.UnixMicro(100), Until: time.UnixMicro(9000)}, nil, 50)},
		{"a page of the audit of a rare action", 10, events(domain.AuditFilter{Action: "backup"}, nil, 10)},
		{"a page of the audit of a time and more", 50, events(domain.AuditFilter{Actor: "operator", Until: time.UnixMicro(9000)}, nil, 50)},
		{"a page of the chain far down", 2 * 50, func(ctx context.Context, s *Store) error {
			got, err := s.Ports().Chain.Links(ctx, 5000, 50)
			return want(len(got), 50, err)
		}},
		{"the first row that waits for the chain", 3 * manyLeft, func(ctx context.Context, s *Store) error {
			_, err := s.Ports().Chain.Waiting(ctx)
			return err
		}},
		{"the head of the chain", 1, func(ctx context.Context, s *Store) error {
			_, err := s.Ports().Chain.Head(ctx)
			return err
		}},
		// And what the calls here have left themselves, the time before.
		{"chaining what is left", 2*manyLeft + 50, func(ctx context.Context, s *Store) error {
			_, _, err := s.Ports().Chain.Extend(ctx, 2*manyLeft, extendBlindly)
			return err
		}},
		{"chaining when nothing is left", 3 * manyLeft, func(ctx context.Context, s *Store) error {
			_, _, err := s.Ports().Chain.Extend(ctx, 2*manyLeft, extendBlindly)
			return err
		}},
		{"a user", 6, user(domain.UserRef{ID: "u1000100"})},
		{"a user by name", 6, user(domain.UserRef{Name: "name1000100"})},
		{"a user by id and name", 6, user(domain.UserRef{ID: "u1000100", Name: "name1000100"})},
		{"the right of a login", 2 + 1, right(byLogin, domain.NeedsCaller())},
		{"the right of an access token", 2 + 1, right(byToken, domain.NeedsCaller())},
		{"the right of a login to use a project", 2 + 2 + 1, right(byLogin, domain.NeedsUse("p1001200", domain.DefaultScopes()))},
		{"the right of an access token to use a project", 2 + 2 + 1, right(byToken, domain.NeedsUse("p1001201", domain.DefaultScopes()))},
		{"a page of users", 10 + 50, func(ctx context.Context, s *Store) error {
			got, err := s.Ports().Users.Page(ctx, domain.Cursor{Name: "name1000100"}, 10)
			return want(len(got), 10, err)
		}},
		{"opening a login", 10, func(ctx context.Context, s *Store) error {
			return s.Ports().Sessions.OpenLogin(ctx, session("new", domain.LoginSession, "u1000100"), domain.NewSecret("hash"), domain.Record{})
		}},
		{"opening an assistant by a grant", 20, assistant("a1", "u1001500", "l1001500", "p1001500", false)},
		{"opening another in its place", 20, assistant("a2", "u1001500", "l1001500", "p1003500", false)},
		{"opening an assistant by role", 20, assistant("a3", "u1001510", "l1001510", "p1000500", true)},
		{"opening an assistant without a login", 20, assistant("a4", greedy, "", "p1000500", false)},
		{"touching a session", 2, func(ctx context.Context, s *Store) error {
			return s.Ports().Sessions.Touch(ctx, "l1001600", domain.SessionUse{At: later, Idle: later, SealedBy: "2"})
		}},
		{"a page of the many sessions of a user far down", 50, func(ctx context.Context, s *Store) error {
			got, err := s.Ports().Sessions.Page(ctx, hosted, domain.Cursor{ID: "h1001000"}, 50)
			return want(len(got), 50, err)
		}},
		{"marking the key of a cookie", 2, func(ctx context.Context, s *Store) error {
			return s.Ports().Sessions.Touch(ctx, "l1001601", domain.SessionUse{SealedBy: "3"})
		}},
		{"ending all sessions of a user", 20, end(domain.Operator(), domain.SessionsOf("u1001700"), domain.SessionsEnded{Sessions: 2})},
		{"ending a session", 10, end(domain.Operator(), domain.OneSession("l1001600"), domain.SessionsEnded{Sessions: 1})},
		{"ending one's own session", 12, end(byLogin, domain.OneSession("a1001200"), domain.SessionsEnded{Sessions: 1})},
		// The calls before have opened and ended some more.
		{"ending the sessions of a key, which goes through all of them", 6*manyUsers + 20, end(domain.Operator(), domain.SessionsSealedBy("3", true), domain.SessionsEnded{Sessions: 1})},
		{"sweeping ten of many sessions", 60, func(ctx context.Context, s *Store) error {
			n, err := s.Ports().Sweeper.Sweep(ctx, 10)
			return want(n, 10, err)
		}},
		{"opening a conversation in place of another", 10, func(ctx context.Context, s *Store) error {
			return s.Ports().Conversations.Open(ctx, domain.Conversation{
				ID: "new", Project: "p1001500", UserID: "w1001500", Token: "t1001500", Key: domain.Sealed{Key: "1", Bytes: []byte("x")}, Expires: later,
			})
		}},
		{"renewing a conversation", 5, func(ctx context.Context, s *Store) error {
			_, err := s.Ports().Conversations.Renew(ctx, "c1001500", domain.Sealed{Key: "1", Bytes: []byte("sealed")}, domain.Sealed{Key: "1", Bytes: []byte("y")})
			return err
		}},
		{"sweeping ten of many conversations", 60, func(ctx context.Context, s *Store) error {
			n, err := s.Ports().Sweeper.Sweep(ctx, 10)
			return want(n, 10, err)
		}},
		{"creating an access token", 10, func(ctx context.Context, s *Store) error {
			t := domain.AccessToken{ID: "new", User: "u1001500", Project: "p1001500", Expires: later}
			return s.Ports().Tokens.Create(ctx, byOperator, t, domain.TokenHash{1})
		}},
		{"rotating an access token", 25, func(ctx context.Context, s *Store) error {
			_, err := s.Ports().Tokens.Rotate(ctx, byOperator, "t1001700", domain.Rotation{Hash: domain.TokenHash{2}, Overlap: time.Hour})
			return err
		}},
		{"a use by the previous text of an access token", 8, use(func(ctx context.Context, in ports.Access) (domain.Access, error) {
			return in.ByToken(ctx, tokenHash(1700))
		})},
		{"using two access tokens", 5, func(ctx context.Context, s *Store) error {
			return s.Ports().Usage.Add(ctx, nil, map[domain.TokenID]time.Time{"t1001500": later, "t1001501": later})
		}},
		{"removing an access token", 10, func(ctx context.Context, s *Store) error {
			return s.Ports().Tokens.Remove(ctx, byOperator, "t1001600")
		}},
		{"adding usage", 10, func(ctx context.Context, s *Store) error {
			key := domain.UsageKey{Day: "2026-01-11", Project: "p1000001", User: "u1000001", Scope: domain.ScopeConverse}
			return s.Ports().Usage.Add(ctx, []domain.Usage{{UsageKey: key, Calls: 1}, {UsageKey: domain.UsageKey{Day: "new"}, Calls: 1}}, nil)
		}},
		{"marking the key of a project", 5, note("p1001500", func(p *domain.Project) bool {
			return p.Mark(domain.Sealed{Key: "1", Bytes: []byte("sealed")}, domain.KeyRejected, later)
		})},
		{"putting a key into the secondary slot", 5, update("p1001500", func(p *domain.Project) {
			p.PutKey(domain.SlotSecondary, domain.Sealed{Key: "1", Bytes: []byte("x")}, later, later)
		})},
		{"refreshing the name of a project", 14, update("p1001501", func(p *domain.Project) { p.Name = "renamed" })},
		{"marking the credits of a project", 5, note("p1001500", func(p *domain.Project) bool { return p.MarkCredits(domain.CreditsUsedUp) })},
		{"a page of everything that is sealed", 2 * 50, func(ctx context.Context, s *Store) error {
			got, err := s.Ports().Sealings.Page(ctx, "", domain.SealedRef{Kind: domain.SealedConversation, ID: "d1001500"}, 50)
			return want(len(got), 50, err)
		}},
		{"a page of projects' keys far down", 100, func(ctx context.Context, s *Store) error {
			got, err := s.Ports().Sealings.Page(ctx, "", domain.SealedRef{Kind: domain.SealedProjectKey, ID: "p1015000", Slot: "primary"}, 50)
			return want(len(got), 50, err)
		}},
		{"replacing what is sealed", 5, func(ctx context.Context, s *Store) error {
			from, to := domain.Sealed{Key: "1", Bytes: []byte("sealed")}, domain.Sealed{Key: "1", Bytes: []byte("anew")}
			n, err := s.Ports().Sealings.Replace(ctx, []domain.Resealed{
				{Ref: domain.SealedRef{Kind: domain.SealedProjectKey, ID: "p1001500", Slot: "primary"}, From: from, To: to},
				{Ref: domain.SealedRef{Kind: domain.SealedConversation, ID: "c1001600"}, From: from, To: to},
			})
			return want(n, 2, err)
		}},
		{"forgetting what is sealed", 5, func(ctx context.Context, s *Store) error {
			from := domain.Sealed{Key: "1", Bytes: []byte("sealed")}
			n, err := s.Ports().Sealings.Replace(ctx, []domain.Resealed{{Ref: domain.SealedRef{Kind: domain.SealedConversation, ID: "c1001601"}, From: from}})
			return want(n, 1, err)
		}},
		{"marking a key that does not open", 10, note("p1001600", func(p *domain.Project) bool {
			return p.MarkOpens(domain.Sealed{Key: "1", Bytes: []byte("sealed")}, false)
		})},
		{"counting what is to be entered again", 2, func(ctx context.Context, s *Store) error {
			n, err := s.Ports().Sealings.ToReenter(ctx)
			return want(n, 1, err)
		}},
		{"changing the scopes of a grant", 10, func(ctx context.Context, s *Store) error {
			return s.Ports().Grants.Put(ctx, byOperator, greedy, "p1000600", domain.AllScopes(), later)
		}},
		{"adding a project", 10, func(ctx context.Context, s *Store) error {
			return s.Ports().Projects.Add(ctx, byOperator, domain.Project{ID: "new", Name: "new", Voiceflow: "new", Version: "new",
				Primary: domain.Key{Sealed: domain.Sealed{Key: "1", Bytes: []byte("x")}, Status: domain.KeyOK}})
		}},
		{"granting a project", 10, func(ctx context.Context, s *Store) error {
			return s.Ports().Grants.Put(ctx, byOperator, greedy, "p1000007", 0, later)
		}},
		{"revoking a project", 10, func(ctx context.Context, s *Store) error {
			return s.Ports().Grants.Remove(ctx, byOperator, greedy, "p1000500")
		}},
		{"removing a project", 30, func(ctx context.Context, s *Store) error {
			return s.Ports().Projects.Remove(ctx, byOperator, "p1000009")
		}},
		{"updating a user", 60, func(ctx context.Context, s *Store) error {
			_, err := s.Ports().Users.Update(ctx, byOperator, "u1000100", func(u *domain.User, _ bool) error {
				u.Assistants, u.Disabled, u.PasswordHash = u.Assistants[1:], true, domain.NewSecret("other")
				return nil
			}, domain.Kept{})
			return err
		}},
		{"removing a user", 60, func(ctx context.Context, s *Store) error {
			return s.Ports().Users.Remove(ctx, byOperator, "u1000110", func(*domain.User, bool) error { return nil })
		}},
	}
}

// extendBlindly is a ports.Extend that checks nothing and seals nothing.
func extendBlindly(last domain.ChainPoint, head domain.AuditHead, rows []domain.AuditRow, settled int64) ([]domain.ChainLink, domain.AuditHead, error) {
	links := last.Extend(rows)
	if len(links) > 0 {
		last = links[len(links)-1].ChainPoint
	}
	head.ChainPoint, head.Settled = last, settled
	return links, head, nil
}

func want(got, want int, err error) error {
	if err == nil && got != want {
		return fmt.Errorf("got %d, want %d", got, want)
	}
	return err
}
