package cookie_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app/cookie"
	"github.com/flowlatch/flowlatch/domain"
)

func TestATextWithAnEndOpensAsItWasSealed(t *testing.T) {
	c, ends := newCodec("1"), time.Date(2026, 3, 4, 5, 6, 7, 891000, time.UTC)
	for _, plain := range []string{"", "saved", "Größe 👟", string([]byte{0, 255, 128}), strings.Repeat("x", 2000)} {
		text, err := c.SealUntil(ends, plain, domain.BindNotice("u"))
		if err != nil {
			t.Fatal(err)
		}
		got, at, err := c.OpenUntil(domain.BindNotice("u"), text)
		if err != nil || got != plain || !at.Equal(ends) {
			t.Errorf("got %q until %s and error %v, want %q until %s", got, at, err, plain, ends)
		}
	}
	if _, err := c.SealUntil(ends, strings.Repeat("x", cookie.MaxText), domain.BindNotice("u")); domain.KindOf(err) != domain.Invalid {
		t.Errorf("too long a text: got error %v, want kind %q", err, domain.Invalid)
	}
}

func TestATextWithAnEndOpensForItsPurposeOnly(t *testing.T) {
	c := newCodec("1")
	text, err := c.SealUntil(time.Unix(0, 0), "saved", domain.BindNotice("u"))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, to domain.Binding, text string) {
		t.Helper()
		if got, at, err := c.OpenUntil(to, text); domain.KindOf(err) != domain.NotAuthenticated || got != "" || !at.IsZero() {
			t.Errorf("%s: got %q until %s and error %v, want kind %q", what, got, at, err, domain.NotAuthenticated)
		}
	}
	refused("another user's notice", domain.BindNotice("v"), text)
	refused("a notice as a set-up link", domain.BindSetupLink(), text)
	refused("a login's cookie as a set-up link", domain.BindSetupLink(), seal(t, c, login))
	wantNotAuthenticated(t, "a notice as a login's cookie", c, domain.LoginSession, text)
	for what, other := range damaged(text) {
		refused(what, domain.BindNotice("u"), other)
	}
	short, err := gcm{key: "1"}.Seal(domain.NewSecret("1234567"), domain.BindNotice("u"))
	if err != nil {
		t.Fatal(err)
	}
	refused("no end", domain.BindNotice("u"), base64.RawURLEncoding.EncodeToString(append([]byte("\x011"), short.Bytes...)))
	if _, _, err := cookie.New(away{}).OpenUntil(domain.BindNotice("u"), text); domain.KindOf(err) != domain.Unavailable {
		t.Errorf("an outage: got error %v, want kind %q", err, domain.Unavailable)
	}
}
