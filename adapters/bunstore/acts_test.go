package bunstore_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// twoStores are two instances on one database, in which a deadlock is noticed after
// deadlockTimeout.
func twoStores(t *testing.T, database newDatabase, deadlockTimeout string) (address string, stores [2]ports.Store) {
	t.Helper()
	address = database(t)
	if strings.HasPrefix(address, "postgres") {
		address += "&deadlock_timeout=" + deadlockTimeout
	}
	options := bunstore.Options{Now: clockAt(1000), MaxConns: 24, Timeout: 20 * time.Second}
	return address, [2]ports.Store{migrated(t, address, options).Ports(), open(t, address, options).Ports()}
}

// addAdmin adds an admin who has a login, and returns the caller.
func addAdmin(t *testing.T, s ports.Store, name string) domain.Caller {
	t.Helper()
	u := domain.NewUser(domain.UserID(name), domain.Username(name), domain.RoleAdmin, domain.NewSecret("hash"), nil, time.Unix(1, 0))
	l := login(domain.SessionID("login of "+name), u.ID)
	if err := s.Users.Create(t.Context(), act("create"), u); err != nil {
		t.Fatal(err)
	}
	if err := s.Sessions.OpenLogin(t.Context(), l, u.PasswordHash, record("login")); err != nil {
		t.Fatal(err)
	}
	return domain.CallerByLogin(l, domain.RoleAdmin)
}

// atOnce makes the calls at the same instant and returns their errors.
func atOnce(calls ...func() error) []error {
	errs := make([]error, len(calls))
	gate := make(chan struct{})
	var all sync.WaitGroup
	for i, call := range calls {
		all.Go(func() {
			<-gate
			errs[i] = call()
		})
	}
	close(gate)
	all.Wait()
	return errs
}

// TestOfTwoAdminsWhoActOnEachOtherOneSucceeds has each of them take something from the other
// that the other's act stands on.
func TestOfTwoAdminsWhoActOnEachOtherOneSucceeds(t *testing.T) {
	updates := func(change func(u *domain.User, otherAdmin bool) error) func(context.Context, ports.Store, domain.Act, domain.UserID) error {
		return func(ctx context.Context, s ports.Store, act domain.Act, of domain.UserID) error {
			return second(s.Users.Update(ctx, act, of, change, domain.Kept{}))
		}
	}
	takes := map[string]func(ctx context.Context, s ports.Store, act domain.Act, of domain.UserID) error{
		"demotes":  updates(func(u *domain.User, otherAdmin bool) error { return u.SetRole(domain.RoleMember, otherAdmin) }),
		"disables": updates(func(u *domain.User, otherAdmin bool) error { return u.SetDisabled(true, otherAdmin) }),
		"ends the sessions of": func(ctx context.Context, s ports.Store, act domain.Act, of domain.UserID) error {
			return second(s.Sessions.End(ctx, act, domain.SessionsOf(of)))
		},
		"ends the login of": func(ctx context.Context, s ports.Store, act domain.Act, of domain.UserID) error {
			return second(s.Sessions.End(ctx, act, domain.OneSession("login of "+domain.SessionID(of))))
		},
		"removes": func(ctx context.Context, s ports.Store, act domain.Act, of domain.UserID) error {
			return s.Users.Remove(ctx, act, of, leave)
		},
	}
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address, stores := twoStores(t, database, "20ms")
		number := 0
		for one, take := range takes {
			for other, takeBack := range takes {
				number++
				a, b := addAdmin(t, stores[0], fmt.Sprint("a", number)), addAdmin(t, stores[0], fmt.Sprint("b", number))
				by := func(c domain.Caller) domain.Act {
					return domain.Act{By: c, Needs: domain.NeedsAdmin(), Record: record(fmt.Sprint("act of ", c.ID))}
				}
				errs := atOnce(
					func() error { return take(t.Context(), stores[0], by(a), b.ID) },
					func() error { return takeBack(t.Context(), stores[1], by(b), a.ID) },
				)
				refused := 0
				for _, err := range errs {
					switch domain.KindOf(err) {
					case domain.NotAuthenticated, domain.NotAllowed:
						refused++
					default:
						if err != nil {
							t.Errorf("one %s the other, who %s the one: %v", one, other, err)
						}
					}
				}
				acts := count(t, beside(t, address), fmt.Sprintf(`SELECT count(*) FROM audit WHERE request_id IN ('act of a%d', 'act of b%d')`, number, number))
				if refused != 1 || acts != 1 {
					t.Errorf("one %s the other, who %s the one: got %v and %d audit rows, want one success and one row", one, other, errs, acts)
				}
			}
		}
	})
}

