package cookie_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app/cookie"
	"github.com/flowlatch/flowlatch/domain"
)

func wantNotAuthenticated(t *testing.T, what string, c *cookie.Codec, kind domain.SessionKind, text string) {
	t.Helper()
	got, by, err := c.Open(kind, text)
	if domain.KindOf(err) != domain.NotAuthenticated {
		t.Fatalf("Open, %s: got error %v, want kind %q", what, err, domain.NotAuthenticated)
	}
	if got != (domain.Claims{}) || by != "" {
		t.Fatalf("Open, %s: got claims or a key with the error, want none", what)
	}
}

// Each kind of cookie is presented in place of the other.
func TestACookieOfAnotherKindIsNotAuthenticated(t *testing.T) {
	c := newCodec("1")
	wantNotAuthenticated(t, "a login's cookie in place of an assistant's", c, domain.AssistantSession, seal(t, c, login))
	wantNotAuthenticated(t, "an assistant's cookie in place of a login's", c, domain.LoginSession, seal(t, c, assistant))
	for _, kind := range []domain.SessionKind{"", "LOGIN", "login ", "other"} {
		wantNotAuthenticated(t, fmt.Sprintf("a login's cookie as the kind %q", kind), c, kind, seal(t, c, login))
	}
}

func TestACookieOfAnotherKeysetIsNotAuthenticated(t *testing.T) {
	ours, foreign := newCodec("1"), newCodec("2")
	for _, claims := range []domain.Claims{login, assistant} {
		wantNotAuthenticated(t, "a cookie of another keyset", foreign, claims.Kind, seal(t, ours, claims))
	}
}

// damaged returns texts that differ from text, however little.
func damaged(text string) map[string]string {
	all := map[string]string{
		"nothing": "", "a space": " ", "NUL": "\x00", "no UTF-8": "\xff", "a word": "login", "dots": "..", "JSON": `{"kind":"login"}`,
		"zeros": strings.Repeat("A", len(text)), "a megabyte": strings.Repeat("A", 1<<20), "twice": text + text, "quoted": `"` + text + `"`,
		"in capitals": strings.ToUpper(text), "in lower case": strings.ToLower(text),
	}
	// Decoders ignore some of these, and read some of them as others.
	for _, more := range []string{"\n", "\r", "\r\n", " ", "\t", "=", "==", "A", ".", "-", "_", "\x00"} {
		all[fmt.Sprintf("%q behind it", more)] = text + more
		all[fmt.Sprintf("%q in front", more)] = more + text
		for _, at := range []int{1, 2, 3, 4, len(text) / 2, len(text) - 1} {
			all[fmt.Sprintf("%q at %d", more, at)] = text[:at] + more + text[at:]
		}
	}
	for i := range len(text) {
		all[fmt.Sprintf("cut to %d characters", i)] = text[:i]
		all[fmt.Sprintf("cut by the first %d characters", i+1)] = text[i+1:]
		all[fmt.Sprintf("without character %d", i)] = text[:i] + text[i+1:]
		for bit := range 8 {
			b := []byte(text)
			b[i] ^= 1 << bit
			all[fmt.Sprintf("bit %d of character %d flipped", bit, i)] = string(b)
		}
	}
	// Every last character: its unused bits count too.
	for c := byte(0x21); c < 0x7f; c++ {
		all[fmt.Sprintf("%q as the last character", c)] = text[:len(text)-1] + string(c)
	}
	for from, to := range map[string]string{"-": "+", "_": "/", "+": "-", "/": "_"} {
		all[fmt.Sprintf("every %q as %q", from, to)] = strings.ReplaceAll(text, from, to)
	}
	for what, other := range all {
		if other == text {
			delete(all, what)
		}
	}
	return all
}

func TestADamagedCookieIsNotAuthenticated(t *testing.T) {
	c := newCodec("1")
	for name, claims := range map[string]domain.Claims{"a login's cookie": login, "an assistant's cookie": assistant} {
		text := seal(t, c, claims)
		for what, bad := range damaged(text) {
			wantNotAuthenticated(t, name+", "+what, c, claims.Kind, bad)
		}
		if _, _, err := c.Open(claims.Kind, text); err != nil {
			t.Errorf("Open of %s, undamaged after all: got error %v, want success", name, err)
		}
	}
}

// An error that tells one fault from another helps whoever forges a cookie.
func TestEveryFaultGivesTheSameError(t *testing.T) {
	c, foreign := newCodec("1"), newCodec("2")
	text := seal(t, c, login)
	_, _, first := c.Open(domain.LoginSession, "")
	if domain.KindOf(first) != domain.NotAuthenticated {
		t.Fatalf("Open of nothing: got error %v, want kind %q", first, domain.NotAuthenticated)
	}
	same := func(what string, kind domain.SessionKind, text string) {
		t.Helper()
		if _, _, err := c.Open(kind, text); err == nil || err.Error() != first.Error() {
			t.Fatalf("Open, %s: got the error %q, want the same text as for every other fault, %q", what, err, first)
		}
	}
	for what, bad := range damaged(text) {
		same(what, domain.LoginSession, bad)
	}
	same("another kind", domain.AssistantSession, text)
	same("another keyset", domain.LoginSession, seal(t, foreign, login))
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
		if _, _, err := cookie.New(cipher).Open(domain.LoginSession, text); domain.KindOf(err) != domain.NotAuthenticated {
			t.Errorf("Open of %s: got error %v, want kind %q", name, err, domain.NotAuthenticated)
		}
	}
}

// The cookies that are in use have this form.
func TestTheStoredFormStays(t *testing.T) {
	cipher := gcm{key: "1"}
	sealed, err := cipher.Seal(domain.NewSecret(`{"kind":"assistant","session":"s","user":"<u>","project":"p","version":"v","expires":1000001}`),
		domain.BindCookie(domain.AssistantSession))
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString(append([]byte{1, '1'}, sealed.Bytes...))
	want := domain.Claims{Kind: domain.AssistantSession, Session: "s", User: "<u>", Project: "p", Version: "v", Expires: time.UnixMicro(1000001).UTC()}
	if got, by, err := cookie.New(cipher).Open(domain.AssistantSession, text); err != nil || got != want || by != "1" {
		t.Errorf("Open: got %+v, the key %q and error %v, want %+v", got, by, err, want)
	}
}

func FuzzOpen(f *testing.F) {
	c := newCodec("1")
	good, _, err := c.Seal(assistant)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("")
	f.Add(good[:40])
	f.Add("____") // the length of a name that does not exist
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
