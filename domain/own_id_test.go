package domain_test

import (
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

func TestAnIdInAPathSaysWhatIsWrongWithIt(t *testing.T) {
	const before, after = "/state/user/", "/interact"
	for _, tc := range []struct {
		name, id string
		says     string // "" if it is an id
	}{
		{"a slash", "a%2Fb", ""},
		{"slashes at both ends", "%2fa%2F", ""},
		{"a backslash", "ACME%5cben", ""},
		{"a semicolon", "a;b%3bc", ""},
		{"a percent sign", "100%25", ""},
		{"dots inside", "a..b", ""},
		{"dots beside a slash", "a..%2F..b", ""},
		{"256 bytes", strings.Repeat("%C3%BC", 128), ""},

		{"nothing", "", "is empty"},
		{"257 bytes", strings.Repeat("u", 257), "longer than 256 bytes"},
		{"129 characters of 258 bytes", strings.Repeat("%c3%bc", 129), "longer than 256 bytes"},
		{"a mebibyte", strings.Repeat("%41", 1<<20), "longer than 256 bytes"},
		{"NUL", "ben%00", "control character"},
		{"a line break", "ben%0d%0aX-Evil:1", "control character"},
		{"DEL", "ben%7f", "control character"},
		{"a control character that is not ASCII", "ben%c2%85", "control character"},
		{"what is not UTF-8", "%ff", "not UTF-8"},
		{"dots that are encoded too long", "%c0%ae%c0%ae", "not UTF-8"},
		{"a dot", ".", "is . or .."},
		{"two dots", "..", "is . or .."},
		{"two encoded dots", "%2e%2E", "is . or .."},
		{"dots between slashes", "a%2F..%2F..%2Fb", "is . or .."},
		{"dots after a backslash", `a%5C..`, "is . or .."},
		{"dots with a parameter", "a%2f..;x%2Fb", "is . or .."},
		{"a doubly encoded slash", "a%252fb", "encode it once"},
		{"doubly encoded dots", "%252e%252e", "encode it once"},
		{"a percent sign that is encoded thrice", "a%252525", "encode it once"},
		{"an encoding in parts", "%25%32%66", "encode it once"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := domain.MatchEndpoint("general-runtime", "POST", before+tc.id+after)
			if tc.says == "" {
				wantKind(t, err, "")
				return
			}
			wantKind(t, err, domain.Invalid)
			if err != nil && (!strings.Contains(err.Error(), "user id in the path") || !strings.Contains(err.Error(), tc.says) || len(err.Error()) > 200) {
				t.Errorf("got the error %q, want it to say %q of the user id", err, tc.says)
			}
		})
	}
	for _, path := range []string{"/v1/knowledge-base/docs/", "/v1/transcript/"} {
		service := map[bool]string{true: "api", false: "analytics-api"}[strings.Contains(path, "knowledge")]
		_, err := domain.MatchEndpoint(service, "GET", path+strings.Repeat("x", 129))
		wantKind(t, err, domain.Invalid)
		if err == nil || !strings.Contains(err.Error(), "ID in the path is longer than 128 bytes") {
			t.Errorf("an id of 129 characters: got the error %v, want it to name the id and its limit", err)
		}
	}
}

// taken are the beginnings of pseudonyms, as somebody may spell them to be read as one.
var taken = []string{
	"fl-", "fl-pAAAA", "FL-p", "Fl-", " fl-", "\tfl-p", "\u00a0fl-", "\u2003\u3000fl-", "\u2028fl-", "\ufefffl-", "\u200bfl-", "f\u200bl-", "fl\u00ad-", "\u180efl-", "f\ufe0fl-", "\u034ffl-", "f\u115fl-", "fl\u3164-", "\uffa0fl-", "\u17b4fl-",
	"%66l-", "%66%6C%2d", "%2566l-", "%20fl-", "%zzfl-"[3:], "ﬂ-", "ｆｌ-", "ＦＬ－", "fl﹣", "𝐟𝐥-", "𝒻ℓ-", "Ⓕⓛ-", "🄵🄻-", "ᶠˡ-", "ℱℒ-", "fⅼ-", "%EF%AC%82-",
}

// free are ids that nobody can take for a pseudonym.
var free = []string{
	"f", "fl", "l-", "-", "ben", "flora", "fl_x", "fl–x", "fla-", "f l-", "xfl-", "ﬁ-", "ff-", "lf-", "ünal", "用户", "100%", "%zz", "a%2Fb", " ",
}

func TestAnOwnIdIsNeverAPseudonym(t *testing.T) {
	for _, id := range taken {
		wantKind(t, domain.CheckOwnID(id), domain.NotFound)
		wantKind(t, domain.CheckOwnID(id+"rest"), domain.NotFound)
	}
	for _, id := range free {
		wantKind(t, domain.CheckOwnID(id), "")
	}
}

