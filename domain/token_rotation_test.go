package domain_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

const day = 24 * time.Hour

// someHash returns the hash of the nth text of a token.
func someHash(n byte) domain.TokenHash { return domain.TokenHash{n} }

func TestARotationBeginsTheLifeOfATokenAgain(t *testing.T) {
	made := domain.AccessToken{
		ID: "t", Name: "x", Prefix: "flk_aaaaaa", User: "u", Project: "p", Scopes: domain.AllScopes(), OwnUsers: true, Rate: 7, Open: 8,
		Created: start, Expires: start.Add(30 * day), LastUsed: start.Add(time.Hour), Environments: []string{"main"},
	}
	first := start.Add(20 * day)
	once, secrets, err := made.Rotated(domain.TokenSecrets{Current: someHash(1)}, domain.Rotation{Hash: someHash(2), Prefix: "flk_bbbbbb", Overlap: day}, false, first)
	want := made
	want.Prefix, want.Renewed, want.Expires, want.PreviousEnds = "flk_bbbbbb", first, first.Add(30*day), first.Add(day)
	if diff := cmp.Diff(want, once); diff != "" || err != nil || secrets != (domain.TokenSecrets{Current: someHash(2), Previous: someHash(1)}) {
		t.Errorf("after the first rotation: error %v, secrets %v, (-want +got):\n%s", err, secrets, diff)
	}
	second := first.Add(time.Hour)
	twice, secrets, err := once.Rotated(secrets, domain.Rotation{Hash: someHash(3), Prefix: "flk_cccccc", Overlap: 7 * day}, false, second)
	want.Prefix, want.Renewed, want.Expires, want.PreviousEnds = "flk_cccccc", second, second.Add(30*day), second.Add(7*day)
	if diff := cmp.Diff(want, twice); diff != "" || err != nil || secrets != (domain.TokenSecrets{Current: someHash(3), Previous: someHash(2)}) {
		t.Errorf("after a rotation in the overlap: error %v, secrets %v, (-want +got):\n%s", err, secrets, diff)
	}
	third, secrets, err := twice.Rotated(secrets, domain.Rotation{Hash: someHash(4), Prefix: "flk_dddddd"}, false, second)
	if err != nil || secrets != (domain.TokenSecrets{Current: someHash(4)}) || !third.PreviousEnds.IsZero() {
		t.Errorf("after a rotation without an overlap: error %v, secrets %v, and the previous text ends at %v", err, secrets, third.PreviousEnds)
	}
}

func TestTheTextsOfATokenEnd(t *testing.T) {
	secrets := domain.TokenSecrets{Current: someHash(2), Previous: someHash(1)}
	token := domain.AccessToken{ID: "t", Expires: start.Add(30 * day), PreviousEnds: start.Add(day)}
	alone := domain.AccessToken{ID: "t", Expires: start.Add(30 * day)}
	for _, tc := range []struct {
		name    string
		token   domain.AccessToken
		secrets domain.TokenSecrets
		shown   domain.TokenHash
		ends    time.Time
	}{
		{"the current text ends with the token", token, secrets, someHash(2), token.Expires},
		{"the previous text ends with the overlap", token, secrets, someHash(1), token.PreviousEnds},
		{"another text opens nothing", token, secrets, someHash(3), time.Time{}},
		{"a conversation ends with the token", token, secrets, domain.TokenHash{}, token.Expires},
		{"without a previous text, another text opens nothing", alone, domain.TokenSecrets{Current: someHash(2)}, someHash(1), time.Time{}},
		{"a previous text outlives no token", domain.AccessToken{ID: "t", Expires: start, PreviousEnds: start.Add(day)}, secrets, someHash(1), start},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.token.SecretEnds(tc.secrets, tc.shown); !got.Equal(tc.ends) {
				t.Errorf("it ends at %v, want %v", got, tc.ends)
			}
			if tc.token.Opens(tc.secrets, tc.shown, tc.ends) || !tc.ends.IsZero() && !tc.token.Opens(tc.secrets, tc.shown, tc.ends.Add(-1)) {
				t.Error("it does not open the token until its end alone")
			}
		})
	}
	if secrets.Has(domain.TokenHash{}) || (domain.TokenSecrets{Current: someHash(1)}).Has(domain.TokenHash{}) {
		t.Error("the zero hash is that of a text")
	}
	if !secrets.Has(someHash(1)) || !secrets.Has(someHash(2)) || secrets.Has(someHash(3)) {
		t.Error("the secrets have another hash than their own")
	}
}

func TestRotationsThatAreRefused(t *testing.T) {
	ends := start.Add(30 * day)
	token := domain.AccessToken{ID: "t", Created: start, Expires: ends}
	rotation := domain.Rotation{Hash: someHash(2), Overlap: 7 * day}
	for _, tc := range []struct {
		name     string
		disabled bool
		now      time.Time
		kind     domain.Kind
	}{
		{"in its last microsecond", false, ends.Add(-time.Microsecond), ""},
		{"at its end", false, ends, domain.Conflict},
		{"long after its end", false, ends.Add(300 * day), domain.Conflict},
		{"of a disabled owner", true, start, domain.Conflict},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, secrets, err := token.Rotated(domain.TokenSecrets{Current: someHash(1)}, rotation, tc.disabled, tc.now)
			wantKind(t, err, tc.kind)
			if err != nil && (cmp.Diff(token, got) != "" || secrets != (domain.TokenSecrets{Current: someHash(1)})) {
				t.Errorf("got %+v with %v, want the token as it was", got, secrets)
			}
			// The text of before ends no later than it would have.
			if err == nil && !got.PreviousEnds.Equal(ends) {
				t.Errorf("the previous text ends at %v, want %v", got.PreviousEnds, ends)
			}
		})
	}
}

