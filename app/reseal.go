package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// ResealAssistant returns the cookie assistant_session sealed with the current key, for a
// request that does not use the cookie otherwise. The Text is "" if the current key sealed
// the cookie already, or if the cookie is invalid.
func (s *Service) ResealAssistant(ctx context.Context, c domain.Caller, cookie string) Cookie {
	// Nearly always the keyset has one key, and then nothing is opened. A cookie of the
	// current key costs no look-up.
	if len(s.ports.Keyring.Keys()) < 2 {
		return Cookie{}
	}
	_, by, err := s.cookies.Open(domain.AssistantSession, cookie)
	if err != nil || by == s.sealingKey() {
		return Cookie{}
	}
	access, claims, by, err := s.assistantSession(ctx, c, cookie)
	if err != nil || !access.Session.Claims(claims.Version).Equal(claims) {
		return Cookie{}
	}
	return s.reseal(ctx, access.Session, claims.Version, by)
}

// reseal seals the session's cookie, which the key by sealed, with the current key. So the
// session does not need the old key until it ends. It returns the zero Cookie if by is the
// current key. If it fails, the next use of the session tries again.
func (s *Service) reseal(ctx context.Context, session domain.Session, version string, by domain.KeyID) Cookie {
	if by == s.sealingKey() {
		return Cookie{}
	}
	// An instance that has not seen a rotation yet would go back to the older key.
	if err := s.ports.Keyring.Refresh(ctx); err != nil || by == s.sealingKey() {
		return Cookie{}
	}
	cookie, _, err := s.cookie(session, version)
	if err != nil {
		return Cookie{}
	}
	return cookie
}

// markSealed records that the key by sealed the cookie that the session was used with, if by
// is the current key. A cookie that was sent may be lost, so the session needs the older key
// until the new cookie comes back. If it fails, the next use of the session tries again.
func (s *Service) markSealed(ctx context.Context, session domain.Session, by domain.KeyID) {
	if by == session.SealedBy {
		return
	}
	if err := s.ports.Keyring.Refresh(ctx); err == nil && by == s.sealingKey() {
		_ = s.ports.Store.Sessions.Touch(ctx, session.ID, domain.SessionUse{SealedBy: by})
	}
}

// sealingKey returns the current key, as far as this instance knows.
func (s *Service) sealingKey() domain.KeyID {
	if keys := s.ports.Keyring.Keys(); len(keys) > 0 {
		return keys[0]
	}
	return ""
}
