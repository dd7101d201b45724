package sealedcookie_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/flowlatch/flowlatch/adapters/sealedcookie"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

// gcm is a cipher with keys that are made from their names, for the tests of this
// package, which may not use another adapter. The first key seals, the old ones open too.
type gcm struct {
	ports.Cipher // what is not asked of it here

	key domain.KeyID
	old []domain.KeyID
}

func aead(name domain.KeyID) cipher.AEAD {
	key := sha256.Sum256([]byte(name))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}

func (c gcm) Prepare(context.Context, bool) error { return nil }

func (c gcm) Seal(plain domain.Secret, to domain.Binding) (domain.Sealed, error) {
	return domain.Sealed{Key: c.key, Bytes: aead(c.key).Seal(nil, nil, []byte(plain.Reveal()), []byte(to.AssociatedData()))}, nil
}

func (c gcm) Open(s domain.Sealed, to domain.Binding) (domain.Secret, error) {
	plain, err := aead(s.Key).Open(nil, nil, s.Bytes, []byte(to.AssociatedData()))
	if err != nil || s.Key != c.key && !slices.Contains(c.old, s.Key) {
		return domain.Secret{}, &domain.Error{Kind: domain.Corrupt}
	}
	return domain.NewSecret(string(plain)), nil
}

// away is a cipher that can't answer.
type away struct{ gcm }

func (away) Seal(domain.Secret, domain.Binding) (domain.Sealed, error) {
	return domain.Sealed{}, &domain.Error{Kind: domain.Unavailable}
}

func (away) Open(domain.Sealed, domain.Binding) (domain.Secret, error) {
	return domain.Secret{}, &domain.Error{Kind: domain.Unavailable}
}

var assistant = domain.Claims{
	Kind: domain.AssistantSession, Session: "01890000-0000-7000-8000-000000000001", User: "01890000-0000-7000-8000-000000000002",
	Project: "01890000-0000-7000-8000-000000000003", Version: "production",
	Expires: time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC),
}

func TestCookies(t *testing.T) {
	names := make(chan domain.KeyID, 1)
	names <- "1"
	portstest.Cookies(t, func(*testing.T) (ports.Cookies, func() domain.KeyID) {
		name := <-names
		names <- name + "1"
		keys := &gcm{key: name}
		return sealedcookie.New(keys), func() domain.KeyID {
			keys.old = append(keys.old, keys.key)
			keys.key += "next"
			return keys.key
		}
	})
}

func TestACookieIsShort(t *testing.T) {
	text, _, err := sealedcookie.New(gcm{key: "1234567890"}).Seal(assistant)
	if err != nil {
		t.Fatalf("Seal: got error %v, want success", err)
	}
	if len(text) > 512 {
		t.Errorf("Seal: got %d characters, want at most 512 for a cookie that goes with every request", len(text))
	}
}

func TestWhatIsSealedComesBackAsItWas(t *testing.T) {
	c := sealedcookie.New(gcm{key: "1"})
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]domain.SessionKind{domain.LoginSession, domain.AssistantSession}).Draw(t, "kind")
		text := rapid.StringN(0, 128, 128)
		want := domain.Claims{
			Kind: kind, Session: domain.SessionID(text.Draw(t, "session")), User: domain.UserID(text.Draw(t, "user")),
			Project: domain.ProjectID(text.Draw(t, "project")), Version: text.Draw(t, "version"),
			Expires: time.UnixMicro(rapid.Int64Range(-1<<55, 1<<55).Draw(t, "expires")).UTC(),
		}
		sealed, _, err := c.Seal(want)
		if err != nil {
			t.Fatalf("Seal: got error %v, want success", err)
		}
		got, _, err := c.Open(kind, sealed)
		if err != nil || !cmp.Equal(got, want) {
			t.Fatalf("Open: got error %v and other claims (got-, want+):\n%s", err, cmp.Diff(got, want))
		}
	})
}

