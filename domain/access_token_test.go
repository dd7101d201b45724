package domain_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

// tokenAlphabet are the characters of an access token behind its prefix.
const tokenAlphabet = "abcdefghijklmnopqrstuvwxyz234567"

// newToken is the text of an access token.
func newToken(t testing.TB) string {
	t.Helper()
	text, _, _, err := domain.NewAccessTokenText(rand.Reader)
	if err != nil {
		t.Fatalf("NewAccessTokenText: got error %v, want success", err)
	}
	return text.Reveal()
}

func wantNoToken(t *testing.T, what, text string) {
	t.Helper()
	hash, err := domain.ParseAccessToken(domain.NewSecret(text))
	if domain.KindOf(err) != domain.NotAuthenticated || hash != (domain.TokenHash{}) {
		t.Errorf("%s: got error %v, want kind %q and no hash", what, err, domain.NotAuthenticated)
	}
	if err != nil && len(text) > 8 && strings.Contains(err.Error(), text[4:]) {
		t.Errorf("%s: the error %q holds the token", what, err)
	}
}

// Scanners and those who have tokens know them by this form.
func TestAccessTokensHaveTheirForm(t *testing.T) {
	text, hash, prefix, err := domain.NewAccessTokenText(bytes.NewReader(bytes.Repeat([]byte{0xa5}, 32)))
	if err != nil {
		t.Fatalf("NewAccessTokenText: got error %v, want success", err)
	}
	if got, want := text.Reveal(), "flk_uws2ljnfuws2ljnfuws2ljnfuws2ljnfuws2ljnfuws2ljnfuwsxl2coz4"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := prefix, text.Reveal()[:10]; got != want {
		t.Errorf("prefix: got %s, want %s", got, want)
	}
	if want := domain.TokenHash(sha256.Sum256([]byte(text.Reveal()))); hash != want {
		t.Errorf("hash: got %x, want the SHA-256 of the text, %x", hash, want)
	}
	seen := map[string]bool{}
	for range 100 {
		text := newToken(t)
		if !regexp.MustCompile(`^flk_[a-z2-7]{58}$`).MatchString(text) {
			t.Fatalf("got %s, want flk_[a-z2-7]{58}", text)
		}
		if seen[text] {
			t.Fatal("a token was made twice")
		}
		seen[text] = true
	}
}

func TestNoAccessTokenWithoutRandomness(t *testing.T) {
	text, hash, prefix, err := domain.NewAccessTokenText(strings.NewReader(strings.Repeat("x", 31)))
	if err == nil || !text.IsZero() || hash != (domain.TokenHash{}) || prefix != "" {
		t.Errorf("got error %v and prefix %q, want an error alone", err, prefix)
	}
}

