package app_test

import (
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

func TestAddProjectSealsTheKeyForItsProject(t *testing.T) {
	w := newWorld(t)
	before := len(w.store.Records())
	p := w.project(t, "Bot", versionID)
	stored := w.stored(t, p)
	if !stored.Equal(p) {
		t.Errorf("stored is %+v, want %+v", stored, p)
	}
	sealed := stored.Primary.Sealed
	if key, err := w.cipher.Open(sealed, domain.BindKey(p.ID, domain.SlotPrimary, w.voiceflow.origin)); err != nil || key.Reveal() != "VF.DM.key" {
		t.Errorf("the sealed key opens as %v, %v", key, err)
	}
	for name, other := range map[string]domain.Binding{
		"another project":   domain.BindKey("other", domain.SlotPrimary, w.voiceflow.origin),
		"another slot":      domain.BindKey(p.ID, "secondary", w.voiceflow.origin),
		"another Voiceflow": domain.BindKey(p.ID, domain.SlotPrimary, "https://evil.test"),
	} {
		if _, err := w.cipher.Open(sealed, other); domain.KindOf(err) != domain.Corrupt {
			t.Errorf("for %s the key opens with error %v, want Corrupt", name, err)
		}
	}
	wantActions(t, w.actions(before), "user add_project")
	if rec := w.store.Records()[before]; rec.Object != domain.OnProject(p.ID) || rec.RequestID != "request" || rec.Address != "192.0.2.1" || !rec.At.Equal(w.now()) {
		t.Errorf("the audit row is %+v", rec)
	}
}

func TestAddProjectRefuses(t *testing.T) {
	w := newWorld(t)
	w.user(t, w.admin, "ben", "member")
	member, _ := w.login(t, "ben", false)
	w.project(t, "Bot", versionID)
	good := app.AddProject{Version: versionID, Key: domain.NewSecret("VF.DM.key")}
	for _, tc := range []struct {
		name  string
		call  domain.Call
		in    app.AddProject
		fails error
		want  domain.Kind
		asks  bool
	}{
		{"a member, before anything is looked at", member, app.AddProject{}, nil, domain.NotAllowed, false},
		{"nobody", domain.Call{}, good, nil, domain.NotAllowed, false},
		{"a missing version, before anything is sent", w.admin, app.AddProject{Key: good.Key}, nil, domain.Invalid, false},
		{"a missing key, before anything is sent", w.admin, app.AddProject{Version: versionID}, nil, domain.Invalid, false},
		{"a version that is there", w.admin, good, nil, domain.AlreadyAdded, true},
		{"what Voiceflow rejects", w.admin, good, &domain.Error{Kind: domain.VoiceflowRejected}, domain.VoiceflowRejected, true},
		{"an outage of Voiceflow", w.admin, good, &domain.Error{Kind: domain.VoiceflowUnavailable}, domain.VoiceflowUnavailable, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before, asked := len(w.store.Records()), w.voiceflow.asked
			w.voiceflow.fails = tc.fails
			defer func() { w.voiceflow.fails = nil }()
			_, err := w.AddProject(t.Context(), tc.call, tc.in)
			wantKind(t, err, tc.want)
			if got := w.voiceflow.asked > asked; got != tc.asks {
				t.Errorf("Voiceflow was asked: %v, want %v", got, tc.asks)
			}
			if len(w.store.Records()) != before {
				t.Error("something was stored")
			}
		})
	}
}

func TestAddProjectAtOnceAddsOnce(t *testing.T) {
	w := newWorld(t)
	w.voiceflow.put(versionID, domain.Export{Project: voiceflowID, Name: "Bot"})
	before := len(w.store.Records())
	kinds := make(chan domain.Kind, 64)
	var all sync.WaitGroup
	for range cap(kinds) {
		all.Go(func() {
			_, err := w.AddProject(t.Context(), w.admin, app.AddProject{Version: versionID, Key: domain.NewSecret("VF.DM.key")})
			kinds <- domain.KindOf(err)
		})
	}
	all.Wait()
	close(kinds)
	count := map[domain.Kind]int{}
	for k := range kinds {
		count[k]++
	}
	if count[""] != 1 || count[domain.AlreadyAdded] != 63 {
		t.Errorf("got %v, want one success and 63 already_added", count)
	}
	wantActions(t, w.actions(before), "user add_project")
}

