package voiceflow

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// pseudonym has the form of one. It is nobody's.
const pseudonym = domain.PseudonymPrefix + "pAAAAAAAAAAAAAAAAAAAAAAA"

// sentHeaders returns the session ids that go out for a call with those headers sessionID.
func sentHeaders(c domain.Forward, values ...string) ([]string, *binder, error) {
	ids, to := newBinder(c), http.Header{}
	err := ids.header(to, http.Header{sessionHeader: values})
	return to[sessionHeader], ids, err
}

func TestTheSessionIDInAHeaderIsBoundLikeTheMember(t *testing.T) {
	bound := 0
	for _, e := range domain.Endpoints() {
		c := call(t, e.Service, e.Method, e.Path)
		got, _, err := sentHeaders(c, "sess-42")
		want := []string(nil)
		if e.Service == domain.ServiceRuntime && e.Scope != domain.ScopeKnowledge {
			bound++
			want = []string{"bound-sess-42"}
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s %s: got %q, %v, want %q", e.Method, e.Path, got, err, want)
		}
		if got, _, err := sentHeaders(c); err != nil || got != nil {
			t.Errorf("%s %s without a header: got %q, %v, want none", e.Method, e.Path, got, err)
		}
	}
	if bound < 10 {
		t.Errorf("got the header in %d calls, want at least 10", bound)
	}
}

func TestTheHeaderSessionIDIsCheckedLikeTheMember(t *testing.T) {
	turn := call(t, domain.ServiceRuntime, "POST", "/state/user/{userID}/interact")
	free := turn
	free.UserIDs = domain.UserIDs{}
	for _, tc := range []struct {
		name      string
		values    []string
		want      string // of a caller whose ids are bound
		wantFree  string // of a caller with ids of their own
		wantError string
	}{
		{"text", []string{"sess-42"}, "bound-sess-42", "sess-42", ""},
		{"UTF-8", []string{"Zoë 🙂"}, "bound-Zoë 🙂", "Zoë 🙂", ""},
		{"ISO 8859-1, as browsers send it", []string{"Zo\xeb"}, "bound-Zoë", "Zo\xeb", ""},
		{"256 bytes", []string{strings.Repeat("x", 256)}, "bound-" + strings.Repeat("x", 256), strings.Repeat("x", 256), ""},
		{"a pseudonym", []string{pseudonym}, "bound-" + pseudonym, pseudonym, ""},
		{"nothing in it", []string{""}, "", "", "the header sessionID is empty"},
		{"257 bytes", []string{strings.Repeat("x", 257)}, "", "", "the header sessionID is longer"},
		{"256 bytes, which are more in UTF-8", []string{strings.Repeat("\xeb", 256)}, "", "", "the header sessionID is longer"},
		{"a control character", []string{"a\x7f"}, "", "", "the header sessionID contains a control character"},
		{"a control character of ISO 8859-1", []string{"a\x85"}, "", "", "the header sessionID contains a control character"},
		{"two of them", []string{"a", "b"}, "", "", "the header sessionID comes more than once"},
		{"twice the same", []string{"a", "a"}, "", "", "the header sessionID comes more than once"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, each := range []struct {
				call domain.Forward
				want string
			}{{turn, tc.want}, {free, tc.wantFree}} {
				got, _, err := sentHeaders(each.call, tc.values...)
				if tc.wantError != "" {
					if domain.KindOf(err) != domain.Invalid || !strings.Contains(err.Error(), tc.wantError) || got != nil {
						t.Errorf("got %q, %v, want Invalid: %s", got, err, tc.wantError)
					}
				} else if err != nil || !slices.Equal(got, []string{each.want}) {
					t.Errorf("got %q, %v, want %q", got, err, each.want)
				}
			}
		})
	}
}

