package domain

import (
	"errors"
	"time"
)

// SentToProvider is what a browser takes to the identity provider, or what the answer is checked by.
type SentToProvider struct {
	State    Secret // comes back with the answer
	Nonce    Secret // comes back in the ID token
	Verifier Secret // of the code (RFC 7636)
}

// ProviderAnswer is what the identity provider answers to a code or a refresh token.
type ProviderAnswer struct {
	Person  Person
	IDToken Secret // zero if a renewal brought none
	Refresh Secret // zero if the provider gives none
}

// OnceKind says what can be used once.
type OnceKind string

// What can be used once.
const (
	OnceSignOn    OnceKind = "sign_on"    // the state of a login by the identity provider
	OnceLogout    OnceKind = "logout"     // the jti of a logout token
	OnceLoginLink OnceKind = "login_link" // the id of a login link
	OnceSession   OnceKind = "session"    // the sid of a session that a logout token ended
	OnceLocked    OnceKind = "locked"     // the id of a user whose logins are refused; it is told once an hour
)

// Once names something that can be used once. It is remembered until it ends, since it could not be
// used afterwards anyway. The zero Once is nothing.
type Once struct {
	Kind OnceKind
	ID   string // at most 1,024 bytes
	Ends time.Time
}

// ErrUsedOnce tells UsedOnce from other Conflict errors.
var ErrUsedOnce = errors.New("it was used before")

// UsedOnce is the error for the second use of something: Conflict. errors.Is(err, ErrUsedOnce) tells
// it from other Conflict errors.
func UsedOnce(what string) error {
	return &Error{Kind: Conflict, Public: what + " was used already; get another one", Cause: ErrUsedOnce}
}
