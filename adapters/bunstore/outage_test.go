package bunstore_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

// clockAt is a clock that stands still.
func clockAt(seconds int64) func() time.Time {
	return func() time.Time { return time.Unix(seconds, 0) }
}

// record is an audit row.
func record(request string) domain.Record {
	return domain.Record{At: time.Unix(1, 0), Actor: domain.ActorOperator, Action: domain.ActionLogin, Object: "-", Outcome: domain.OutcomeOK, RequestID: request}
}

// act is what the operator does, with that audit row.
func act(request string) domain.Act {
	return domain.Act{By: domain.Operator(), Needs: domain.NeedsAdmin(), Record: record(request)}
}

// setting is what the user of the assistant session does to open it, with that audit row.
func setting(s domain.Session, request string) domain.Act {
	by := domain.Caller{ID: s.User, Admin: s.ByRole}
	if s.Login != "" {
		by.Login = login(s.Login, s.User)
	}
	return domain.Act{By: by, Needs: domain.NeedsUse(s.Project, 0), Record: record(request)}
}

func project(n int) domain.Project {
	return domain.Project{
		ID: domain.ProjectID(fmt.Sprintf("project-%d", n)), Name: fmt.Sprintf("name %d", n), Voiceflow: domain.VoiceflowID(fmt.Sprintf("voiceflow-%d", n)), Version: "v",
		Primary: domain.Key{Sealed: someKey, Status: domain.KeyOK}, Secondary: domain.Key{Status: domain.KeyNone}, Personal: domain.Key{Status: domain.KeyNone}, Credits: domain.CreditsOK,
	}
}

var someKey = domain.Sealed{Key: "1", Bytes: []byte("sealed")}

// furnished is a database with project 1, granted to the member u, who has the login l.
func furnished(t testing.TB, address string, o bunstore.Options) *bunstore.Store {
	t.Helper()
	o.Now = clockAt(1000)
	s := migrated(t, address, o)
	u := domain.NewUser("u", "u", domain.RoleMember, domain.NewSecret("hash"), []domain.ProjectID{"project-1"}, time.Unix(1, 0))
	for _, err := range []error{
		s.Ports().Projects.Add(t.Context(), act("add"), project(1)),
		s.Ports().Users.Create(t.Context(), act("create"), u),
		s.Ports().Sessions.OpenLogin(t.Context(), login("l", "u"), u.PasswordHash, record("login")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func login(id domain.SessionID, user domain.UserID) domain.Session {
	return domain.Session{
		ID: id, Kind: domain.LoginSession, User: user, Created: time.Unix(1000, 0), LastUsed: time.Unix(1000, 0), Idle: time.Unix(2000, 0), Expires: time.Unix(3000, 0),
	}
}

// assistant is a session in project n under the login l of u.
func assistant(id domain.SessionID, n int) domain.Session {
	a := login(id, "u")
	a.Kind, a.Login, a.Project = domain.AssistantSession, "l", project(n).ID
	return a
}

// requests are calls as requests make them, the first ones without writing.
func requests(s *bunstore.Store) []func(ctx context.Context, n int) error {
	return []func(context.Context, int) error{
		func(ctx context.Context, _ int) error {
			_, err := s.Ports().Access.ByLogin(ctx, "l", domain.Use{})
			return err
		},
		func(ctx context.Context, _ int) error {
			_, err := s.Ports().Projects.Page(ctx, domain.GrantedTo("u"), domain.ProjectFilter{}, domain.Cursor{}, 10)
			return err
		},
		func(ctx context.Context, _ int) error {
			_, err := s.Ports().Users.Find(ctx, domain.UserRef{ID: "u"})
			return err
		},
		func(ctx context.Context, _ int) error {
			_, err := s.Ports().Sessions.Page(ctx, "u", domain.Cursor{}, 10)
			return err
		},
		func(ctx context.Context, _ int) error {
			_, err := s.Ports().Access.ByLogin(ctx, "l", domain.UseSession("a"))
			return err
		},
		func(ctx context.Context, _ int) error {
			_, err := s.Ports().Access.StillAllowed(ctx, []domain.OpenUse{{Session: "a"}, {Token: "token"}})
			return err
		},
		func(ctx context.Context, _ int) error {
			_, err := s.Ports().Grants.Page(ctx, domain.GrantFilter{}, domain.Cursor{}, 10)
			return err
		},
		func(ctx context.Context, _ int) error {
			_, err := s.Ports().Tokens.Page(ctx, "", domain.Cursor{}, 10)
			return err
		},
		func(ctx context.Context, _ int) error {
			_, err := s.Ports().Usage.Report(ctx, domain.UsageQuery{GroupBy: domain.UsageFields()}, nil, 10)
			return err
		},
		func(ctx context.Context, _ int) error {
			onLogin := domain.Act{By: domain.CallerByLogin(login("l", "u"), domain.RoleMember)}
			return second(s.Ports().Sessions.End(ctx, onLogin, domain.OneSession("unknown")))
		},
		func(ctx context.Context, n int) error {
			c := someConversation(domain.ConversationID(fmt.Sprint(n)), 1900)
			return s.Ports().Conversations.Open(ctx, c)
		},
		func(ctx context.Context, n int) error {
			token := someToken("u")
			token.ID = domain.TokenID(fmt.Sprint("token of ", n))
			return s.Ports().Tokens.Create(ctx, act("create"), token, domain.TokenHash{byte(n)})
		},
		func(ctx context.Context, n int) error {
			return s.Ports().Projects.Add(ctx, act("add"), project(n))
		},
		func(ctx context.Context, _ int) error {
			_, err := s.Ports().Sessions.OpenAssistant(ctx, setting(assistant("a", 1), "set"), assistant("a", 1))
			return err
		},
	}
}

func TestReadsAndTransactionsGoOnAtOnceAfterConnectionsBroke(t *testing.T) {
	t.Parallel()
	proxy := postgrestest.OpenProxy(t, postgrestest.DSN(t))
	s := furnished(t, proxy.DSN(), bunstore.Options{MaxConns: 1})
	all := requests(s)
	for n, call := range all[:len(all)-1] { // the last is one statement, and is not repeated
		if err := call(t.Context(), 100+n); err != nil {
			t.Fatalf("call %d while all is well: %v", n, err)
		}
		proxy.Cut()
		proxy.Restore()
		if err := call(t.Context(), 200+n); err != nil {
			t.Errorf("call %d on a connection that broke: %v", n, err)
		}
	}
}

func TestADatabaseThatGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]func(*postgrestest.Proxy){"by a crash": (*postgrestest.Proxy).Cut, "in silence": (*postgrestest.Proxy).Stall} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := postgrestest.OpenProxy(t, postgrestest.DSN(t))
			s := furnished(t, proxy.DSN(), bunstore.Options{MaxConns: 4, Timeout: 300 * time.Millisecond})
			outage(proxy)
			var all sync.WaitGroup
			for n := range 4 { // as many as there are connections, and again
				for c, call := range requests(s) {
					all.Go(func() {
						wantKind(t, fmt.Sprintf("call %d during the outage", c), call(t.Context(), 100+n), domain.Unavailable)
					})
				}
			}
			all.Wait()
			_, err := s.Ports().Installation.Get(t.Context())
			wantKind(t, "Get during the outage", err, domain.Unavailable)

			proxy.Restore()
			deadline, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for c, call := range requests(s) {
				for n := 200; ; n++ {
					err := call(deadline, n)
					if err == nil {
						break
					}
					if deadline.Err() != nil {
						t.Fatalf("call %d long after the outage: %v", c, err)
					}
				}
			}
		})
	}
}

