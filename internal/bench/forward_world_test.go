package bench

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/domain"
)

// use is how a member uses an assistant: by the cookies, and by an access token.
type use struct {
	member  *member
	session domain.Session
	cookie  string // assistant_session
	token   domain.AccessToken
	text    domain.Secret // of the token
	hash    domain.TokenHash
}

// newUses sets the first granted assistant for each member of w, and makes them an
// access token for it.
func newUses(b *testing.B, w *world, k keys) []use {
	now := time.Now()
	uses := make([]use, len(w.members))
	for i := range uses {
		m := &w.members[i]
		u, project := use{member: m}, m.granted[0]
		caller := domain.Caller{ID: m.user.ID, Login: m.logins[serviceLogins]}
		session, err := domain.NewSessionID(now, rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		u.session = domain.NewAssistantSession(session, caller, project.ID, now, lifetimes, "127.0.0.1", "bench")
		if u.cookie, _, err = k.codec.Seal(u.session.Claims(project.Version)); err != nil {
			b.Fatal(err)
		}
		token, err := domain.NewTokenID(now, rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		u.token, err = domain.NewAccessToken(token, caller, domain.TokenSpec{Name: "bench", Project: project.ID, Days: domain.MaxTokenDays}, now)
		if err != nil {
			b.Fatal(err)
		}
		if u.text, u.hash, u.token.Prefix, err = domain.NewAccessTokenText(rand.Reader); err != nil {
			b.Fatal(err)
		}
		uses[i] = u
	}
	return uses
}

// rowsOfUses returns the uses as they are stored, beside the rows of their world.
func rowsOfUses(uses []use) []rows {
	sessions := rows{table: "sessions", columns: []string{"id", "kind", "user_id", "login_id", "project_id", "by_role", "remember",
		"created", "last_used", "idle", "expires", "address", "agent"}}
	tokens := rows{table: "access_tokens", columns: []string{"id", "hash", "name", "prefix", "user_id", "project_id", "scopes", "own_users",
		"created", "expires", "last_used"}}
	for i := range uses {
		s, t := &uses[i].session, &uses[i].token
		sessions.values = append(sessions.values, []any{string(s.ID), string(s.Kind), string(s.User), string(s.Login), string(s.Project), s.ByRole, s.Remember,
			s.Created.UnixMicro(), s.LastUsed.UnixMicro(), s.Idle.UnixMicro(), s.Expires.UnixMicro(), s.Address, s.Agent})
		tokens.values = append(tokens.values, []any{string(t.ID), uses[i].hash[:], t.Name, t.Prefix, string(t.User), string(t.Project), t.Scopes.Text(), t.OwnUsers,
			t.Created.UnixMicro(), t.Expires.UnixMicro(), int64(0)})
	}
	return []rows{sessions, tokens}
}

// A turn of a conversation, as a web chat sends it. Each caller has a conversation of
// their own.
const (
	turnPath = "/state/user/visitor-%04d/interact"
	turnBody = `{"action":{"type":"text","payload":"When are you open on Saturday?"},"config":{"tts":false,"stripSSML":true}}`
)

// forwardedPath is where the service has the runtime of Voiceflow.
const forwardedPath = "/voiceflow/general-runtime"

// bareTurns are turns for Voiceflow itself, one for each member, who all have the key.
func bareTurns(addr string) []request {
	header := "Authorization: " + voiceflowtest.NewKey()
	all := make([]request, members)
	for i := range all {
		all[i] = newRequest(addr, "POST", fmt.Sprintf(turnPath, i), header, turnBody)
	}
	return all
}

// cookieTurns are turns of callers who have set an assistant.
func cookieTurns(addr string, uses []use) []request {
	all := make([]request, len(uses))
	for i := range uses {
		all[i] = newRequest(addr, "POST", forwardedPath+fmt.Sprintf(turnPath, i),
			uses[i].member.cookieHeader(serviceLogins)+"; assistant_session="+uses[i].cookie, turnBody)
	}
	return all
}

// tokenTurns are turns of programs with an access token.
func tokenTurns(addr string, uses []use) []request {
	all := make([]request, len(uses))
	for i := range uses {
		all[i] = newRequest(addr, "POST", forwardedPath+fmt.Sprintf(turnPath, i),
			"Authorization: Bearer "+uses[i].text.Reveal(), turnBody)
	}
	return all
}
