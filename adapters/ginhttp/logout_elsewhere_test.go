package ginhttp_test

import (
	"context"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// failingAccess does so many look-ups of logins. Then the database is away.
type failingAccess struct {
	ports.Access

	left atomic.Int64
}

func (a *failingAccess) ByLogin(ctx context.Context, login domain.SessionID, use domain.Use) (domain.Access, error) {
	if a.left.Add(-1) < 0 {
		return domain.Access{}, &domain.Error{Kind: domain.Unavailable}
	}
	return a.Access.ByLogin(ctx, login, use)
}

// A browser holds a second login by an earlier name. A logout that can't end it does not say that
// nobody is logged in.
func TestALogoutThatFindsNotAllLogins(t *testing.T) {
	access := &failingAccess{}
	access.left.Store(1000)
	w := newWorld(t, func(w *world) {
		access.Access = w.ports.Store.Access
		w.ports.Store.Access = access
	})
	engine := w.under(t, func(o *ginhttp.Options) { o.CookiePrefix = "b_" })
	r := httptest.NewRequest("POST", "/logout", nil)
	r.Header.Set("Cookie", "b_user_session="+w.admin.cookies["user_session"]+"; user_session="+w.member.cookies["user_session"])
	access.left.Store(2) // who calls, and that this login is over
	out := httptest.NewRecorder()
	engine.ServeHTTP(out, r)
	if out.Code != 503 {
		t.Errorf("got %d %s, want 503", out.Code, out.Body)
	}
}
