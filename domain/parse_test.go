package domain_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

const (
	hex24 = "6371c9b4e1a5b2c3d4e5f607"
	uuid  = "0198c0de-7a3b-7cde-8abc-0123456789ab"
)

var start = time.Date(2030, 1, 2, 3, 4, 5, 678_901_000, time.UTC)

func wantKind(t *testing.T, err error, want domain.Kind) {
	t.Helper()
	if domain.KindOf(err) != want {
		t.Errorf("got error %v, want kind %q", err, want)
	}
}

func TestParseVersionRef(t *testing.T) {
	for _, tc := range []struct {
		name             string
		version, project string
		want             domain.VersionRef
		kind             domain.Kind
	}{
		{"a version id needs nothing else", hex24, "", domain.VersionRef{Version: hex24}, ""},
		{"a version id is kept in lower case", strings.ToUpper(hex24), "", domain.VersionRef{Version: hex24}, ""},
		{"white space around a version id goes", " \t" + hex24 + "\r\n", "", domain.VersionRef{Version: hex24}, ""},
		{"a version id may come with the project id", hex24, strings.ToUpper(hex24), domain.VersionRef{Version: hex24, Project: hex24}, ""},
		{"an alias with the project id is good", "Production_1-a", hex24, domain.VersionRef{Version: "Production_1-a", Project: hex24}, ""},
		{"an alias of 64 characters is good", strings.Repeat("a", 64), hex24, domain.VersionRef{Version: strings.Repeat("a", 64), Project: hex24}, ""},
		{"an alias of 65 characters is refused", strings.Repeat("a", 65), hex24, domain.VersionRef{}, domain.Invalid},
		{"an alias alone is refused", "production", "", domain.VersionRef{}, domain.Invalid},
		{"an empty version is refused", "  ", hex24, domain.VersionRef{}, domain.Invalid},
		{"a slash is refused", "a/b", hex24, domain.VersionRef{}, domain.Invalid},
		{"dots are refused", "..", hex24, domain.VersionRef{}, domain.Invalid},
		{"an escape is refused", "a%2fb", hex24, domain.VersionRef{}, domain.Invalid},
		{"a line break inside is refused", "a\r\nb", hex24, domain.VersionRef{}, domain.Invalid},
		{"NUL is refused", "a\x00", hex24, domain.VersionRef{}, domain.Invalid},
		{"invalid UTF-8 is refused", "a\xff", hex24, domain.VersionRef{}, domain.Invalid},
		{"letters of other scripts are refused", "prodüktion", hex24, domain.VersionRef{}, domain.Invalid},
		{"a project id of 23 digits is refused", hex24, hex24[1:], domain.VersionRef{}, domain.Invalid},
		{"a project id with another letter is refused", hex24, "g" + hex24[1:], domain.VersionRef{}, domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := domain.ParseVersionRef(tc.version, tc.project)
			wantKind(t, err, tc.kind)
			if got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if err == nil && got.Alias() == (got.Version == hex24) {
				t.Errorf("Alias() is %v for %q", got.Alias(), got.Version)
			}
		})
	}
}

func TestParseKey(t *testing.T) {
	for _, tc := range []struct {
		name, key, want string
		kind            domain.Kind
	}{
		{"a key stays as it is", "VF.DM.x", "VF.DM.x", ""},
		{"white space of pasting goes", "\n VF.DM.x\t", "VF.DM.x", ""},
		{"one character is a key", "x", "x", ""},
		{"512 characters are a key", strings.Repeat("k", 512), strings.Repeat("k", 512), ""},
		{"513 are too many", strings.Repeat("k", 513), "", domain.Invalid},
		{"nothing is no key", " ", "", domain.Invalid},
		{"a space inside is refused", "a b", "", domain.Invalid},
		{"a line break inside is refused", "a\r\nX-Evil: 1", "", domain.Invalid},
		{"NUL is refused", "a\x00b", "", domain.Invalid},
		{"DEL is refused", "a\x7fb", "", domain.Invalid},
		{"other than ASCII is refused", "schlüssel", "", domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := domain.ParseKey(domain.SlotPrimary, domain.NewSecret(tc.key))
			wantKind(t, err, tc.kind)
			if got.Reveal() != tc.want {
				t.Errorf("got %q, want %q", got.Reveal(), tc.want)
			}
			if err != nil && tc.key != " " && strings.Contains(err.Error(), tc.key) {
				t.Errorf("the error %q holds the key", err)
			}
		})
	}
}

