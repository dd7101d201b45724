package app_test

import (
	"context"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// The same password, as keyboards of different systems write it.
const (
	composed   = "gravel \u00e9toile \u1e69 41"
	decomposed = "gravel e\u0301toile s\u0323\u0307 41"
	mixed      = "gravel e\u0301toile \u1e61\u0323 41"
)

func TestAPasswordIsTheSameInEveryForm(t *testing.T) {
	forms := map[string]string{"composed": composed, "decomposed": decomposed, "mixed": mixed}
	for set, first := range forms {
		for typed, text := range forms {
			t.Run("set "+set+", typed "+typed, func(t *testing.T) {
				w := newWorld(t)
				user, err := w.CreateUser(t.Context(), w.admin, app.CreateUser{Username: "ben", Password: domain.NewSecret(first)})
				if err != nil {
					t.Fatal(err)
				}
				in, err := w.Login(t.Context(), domain.Call{}, app.Login{Username: "ben", Password: domain.NewSecret(text)})
				if err != nil {
					t.Fatalf("Login: %v", err)
				}
				caller, err := w.Identify(t.Context(), in.Cookie.Text)
				if err != nil {
					t.Fatal(err)
				}
				if err := w.ChangePassword(t.Context(), domain.Call{Caller: caller.Caller}, app.ChangePassword{Current: domain.NewSecret(text), Next: domain.NewSecret(first + "!")}); err != nil {
					t.Errorf("ChangePassword: %v", err)
				}
				reset := domain.NewSecret(first)
				if _, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(user.ID), Password: &reset}); err != nil {
					t.Fatal(err)
				}
				if _, err := w.Login(t.Context(), domain.Call{}, app.Login{Username: "ben", Password: domain.NewSecret(text)}); err != nil {
					t.Errorf("Login after a reset: %v", err)
				}
			})
		}
	}
}

// Programs before schema 7 hashed a password as it was typed.
func TestAPasswordOfAnEarlierProgramIsAccepted(t *testing.T) {
	for _, tc := range []struct {
		name, set, typed string
		ok               bool
	}{
		{"set composed and typed composed", composed, composed, true},
		{"set composed and typed decomposed", composed, decomposed, true},
		{"set decomposed and typed decomposed", decomposed, decomposed, true},
		{"set decomposed and typed composed", decomposed, composed, true},
		{"set decomposed and typed mixed", decomposed, mixed, true},
		{"set mixed and typed mixed", mixed, mixed, true},
		{"set in ASCII", "vast orange tundra", "vast orange tundra", true},
		{"another letter", composed, "gravel etoile \u1e69 41", false},
		{"a letter that is only compatible", "gravel \ufb01le 4141", "gravel file 4141", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.user(t, w.admin, "ben", "member")
			w.setHash(t, "ben", tc.set)
			_, err := w.Login(t.Context(), domain.Call{}, app.Login{Username: "ben", Password: domain.NewSecret(tc.typed)})
			want := domain.NotAuthenticated
			if tc.ok {
				want = ""
			}
			wantKind(t, err, want)
		})
	}
}

// setHash stores the hash of a password that was not normalized.
func (w *world) setHash(t *testing.T, name domain.Username, raw string) {
	t.Helper()
	hash, err := memory.PasswordHasher{}.Hash(t.Context(), domain.NewSecret(raw))
	if err != nil {
		t.Fatal(err)
	}
	users := w.store.Ports().Users
	user, err := users.Find(t.Context(), domain.UserRef{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	_, err = users.Update(t.Context(), act(domain.ActionUpdateUser), user.ID, func(u *domain.User, _ bool) error {
		u.PasswordHash = hash
		return nil
	}, domain.Kept{})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheLengthOfAPasswordIsCountedInNFC(t *testing.T) {
	for _, tc := range []struct {
		name, password string
		kind           domain.Kind
	}{
		{"7 letters of two code points each are too few", strings.Repeat("e\u0301", 7), domain.Invalid},
		{"8 letters of two code points each are enough", strings.Repeat("e\u0301", 7) + "x", ""},
		{"128 letters of two code points each are good", strings.Repeat("e\u0301", 127) + "x", ""},
		{"129 letters of two code points each are too many", strings.Repeat("e\u0301", 129), domain.Invalid},
		{"43 letters that NFC writes in three code points are too many", strings.Repeat("\U0001d160", 43), domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			next := domain.NewSecret(tc.password)
			_, err := w.CreateUser(t.Context(), w.admin, app.CreateUser{Username: "ben", Password: next})
			wantKind(t, err, tc.kind)
			_, err = w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(w.admin.Caller.ID), Password: &next})
			wantKind(t, err, tc.kind)
			if tc.kind != "" {
				wantKind(t, w.ChangePassword(t.Context(), w.admin, app.ChangePassword{Current: domain.NewSecret(password), Next: next}), tc.kind)
			}
		})
	}
}

// counting counts the hashes that a login costs.
type counting struct {
	ports.PasswordHasher
	verified int
}

func (c *counting) Verify(ctx context.Context, password, hash domain.Secret) (bool, error) {
	c.verified++
	return c.PasswordHasher.Verify(ctx, password, hash)
}

func TestTheTimeOfALoginTellsNoUsersApart(t *testing.T) {
	w := newWorld(t)
	w.attempts.limit = 1000
	hasher := &counting{PasswordHasher: memory.PasswordHasher{}}
	p := w.ports()
	p.Logins.Passwords = hasher
	w.Service = w.open(t, p)
	w.user(t, w.admin, "raw", "member")
	w.setHash(t, "raw", decomposed)
	disabled := true
	off := w.user(t, w.admin, "off", "member")
	if _, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(off), Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	for typed, hashes := range map[string]int{"in ascii only": 1, "compos\u00e9 phrase": 2, "compose\u0301 phrase": 2, "mixe\u0301 \u1e61\u0323 phrase": 3} {
		for _, name := range []string{"nobody", "not a name\x00", "ada", "raw", "off"} {
			hasher.verified = 0
			_, err := w.Login(t.Context(), domain.Call{}, app.Login{Username: name, Password: domain.NewSecret(typed)})
			wantKind(t, err, domain.NotAuthenticated)
			if hasher.verified != hashes {
				t.Errorf("a wrong password %q of %q: got %d hashes, want %d as for everybody", typed, name, hasher.verified, hashes)
			}
		}
	}
}
