package app_test

import (
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
)

// A request that began with a text of a token ends with that text.
func TestARequestStandsOnTheTextOfItsToken(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	call, _ := w.talker(t, "ben", p)
	w.voiceflow.Answer(testworld.Fine)
	first := w.token(t, call, app.CreateAccessToken{Project: string(p.ID)})
	began, err := w.IdentifyToken(t.Context(), first.Token)
	wantKind(t, err, "")
	wantKind(t, w.SameRights(t.Context(), began), "")
	rotate := func(overlap int) domain.Secret {
		t.Helper()
		made, err := w.RotateAccessToken(t.Context(), call, app.RotateAccessToken{
			Token: string(began.Token), OverlapHours: &overlap, Password: domain.NewSecret(password),
		})
		wantKind(t, err, "")
		if made.AccessToken.ID != began.Token {
			t.Errorf("got the token %s, want %s", made.AccessToken.ID, began.Token)
		}
		return made.Text
	}
	second := rotate(1)
	wantKind(t, w.SameRights(t.Context(), began), "")
	third := rotate(0)
	wantKind(t, w.SameRights(t.Context(), began), domain.NotAuthenticated)
	for text, kind := range map[domain.Secret]domain.Kind{first.Token: domain.NotAuthenticated, second: domain.NotAuthenticated, third: ""} {
		_, err := w.IdentifyToken(t.Context(), text)
		wantKind(t, err, kind)
	}
}

func TestAnOverlapOf24HoursIsTheDefault(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	call, _ := w.talker(t, "ben", p)
	first := w.token(t, call, app.CreateAccessToken{Project: string(p.ID), Days: new(7)})
	c, err := w.IdentifyToken(t.Context(), first.Token)
	wantKind(t, err, "")
	made, err := w.RotateAccessToken(t.Context(), call, app.RotateAccessToken{Token: string(c.Token), Password: domain.NewSecret(password)})
	wantKind(t, err, "")
	now := domain.Instant(w.now())
	if got := made.AccessToken; !got.PreviousEnds.Equal(now.Add(24*time.Hour)) || !got.Expires.Equal(now.Add(7*24*time.Hour)) {
		t.Errorf("the old text ends at %v and the token at %v", got.PreviousEnds, got.Expires)
	}
}