func TestParseProjectRef(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       domain.ProjectRef
		kind       domain.Kind
	}{
		{"an Id is one", uuid, domain.ProjectRef{ID: uuid}, ""},
		{"an Id in upper case is the same", strings.ToUpper(uuid) + "\n", domain.ProjectRef{ID: uuid}, ""},
		{"a Voiceflow id is one", strings.ToUpper(hex24), domain.ProjectRef{Voiceflow: hex24}, ""},
		{"an empty text is invalid", "", domain.ProjectRef{}, domain.Invalid},
		{"a name is invalid", "My assistant", domain.ProjectRef{}, domain.Invalid},
		{"an Id without its dashes is invalid", strings.ReplaceAll(uuid, "-", ""), domain.ProjectRef{}, domain.Invalid},
		{"an Id with a dash elsewhere is invalid", "0198c0de7-a3b-7cde-8abc-0123456789ab", domain.ProjectRef{}, domain.Invalid},
		{"NUL is invalid", uuid[:35] + "\x00", domain.ProjectRef{}, domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := domain.ParseProjectRef(tc.text)
			wantKind(t, err, tc.kind)
			if got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestProjectRefNamed(t *testing.T) {
	for _, tc := range []struct {
		name, text, want string
		kind             domain.Kind
	}{
		{"any script is a name", "مساعد 🤖 \"x\"\nzwei", "مساعد 🤖 \"x\"\nzwei", ""},
		{"white space around goes", "  a b ", "a b", ""},
		{"512 bytes are a name", strings.Repeat("ä", 256), strings.Repeat("ä", 256), ""},
		{"513 bytes are none", strings.Repeat("ä", 256) + "x", "", domain.Invalid},
		{"an empty text is invalid", " \n", "", domain.Invalid},
		{"NUL is refused", "a\x00b", "", domain.Invalid},
		{"invalid UTF-8 is refused", "a\xff", "", domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := domain.ProjectRef{ID: uuid}.Named(tc.text)
			wantKind(t, err, tc.kind)
			if err == nil && got != (domain.ProjectRef{ID: uuid, Name: tc.want}) {
				t.Errorf("got %+v, want the name %q beside the id", got, tc.want)
			}
		})
	}
}

func TestParseUsername(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       domain.Username
		kind       domain.Kind
	}{
		{"letters are lower-cased", " Ada@Example.COM ", "ada@example.com", ""},
		{"every allowed sign is good", "a0._@+-", "a0._@+-", ""},
		{"64 characters are good", strings.Repeat("a", 64), domain.Username(strings.Repeat("a", 64)), ""},
		{"65 are too many", strings.Repeat("a", 65), "", domain.Invalid},
		{"an empty text is invalid", " ", "", domain.Invalid},
		{"a space inside is refused", "a b", "", domain.Invalid},
		{"a letter that lower-cases to ASCII only elsewhere is refused", "ınès", "", domain.Invalid},
		{"the Kelvin sign is the k that it lower-cases to", "\u212Aim", "kim", ""},
		{"a line break is refused", "a\nb", "", domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := domain.ParseUsername(tc.text)
			wantKind(t, err, tc.kind)
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestCheckPassword(t *testing.T) {
	for _, tc := range []struct {
		name, password string
		kind           domain.Kind
	}{
		{"8 characters are enough", "abcdefgh", ""},
		{"characters are code points", strings.Repeat("🤖", 8), ""},
		{"white space counts", "        ", ""},
		{"7 are too few", "abcdefg", domain.Invalid},
		{"128 are good", strings.Repeat("ä", 128), ""},
		{"129 are too many", strings.Repeat("ä", 129), domain.Invalid},
		{"none is missing", "", domain.Invalid},
		{"NUL is refused", "abcdefgh\x00", domain.Invalid},
		{"invalid UTF-8 is refused", "abcdefgh\xff", domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantKind(t, domain.CheckPassword(domain.NewSecret(tc.password)), tc.kind)
		})
	}
}

func TestParseRoleAndUserID(t *testing.T) {
	for text, want := range map[string]domain.Role{"admin": domain.RoleAdmin, " member ": domain.RoleMember} {
		if got, err := domain.ParseRole(text); got != want || err != nil {
			t.Errorf("ParseRole(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "Admin", "root", "admin\x00"} {
		_, err := domain.ParseRole(text)
		wantKind(t, err, domain.Invalid)
	}
	for text, want := range map[string]domain.Kind{
		"host|user 7": "", strings.Repeat("x", 128): "", strings.Repeat("x", 129): domain.Invalid,
		"": domain.Invalid, "a\x00": domain.Invalid, "a\nb": domain.Invalid, "\xff": domain.Invalid,
	} {
		_, err := domain.ParseUserID(text)
		wantKind(t, err, want)
	}
}

func TestParseSessionID(t *testing.T) {
	const id = "01890000-0000-7000-8000-00000000abcd"
	for _, text := range []string{id, " " + id + "\n", strings.ToUpper(id)} {
		if got, err := domain.ParseSessionID(text); got != id || err != nil {
			t.Errorf("ParseSessionID(%q): got %q and error %v, want %q", text, got, err, id)
		}
	}
	for _, text := range []string{"", "x", id[1:], id + "0", strings.ReplaceAll(id, "-", ""), strings.ReplaceAll(id, "a", "g"), id + "\x00"} {
		if got, err := domain.ParseSessionID(text); domain.KindOf(err) != domain.Invalid || got != "" {
			t.Errorf("ParseSessionID(%q): got %q and error %v, want kind %q", text, got, err, domain.Invalid)
		}
	}
}

func TestParseOrigin(t *testing.T) {
	for text, want := range map[string]domain.Origin{
		"https://api.voiceflow.com":               "https://api.voiceflow.com",
		"https://API.Voiceflow.com:443/v2/?q=1#f": "https://api.voiceflow.com",
		"http://127.0.0.1:80/":                    "http://127.0.0.1",
		"http://127.0.0.1:8081/x":                 "http://127.0.0.1:8081",
		"https://[::1]":                           "https://[::1]",
		"https://[::1]:8443":                      "https://[::1]:8443",
		"http://voiceflow.test:443":               "http://voiceflow.test:443",
	} {
		if got, err := domain.ParseOrigin(text); got != want || err != nil {
			t.Errorf("ParseOrigin(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "api.voiceflow.com", "/v2", "ftp://x", "https://", "https://:443", "http://a b"} {
		_, err := domain.ParseOrigin(text)
		wantKind(t, err, domain.Invalid)
	}
}

func TestVoiceflowIDTellsItsTime(t *testing.T) {
	id, err := domain.ParseVoiceflowID("6371C9B4" + strings.Repeat("0", 16))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := id.Created(), time.Date(2022, 11, 14, 4, 53, 8, 0, time.UTC); !got.Equal(want) {
		t.Errorf("created %v, want %v", got, want)
	}
	if got := domain.VoiceflowID("none").Created(); !got.IsZero() {
		t.Errorf("what is no id was created at %v, want the zero time", got)
	}
}

func TestIdsAreUUIDv7(t *testing.T) {
	id, err := domain.NewProjectID(start, bytes.NewReader(bytes.Repeat([]byte{0xff}, 10)))
	if err != nil {
		t.Fatal(err)
	}
	// RFC 9562, section 5.7: 48 bits of milliseconds, version 7, variant 10.
	if want := domain.ProjectID("01b8e094-9b2e-7fff-bfff-ffffffffffff"); id != want {
		t.Errorf("got %s, want %s", id, want)
	}
	later, _ := domain.NewSessionID(start.Add(time.Millisecond), bytes.NewReader(make([]byte, 10)))
	if string(later) <= string(id) {
		t.Errorf("the id of a later millisecond, %s, does not sort behind %s", later, id)
	}
	if _, err := domain.NewUserID(start, strings.NewReader("short")); err == nil {
		t.Error("an id was made without randomness")
	}
}

func TestCursorComesBack(t *testing.T) {
	lists := []domain.CursorList{domain.ProjectList, domain.UserList, domain.GrantList, domain.TokenList, domain.UsageList, domain.SessionList}
	for _, c := range []domain.Cursor{{Name: "a", ID: uuid}, {Name: strings.Repeat("ü", 256), ID: uuid}, {Name: "مساعد\n🤖", ID: uuid}} {
		for _, list := range lists {
			for _, other := range lists {
				got, err := domain.ParseCursor(other, c.Text(list))
				if other != list {
					wantKind(t, err, domain.Invalid)
				} else if got != c || err != nil {
					t.Errorf("got %+v, %v; want %+v", got, err, c)
				}
			}
		}
	}
	if c, err := domain.ParseCursor(domain.UserList, ""); c != (domain.Cursor{}) || err != nil {
		t.Errorf("no text is %+v, %v; want the zero cursor", c, err)
	}
}

// Whatever text comes in, a cursor is refused or is exactly the one that writes it.
func FuzzParseCursor(f *testing.F) {
	f.Add(domain.Cursor{Name: "name", ID: uuid}.Text(domain.ProjectList))
	f.Add("cA")
	f.Add("\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := domain.ParseCursor(domain.ProjectList, text)
		if err != nil {
			if !errors.Is(err, domain.Invalid) {
				t.Errorf("got %v, want Invalid", err)
			}
			return
		}
		if text != "" && c.Text(domain.ProjectList) != text {
			t.Errorf("%q is read as %+v, which writes %q", text, c, c.Text(domain.ProjectList))
		}
	})
}

// Whatever text comes in, what is taken is fit for a URL path, a header and a store.
func FuzzParse(f *testing.F) {
	f.Add(hex24, "")
	f.Add("production", hex24)
	f.Add("a/../b", "\x00")
	f.Fuzz(func(t *testing.T, a, b string) {
		if v, err := domain.ParseVersionRef(a, b); err == nil && !regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`).MatchString(v.Version) {
			t.Errorf("version %q was taken", v.Version)
		}
		if k, err := domain.ParseKey(domain.SlotPrimary, domain.NewSecret(a)); err == nil && !regexp.MustCompile(`^[!-~]{1,512}$`).MatchString(k.Reveal()) {
			t.Errorf("key %q was taken", k.Reveal())
		}
		if u, err := domain.ParseUsername(a); err == nil && !regexp.MustCompile(`^[a-z0-9._@+-]{1,64}$`).MatchString(string(u)) {
			t.Errorf("user name %q was taken", u)
		}
		if r, err := domain.ParseProjectRef(a); err == nil && (r.ID == "") == (r.Voiceflow == "") {
			t.Errorf("ref %+v was taken", r)
		}
	})
}
