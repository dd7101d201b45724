package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// SealAssistantAnew returns the cookie assistant_session sealed anew, from its text, where
// another key seals by now, for a request that has no other use for it. Its Text is ""
// where the one that was shown is good for longer, and where it is good for nothing.
func (s *Service) SealAssistantAnew(ctx context.Context, c domain.Caller, cookie string) Cookie {
	// Nothing is opened where no other key can have sealed it, which is so nearly always, and
	// nothing is looked up for one that may stay.
	if len(s.ports.Keyring.Keys()) < 2 {
		return Cookie{}
	}
	_, by, err := s.cookies.Open(domain.AssistantSession, cookie)
	if err != nil || by == s.sealingKey() {
		return Cookie{}
	}
	session, claims, by, err := s.assistantSession(ctx, c, cookie)
	if err != nil || !session.Claims(claims.Version).Equal(claims) {
		return Cookie{}
	}
	return s.sealAnew(ctx, session, claims.Version, by)
}

// sealAnew seals the cookie of the session, which the key by had sealed, with the one that
// seals now, so that the old key is not needed for as long as the session lasts. It is the
// zero Cookie where that is the same key. What can't be done now is done at the next use.
func (s *Service) sealAnew(ctx context.Context, session domain.Session, version string, by domain.KeyID) Cookie {
	if by == s.sealingKey() {
		return Cookie{}
	}
	// An instance that has yet to hear of a rotation would go back to the older key.
	if err := s.ports.Keyring.Refresh(ctx); err != nil || by == s.sealingKey() {
		return Cookie{}
	}
	cookie, _, err := s.cookie(session, version)
	if err != nil {
		return Cookie{}
	}
	return cookie
}

// markSealed records that the key by sealed the cookie that came with a use of the
// session, if it is the one that seals now: what was sent may never have come, and only
// when it comes back is the older key not needed any more. What can't be recorded now is
// recorded at the next use.
func (s *Service) markSealed(ctx context.Context, session domain.Session, by domain.KeyID) {
	if by == session.SealedBy {
		return
	}
	if err := s.ports.Keyring.Refresh(ctx); err == nil && by == s.sealingKey() {
		_ = s.ports.Sessions.MarkSealed(ctx, session.ID, by)
	}
}

// sealingKey is the key that seals now, as far as this instance knows.
func (s *Service) sealingKey() domain.KeyID {
	if keys := s.ports.Keyring.Keys(); len(keys) > 0 {
		return keys[0]
	}
	return ""
}