func TestIdsOfTheirOwnAreCheckedAsVoiceflowReadsThem(t *testing.T) {
	c := call(t, domain.ServiceRuntime, "POST", "/state/user/{userID}/interact")
	c.UserIDs = domain.UserIDs{
		Bind:  func(own string) (string, error) { return own, domain.CheckOwnID(own) },
		Check: domain.CheckOwnIDs,
	}
	for _, value := range []string{pseudonym, "FL-x", "%66l-x", "\xa0fl-x", "\u00a0fl-x", "\xadfl-x", "ﬂ-x", "f\u00adl-x"} {
		if got, _, err := sentHeaders(c, value); domain.KindOf(err) != domain.NotFound {
			t.Errorf("%q: got %q, %v, want NotFound", value, got, err)
		}
	}
	_, ids, err := sentHeaders(c, "Zoë")
	if want := []string{"Zoë", "Zo\u00c3\u00ab"}; err != nil || !slices.Equal(ids.sessions, want) {
		t.Errorf("got the ids %q to check, %v, want those in UTF-8 and in ISO 8859-1: %q", ids.sessions, err, want)
	}
	_, ids, err = sentHeaders(c, "l-x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ids.user("f"); err != nil {
		t.Fatal(err)
	}
	if err := ids.check(); domain.KindOf(err) != domain.NotFound {
		t.Errorf("a user id and a header that spell a pseudonym: got %v, want NotFound", err)
	}
}

func TestTheSessionIDInAQueryIsBound(t *testing.T) {
	turn := call(t, domain.ServiceRuntime, "POST", "/state/user/{userID}/interact")
	documents := call(t, domain.ServiceAPI, "GET", "/v1/knowledge-base/docs")
	list := call(t, domain.ServiceAPI, "GET", "/v2/transcripts/{projectID}")
	for _, tc := range []struct {
		name        string
		call        domain.Forward
		query, want string
		kind        domain.Kind
	}{
		{"a turn", turn, "sessionID=s%201&verbose=true", "sessionID=bound-s+1&verbose=true", ""},
		{"a name with escapes", turn, "%73essionID=s", "sessionID=bound-s", ""},
		{"two of them", turn, "sessionID=a&verbose=true&sessionID=b", "", domain.Invalid},
		{"twice the same, once with escapes", turn, "sessionID=a&session%49D=a", "", domain.Invalid},
		{"a pseudonym", turn, "sessionID=" + pseudonym, "sessionID=bound-" + pseudonym, ""},
		{"nothing in it", turn, "sessionID=", "", domain.Invalid},
		{"one that is too long", turn, "sessionID=" + strings.Repeat("x", 257), "", domain.Invalid},
		{"one that is not UTF-8", turn, "sessionID=%ff", "", domain.Invalid},
		{"a list", turn, "sessionID[]=s&sessionID%5B0%5D=s", "", ""},
		{"a user id", turn, "userID=ben", "", ""},
		{"a search", list, "sessionID=s", "sessionID=bound-s", ""},
		{"a search by a pseudonym", list, "sessionID=" + pseudonym, "sessionID=" + pseudonym, ""},
		{"a search by nothing", list, "sessionID=", "sessionID=", ""},
		{"a call without sessions", documents, "sessionID=s", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := passed(tc.call, tc.query, newBinder(tc.call))
			if domain.KindOf(err) != tc.kind || got != tc.want {
				t.Errorf("got %q, %v, want %q, kind %q", got, err, tc.want, tc.kind)
			}
		})
	}
}

func TestASearchFindsWhatTheCallerSaid(t *testing.T) {
	searches := []domain.Forward{
		call(t, domain.ServiceAnalytics, "POST", "/v1/transcript/project/{projectID}"),
		call(t, domain.ServiceRealtime, "POST", "/v1/stable/transcript/search"),
	}
	for _, tc := range []struct {
		name, body, want string
		kind             domain.Kind
	}{
		{"the caller's own session", `{"sessionID":"sess-42"}`, `{"sessionID":"bound-sess-42"}`, ""},
		{"with escapes", `{"session\u0049D":"s\u0065ss"}`, `{"session\u0049D":"bound-sess"}`, ""},
		{"the caller's own user id", `{"userID":"ben"}`, `{"userID":"bound-ben"}`, ""},
		{"somebody's pseudonym", `{"sessionID":"` + pseudonym + `","userID":"` + pseudonym + `"}`, "", ""},
		{"what only begins like a pseudonym", `{"sessionID":"fl-1234"}`, `{"sessionID":"bound-fl-1234"}`, ""},
		{"a pseudonym in capitals", `{"sessionID":"` + strings.ToUpper(pseudonym) + `"}`, `{"sessionID":"bound-` + strings.ToUpper(pseudonym) + `"}`, ""},
		{"no session", `{"sessionID":"","userID":null}`, "", ""},
		{"another form", `{"sessionID":["s"]}`, "", domain.Invalid},
		{"an operator", `{"sessionID":{"$ne":"s"}}`, "", domain.Invalid},
		{"a session that is too long", `{"sessionID":"` + strings.Repeat("x", 257) + `"}`, "", domain.Invalid},
	} {
		for _, c := range searches {
			t.Run(tc.name, func(t *testing.T) {
				want := tc.want
				if want == "" {
					want = tc.body
				}
				ids := newBinder(c)
				got, _, err := rewritten([]byte(tc.body), c, ids)
				if domain.KindOf(err) != tc.kind || err == nil && string(got) != want {
					t.Errorf("got %q, %v, want %q, kind %q", got, err, want, tc.kind)
				}
				if len(ids.sessions)+len(ids.users) > 0 {
					t.Errorf("got the ids %q and %q to check, want none of a search", ids.users, ids.sessions)
				}
			})
		}
	}
}