// A token from a backup can have any times.
func TestARotatedTokenLivesAYearAtMost(t *testing.T) {
	token := domain.AccessToken{ID: "t", Created: start.Add(-3000 * day), Expires: start.Add(3000 * day)}
	got, _, err := token.Rotated(domain.TokenSecrets{Current: someHash(1)}, domain.Rotation{Hash: someHash(2)}, false, start)
	if want := start.Add(domain.MaxTokenDays * day); err != nil || !got.Expires.Equal(want) {
		t.Errorf("got the end %v and error %v, want %v", got.Expires, err, want)
	}
}

func TestOverlaps(t *testing.T) {
	for _, tc := range []struct {
		hours *int
		want  time.Duration
		kind  domain.Kind
	}{
		{nil, 24 * time.Hour, ""}, {new(0), 0, ""}, {new(1), time.Hour, ""}, {new(168), 168 * time.Hour, ""},
		{new(-1), 0, domain.Invalid}, {new(169), 0, domain.Invalid}, {new(1 << 60), 0, domain.Invalid},
	} {
		got, err := domain.ParseOverlap(tc.hours)
		wantKind(t, err, tc.kind)
		if got != tc.want {
			t.Errorf("%v: got %v, want %v", tc.hours, got, tc.want)
		}
	}
}

func TestTheEndOfATokenIsTold14DaysBefore(t *testing.T) {
	token := domain.AccessToken{ID: "t", Expires: start}
	for _, tc := range []struct {
		name   string
		access domain.Access
		before time.Duration
		end    time.Time
		soon   bool
	}{
		{"no access token", domain.Access{}, 0, time.Time{}, false},
		{"15 days before", domain.Access{Token: token, SecretEnds: start}, 15 * day, start, false},
		{"a microsecond too early", domain.Access{Token: token, SecretEnds: start}, 14*day + time.Microsecond, start, false},
		{"14 days before", domain.Access{Token: token, SecretEnds: start}, 14 * day, start, true},
		{"at the last moment", domain.Access{Token: token, SecretEnds: start}, time.Microsecond, start, true},
		{"a previous text", domain.Access{Token: token, SecretEnds: start.Add(-80 * day)}, 81 * day, start.Add(-80 * day), true},
		{"a conversation", domain.Access{Token: token}, 14 * day, start, true},
		{"a conversation, too early", domain.Access{Token: token}, 15 * day, start, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if end, soon := tc.access.TokenEnds(start.Add(-tc.before)); !end.Equal(tc.end) || soon != tc.soon {
				t.Errorf("got %v and %v, want %v and %v", end, soon, tc.end, tc.soon)
			}
		})
	}
}

func TestWhoMayRotateAToken(t *testing.T) {
	token := domain.AccessToken{ID: "t", User: "owner"}
	for name, tc := range map[string]struct {
		by   domain.Caller
		kind domain.Kind
	}{
		"the owner":                   {domain.Caller{ID: "owner"}, ""},
		"another member":              {domain.Caller{ID: "other"}, domain.NotFound},
		"an admin":                    {domain.Caller{ID: "other", Admin: true}, ""},
		"the operator":                {domain.Operator(), ""},
		"a token of the owner":        {domain.Caller{ID: "owner", Token: "t"}, domain.NotAllowed},
		"a token of an admin, of all": {domain.Caller{ID: "other", Admin: true, Token: "m", Scopes: domain.ScopesOf(domain.ScopeManage)}, domain.NotAllowed},
	} {
		t.Run(name, func(t *testing.T) { wantKind(t, domain.Act{By: tc.by}.Rotates(tc.by, token), tc.kind) })
	}
}

// An act that began with a text of the token stands on that text.
func TestAnActStandsOnTheTextOfItsToken(t *testing.T) {
	right := domain.Right{
		User: domain.User{ID: "u"}, Token: domain.AccessToken{ID: "t", User: "u", Expires: start.Add(day), PreviousEnds: start.Add(time.Hour)},
		Secrets: domain.TokenSecrets{Current: someHash(2), Previous: someHash(1)},
	}
	for _, tc := range []struct {
		name  string
		shown domain.TokenHash
		after time.Duration
		kind  domain.Kind
	}{
		{"the current text", someHash(2), 2 * time.Hour, ""},
		{"the previous text", someHash(1), 0, ""},
		{"the previous text after the overlap", someHash(1), time.Hour, domain.NotAuthenticated},
		{"a text of before", someHash(3), 0, domain.NotAuthenticated},
		{"a conversation", domain.TokenHash{}, 2 * time.Hour, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			by := domain.CallerByToken(right.Token, domain.RoleMember).Showing(tc.shown)
			got, err := domain.Act{By: by}.Allow(right, start.Add(tc.after))
			wantKind(t, err, tc.kind)
			if err == nil && got.Secret != tc.shown {
				t.Errorf("the caller shows %x, want %x", got.Secret, tc.shown)
			}
		})
	}
}
