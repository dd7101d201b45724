package app_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// TestNobodyReachesTheConversationOfAnother says any user ids as two users of one project,
// with cookies and access tokens, and looks at what Voiceflow gets.
func TestNobodyReachesTheConversationOfAnother(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	came := w.voiceflow.forwardTo(fine)
	benCall, ben := w.talker(t, "ben", p)
	_, eve := w.talker(t, "eve", p)
	callers := []app.Forward{
		ben, eve,
		w.token(t, benCall, app.CreateAccessToken{Project: string(p.ID)}),
		w.token(t, benCall, app.CreateAccessToken{Project: string(p.ID)}),
	}
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
		bound := all[len(all)-1].userID
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
	p := w.project(t, "Bot", versionID)
	_, ben := w.talker(t, "ben", p)
	_, eve := w.talker(t, "eve", p)
	long := strings.Repeat("long", 50)
	asked := "ben@example.com"
	var ofBen []string
	w.voiceflow.forwardTo(func(f domain.Forward, s sent) (ports.Answer, error) {
		// The own id behind a long one is known only to the client that has bound it.
		own, ours := f.UserIDs.Own(s.userID)
		if bound, err := f.UserIDs.Bind(asked); err != nil || bound != s.userID || own == s.userID || ours != (asked != long) || ours && own != asked {
			t.Errorf("the id that was just sent comes back as %q, %v, and %q is bound as %q (%v), want %q", own, ours, asked, bound, err, s.userID)
		}
		for _, bound := range ofBen {
			if own, ours := f.UserIDs.Own(bound); ours {
				t.Errorf("the id of another comes back as %q", own)
			}
		}
		if len(ofBen) < 2 {
			ofBen = append(ofBen, s.userID)
		}
		return fine(f, s)
	})
	for _, c := range []struct {
		own string
		by  app.Forward
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
	p := w.project(t, "Bot", versionID)
	came := w.voiceflow.forwardTo(fine)
	backEnd := w.token(t, w.admin, app.CreateAccessToken{Project: string(p.ID), UserIDs: "own"})
	if _, err := w.use(t, turn("customer-7", backEnd), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	if got := came(); got[0].userID != "customer-7" {
		t.Errorf("Voiceflow got %q, want the id as it is", got[0].userID)
	}
	_, ben := w.talker(t, "ben", p)
	if _, err := w.use(t, turn("ben", ben), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	all := came()
	_, err := w.use(t, turn(all[len(all)-1].userID, backEnd), "POST", "{}")
	wantKind(t, err, domain.NotFound) // Ben's conversation
	if got := came(); len(got) != len(all) {
		t.Error("a turn in another's conversation went to Voiceflow")
	}
	w.user(t, w.admin, "bob", "admin")
	if _, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(w.admin.Caller.ID), Role: new("member")}); err != nil {
		t.Fatal(err)
	}
	_, err = w.use(t, turn("customer-7", backEnd), "POST", "{}")
	wantKind(t, err, domain.NotAllowed) // whoever made it is no admin any more
}

func TestUserIDsStayTheSameOnAnotherInstance(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	came := w.voiceflow.forwardTo(fine)
	_, ben := w.talker(t, "ben", p)
	if _, err := w.use(t, turn("x", ben), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	w.Service = w.open(t, w.ports())
	if _, err := w.use(t, turn("x", ben), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	if got := came(); got[0].userID != got[1].userID {
		t.Errorf("Voiceflow got %q, and after a restart %q", got[0].userID, got[1].userID)
	}
}