// TestNoMoreAccessTokensThanAllowed makes 24 at the same instant for a user who has two less
// than the most.
func TestNoMoreAccessTokensThanAllowed(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		address, stores := twoStores(t, database, "1s")
		admin := addAdmin(t, stores[0], "a")
		manage := domain.ScopesOf(domain.ScopeManage)
		create := func(n int, by domain.Caller) error {
			token := someToken(admin.ID)
			token.ID, token.Project, token.Scopes = domain.TokenID(fmt.Sprint("token ", n)), "", manage
			act := domain.Act{By: by, Needs: token.Needs(), Record: record("create")}
			return stores[n%2].Tokens.Create(t.Context(), act, token, sha256.Sum256([]byte(token.ID)))
		}
		for n := range domain.MaxTokens - 2 {
			if err := create(n, admin); err != nil {
				t.Fatal(err)
			}
		}
		callers := []domain.Caller{admin, {ID: admin.ID, Admin: true}}
		var calls []func() error
		for n := range 24 {
			calls = append(calls, func() error { return create(1000+n, callers[n%len(callers)]) })
		}
		made := 0
		for _, err := range atOnce(calls...) {
			if err == nil {
				made++
				continue
			}
			wantKind(t, "Create of one too many", err, domain.Conflict)
		}
		if has := count(t, beside(t, address), `SELECT count(*) FROM access_tokens`); made != 2 || has != domain.MaxTokens {
			t.Errorf("%d calls succeeded and there are %d access tokens, want 2 and %d", made, has, domain.MaxTokens)
		}
	})
}

// TestChangesOfOnesOwnUserTakeTurns has a user change themselves with several logins at once.
// A deadlock would last longer than the calls may take.
func TestChangesOfOnesOwnUserTakeTurns(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		_, stores := twoStores(t, database, "10min")
		addAdmin(t, stores[0], "other")
		first := addAdmin(t, stores[0], "a")
		callers := []domain.Caller{first}
		for n := range 3 {
			l := login(domain.SessionID(fmt.Sprint("login ", n)), "a")
			if err := stores[0].Sessions.OpenLogin(t.Context(), l, domain.NewSecret("hash"), record("login")); err != nil {
				t.Fatal(err)
			}
			callers = append(callers, domain.CallerByLogin(l, domain.RoleAdmin))
		}
		for n := range 4 {
			if err := stores[0].Projects.Add(t.Context(), act("add"), project(n)); err != nil {
				t.Fatal(err)
			}
		}
		update := func(n int, change func(*domain.User), keep domain.SessionID) func() error {
			return func() error {
				act := domain.Act{By: callers[n], Needs: domain.NeedsCaller(), Record: record("update")}
				return second(stores[n%2].Users.Update(t.Context(), act, "a", func(u *domain.User, _ bool) error {
					change(u)
					return nil
				}, domain.Kept{Login: keep}))
			}
		}
		var calls []func() error
		for n := range callers {
			calls = append(calls, update(n, func(u *domain.User) { u.Assistants = append(u.Assistants, project(n).ID) }, ""))
		}
		for _, err := range atOnce(calls...) {
			if err != nil {
				t.Errorf("Update of one's own grants: %v", err)
			}
		}
		if u, err := stores[0].Users.Find(t.Context(), domain.UserRef{ID: "a"}); err != nil || len(u.Assistants) != len(callers) {
			t.Errorf("got the user %+v and error %v, want %d grants", u, err, len(callers))
		}
		// Another password ends all other logins.
		calls = nil
		for n, c := range callers {
			calls = append(calls, update(n, func(u *domain.User) { u.PasswordHash = domain.NewSecret(fmt.Sprint("hash ", n)) }, c.Login.ID))
		}
		changed := 0
		for _, err := range atOnce(calls...) {
			if err == nil {
				changed++
				continue
			}
			wantKind(t, "a second change of the password", err, domain.NotAuthenticated)
		}
		if changed != 1 {
			t.Errorf("%d changes of the password succeeded, want 1", changed)
		}
	})
}