func TestATextIsBoundToOneIdWhereverItStands(t *testing.T) {
	turn := call(t, domain.ServiceRuntime, "POST", "/state/user/{userID}/interact")
	for _, id := range []string{"ben", "Zoë"} {
		ids, to := newBinder(turn), http.Header{}
		if err := ids.header(to, http.Header{sessionHeader: {id}}); err != nil {
			t.Fatal(err)
		}
		if _, err := passed(turn, "sessionID="+id, ids); err != nil {
			t.Fatal(err)
		}
		body, _, err := rewritten([]byte(`{"sessionID":"`+id+`","userID":"`+id+`"}`), turn, ids)
		if want := `{"sessionID":"bound-` + id + `","userID":"bound-` + id + `"}`; err != nil || string(body) != want {
			t.Errorf("got %s, %v, want %s", body, err, want)
		}
		for _, bound := range slices.Concat(ids.users, ids.sessions, to[sessionHeader]) {
			if bound != "bound-"+id {
				t.Errorf("got %q, want one id for %q", bound, id)
			}
		}
		if len(ids.users) != 1 || len(ids.sessions) != 3 {
			t.Errorf("got the ids %q and %q to check, want the one of the body, and those of header, query and body", ids.users, ids.sessions)
		}
	}
}

func TestASavedTranscriptIsOfOnesOwnSession(t *testing.T) {
	save := call(t, domain.ServiceAPI, "PUT", "/v2/transcripts")
	project := string(pizza.Voiceflow)
	wantRewritten(t, save, `{"sessionID":"`+pseudonym+`","projectID":"`+project+`","versionID":"production","data":{"sessionID":"s","os":"x"},"session":{"sessionID":"s"}}`,
		`{"sessionID":"bound-`+pseudonym+`","projectID":"`+project+`","versionID":"production","data":{"sessionID":"bound-s","os":"x"},"session":{"sessionID":"bound-s"}}`, "")
	wantRewritten(t, save, `{"sessionID":"s","data":{"sessionID":null}}`, "", domain.Invalid)
	wantRewritten(t, save, `{"data":{"sessionID":"s"}}`, "", domain.Invalid)
	wantRewritten(t, save, `{"sessionID":"s","data":{"projectID":"64dbb6696a8fab0013dba195"}}`, "", domain.NotFound)
}

// FuzzSessionHeader holds the header that goes out to the binding of the text that came.
func FuzzSessionHeader(f *testing.F) {
	for _, seed := range []string{"sess-42", "", "Zoë", "Zo\xeb", pseudonym, " a", "a\x00", "a\x85", "fl-", strings.Repeat("x", 257)} {
		f.Add(seed)
	}
	bound := call(f, domain.ServiceRuntime, "POST", "/state/user/{userID}/interact")
	own := bound
	own.UserIDs = domain.UserIDs{Bind: func(own string) (string, error) { return own, domain.CheckOwnID(own) }, Check: domain.CheckOwnIDs}
	f.Fuzz(func(t *testing.T, value string) {
		got, ids, err := sentHeaders(bound, value)
		if err == nil && (len(got) != 1 || len(ids.sessions) != 1 || got[0] != ids.sessions[0] || got[0] != "bound-"+headerText(value)) {
			t.Errorf("%q goes out as %q, want it bound", value, got)
		}
		if err != nil && (domain.KindOf(err) != domain.Invalid || got != nil) {
			t.Errorf("%q: got %q, %v", value, got, err)
		}
		got, ids, err = sentHeaders(own, value)
		if err == nil && (!slices.Equal(got, []string{value}) || !slices.Contains(ids.sessions, latin1(value)) || strings.HasPrefix(strings.ToLower(value), domain.PseudonymPrefix)) {
			t.Errorf("%q of a back end goes out as %q, and %q was checked", value, got, ids.sessions)
		}
	})
}
