// Package session handles what callers hold of sessions. It seals and opens cookies and handles,
// records the use of sessions, and reseals cookies with the current key after a rotation.
package session

import (
	"context"
	"time"

	"github.com/flowlatch/flowlatch/app/cookie"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Ports are the ports that Sessions need. All must be given. The views must be of one database,
// and Keyring must be of the keyset that Cipher seals with.
type Ports struct {
	Store   ports.SessionStore
	Access  ports.Access
	Cipher  ports.Cipher
	Keyring ports.Keyring
	Clock   ports.Clock
}

// Options are the settings of Sessions.
type Options struct {
	Lifetimes  domain.Lifetimes
	HostLogins bool // a host program logs users in, so there are no logins here
}

// Sessions are the sessions of one database. They are safe for concurrent use.
type Sessions struct {
	ports   Ports
	options Options
	cookies *cookie.Codec
}

// New returns the sessions of the database of p. A later call panics if p is incomplete.
func New(p Ports, o Options) *Sessions {
	return &Sessions{ports: p, options: o, cookies: cookie.New(p.Cipher)}
}

// Lifetimes returns the limits of sessions.
func (s *Sessions) Lifetimes() domain.Lifetimes { return s.options.Lifetimes }

// Cookie is a cookie to be set: its text and how long the browser keeps it.
type Cookie struct {
	Text   string
	MaxAge time.Duration // zero: until the browser closes
}

// Seal returns the cookie of session and the key that sealed it. version is the version of an
// assistant session's project.
func (s *Sessions) Seal(session domain.Session, version string) (Cookie, domain.KeyID, error) {
	text, by, err := s.cookies.Seal(session.Claims(version))
	if err != nil {
		return Cookie{}, "", err
	}
	c := Cookie{Text: text}
	if session.Remember {
		c.MaxAge = session.Expires.Sub(s.ports.Clock())
	}
	return c, by, nil
}

// SealHandle returns the handle of a conversation and the key that sealed it.
func (s *Sessions) SealHandle(c domain.Conversation, user domain.UserID) (string, domain.KeyID, error) {
	return s.cookies.Seal(c.Claims(user))
}

// Open opens the text of a cookie or handle. It returns the claims and the key that sealed them.
// If the text is invalid, it returns the error of wrong. If the keyset can't be read, nothing is
// known about the text, and the error is passed on.
func (s *Sessions) Open(kind domain.SessionKind, text string, wrong func(cause error) error) (domain.Claims, domain.KeyID, error) {
	claims, by, err := s.cookies.Open(kind, text)
	if err != nil && domain.KindOf(err) != domain.Unavailable {
		err = wrong(err)
	}
	return claims, by, err
}

// OpenLogin opens the text of the cookie user_session, as Open does. Returns NotAuthenticated if
// there is none, or if a host program logs users in.
func (s *Sessions) OpenLogin(text string) (domain.Claims, domain.KeyID, error) {
	if text == "" || s.options.HostLogins {
		return domain.Claims{}, "", domain.NotLoggedIn(nil)
	}
	return s.Open(domain.LoginSession, text, domain.NotLoggedIn)
}

// CurrentKey returns the current key, as far as this instance knows.
func (s *Sessions) CurrentKey() domain.KeyID {
	if keys := s.ports.Keyring.Keys(); len(keys) > 0 {
		return keys[0]
	}
	return ""
}

// Reseal seals the session's cookie, which the key by sealed, with the current key. After that
// the session does not need the old key. It returns the zero Cookie if by is the current key. If
// it fails, the next use of the session tries again.
func (s *Sessions) Reseal(ctx context.Context, session domain.Session, version string, by domain.KeyID) Cookie {
	if by == s.CurrentKey() {
		return Cookie{}
	}
	// An instance that does not know of a rotation yet would go back to the older key.
	if err := s.ports.Keyring.Refresh(ctx); err != nil || by == s.CurrentKey() {
		return Cookie{}
	}
	cookie, _, err := s.Seal(session, version)
	if err != nil {
		return Cookie{}
	}
	return cookie
}

// MarkSealed records that the key by sealed the cookie that the session was used with, if by
// is the current key. A cookie that was sent may be lost, so the session needs the older key
// until the new cookie comes back. If it fails, the next use of the session tries again.
func (s *Sessions) MarkSealed(ctx context.Context, session domain.Session, by domain.KeyID) {
	if by == session.SealedBy {
		return
	}
	if err := s.ports.Keyring.Refresh(ctx); err == nil && by == s.CurrentKey() {
		_ = s.ports.Store.Touch(ctx, session.ID, domain.SessionUse{SealedBy: by})
	}
}

// Use records that the session is used, if a record is due. Returns NotAuthenticated if the
// session has ended meanwhile. The use is lost if it can't be stored: the session was looked up a
// moment ago, and without the record it only ends earlier.
func (s *Sessions) Use(ctx context.Context, session domain.Session) error {
	now := s.ports.Clock()
	idle, write := session.Used(now, s.options.Lifetimes)
	if !write {
		return nil
	}
	err := s.ports.Store.Touch(ctx, session.ID, domain.SessionUse{At: now, Idle: idle})
	switch domain.KindOf(err) {
	case domain.NotFound:
		return domain.NotLoggedIn(err)
	case domain.Unavailable:
		return nil
	}
	return err
}

// KeepInUse records the use of the session of an open call, and of the login of an assistant
// session, if a record is due. A call can go on for longer than an unused session lasts. The zero
// Session changes nothing. A login that has just ended is no error.
func (s *Sessions) KeepInUse(ctx context.Context, session domain.Session) error {
	if _, write := session.Used(s.ports.Clock(), s.options.Lifetimes); session.ID == "" || !write {
		return nil
	}
	err := s.Use(ctx, session)
	if session.Kind == domain.AssistantSession && (session.Login == "" || err != nil) {
		return err
	}
	if session.Login != "" {
		var access domain.Access
		if access, err = s.ports.Access.ByLogin(ctx, session.Login, domain.Use{}); err == nil {
			err = s.Use(ctx, access.Caller.Login)
		}
	}
	if kind := domain.KindOf(err); kind == domain.NotFound || kind == domain.NotAuthenticated {
		return nil
	}
	return err
}