func TestClaimsThatDoNotFitAreInvalid(t *testing.T) {
	for name, user := range map[string]string{
		"a user id of 4,000 bytes":   strings.Repeat("u", 4000),
		"a user id that is no UTF-8": "\xff",
	} {
		claims := assistant
		claims.User = domain.UserID(user)
		if text, _, err := sealedcookie.New(gcm{key: "1"}).Seal(claims); domain.KindOf(err) != domain.Invalid || text != "" {
			t.Errorf("Seal of %s: got error %v, want kind %q", name, err, domain.Invalid)
		}
	}
	if text, _, err := sealedcookie.New(gcm{key: domain.KeyID(strings.Repeat("k", 256))}).Seal(assistant); domain.KindOf(err) != domain.Invalid || text != "" {
		t.Errorf("Seal by a key with a name of 256 bytes: got error %v, want kind %q", err, domain.Invalid)
	}
}

func TestAKeyWithALongNameWorks(t *testing.T) {
	c := sealedcookie.New(gcm{key: domain.KeyID(strings.Repeat("k", 255))})
	text, _, err := c.Seal(assistant)
	if err != nil {
		t.Fatalf("Seal: got error %v, want success", err)
	}
	if _, _, err := c.Open(assistant.Kind, text); err != nil {
		t.Errorf("Open: got error %v, want success", err)
	}
}

func TestSealedBytesThatAreNoClaimsAreNotAuthenticated(t *testing.T) {
	cipher := gcm{key: "1"}
	for name, plain := range map[string]string{
		"nothing":                         "",
		"a key":                           "VF.DM.made.up",
		"claims of another kind":          `{"kind":"assistant","session":"s","user":"u","expires":1}`,
		"claims with an end that is text": `{"kind":"login","session":"s","user":"u","expires":"1"}`,
		"claims and more":                 `{"kind":"login","session":"s","user":"u","expires":1} x`,
	} {
		sealed, err := cipher.Seal(domain.NewSecret(plain), domain.BindCookie(domain.LoginSession))
		if err != nil {
			t.Fatal(err)
		}
		text := base64.RawURLEncoding.EncodeToString(append([]byte{1, '1'}, sealed.Bytes...))
		if _, _, err := sealedcookie.New(cipher).Open(domain.LoginSession, text); domain.KindOf(err) != domain.NotAuthenticated {
			t.Errorf("Open of %s: got error %v, want kind %q", name, err, domain.NotAuthenticated)
		}
	}
}

func TestACipherThatCanNotAnswerIsUnavailable(t *testing.T) {
	text, _, err := sealedcookie.New(gcm{key: "1"}).Seal(assistant)
	if err != nil {
		t.Fatalf("Seal: got error %v, want success", err)
	}
	c := sealedcookie.New(away{})
	if _, _, err := c.Seal(assistant); domain.KindOf(err) != domain.Unavailable {
		t.Errorf("Seal: got error %v, want kind %q", err, domain.Unavailable)
	}
	if _, _, err := c.Open(assistant.Kind, text); domain.KindOf(err) != domain.Unavailable {
		t.Errorf("Open: got error %v, want kind %q", err, domain.Unavailable)
	}
}

func FuzzOpen(f *testing.F) {
	c := sealedcookie.New(gcm{key: "1"})
	good, _, err := c.Seal(assistant)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("")
	f.Add(good[:40])
	f.Add("____") // the length of a name that is not there
	f.Add(good + "\n")
	f.Add(strings.Repeat("A", 3801))
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []domain.SessionKind{domain.LoginSession, domain.AssistantSession, ""} {
			claims, _, err := c.Open(kind, text)
			if err == nil {
				// What opens was sealed here: no text but its own says the same.
				if kind != assistant.Kind || !claims.Equal(assistant) {
					t.Fatalf("Open of a forged cookie: got %+v, want an error", claims)
				}
				continue
			}
			if domain.KindOf(err) != domain.NotAuthenticated || claims != (domain.Claims{}) {
				t.Fatalf("Open: got %+v and error %v, want kind %q and no claims", claims, err, domain.NotAuthenticated)
			}
		}
	})
}