func TestAnAccessTokenIsKnownByItsHash(t *testing.T) {
	for range 100 {
		text, want, _, err := domain.NewAccessTokenText(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := domain.ParseAccessToken(text); err != nil || got != want {
			t.Fatalf("ParseAccessToken: got %x and error %v, want %x", got, err, want)
		}
	}
}

func TestEveryTypoOfOneCharacterIsRefused(t *testing.T) {
	good := newToken(t)
	for i := range good {
		for _, c := range []byte(tokenAlphabet + "01890ABCXYZ_-= \n\x00\xff") {
			if typo := good[:i] + string([]byte{c}) + good[i+1:]; typo != good {
				wantNoToken(t, "another character", typo)
			}
			wantNoToken(t, "one character more", good[:i]+string([]byte{c})+good[i:])
		}
		wantNoToken(t, "a character that is missing", good[:i]+good[i+1:])
		if i > 0 && good[i] != good[i-1] {
			wantNoToken(t, "two characters in the other order", good[:i-1]+string(good[i])+string(good[i-1])+good[i+1:])
		}
	}
	if _, err := domain.ParseAccessToken(domain.NewSecret(good)); err != nil {
		t.Errorf("the token without a typo: got error %v, want success", err)
	}
}

func TestWhatIsNoAccessToken(t *testing.T) {
	good := newToken(t)
	for name, text := range map[string]string{
		"nothing":                          "",
		"the prefix alone":                 "flk_",
		"without the prefix":               good[4:],
		"another prefix":                   "ghp_" + good[4:],
		"the prefix in capitals":           "FLK_" + good[4:],
		"in capitals":                      strings.ToUpper(good),
		"in capitals behind the prefix":    "flk_" + strings.ToUpper(good[4:]),
		"with white space in front":        " " + good,
		"with a line break behind":         good + "\n",
		"with Bearer in front":             "Bearer " + good,
		"twice":                            good + good,
		"with padding":                     good + "======",
		"cut to half":                      good[:31],
		"a megabyte":                       "flk_" + strings.Repeat("a", 1<<20),
		"58 characters without a checksum": "flk_" + strings.Repeat("a", 58),
		"line breaks in place of two":      good[:30] + "\r\n" + good[32:],
		"a key of Voiceflow's":             "VF.DM.66c5d3e2a1b4c5d6e7f80912.AbCdEfGhIjKlMnOp",
	} {
		wantNoToken(t, name, text)
	}
}

// Whatever text comes in, it is refused or has the form and the checksum.
func FuzzParseAccessToken(f *testing.F) {
	f.Add(newToken(f))
	f.Add("flk_" + strings.Repeat("a", 58))
	f.Add("flk_" + strings.Repeat("a", 57) + "\n")
	f.Add("")
	encoding := base32.NewEncoding(tokenAlphabet).WithPadding(base32.NoPadding)
	f.Fuzz(func(t *testing.T, text string) {
		// The text as it is, and one made of it that has the right checksum.
		sum := sha256.Sum256([]byte(text))
		random := sum[:]
		made := "flk_" + encoding.EncodeToString(binary.BigEndian.AppendUint32(random, crc32.ChecksumIEEE(append([]byte("flk_"), random...))))
		if hash, err := domain.ParseAccessToken(domain.NewSecret(made)); err != nil || hash != sha256.Sum256([]byte(made)) {
			t.Fatalf("ParseAccessToken(%q): got error %v, want the hash of the text", made, err)
		}
		hash, err := domain.ParseAccessToken(domain.NewSecret(text))
		if err != nil {
			if domain.KindOf(err) != domain.NotAuthenticated || hash != (domain.TokenHash{}) {
				t.Fatalf("ParseAccessToken(%q): got error %v, want kind %q and no hash", text, err, domain.NotAuthenticated)
			}
			return
		}
		b, err := encoding.DecodeString(strings.TrimPrefix(text, "flk_"))
		if err != nil || !regexp.MustCompile(`\Aflk_[a-z2-7]{58}\z`).MatchString(text) || len(b) != 36 || "flk_"+encoding.EncodeToString(b) != text ||
			binary.BigEndian.Uint32(b[32:]) != crc32.ChecksumIEEE(append([]byte("flk_"), b[:32]...)) || hash != sha256.Sum256([]byte(text)) {
			t.Fatalf("ParseAccessToken(%q): got success, want it refused", text)
		}
	})
}

func TestNewAccessToken(t *testing.T) {
	member, admin := domain.Caller{ID: "m"}, domain.Caller{ID: "a", Admin: true}
	converse, manage := domain.ScopesOf(domain.ScopeConverse), domain.ScopesOf(domain.ScopeManage)
	most := domain.AllScopes()
	for _, tc := range []struct {
		name     string
		caller   domain.Caller
		title    string
		project  domain.ProjectID
		scopes   domain.Scopes
		userIDs  string
		days     int
		want     domain.Scopes
		ownUsers bool
		kind     domain.Kind
	}{
		{"a member may make one for a project", member, "ci", uuid, converse, "", 90, converse, false, ""},
		{"without scopes it has the default ones", member, "ci", uuid, 0, "", 90, converse, false, ""},
		{"a member may ask for every scope of a project", member, "ci", uuid, most, "bound", 90, most, false, ""},
		{"one day is a life", member, "ci", uuid, converse, "", 1, converse, false, ""},
		{"365 days are a life", member, "ci", uuid, converse, "", 365, converse, false, ""},
		{"no day is refused", member, "ci", uuid, converse, "", 0, 0, false, domain.Invalid},
		{"less than no day is refused", member, "ci", uuid, converse, "", -1, 0, false, domain.Invalid},
		{"366 days are refused", member, "ci", uuid, converse, "", 366, 0, false, domain.Invalid},
		{"a name of 64 bytes is good", member, strings.Repeat("ü", 32), uuid, converse, "", 1, converse, false, ""},
		{"a name of 65 bytes is refused", member, strings.Repeat("ü", 32) + "x", uuid, converse, "", 1, 0, false, domain.Invalid},
		{"no name is refused", member, " ", uuid, converse, "", 1, 0, false, domain.Invalid},
		{"a name with a line break is refused", member, "a\nb", uuid, converse, "", 1, 0, false, domain.Invalid},
		{"an admin may make one with manage", admin, "ci", "", manage, "", 90, manage, false, ""},
		{"an admin may say that it has bound user ids", admin, "ci", "", manage, "bound", 90, manage, false, ""},
		{"a member may not make one with manage", member, "ci", "", manage, "", 90, 0, false, domain.NotAllowed},
		{"with manage it has no project", admin, "ci", uuid, manage, "", 90, 0, false, domain.Invalid},
		{"with manage it has no other scope", admin, "ci", "", manage | converse, "", 90, 0, false, domain.Invalid},
		{"a project and manage beside others is refused", admin, "ci", uuid, manage | converse, "", 90, 0, false, domain.Invalid},
		{"with manage it has no users of its own", admin, "ci", "", manage, "own", 90, 0, false, domain.Invalid},
		{"a member who breaks a rule is told so first", member, "ci", uuid, manage, "", 90, 0, false, domain.Invalid},
		{"without a project it must have manage", admin, "ci", "", converse, "", 90, 0, false, domain.Invalid},
		{"without a project and scopes it is refused", admin, "ci", "", 0, "", 90, 0, false, domain.Invalid},
		{"an admin may ask for own user ids", admin, "ci", uuid, converse, "own", 90, converse, true, ""},
		{"a member may not ask for own user ids", member, "ci", uuid, converse, "own", 90, 0, false, domain.NotAllowed},
		{"other user ids are refused", admin, "ci", uuid, converse, "mine", 90, 0, false, domain.Invalid},
		{"capitals in user ids are refused", admin, "ci", uuid, converse, "Own", 90, 0, false, domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now := start.Add(999).In(time.FixedZone("", 3600))
			own, err := domain.ParseUserIDs(tc.userIDs)
			var got domain.AccessToken
			if err == nil {
				spec := domain.TokenSpec{Name: tc.title, Project: tc.project, Scopes: tc.scopes, OwnUsers: own, Days: tc.days}
				got, err = domain.NewAccessToken("t", tc.caller, spec, now)
			}
			wantKind(t, err, tc.kind)
			want := domain.AccessToken{
				ID: "t", Name: tc.title, User: tc.caller.ID, Project: tc.project, Scopes: tc.want, OwnUsers: tc.ownUsers,
				Created: start, Expires: start.Add(time.Duration(tc.days) * 24 * time.Hour),
			}
			if tc.kind != "" {
				want = domain.AccessToken{}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("token (-want +got):\n%s", diff)
			}
		})
	}
	got, err := domain.NewAccessToken("t", member, domain.TokenSpec{Name: " my laptop \n", Project: uuid, Days: 1}, start)
	if err != nil || got.Name != "my laptop" {
		t.Errorf("a name with white space around it: got %q and error %v, want it trimmed", got.Name, err)
	}
}