func TestADatabaseThatDoesNotAnswerIsUnavailableWithoutItsPassword(t *testing.T) {
	t.Parallel()
	const password = "open-sesame"
	// Nothing listens on port 1.
	_, err := bunstore.Open(t.Context(), domain.NewSecret("postgres://u:"+password+"@127.0.0.1:1/db?sslmode=disable"), bunstore.Options{})
	wantKind(t, "Open", err, domain.Unavailable)
	if err == nil || strings.Contains(err.Error(), password) || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("got error %v, want one that says where it looked, and not the password", err)
	}
}

func TestErrorsShowNoValues(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		const value = "open-sesame"
		address := database(t)
		s := furnished(t, address, bunstore.Options{})
		db := beside(t, address)
		run(t, db, `DROP TABLE project_keys`)
		run(t, db, `ALTER TABLE audit RENAME COLUMN at TO another`)
		run(t, db, `DROP TABLE usage`)
		run(t, db, `ALTER TABLE conversations RENAME COLUMN sealed TO another`)
		sealed := domain.Sealed{Key: value, Bytes: []byte(value)}
		var hash domain.TokenHash
		copy(hash[:], value)
		token := someToken("u")
		token.Name = value
		conversation := someConversation(value, 1900)
		conversation.Key = sealed
		_, openErr := s.Ports().Sessions.OpenAssistant(t.Context(), setting(assistant(value, 1), value), assistant(value, 1))
		for what, err := range map[string]error{
			"Add": s.Ports().Projects.Add(t.Context(), act(value), domain.Project{ID: value, Name: value, Voiceflow: value, Version: value,
				Primary: domain.Key{Sealed: sealed, Status: domain.KeyOK}}),
			"OpenLogin":     s.Ports().Sessions.OpenLogin(t.Context(), login(value, "u"), domain.NewSecret("hash"), record(value)),
			"OpenAssistant": openErr,
			"Grant":         s.Ports().Grants.Put(t.Context(), act(value), value, "project-1", domain.DefaultScopes(), time.Unix(1000, 0)),
			"token":         s.Ports().Tokens.Create(t.Context(), act(value), token, hash),
			"conversation":  s.Ports().Conversations.Open(t.Context(), conversation),
			"Renew":         second(s.Ports().Conversations.Renew(t.Context(), value, sealed, sealed)),
			"Replace": second(s.Ports().Sealings.Replace(t.Context(), []domain.Resealed{
				{Ref: domain.SealedRef{Kind: domain.SealedConversation, ID: value}, From: sealed, To: sealed},
			})),
			"Replace with nothing": second(s.Ports().Sealings.Replace(t.Context(), []domain.Resealed{
				{Ref: domain.SealedRef{Kind: domain.SealedConversation, ID: value}, From: sealed},
			})),
			"usage":  s.Ports().Usage.Add(t.Context(), []domain.Usage{{UsageKey: domain.UsageKey{User: value}}}, nil),
			"Append": s.Ports().Audit.Append(t.Context(), record(value)),
			"Create": s.Ports().Users.Create(t.Context(), act(value), domain.NewUser(value, value, domain.RoleMember, domain.NewSecret(value),
				[]domain.ProjectID{"project-1"}, time.Unix(1, 0))),
		} {
			wantKind(t, what, err, domain.Unavailable)
			for ; err != nil; err = unwrapped(err) {
				if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, value) {
					t.Errorf("%s: the error shows a value: %s", what, text)
				}
			}
		}
	})
}

// unwrapped is the next error in the chain.
func unwrapped(err error) error {
	switch e := err.(type) { //nolint:errorlint // it walks the chain itself
	case interface{ Unwrap() error }:
		return e.Unwrap()
	case interface{ Unwrap() []error }:
		all := e.Unwrap()
		return all[len(all)-1]
	}
	return nil
}
