package app

import (
	"context"

	"github.com/flowlatch/flowlatch/app/session"
	"github.com/flowlatch/flowlatch/domain"
)

// ResealAssistant returns the cookie assistant_session sealed with the current key, for a
// request that does not use the cookie otherwise. The Text is "" if the current key sealed
// the cookie already, or if the cookie is invalid.
func (s *Service) ResealAssistant(ctx context.Context, c domain.Caller, cookie string) session.Cookie {
	// Nearly always the keyset has one key, and then nothing is opened. A cookie of the
	// current key costs no look-up.
	if len(s.keyset.Keys()) < 2 {
		return session.Cookie{}
	}
	_, by, err := s.sessions.Open(domain.AssistantSession, cookie, domain.NotLoggedIn)
	if err != nil || by == s.sessions.CurrentKey() {
		return session.Cookie{}
	}
	access, claims, by, err := s.assistantSession(ctx, c, cookie)
	if err != nil || !access.Session.Claims(claims.Version).Equal(claims) {
		return session.Cookie{}
	}
	return s.sessions.Reseal(ctx, access.Session, claims.Version, by)
}
