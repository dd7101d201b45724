package app_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

func TestSameRights(t *testing.T) {
	member, yes := "member", true
	for _, tc := range []struct {
		name         string
		lose         func(w *world, of domain.Call) error
		login, token domain.Kind // what the user's login and access token are told
	}{
		{"nothing has changed", func(*world, domain.Call) error { return nil }, "", ""},
		{"the user is deleted", func(w *world, of domain.Call) error {
			return w.DeleteUser(t.Context(), w.admin, string(of.Caller.ID))
		}, domain.NotAuthenticated, domain.NotAuthenticated},
		{"the user is disabled", func(w *world, of domain.Call) error {
			_, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(of.Caller.ID), Disabled: &yes})
			return err
		}, domain.NotAuthenticated, domain.NotAuthenticated},
		{"the admin is demoted", func(w *world, of domain.Call) error {
			_, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(of.Caller.ID), Role: &member})
			return err
		}, domain.NotAllowed, domain.NotAllowed},
		{"the user logs out", func(w *world, of domain.Call) error { _, err := w.Logout(t.Context(), of); return err }, domain.NotAuthenticated, ""},
		{"the database is down", func(w *world, _ domain.Call) error { w.store.Break(); return nil }, domain.Unavailable, domain.Unavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.user(t, w.admin, "ben", "admin")
			ben, _ := w.login(t, "ben", false)
			made, err := w.CreateAccessToken(t.Context(), ben, app.CreateAccessToken{Name: "x", Scopes: []string{"manage"}, Password: domain.NewSecret(password)})
			if err != nil {
				t.Fatal(err)
			}
			program, err := w.IdentifyToken(t.Context(), made.Text)
			if err != nil {
				t.Fatal(err)
			}
			wantKind(t, tc.lose(w, ben), "")
			wantKind(t, w.SameRights(t.Context(), ben.Caller), tc.login)
			wantKind(t, w.SameRights(t.Context(), program), tc.token)
			// The host knows the rights of its users, and the operator has all.
			wantKind(t, w.SameRights(t.Context(), domain.Caller{ID: "host|user", Admin: true}), "")
			wantKind(t, w.SameRights(t.Context(), domain.Operator()), "")
		})
	}
}

// slowVoiceflow calls during, once, while it holds the first answer to Export.
type slowVoiceflow struct {
	*voiceflow
	during func()
}

func (v *slowVoiceflow) Export(ctx context.Context, ref domain.VersionRef, key domain.Secret) (domain.Export, error) {
	e, err := v.voiceflow.Export(ctx, ref, key)
	v.during()
	return e, err
}

// What Voiceflow said counts by the instant at which it was asked, however late the answer is
// stored.
func TestTheLaterQuestionAboutAKeyCounts(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	ports := w.ports()
	slow := &slowVoiceflow{voiceflow: w.voiceflow}
	slow.during = sync.OnceFunc(func() { // the first question was answered by a refusal
		w.after(10 * time.Second)
		w.voiceflow.refuse(nil)
		if _, err := w.CheckProject(t.Context(), w.admin, string(p.ID)); err != nil {
			t.Error(err)
		}
		w.after(10 * time.Second)
	})
	ports.Voiceflow = slow
	w.after(time.Minute)
	asked := w.now()
	w.voiceflow.refuse(map[string]error{"VF.DM.key": errRefused})
	got, err := w.open(t, ports).CheckProject(t.Context(), w.admin, string(p.ID))
	if err != nil {
		t.Fatal(err)
	}
	if k := got.Project.Primary; k.Status != domain.KeyOK || !k.Checked.Equal(asked.Add(10*time.Second)) {
		t.Errorf("got %+v, want the key ok as of the later question", k)
	}
}

// News about one key counts also if the other one was set meanwhile.
func TestNewsAboutOneKeyWhenTheOtherWasJustSet(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	_, by := w.talker(t, "ben", p)
	w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		w.after(time.Second)
		p = w.setToken(t, p, "secondary", secondKey)
		return testworld.Rejected(f, s)
	})
	_, err := w.use(t, turn("x", by), "POST", "{}")
	wantKind(t, err, domain.CredentialsRejected)
	wantStatuses(t, w.stored(t, p), domain.KeyRejected, domain.KeyOK)
}

// What Voiceflow said of one key is stored, also if the question about the other key brought
// an error that is neither a key's nor Voiceflow's, and if the caller has left.
func TestWhatVoiceflowSaidIsStoredAlsoIfTheCheckFails(t *testing.T) {
	errSpoilt := errors.New("something else")
	for _, tc := range []struct {
		name   string
		failed map[string]error // by key
		leaves bool
		want   [2]domain.KeyStatus
	}{
		{"the primary key's question fails", map[string]error{"VF.DM.key": errSpoilt, secondKey: errRefused}, false,
			[2]domain.KeyStatus{domain.KeyOK, domain.KeyRejected}},
		{"the secondary key's question fails", map[string]error{"VF.DM.key": errRefused, secondKey: errSpoilt}, false,
			[2]domain.KeyStatus{domain.KeyRejected, domain.KeyOK}},
		{"the caller leaves", map[string]error{"VF.DM.key": errRefused, secondKey: errRefused}, true,
			[2]domain.KeyStatus{domain.KeyRejected, domain.KeyRejected}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.setToken(t, w.project(t, "Bot", versionID), "secondary", secondKey)
			w.after(time.Minute)
			w.voiceflow.refuse(tc.failed)
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			ports := w.ports()
			ports.Voiceflow = &slowVoiceflow{voiceflow: w.voiceflow, during: func() {
				if tc.leaves {
					leave()
				}
			}}
			_, err := w.open(t, ports).CheckProject(ctx, w.admin, string(p.ID))
			if !tc.leaves && !errors.Is(err, errSpoilt) {
				t.Errorf("got error %v, want %v", err, errSpoilt)
			}
			wantStatuses(t, w.stored(t, p), tc.want[0], tc.want[1])
		})
	}
}

// A caller whose role changes in the middle of /set_project is answered as a fresh request
// would be: by the right that they have then.
func TestSetProjectByTheRightOfNow(t *testing.T) {
	w := newWorld(t)
	p, other := w.project(t, "Bot", versionID), w.project(t, "Other", "6371c9b4e1a5b2c3d4e5f6bb")
	eve := w.user(t, w.admin, "eve", "admin", string(p.ID))
	change := func(role string) {
		t.Helper()
		if _, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(eve), Role: &role}); err != nil {
			t.Fatal(err)
		}
	}
	asAdmin, _ := w.login(t, "eve", false)
	change("member")
	if set, err := w.SetProject(t.Context(), asAdmin, string(p.ID)); err != nil || set.Project.ID != p.ID {
		t.Errorf("a former admin with a grant: got %+v and error %v, want the session", set.Project, err)
	}
	_, err := w.SetProject(t.Context(), asAdmin, string(other.ID))
	wantKind(t, err, domain.NotAllowed)
	asMember, _ := w.login(t, "eve", false)
	change("admin")
	if set, err := w.SetProject(t.Context(), asMember, string(other.ID)); err != nil || set.Project.ID != other.ID {
		t.Errorf("a new admin without a grant: got %+v and error %v, want the session", set.Project, err)
	}
}
