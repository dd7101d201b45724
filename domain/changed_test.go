package domain_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

func TestAChangeOfAProjectKeepsWhatMayNotChange(t *testing.T) {
	old := domain.Key{Sealed: domain.Sealed{Key: "1", Bytes: []byte("old")}, Status: domain.KeyOK, Set: start}
	put := domain.Key{Sealed: domain.Sealed{Key: "2", Bytes: []byte("new")}, Status: domain.KeyRejected, Checked: start}
	was := domain.Project{ID: uuid, Name: "a", Voiceflow: "v", Version: "main", Platform: "x", Created: start, Primary: old, Credits: domain.CreditsOK}
	to := domain.Project{
		ID: "other", Name: "b", Voiceflow: "w", Version: "dev", Platform: "y", Created: start.Add(1), VoiceflowCreated: start,
		Primary: put, Secondary: old, Credits: domain.CreditsUsedUp, Environments: domain.Environments{Default: "main", All: true},
		PictureOrigins: []domain.Origin{"https://cdn.example.com"},
	}
	want := domain.Project{
		ID: uuid, Name: "b", Voiceflow: "v", Version: "main", Platform: "y", Created: start, Primary: put, Secondary: old, Credits: domain.CreditsUsedUp,
		Environments: domain.Environments{Default: "main", All: true}, PictureOrigins: []domain.Origin{"https://cdn.example.com"},
	}
	if diff := cmp.Diff(want, was.Changed(to)); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	sealed := domain.Sealed{Key: "3", Bytes: []byte("again")}
	want.Secondary.Sealed = sealed
	got := was.Changed(to)
	if diff := cmp.Diff(want, got.Resealed(domain.SlotSecondary, sealed)); diff != "" {
		t.Errorf("resealed (-want +got):\n%s", diff)
	}
	if got.Secondary.Sealed.Key != "1" {
		t.Error("Resealed changed the project that it was called on")
	}
}

func TestTheHeadOfAnInstallationIsSetOnce(t *testing.T) {
	head := func(key domain.KeyID) domain.AuditHead {
		return domain.AuditHead{Settled: 1, Sealed: domain.Sealed{Key: key, Bytes: []byte("x")}}
	}
	for _, tc := range []struct {
		name          string
		was, to, want domain.AuditHead
	}{
		{"it is set if there is none", domain.AuditHead{}, head("1"), head("1")},
		{"it is not replaced", head("1"), head("2"), head("1")},
		{"it is not removed", head("1"), domain.AuditHead{}, head("1")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			was, to := domain.Installation{Origin: "https://a", Head: tc.was}, domain.Installation{Origin: "https://b", Head: tc.to}
			if diff := cmp.Diff(domain.Installation{Origin: "https://b", Head: tc.want}, was.Changed(to)); diff != "" {
				t.Errorf("changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheEndOfAConversationIsExclusive(t *testing.T) {
	c := domain.Conversation{Expires: start}
	if !c.Live(domain.AccessToken{}, start.Add(-time.Microsecond)) || c.Live(domain.AccessToken{}, start) {
		t.Error("a conversation is not live until its end alone")
	}
}

func TestAConversationOfATokenEndsWithTheToken(t *testing.T) {
	c := domain.Conversation{Token: "t", Expires: start}
	for _, tc := range []struct {
		name  string
		token domain.AccessToken
		live  bool
	}{
		{"the token goes on", domain.AccessToken{ID: "t", Expires: start.Add(time.Microsecond)}, true},
		{"the token has ended", domain.AccessToken{ID: "t", Expires: start}, false},
		{"another token goes on", domain.AccessToken{ID: "u", Expires: start.Add(time.Hour)}, false},
		{"the token is gone", domain.AccessToken{}, false},
	} {
		if got := c.Live(tc.token, start); got != tc.live {
			t.Errorf("%s: live is %v, want %v", tc.name, got, tc.live)
		}
	}
}

func TestTextThatCanBeStored(t *testing.T) {
	for text, kind := range map[domain.Username]domain.Kind{
		"": "", "ana": "", "句 🙂\n": "", "a\x00": domain.Invalid, "\xff": domain.Invalid,
	} {
		wantKind(t, domain.Storable("ana", text), kind)
	}
}
