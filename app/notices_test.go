package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

func TestANoticeIsReadWithinAMinuteByItsUserOnly(t *testing.T) {
	w := newWorld(t)
	w.user(t, w.admin, "ben", "member")
	ben, cookie := w.login(t, "ben", false)
	link, _ := w.setupLink(t)
	seal := func(call domain.Call, text string) string {
		t.Helper()
		sealed, err := w.SealNotice(call, text)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	notice, nobodys := seal(w.admin, "Saved <b>Größe</b>."), seal(domain.Call{}, "You are logged out.")
	for _, tc := range []struct {
		name   string
		call   domain.Call
		cookie string
		after  time.Duration
		want   string // "" if it is not shown
	}{
		{"the user reads it", w.admin, notice, 0, "Saved <b>Größe</b>."},
		{"the user reads it until the minute ends", w.admin, notice, time.Minute - time.Microsecond, "Saved <b>Größe</b>."},
		{"nobody reads it after a minute", w.admin, notice, time.Minute, ""},
		{"another user does not read it", ben, notice, 0, ""},
		{"nobody in particular does not read it", domain.Call{}, notice, 0, ""},
		{"who is not logged in reads their own", domain.Call{}, nobodys, 0, "You are logged out."},
		{"a user does not read one for nobody", w.admin, nobodys, 0, ""},
		{"no cookie is no notice", w.admin, "", 0, ""},
		{"a planted text is no notice", w.admin, "Your+account+is+locked", 0, ""},
		{"a login's cookie is no notice", ben, cookie, 0, ""},
		{"a set-up link is no notice", domain.Call{}, link, 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.after(tc.after)
			defer w.after(-tc.after)
			if got, ok := w.OpenNotice(tc.call, tc.cookie); got != tc.want || ok != (tc.want != "") {
				t.Errorf("got %q and %v, want %q", got, ok, tc.want)
			}
		})
	}
	_, err := w.SealNotice(w.admin, strings.Repeat("x", 501))
	wantKind(t, err, domain.Invalid)
	_, err = w.SealNotice(w.admin, "\xff")
	wantKind(t, err, domain.Invalid)
	long := strings.Repeat("x", 500)
	if got, ok := w.OpenNotice(w.admin, seal(w.admin, long)); got != long || !ok {
		t.Errorf("500 bytes: got %q and %v", got, ok)
	}
	if _, err := w.Identify(t.Context(), notice); domain.KindOf(err) != domain.NotAuthenticated {
		t.Errorf("a notice as a login: got error %v, want kind %q", err, domain.NotAuthenticated)
	}
}