func TestTheEnvironmentsOfAnAccessToken(t *testing.T) {
	member, admin := domain.Caller{ID: "m"}, domain.Caller{ID: "a", Admin: true}
	for _, tc := range []struct {
		name   string
		caller domain.Caller
		spec   domain.TokenSpec
		want   []string
		says   string // "" if the token is made
	}{
		{"a member may limit a token of their own", member, domain.TokenSpec{Project: uuid, Environments: []string{" main ", "dev"}}, []string{"main", "dev"}, ""},
		{"a version id is kept in lower case", member, domain.TokenSpec{Project: uuid, Environments: []string{strings.ToUpper(anEnvironmentID)}}, []string{anEnvironmentID}, ""},
		{"no list is no limit", member, domain.TokenSpec{Project: uuid}, nil, ""},
		{"an empty list is refused", member, domain.TokenSpec{Project: uuid, Environments: []string{}}, nil, "environments must not be empty"},
		{"a name that comes twice is refused", member, domain.TokenSpec{Project: uuid, Environments: []string{"main", "main"}}, nil, "environments has a name twice"},
		{"a name that can't be one is refused", member, domain.TokenSpec{Project: uuid, Environments: []string{"a b"}}, nil, "a name in environments can only contain"},
		{"the name all is refused", member, domain.TokenSpec{Project: uuid, Environments: []string{"all"}}, nil, "can't be all"},
		{"a list without a project is refused", admin, domain.TokenSpec{Environments: []string{"main"}}, nil, "project_id is missing"},
		{"a token that manages has none", admin, domain.TokenSpec{Scopes: domain.ScopesOf(domain.ScopeManage), Environments: []string{"main"}}, nil, "can't have environments"},
		{"nor an empty list", admin, domain.TokenSpec{Scopes: domain.ScopesOf(domain.ScopeManageUsers), Environments: []string{}}, nil, "can't have environments"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.spec.Name, tc.spec.Days = "ci", 1
			got, err := domain.NewAccessToken("t", tc.caller, tc.spec, start)
			if tc.says != "" {
				wantInvalid(t, err, tc.says)
			} else if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tc.want, got.Environments); diff != "" {
				t.Errorf("environments (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheEndOfAnAccessTokenIsExclusive(t *testing.T) {
	token, err := domain.NewAccessToken("t", domain.Caller{ID: "m"}, domain.TokenSpec{Name: "ci", Project: uuid, Days: 1}, start)
	if err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]bool{
		0: true, 24*time.Hour - time.Microsecond: true, 24 * time.Hour: false, 25 * time.Hour: false,
	} {
		if got := token.Live(start.Add(after)); got != want {
			t.Errorf("live after %v: got %v, want %v", after, got, want)
		}
	}
	if (domain.AccessToken{}).Live(start) {
		t.Error("the zero token is live")
	}
}

func TestParseTokenID(t *testing.T) {
	for text, want := range map[string]domain.TokenID{uuid: uuid, " " + strings.ToUpper(uuid) + "\n": uuid} {
		if got, err := domain.ParseTokenID(text); got != want || err != nil {
			t.Errorf("ParseTokenID(%q): got %q and error %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "flk_", uuid[1:], uuid + "0", strings.ReplaceAll(uuid, "-", ""), "token:" + uuid} {
		got, err := domain.ParseTokenID(text)
		wantKind(t, err, domain.Invalid)
		if got != "" {
			t.Errorf("ParseTokenID(%q): got %q with the error, want none", text, got)
		}
	}
	id, err := domain.NewTokenID(start, bytes.NewReader(make([]byte, 10)))
	if parsed, wrong := domain.ParseTokenID(string(id)); err != nil || wrong != nil || parsed != id {
		t.Errorf("a new id %q: got %q and errors %v and %v, want it back", id, parsed, err, wrong)
	}
	if id, err := domain.NewTokenID(start, strings.NewReader("short")); err == nil || id != "" {
		t.Errorf("an id without randomness: got %q, want an error", id)
	}
}

func TestAUserHasABoundedNumberOfAccessTokens(t *testing.T) {
	for has, want := range map[int]domain.Kind{
		0: "", 98: "", domain.MaxTokens - 1: "", domain.MaxTokens: domain.Conflict, domain.MaxTokens + 1: domain.Conflict,
	} {
		if err := domain.MayAddToken(has); domain.KindOf(err) != want {
			t.Errorf("a user who has %d: got error %v, want kind %q", has, err, want)
		}
	}
	if domain.MaxTokens != 100 {
		t.Errorf("the bound is %d, want 100", domain.MaxTokens)
	}
}

func TestWhatMakingAnAccessTokenNeeds(t *testing.T) {
	scopes := domain.ScopesOf("converse", "export")
	for _, tc := range []struct {
		name  string
		token domain.AccessToken
		want  domain.Need
	}{
		{"a grant that covers its scopes", domain.AccessToken{Project: uuid, Scopes: scopes}, domain.NeedsUse(uuid, scopes)},
		{"an admin, with manage", domain.AccessToken{Scopes: domain.ScopesOf(domain.ScopeManage)}, domain.NeedsAdmin()},
		{"an admin, with user ids of its own", domain.AccessToken{Project: uuid, Scopes: scopes, OwnUsers: true}, domain.NeedsAdmin()},
	} {
		if got := tc.token.Needs(); got != tc.want {
			t.Errorf("%s: got %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

func TestTheLastUseOfAnAccessTokenMovesForward(t *testing.T) {
	never := domain.AccessToken{ID: "t"}
	used := never.UsedAt(start.Add(999).In(time.FixedZone("", 3600)))
	if used.LastUsed != start {
		t.Errorf("the first use: got %v, want %v: UTC, truncated to microseconds", used.LastUsed, start)
	}
	if got := used.UsedAt(start.Add(time.Minute)); got.LastUsed != start.Add(time.Minute) {
		t.Errorf("a later use: got %v", got.LastUsed)
	}
	if got := used.UsedAt(start.Add(-time.Minute)); !cmp.Equal(got, used) {
		t.Errorf("an earlier use: got %v, want no change", got.LastUsed)
	}
}

func TestTheLimitsOfAnAccessToken(t *testing.T) {
	member, admin := domain.Caller{ID: "m"}, domain.Caller{ID: "a", Admin: true}
	manage, parts := domain.ScopesOf(domain.ScopeManage), domain.ScopesOf(domain.ScopeManageUsers, domain.ScopeManageAudit)
	for _, tc := range []struct {
		name       string
		caller     domain.Caller
		project    domain.ProjectID
		scopes     domain.Scopes
		rate, open *int
		kind       domain.Kind
	}{
		{"an admin may give a rate", admin, uuid, 0, new(600), nil, ""},
		{"an admin may give a limit of open calls", admin, uuid, 0, nil, new(8), ""},
		{"an admin may give both", admin, uuid, 0, new(1), new(1), ""},
		{"the highest limits are good", admin, uuid, 0, new(1_000_000), new(10_000), ""},
		{"a rate beyond is refused", admin, uuid, 0, new(1_000_001), nil, domain.Invalid},
		{"a limit of open calls beyond is refused", admin, uuid, 0, nil, new(10_001), domain.Invalid},
		{"a rate of 0 is refused", admin, uuid, 0, new(0), nil, domain.Invalid},
		{"a rate below 0 is refused", admin, uuid, 0, new(-1), nil, domain.Invalid},
		{"a limit of no open calls is refused", admin, uuid, 0, nil, new(0), domain.Invalid},
		{"a member may not give a rate", member, uuid, 0, new(600), nil, domain.NotAllowed},
		{"a member may not give a limit of open calls", member, uuid, 0, nil, new(8), domain.NotAllowed},
		{"a member may not give even a low one", member, uuid, 0, new(1), nil, domain.NotAllowed},
		{"a token that manages has no rate", admin, "", manage, new(600), nil, domain.Invalid},
		{"a token that manages a part has no limit of open calls", admin, "", parts, nil, new(8), domain.Invalid},
		{"an admin may have one that manages parts", admin, "", parts, nil, nil, ""},
		{"a member may not", member, "", parts, nil, nil, domain.NotAllowed},
		{"parts have no project", admin, uuid, parts, nil, nil, domain.Invalid},
		{"parts have no other scope", admin, "", parts | domain.DefaultScopes(), nil, nil, domain.Invalid},
		{"all and parts may be mixed", admin, "", parts | manage, nil, nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := domain.NewAccessToken("t", tc.caller, domain.TokenSpec{
				Name: "x", Project: tc.project, Scopes: tc.scopes, Rate: tc.rate, Open: tc.open, Days: 1,
			}, start)
			wantKind(t, err, tc.kind)
			if err != nil {
				return
			}
			for _, limit := range []struct {
				what string
				got  int
				want *int
			}{{"rate", got.Rate, tc.rate}, {"open", got.Open, tc.open}} {
				if limit.want == nil && limit.got != 0 || limit.want != nil && limit.got != *limit.want {
					t.Errorf("%s: got %d", limit.what, limit.got)
				}
			}
			if limited := got.Rate+got.Open > 0 || got.Scopes.Manage(); limited != (got.Needs() == domain.NeedsAdmin()) {
				t.Errorf("needs %+v, and is limited: %v", got.Needs(), limited)
			}
		})
	}
}
