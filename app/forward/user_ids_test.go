package forward_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

// TestNobodyReachesTheConversationOfAnother says any user ids as two users of one project,
// with cookies and access tokens, and looks at what Voiceflow gets.
func TestNobodyReachesTheConversationOfAnother(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	came := w.voiceflow.Answer(testworld.Fine)
	benCall, ben := w.talker(t, "ben", p)
	_, eve := w.talker(t, "eve", p)
	_, program := w.token(t, benCall, p, "")
	_, another := w.token(t, benCall, p, "")
	callers := []forward.Input{ben, eve, program, another}
	owner := map[string]string{} // of each of Voiceflow's user ids: who sent what
	var learned []string
	rapid.Check(t, func(t *rapid.T) {
		who := rapid.IntRange(0, len(callers)-1).Draw(t, "who")
		own := rapid.OneOf(
			rapid.StringMatching(`[a-z0-9@._-]{1,100}`), rapid.SampledFrom([]string{"a", "b", "user", strings.Repeat("x", 200)}),
			rapid.SampledFrom(append(learned, "first")), // what one caller saw, another may send
		).Draw(t, "own")
		if own == "." || own == ".." {
			return
		}
		if _, err := w.use(t, turn(own, callers[who]), "POST", "{}"); err != nil {
			t.Fatal(err)
		}
		all := came()
		bound := all[len(all)-1].UserID
		if len(bound) > 128 || bound == own {
			t.Fatalf("Voiceflow got the user id %q for %q", bound, own)
		}
		is := fmt.Sprint(who, " ", own)
		if was, there := owner[bound]; there && was != is {
			t.Fatalf("%s and %s are one user at Voiceflow", was, is)
		}
		owner[bound] = is
		if len(learned) < 50 {
			learned = append(learned, bound)
		}
	})
}

func TestUserIDsComeBackAsTheCallersOwn(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	_, ben := w.talker(t, "ben", p)
	_, eve := w.talker(t, "eve", p)
	long := strings.Repeat("long", 50)
	asked := "ben@example.com"
	var ofBen []string
	w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		// Only the client that has bound a long id knows the id.
		own, ours := f.UserIDs.Own(s.UserID)
		if bound, err := f.UserIDs.Bind(asked); err != nil || bound != s.UserID || own == s.UserID || ours != (asked != long) || ours && own != asked {
			t.Errorf("the id that was just sent comes back as %q, %v, and %q is bound as %q (%v), want %q", own, ours, asked, bound, err, s.UserID)
		}
		for _, bound := range ofBen {
			if own, ours := f.UserIDs.Own(bound); ours {
				t.Errorf("the id of another comes back as %q", own)
			}
		}
		if len(ofBen) < 2 {
			ofBen = append(ofBen, s.UserID)
		}
		return testworld.Fine(f, s)
	})
	for _, c := range []struct {
		own string
		by  forward.Input
	}{{"ben@example.com", ben}} {
		if _, err := w.use(t, turn(c.own, c.by), "POST", "{}"); err != nil {
			t.Fatal(err)
		}
	}
	first := ofBen
	ofBen = nil
	asked = long
	if _, err := w.use(t, turn(long, ben), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	asked = "ben@example.com"
	ofBen = append(first, ofBen...)
	if _, err := w.use(t, turn("ben@example.com", eve), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
}

func TestOwnUserIDsGoAsTheyAre(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	came := w.voiceflow.Answer(testworld.Fine)
	_, backEnd := w.token(t, w.Admin, p, "own")
	if _, err := w.use(t, turn("customer-7", backEnd), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	if got := came(); got[0].UserID != "customer-7" {
		t.Errorf("Voiceflow got %q, want the id as it is", got[0].UserID)
	}
	_, ben := w.talker(t, "ben", p)
	if _, err := w.use(t, turn("ben", ben), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	all := came()
	_, err := w.use(t, turn(all[len(all)-1].UserID, backEnd), "POST", "{}")
	testworld.WantKind(t, err, domain.NotFound) // Ben's conversation
	if got := came(); len(got) != len(all) {
		t.Error("a turn in another's conversation went to Voiceflow")
	}
	w.User(t, "bob", domain.RoleAdmin)
	w.update(t, w.Admin.Caller.ID, func(u *domain.User, otherAdmin bool) error { return u.SetRole(domain.RoleMember, otherAdmin) })
	_, err = w.use(t, turn("customer-7", backEnd), "POST", "{}")
	testworld.WantKind(t, err, domain.NotAllowed) // its creator is no longer an admin
}

func TestUserIDsStayTheSameOnAnotherInstance(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	came := w.voiceflow.Answer(testworld.Fine)
	_, ben := w.talker(t, "ben", p)
	if _, err := w.use(t, turn("x", ben), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	w.Forwarder = w.instance(t)
	if _, err := w.use(t, turn("x", ben), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	if got := came(); got[0].UserID != got[1].UserID {
		t.Errorf("Voiceflow got %q, and after a restart %q", got[0].UserID, got[1].UserID)
	}
}

func TestIdsOfABackEndNeverSpellThoseOfAnother(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	came := w.voiceflow.Answer(testworld.Fine)
	_, ben := w.talker(t, "ben", p)
	_, backEnd := w.token(t, w.Admin, p, "own")
	if _, err := w.use(t, turn("ben", ben), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	bens := came()[0].UserID
	rest := strings.TrimPrefix(bens, domain.PseudonymPrefix)
	for _, tc := range []struct{ name, user, session string }{
		{"the id itself", bens, ""},
		{"the id in capitals", "FL-" + rest, ""},
		{"the id after a space", " " + bens, ""},
		{"the id after a byte order mark", "\ufeff" + bens, ""},
		{"the id in two parts", "f", "l-" + rest},
		{"the id in two other parts", "fl-"[:2], "-" + rest},
		{"the id in two parts with space between", "f ", " l-" + rest},
		{"the id as the session", "ben", bens},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body := "{}"
			if tc.session != "" {
				body = `{"sessionID":"` + tc.session + `"}`
			}
			_, err := w.use(t, turn(url.PathEscape(tc.user), backEnd), "POST", body)
			testworld.WantKind(t, err, domain.NotFound)
		})
	}
	if _, err := w.use(t, turn("f", backEnd), "POST", `{"sessionID":"s"}`); err != nil {
		t.Errorf("an id that spells nobody's: got %v", err)
	}

	// The user of a v4 session is told when it starts, and the session id in a turn.
	w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		if f.Route.Endpoint.Starts {
			a := testworld.Starts(f, "session-key")
			a.Started.UserID = "f"
			return a, nil
		}
		return testworld.Fine(f, s)
	})
	handle := w.openSession(t, p, backEnd)
	_, err := w.use(t, handle, "POST", `{"sessionID":"l-`+rest+`"}`)
	testworld.WantKind(t, err, domain.NotFound)
	if _, err := w.use(t, handle, "POST", `{"sessionID":"s"}`); err != nil {
		t.Errorf("a turn with a session id that spells nobody's: got %v", err)
	}
}
