package portstest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// maxCookie is the longest text that ports.Cookies may give a cookie.
const maxCookie = 3800

// Cookies checks every sentence in the comments of ports.Cookies. Each call of open
// returns cookies under another keyset, and what makes another key of it the one that
// seals, and returns that key.
func Cookies(t *testing.T, open func(t *testing.T) (c ports.Cookies, rotate func() domain.KeyID)) {
	for _, s := range []struct {
		name string
		run  func(t *testing.T, open func(t *testing.T) ports.Cookies)
	}{
		{"Open reverses Seal, expired claims included", cookiesRoundTrip},
		{"Seal returns characters that a cookie value may hold, at most 3,800", cookiesText},
		{"equal claims give different texts, and none shows what it says", cookiesDiffer},
		{"Open is NotAuthenticated for a cookie of another kind", cookiesKind},
		{"Open is NotAuthenticated under another keyset", cookiesForeign},
		{"Open is NotAuthenticated for one bit of difference, every cut and every addition", cookiesDamage},
		{"Open says nothing more than NotAuthenticated", cookiesSilent},
		{"all methods are safe for concurrent use", cookiesConcurrent},
	} {
		t.Run(s.name, func(t *testing.T) {
			s.run(t, func(t *testing.T) ports.Cookies {
				c, _ := open(t)
				return c
			})
		})
	}
	t.Run("Seal and Open return the key that sealed, whichever key seals now", func(t *testing.T) { cookiesKeys(t, open) })
}

var (
	loginClaims = domain.Claims{
		Kind: domain.LoginSession, Session: sessionID(1), User: userID(1),
		Expires: time.Date(2026, 3, 4, 5, 6, 7, 123_456_000, time.UTC),
	}
	assistantClaims = domain.Claims{
		Kind: domain.AssistantSession, Session: sessionID(2), User: userID(1), Project: projectID(1),
		Version: "66c5d3e2a1b4c5d6e7f80912", Expires: time.Date(2026, 3, 4, 5, 6, 7, 999_999_000, time.UTC),
	}
)

// claims are claims of all sorts, the longest included.
func claims() map[string]domain.Claims {
	longest := assistantClaims
	longest.User = domain.UserID(strings.Repeat("u", 128))
	longest.Version = strings.Repeat("v", 64)
	longest.Expires = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	odd := loginClaims
	odd.User = `auth0|"quoted", 'single'; \back; ユーザー 🙂`
	quotes := assistantClaims
	quotes.User = domain.UserID(strings.Repeat(`"`, 128)) // what becomes longer where text is escaped
	expired := loginClaims
	expired.Expires = time.Date(1999, 12, 31, 23, 59, 59, 1000, time.UTC)
	return map[string]domain.Claims{
		"a login": loginClaims, "an assistant": assistantClaims, "the longest": longest,
		"an odd user": odd, "a user of quotes": quotes, "expired": expired,
	}
}

func cookieOf(t *testing.T, c ports.Cookies, claims domain.Claims) string {
	t.Helper()
	text, _, err := c.Seal(claims)
	wantNil(t, "Seal", err)
	return text
}

func wantNotAuthenticated(t *testing.T, what string, c ports.Cookies, kind domain.SessionKind, text string) {
	t.Helper()
	got, by, err := c.Open(kind, text)
	wantKind(t, "Open, "+what, err, domain.NotAuthenticated)
	if got != (domain.Claims{}) || by != "" {
		t.Fatalf("Open, %s: got claims or a key with the error, want none", what)
	}
}

func cookiesRoundTrip(t *testing.T, open func(t *testing.T) ports.Cookies) {
	c := open(t)
	for name, want := range claims() {
		got, _, err := c.Open(want.Kind, cookieOf(t, c, want))
		wantNil(t, "Open of the cookie of "+name, err)
		wantSame(t, "what the cookie of "+name+" says", got, want)
	}
}

