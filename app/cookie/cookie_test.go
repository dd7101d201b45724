package cookie_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/flowlatch/flowlatch/app/cookie"
	"github.com/flowlatch/flowlatch/domain"
)

// gcm is a cipher whose keys are made from their names. One key seals, and the old ones open
// too.
type gcm struct {
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
type away struct{}

func (away) Seal(domain.Secret, domain.Binding) (domain.Sealed, error) {
	return domain.Sealed{}, &domain.Error{Kind: domain.Unavailable}
}

func (away) Open(domain.Sealed, domain.Binding) (domain.Secret, error) {
	return domain.Secret{}, &domain.Error{Kind: domain.Unavailable}
}

var (
	login = domain.Claims{
		Kind: domain.LoginSession, Session: "01890000-0000-7000-a000-000000000001", User: "01890000-0000-7000-9000-000000000001",
		Expires: time.Date(2026, 3, 4, 5, 6, 7, 123_456_000, time.UTC),
	}
	assistant = domain.Claims{
		Kind: domain.AssistantSession, Session: "01890000-0000-7000-a000-000000000002", User: "01890000-0000-7000-9000-000000000001",
		Project: "01890000-0000-7000-8000-000000000001", Version: "66c5d3e2a1b4c5d6e7f80912",
		Expires: time.Date(2026, 3, 4, 5, 6, 7, 999_999_000, time.UTC),
	}
)

// claims returns claims of all sorts, the longest included.
func claims() map[string]domain.Claims {
	longest := assistant
	longest.User = domain.UserID(strings.Repeat("u", 128))
	longest.Version = strings.Repeat("v", 64)
	longest.Expires = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	odd := login
	odd.User = `auth0|"quoted", 'single'; \back; ユーザー 🙂`
	quotes := assistant
	quotes.User = domain.UserID(strings.Repeat(`"`, 128)) // which become longer where text is escaped
	tags := assistant
	tags.User = domain.UserID(strings.Repeat("<", 128))
	expired := login
	expired.Expires = time.Date(1999, 12, 31, 23, 59, 59, 1000, time.UTC)
	return map[string]domain.Claims{
		"a login": login, "an assistant": assistant, "the longest": longest,
		"an odd user": odd, "a user of quotes": quotes, "a user of tags": tags, "expired": expired,
	}
}

// newCodec returns a codec under a keyset with that key.
func newCodec(key domain.KeyID) *cookie.Codec { return cookie.New(gcm{key: key}) }

func seal(t *testing.T, c *cookie.Codec, claims domain.Claims) string {
	t.Helper()
	text, _, err := c.Seal(claims)
	if err != nil {
		t.Fatalf("Seal: got error %v, want success", err)
	}
	return text
}

func TestOpenReversesSeal(t *testing.T) {
	c := newCodec("1")
	for name, want := range claims() {
		got, _, err := c.Open(want.Kind, seal(t, c, want))
		if err != nil || got != want {
			t.Errorf("Open of the cookie of %s: got %+v and error %v, want %+v", name, got, err, want)
		}
	}
}

func TestATextHasCharactersOfACookieAndAtMost3800(t *testing.T) {
	c := newCodec("1")
	for name, claims := range claims() {
		text := seal(t, c, claims)
		if text == "" || len(text) > 3800 {
			t.Errorf("Seal for %s: got %d characters, want 1 to 3,800", name, len(text))
		}
		// RFC 6265, section 4.1.1: cookie-octet.
		for i, b := range []byte(text) {
			if b <= 0x20 || b >= 0x7f || strings.IndexByte(`",;\`, b) >= 0 {
				t.Errorf("Seal for %s: got %q at %d, want characters that a cookie value may hold", name, b, i)
			}
		}
	}
}

func TestEqualClaimsGiveDifferentTextsThatShowNothing(t *testing.T) {
	c := newCodec("1")
	seen := map[string]bool{}
	for range 32 {
		text := seal(t, c, assistant)
		if seen[text] {
			t.Fatal("Seal of equal claims: got the same text twice, want another each time")
		}
		seen[text] = true
		if strings.Contains(text, string(assistant.Project)) || strings.Contains(text, string(assistant.Session)) {
			t.Fatal("Seal: got a text that shows what it says")
		}
	}
}

// Each cookie is opened again after each rotation.
func TestTheKeyThatSealedIsReturnedWhicheverKeySealsNow(t *testing.T) {
	keys := &gcm{key: "1"}
	c := cookie.New(keys)
	type sealed struct {
		claims domain.Claims
		text   string
		by     domain.KeyID
	}
	var all []sealed
	for range 3 {
		for name, claims := range claims() {
			text, by, err := c.Seal(claims)
			if err != nil || by != keys.key {
				t.Fatalf("Seal for %s: got the key %q and error %v, want %q, which seals", name, by, err, keys.key)
			}
			all = append(all, sealed{claims, text, by})
		}
		for _, s := range all {
			got, by, err := c.Open(s.claims.Kind, s.text)
			if err != nil || got != s.claims || by != s.by {
				t.Fatalf("Open of a cookie from before a rotation: got %+v, the key %q and error %v, want %+v and %q", got, by, err, s.claims, s.by)
			}
		}
		keys.old = append(keys.old, keys.key)
		keys.key += "next"
	}
}

func TestConcurrentUse(t *testing.T) {
	c := newCodec("1")
	var all sync.WaitGroup
	problems := make(chan error, 64)
	for i := range 64 {
		all.Go(func() {
			want := assistant
			want.Session = domain.SessionID(strings.Repeat("s", i+1))
			want.User = domain.UserID(strings.Repeat("u", i+1))
			for range 16 {
				text, _, err := c.Seal(want)
				if err == nil {
					var got domain.Claims
					if got, _, err = c.Open(want.Kind, text); err == nil && got != want {
						err = errors.New("other claims came out than went in")
					}
				}
				if err != nil {
					problems <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(problems)
	for err := range problems {
		t.Errorf("sealing and opening beside others: %v", err)
	}
}

func TestACookieIsShort(t *testing.T) {
	text, _, err := newCodec("1234567890").Seal(assistant)
	if err != nil {
		t.Fatalf("Seal: got error %v, want success", err)
	}
	if len(text) > 512 {
		t.Errorf("Seal: got %d characters, want at most 512 for a cookie that goes with every request", len(text))
	}
}

func TestWhatIsSealedComesBackAsItWas(t *testing.T) {
	c := newCodec("1")
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
		if text, _, err := newCodec("1").Seal(claims); domain.KindOf(err) != domain.Invalid || text != "" {
			t.Errorf("Seal of %s: got error %v, want kind %q", name, err, domain.Invalid)
		}
	}
	if text, _, err := cookie.New(gcm{key: domain.KeyID(strings.Repeat("k", 256))}).Seal(assistant); domain.KindOf(err) != domain.Invalid || text != "" {
		t.Errorf("Seal by a key with a name of 256 bytes: got error %v, want kind %q", err, domain.Invalid)
	}
}

func TestAKeyWithALongNameWorks(t *testing.T) {
	c := cookie.New(gcm{key: domain.KeyID(strings.Repeat("k", 255))})
	text, _, err := c.Seal(assistant)
	if err != nil {
		t.Fatalf("Seal: got error %v, want success", err)
	}
	if _, _, err := c.Open(assistant.Kind, text); err != nil {
		t.Errorf("Open: got error %v, want success", err)
	}
}

func TestACipherThatCanNotAnswerIsUnavailable(t *testing.T) {
	text, _, err := newCodec("1").Seal(assistant)
	if err != nil {
		t.Fatalf("Seal: got error %v, want success", err)
	}
	c := cookie.New(away{})
	if _, _, err := c.Seal(assistant); domain.KindOf(err) != domain.Unavailable {
		t.Errorf("Seal: got error %v, want kind %q", err, domain.Unavailable)
	}
	if _, _, err := c.Open(assistant.Kind, text); domain.KindOf(err) != domain.Unavailable {
		t.Errorf("Open: got error %v, want kind %q", err, domain.Unavailable)
	}
}