func TestDeleteProject(t *testing.T) {
	w := newWorld(t)
	one := w.project(t, "Twin", versionID)
	two := w.project(t, "Twin", "6371c9b4e1a5b2c3d4e5f6ab")
	w.user(t, w.admin, "ben", "member", string(one.ID))
	member, _ := w.login(t, "ben", false)
	cookie := w.set(t, member, one)

	wantKind(t, w.DeleteProject(t.Context(), member, app.DeleteProject{Name: "Twin"}), domain.NotAllowed)
	wantKind(t, w.DeleteProject(t.Context(), w.admin, app.DeleteProject{}), domain.Invalid)
	wantKind(t, w.DeleteProject(t.Context(), w.admin, app.DeleteProject{Name: "None"}), domain.NotFound)
	err := w.DeleteProject(t.Context(), w.admin, app.DeleteProject{Name: "Twin"})
	wantKind(t, err, domain.AmbiguousName)
	wantKind(t, w.DeleteProject(t.Context(), w.admin, app.DeleteProject{ID: string(voiceflowID)}), domain.AmbiguousName)
	wantKind(t, w.DeleteProject(t.Context(), w.admin, app.DeleteProject{Name: "Other", ID: string(one.ID)}), domain.NotFound)

	asked := w.voiceflow.asked
	wantKind(t, w.DeleteProject(t.Context(), w.admin, app.DeleteProject{Name: " Twin ", ID: string(one.ID)}), "")
	if w.isSet(t, member, cookie) != "" {
		t.Error("the session in the deleted project goes on")
	}
	wantKind(t, w.DeleteProject(t.Context(), w.admin, app.DeleteProject{Name: "Twin"}), "")
	wantKind(t, w.DeleteProject(t.Context(), w.admin, app.DeleteProject{ID: string(two.ID)}), domain.NotFound)
	if w.voiceflow.asked != asked {
		t.Error("Voiceflow was asked about a deletion")
	}
}

func TestGetProjects(t *testing.T) {
	w := newWorld(t)
	w.user(t, w.admin, "ben", "member")
	member, _ := w.login(t, "ben", false)
	_, err := w.GetProjects(t.Context(), w.admin, domain.Cursor{}, 10)
	wantKind(t, err, domain.NotFound)

	zeta, alpha := w.project(t, "Zeta", versionID), w.project(t, "alpha", "6371c9b4e1a5b2c3d4e5f6ab")
	_, err = w.GetProjects(t.Context(), member, domain.Cursor{}, 10)
	wantKind(t, err, domain.NotFound)

	page, err := w.GetProjects(t.Context(), w.admin, domain.Cursor{}, 1)
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != zeta.ID || page.Next == nil {
		t.Fatalf("the first page is %+v, %v; want Zeta and a next one: bytes sort capitals first", page, err)
	}
	page, err = w.GetProjects(t.Context(), w.admin, *page.Next, 1)
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != alpha.ID || page.Next != nil {
		t.Fatalf("the second page is %+v, %v; want alpha and no next one", page, err)
	}
	page, err = w.GetProjects(t.Context(), w.admin, domain.Cursor{Name: alpha.Name, ID: string(alpha.ID)}, 1)
	if err != nil || len(page.Items) != 0 || page.Next != nil {
		t.Errorf("behind the end is %+v, %v; want an empty page", page, err)
	}
	for _, limit := range []int{0, -1, paging.Max + 1} {
		_, err := w.GetProjects(t.Context(), w.admin, domain.Cursor{}, limit)
		wantKind(t, err, domain.Invalid)
	}
}

func TestSetProjectTellsNobodyWhatExists(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	w.user(t, w.admin, "ben", "member")
	member, _ := w.login(t, "ben", false)
	texts := map[string]bool{}
	for _, id := range []string{string(p.ID), "0198c0de-7a3b-7cde-8abc-0123456789ab", string(voiceflowID), "ffffffffffffffffffffffff"} {
		_, err := w.SetProject(t.Context(), member, id)
		wantKind(t, err, domain.NotAllowed)
		texts[err.Error()] = true
		if id != string(p.ID) && id != string(voiceflowID) {
			_, err = w.SetProject(t.Context(), w.admin, id)
			wantKind(t, err, domain.NotFound)
		}
	}
	if len(texts) != 1 {
		t.Errorf("a member is told different things: %v", texts)
	}
	_, err := w.SetProject(t.Context(), member, "no id")
	wantKind(t, err, domain.Invalid)
}

func TestSetProjectTakesAVoiceflowID(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	set, err := w.SetProject(t.Context(), w.admin, string(voiceflowID))
	p.Primary.Sealed = domain.Sealed{}
	if err != nil || !set.Project.Equal(p) {
		t.Fatalf("got %+v, %v; want %+v", set.Project, err, p)
	}
	w.project(t, "Bot", "6371c9b4e1a5b2c3d4e5f6ab")
	_, err = w.SetProject(t.Context(), w.admin, string(voiceflowID))
	wantKind(t, err, domain.AmbiguousName)
}