func cookiesText(t *testing.T, open func(t *testing.T) ports.Cookies) {
	c := open(t)
	for name, claims := range claims() {
		text := cookieOf(t, c, claims)
		if text == "" || len(text) > maxCookie {
			t.Fatalf("Seal for %s: got %d characters, want 1 to %d", name, len(text), maxCookie)
		}
		// RFC 6265, section 4.1.1: cookie-octet.
		for i, b := range []byte(text) {
			if b <= 0x20 || b >= 0x7f || strings.IndexByte(`",;\`, b) >= 0 {
				t.Fatalf("Seal for %s: got %q at %d, want characters that a cookie value may hold", name, b, i)
			}
		}
	}
}

func cookiesDiffer(t *testing.T, open func(t *testing.T) ports.Cookies) {
	c := open(t)
	seen := map[string]bool{}
	for range 32 {
		text := cookieOf(t, c, assistantClaims)
		if seen[text] {
			t.Fatal("Seal of equal claims: got the same text twice, want another each time")
		}
		seen[text] = true
		if strings.Contains(text, string(assistantClaims.Project)) || strings.Contains(text, string(assistantClaims.Session)) {
			t.Fatal("Seal: got a text that shows what it says")
		}
	}
}

// cookiesKind carries each kind of cookie over into the place of the other.
func cookiesKind(t *testing.T, open func(t *testing.T) ports.Cookies) {
	c := open(t)
	wantNotAuthenticated(t, "a login's cookie in place of an assistant's", c, domain.AssistantSession, cookieOf(t, c, loginClaims))
	wantNotAuthenticated(t, "an assistant's cookie in place of a login's", c, domain.LoginSession, cookieOf(t, c, assistantClaims))
	for _, kind := range []domain.SessionKind{"", "LOGIN", "login ", "other"} {
		wantNotAuthenticated(t, fmt.Sprintf("a login's cookie as the kind %q", kind), c, kind, cookieOf(t, c, loginClaims))
	}
}

func cookiesForeign(t *testing.T, open func(t *testing.T) ports.Cookies) {
	ours, foreign := open(t), open(t)
	for _, claims := range []domain.Claims{loginClaims, assistantClaims} {
		wantNotAuthenticated(t, "a cookie of another keyset", foreign, claims.Kind, cookieOf(t, ours, claims))
	}
}

// damagedTexts are texts that are not text, however little they differ.
func damagedTexts(text string) map[string]string {
	all := map[string]string{
		"nothing": "", "a space": " ", "NUL": "\x00", "no UTF-8": "\xff", "a word": "login", "dots": "..", "JSON": `{"kind":"login"}`,
		"zeros": strings.Repeat("A", len(text)), "a megabyte": strings.Repeat("A", 1<<20), "twice": text + text, "quoted": `"` + text + `"`,
		"in capitals": strings.ToUpper(text), "in lower case": strings.ToLower(text),
	}
	// Decoders pass over some of these, and let some stand for one another.
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
	// All that the last character could be: the bits that it has too many of count too.
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

func cookiesDamage(t *testing.T, open func(t *testing.T) ports.Cookies) {
	c := open(t)
	for name, claims := range map[string]domain.Claims{"a login's cookie": loginClaims, "an assistant's cookie": assistantClaims} {
		text := cookieOf(t, c, claims)
		for what, bad := range damagedTexts(text) {
			wantNotAuthenticated(t, name+", "+what, c, claims.Kind, bad)
		}
		_, _, err := c.Open(claims.Kind, text)
		wantNil(t, "Open of "+name+", undamaged after all", err)
	}
}

// cookiesSilent compares texts: an error that tells one fault from another helps whoever
// forges a cookie.
func cookiesSilent(t *testing.T, open func(t *testing.T) ports.Cookies) {
	c, foreign := open(t), open(t)
	text := cookieOf(t, c, loginClaims)
	_, _, first := c.Open(domain.LoginSession, "")
	wantKind(t, "Open of nothing", first, domain.NotAuthenticated)
	same := func(what string, kind domain.SessionKind, text string) {
		t.Helper()
		if _, _, err := c.Open(kind, text); err == nil || err.Error() != first.Error() {
			t.Fatalf("Open, %s: got the error %q, want the same text as for every other fault, %q", what, err, first)
		}
	}
	for what, bad := range damagedTexts(text) {
		same(what, domain.LoginSession, bad)
	}
	same("another kind", domain.AssistantSession, text)
	same("another keyset", domain.LoginSession, cookieOf(t, foreign, loginClaims))
}

// cookiesKeys looks at each cookie again after each rotation.
func cookiesKeys(t *testing.T, open func(t *testing.T) (ports.Cookies, func() domain.KeyID)) {
	c, rotate := open(t)
	type sealed struct {
		claims domain.Claims
		text   string
		by     domain.KeyID
	}
	var all []sealed
	var current domain.KeyID // not known before the first rotation
	for range 3 {
		for name, claims := range claims() {
			text, by, err := c.Seal(claims)
			wantNil(t, "Seal for "+name, err)
			if by == "" || current != "" && by != current {
				t.Fatalf("Seal for %s: got the key %q, want %q, which seals", name, by, current)
			}
			all = append(all, sealed{claims, text, by})
		}
		for _, s := range all {
			got, by, err := c.Open(s.claims.Kind, s.text)
			wantNil(t, "Open of a cookie from before a rotation", err)
			wantSame(t, "what a cookie from before a rotation says", got, s.claims)
			wantSame(t, "the key that sealed it", by, s.by)
		}
		before := current
		if current = rotate(); current == "" || current == before {
			t.Fatalf("rotate returned the key %q after %q, want another one", current, before)
		}
	}
}

func cookiesConcurrent(t *testing.T, open func(t *testing.T) ports.Cookies) {
	c := open(t)
	problems := make([]error, crowd)
	atOnce(crowd, func(i int) {
		want := assistantClaims
		want.Session, want.User = sessionID(i), userID(i)
		for range 16 {
			text, _, err := c.Seal(want)
			if err != nil {
				problems[i] = err
				return
			}
			got, _, err := c.Open(want.Kind, text)
			if err == nil && !got.Equal(want) {
				err = errors.New("other claims came out than went in")
			}
			if err != nil {
				problems[i] = err
				return
			}
		}
	})
	for _, err := range problems {
		wantNil(t, "sealing and opening beside others", err)
	}
}