func TestAUserIdAndASessionIdNeverSpellAPseudonymTogether(t *testing.T) {
	for _, id := range taken {
		for i := range id {
			if i == 0 {
				continue
			}
			user, session := id[:i], id[i:]+"pAAAA"
			wantKind(t, domain.CheckOwnIDs([]string{"ben", user}, []string{"s", session}), domain.NotFound)
			wantKind(t, domain.CheckOwnIDs([]string{session}, []string{user}), domain.NotFound)
		}
	}
	for _, tc := range []struct {
		name          string
		user, session string
		kind          domain.Kind
	}{
		{"a space between that a reader trims", "f ", "l-p", domain.NotFound},
		{"a space between that a reader trims from the session id", "f", "\u3000l-p", domain.NotFound},
		{"a percent-encoding that is cut", "%6", "6l-p", domain.NotFound},
		{"a user id that is only space", " ", "fl-p", domain.NotFound},
		{"the beginning in the middle", "ben", "xfl-p", ""},
		{"a session id in front", "l-p", "f", domain.NotFound},
		{"another beginning", "f", "la-p", ""},
		{"no beginning", "fl", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantKind(t, domain.CheckOwnIDs([]string{tc.user}, []string{tc.session}), tc.kind)
		})
	}
	wantKind(t, domain.CheckOwnIDs([]string{"f"}, nil), "")
	wantKind(t, domain.CheckOwnIDs(nil, []string{"l-"}), "")
}

// Whatever an id is, nothing but its own letters makes it a pseudonym.
func FuzzCheckOwnID(f *testing.F) {
	for _, id := range append(taken, free...) {
		f.Add(id, "rest")
		f.Add("f", id)
	}
	f.Fuzz(func(t *testing.T, user, session string) {
		for _, id := range []string{user, strings.TrimSpace(user), strings.ToUpper(user), user + session, strings.TrimSpace(user) + strings.TrimSpace(session)} {
			if strings.HasPrefix(strings.ToLower(strings.TrimSpace(id)), domain.PseudonymPrefix) &&
				domain.CheckOwnID(user) == nil && domain.CheckOwnIDs([]string{user}, []string{session}) == nil {
				t.Errorf("%q and %q spell %q", user, session, id)
			}
		}
	})
}

func TestWhatHasTheFormOfAPseudonym(t *testing.T) {
	const shortest = "fl-pAAAAAAAAAAAAAAAAAAAAAAA"
	longest := "fl-p" + strings.Repeat("-_aZ0", 25)[:124]
	for _, tc := range []struct {
		name, text string
		want       bool
	}{
		{"the shortest", shortest, true},
		{"the longest", longest, true},
		{"that of a long id", "fl-h" + strings.Repeat("x", 43), true},
		{"one that is shorter", shortest[:len(shortest)-1], false},
		{"one that is longer", longest + "a", false},
		{"another letter", "fl-x" + shortest[4:], false},
		{"capitals", strings.ToUpper(shortest), false},
		{"another character", shortest[:20] + "+" + shortest[21:], false},
		{"padding", shortest + "=", false},
		{"space before", " " + shortest, false},
		{"space after", shortest + " ", false},
		{"the prefix", "fl-", false},
		{"nothing", "", false},
		{"an id that begins so", "fl-550e8400-e29b-41d4-a716-446655440000", false},
	} {
		if got := domain.IsPseudonym(tc.text); got != tc.want {
			t.Errorf("%s: got %v for %q, want %v", tc.name, got, tc.text, tc.want)
		}
	}
}

func TestASearchNamesOnesOwnIdsAndThePseudonymsOfOthers(t *testing.T) {
	const another = "fl-pAAAAAAAAAAAAAAAAAAAAAAA"
	bound := domain.UserIDs{Bind: func(own string) (string, error) { return "bound-" + own, nil }}
	own := domain.UserIDs{Bind: func(own string) (string, error) { return own, domain.CheckOwnID(own) }}
	for _, tc := range []struct {
		name, id string
		by       domain.UserIDs
		want     string
		kind     domain.Kind
	}{
		{"an id of the caller's", "ben", bound, "bound-ben", ""},
		{"a pseudonym", another, bound, another, ""},
		{"an id like a pseudonym", "fl-ben", bound, "bound-fl-ben", ""},
		{"an id of a back end", "ben", own, "ben", ""},
		{"a pseudonym that a back end saw", another, own, another, ""},
		{"an id of a back end like a pseudonym", "fl-ben", own, "fl-ben", domain.NotFound},
		{"an id where none are bound", "ben", domain.UserIDs{}, "ben", ""},
	} {
		got, err := tc.by.Find(tc.id)
		wantKind(t, err, tc.kind)
		if got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestASearchChangesNothing guards that ids which pass unbound in a search reach no call that acts
// on a conversation.
func TestASearchChangesNothing(t *testing.T) {
	searches := 0
	for _, e := range domain.Endpoints() {
		if !e.Searches() {
			continue
		}
		searches++
		if e.Turn || e.Writes || e.Starts || e.BySession || e.Dialog() || e.Method != "GET" && e.Method != "POST" || strings.Contains(e.Path, "{userID}") {
			t.Errorf("%s %s is a search, and acts on a conversation", e.Method, e.Path)
		}
		for _, m := range e.AllMembers() {
			if (m.Is == domain.FieldSession || m.Is == domain.FieldUser) && !m.IfThere {
				t.Errorf("%s %s needs %v to search", e.Method, e.Path, m.At)
			}
		}
	}
	if searches < 10 {
		t.Errorf("got %d searches, want at least 10", searches)
	}
}