func TestAssistantSessionEnds(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(t *testing.T, w *world, member domain.Call, p domain.Project, cookie string)
	}{
		{"when it is cleared", func(t *testing.T, w *world, member domain.Call, _ domain.Project, cookie string) {
			wantKind(t, w.ClearProject(t.Context(), member, cookie), "")
		}},
		{"when the grant is revoked", func(t *testing.T, w *world, member domain.Call, p domain.Project, _ string) {
			wantKind(t, w.RevokeProject(t.Context(), w.admin, string(member.Caller.ID), string(p.ID)), "")
		}},
		{"when the grant is replaced by others", func(t *testing.T, w *world, member domain.Call, _ domain.Project, _ string) {
			_, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(member.Caller.ID), Assistants: &[]string{}})
			wantKind(t, err, "")
		}},
		{"when another is set", func(t *testing.T, w *world, member domain.Call, _ domain.Project, _ string) {
			w.set(t, member, w.project(t, "Other", "6371c9b4e1a5b2c3d4e5f6ac"))
		}},
		{"after its idle time", func(_ *testing.T, w *world, _ domain.Call, _ domain.Project, _ string) { w.after(30 * time.Minute) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.project(t, "Bot", versionID)
			w.user(t, w.admin, "ben", "admin") // an admin, so that the other can be set
			demoted := "member"
			member, _ := w.login(t, "ben", false)
			if tc.name != "when another is set" {
				if _, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(member.Caller.ID), Role: &demoted, Assistants: &[]string{string(p.ID)}}); err != nil {
					t.Fatal(err)
				}
				member, _ = w.login(t, "ben", false)
			}
			cookie := w.set(t, member, p)
			if got := w.isSet(t, member, cookie); got != p.ID {
				t.Fatalf("%q is set, want %q", got, p.ID)
			}
			tc.end(t, w, member, p, cookie)
			if got := w.isSet(t, member, cookie); got != "" {
				t.Errorf("%q is still set", got)
			}
			wantKind(t, w.GrantProject(t.Context(), w.operator(t), string(member.Caller.ID), string(p.ID), nil), "")
			if got := w.isSet(t, member, cookie); got != "" {
				t.Error("a grant given again revived the session")
			}
		})
	}
}

func TestAssistantCookieIsTheLoginsOwn(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	w.user(t, w.admin, "ben", "member", string(p.ID))
	ben, benCookie := w.login(t, "ben", false)
	again, _ := w.login(t, "ben", false)
	cookie := w.set(t, ben, p)
	for name, use := range map[string]struct {
		call   domain.Call
		cookie string
	}{
		"another user":            {w.admin, cookie},
		"another login":           {again, cookie},
		"the other kind":          {ben, benCookie},
		"a cut cookie":            {ben, cookie[:len(cookie)-1]},
		"no cookie":               {ben, ""},
		"another service's":       {ben, "x" + cookie},
		"a session that is other": {ben, w.set(t, w.admin, p)},
	} {
		if _, err := w.Assistant(t.Context(), use.call.Caller, use.cookie); domain.KindOf(err) != domain.NotAuthenticated {
			t.Errorf("%s: got error %v, want NotAuthenticated", name, err)
		}
	}
	if got := w.isSet(t, ben, cookie); got != p.ID {
		t.Errorf("the owner has %q set, want %q", got, p.ID)
	}
}

func TestOutagesAreNoAnswerAboutRights(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	_, login := w.login(t, "ada", false)
	cookie := w.set(t, w.admin, p)
	w.store.Break()
	_, err := w.Identify(t.Context(), login)
	wantKind(t, err, domain.Unavailable)
	_, err = w.Assistant(t.Context(), w.admin.Caller, cookie)
	wantKind(t, err, domain.Unavailable)
	_, err = w.CheckSession(t.Context(), w.admin, cookie)
	wantKind(t, err, domain.Unavailable)
	wantKind(t, w.ClearProject(t.Context(), w.admin, cookie), domain.Unavailable)
	_, err = w.SetProject(t.Context(), w.admin, string(p.ID))
	wantKind(t, err, domain.Unavailable)
	_, err = w.GetProjects(t.Context(), w.admin, domain.Cursor{}, 1)
	wantKind(t, err, domain.Unavailable)
	booked := w.attempts.booked
	_, err = w.Login(t.Context(), domain.Call{}, app.Login{Username: "ada", Password: domain.NewSecret(password)})
	wantKind(t, err, domain.Unavailable)
	if w.attempts.booked != booked {
		t.Error("an outage counts as a failed login")
	}
	w.store.Mend()
	if got := w.isSet(t, w.call(t, login), cookie); got != "" {
		t.Errorf("%q is set under a login that did not set it", got)
	}
	if got := w.isSet(t, w.admin, cookie); got != p.ID {
		t.Errorf("after the outage %q is set, want %q", got, p.ID)
	}
}

func TestFindProject(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	w.user(t, w.admin, "ben", "member")
	member, _ := w.login(t, "ben", false)
	for _, text := range []string{string(p.ID), string(voiceflowID), " Bot "} {
		if got, err := w.FindProject(t.Context(), w.admin, text); err != nil || !got.Equal(p) {
			t.Errorf("%q: got %+v, %v; want the project", text, got, err)
		}
		_, err := w.FindProject(t.Context(), member, text)
		wantKind(t, err, domain.NotFound)
	}
	_, err := w.FindProject(t.Context(), w.admin, "")
	wantKind(t, err, domain.Invalid)
	w.project(t, "Bot", "6371c9b4e1a5b2c3d4e5f6ab")
	_, err = w.FindProject(t.Context(), w.admin, "Bot")
	wantKind(t, err, domain.AmbiguousName)
}
