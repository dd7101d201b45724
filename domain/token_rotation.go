package domain

import (
	"strconv"
	"time"
)

// The default and the longest overlap of a rotation, in hours.
const (
	DefaultOverlapHours = 24
	MaxOverlapHours     = 168
)

// TokenNotice is how long before its end the user of an access token is told of it.
const TokenNotice = 14 * 24 * time.Hour

// TokenSecrets are the hashes of the texts that open an access token. Previous is the text of
// before the last rotation, which opens it until AccessToken.PreviousEnds.
type TokenSecrets struct {
	Current  TokenHash
	Previous TokenHash // zero if there is none
}

// Has reports whether the hash is one of them. The zero hash is none.
func (s TokenSecrets) Has(hash TokenHash) bool {
	return hash != TokenHash{} && (hash == s.Current || hash == s.Previous)
}

// Rotation is another text for an access token.
type Rotation struct {
	Hash    TokenHash
	Prefix  string
	Overlap time.Duration // how long the current text goes on; 0 ends it at once
}

// ParseOverlap reads the parameter overlap_hours; nil is DefaultOverlapHours. Returns Invalid
// unless any other number is 0 to MaxOverlapHours.
func ParseOverlap(hours *int) (time.Duration, error) {
	switch {
	case hours == nil:
		return DefaultOverlapHours * time.Hour, nil
	case *hours < 0 || *hours > MaxOverlapHours:
		return 0, invalid("overlap_hours must be 0 to " + strconv.Itoa(MaxOverlapHours))
	}
	return time.Duration(*hours) * time.Hour, nil
}

// Rotated returns the token and its secrets after a rotation at now. The token lasts for as long
// as it did when it was created or rotated last, from now on. The current text becomes the
// previous one, which ends no later than it would have without the rotation. The previous one of
// before ends at once. Returns Conflict if the token is over, or if its owner is disabled.
func (t AccessToken) Rotated(s TokenSecrets, r Rotation, ownerDisabled bool, now time.Time) (AccessToken, TokenSecrets, error) {
	switch {
	case !t.Live(now):
		return t, s, &Error{Kind: Conflict, Public: "the access token has expired; create another one"}
	case ownerDisabled:
		return t, s, &Error{Kind: Conflict, Public: "the owner of the access token is disabled; enable the user first"}
	}
	next := TokenSecrets{Current: r.Hash}
	t.PreviousEnds = time.Time{}
	if r.Overlap > 0 {
		next.Previous, t.PreviousEnds = s.Current, earlier(Instant(now.Add(r.Overlap)), t.Expires)
	}
	life := min(t.Expires.Sub(later(t.Created, t.Renewed)), MaxTokenDays*24*time.Hour)
	t.Prefix, t.Renewed, t.Expires = r.Prefix, Instant(now), Instant(now.Add(life))
	return t, next, nil
}

// SecretEnds returns when the text with that hash stops to open the token, which is exclusive. It
// returns the zero time for the hash of another text. The zero hash stands for no text: what is
// used are conversations of the token, and these end with it.
func (t AccessToken) SecretEnds(s TokenSecrets, shown TokenHash) time.Time {
	switch shown {
	case TokenHash{}, s.Current:
		return t.Expires
	case s.Previous:
		return earlier(t.PreviousEnds, t.Expires)
	}
	return time.Time{}
}

// Opens reports whether the text with that hash opens the token at now.
func (t AccessToken) Opens(s TokenSecrets, shown TokenHash, now time.Time) bool {
	return now.Before(t.SecretEnds(s, shown))
}

// WithoutEnded returns the token as it is at now: the end of a previous text that has ended is
// gone.
func (t AccessToken) WithoutEnded(now time.Time) AccessToken {
	if !now.Before(t.PreviousEnds) {
		t.PreviousEnds = time.Time{}
	}
	return t
}

// TokenEnds returns when the text of the access token ends that is used, or the token itself for a
// conversation of it. soon reports whether that is within TokenNotice of now.
func (a Access) TokenEnds(now time.Time) (end time.Time, soon bool) {
	if a.Token.ID == "" {
		return time.Time{}, false
	}
	end = a.SecretEnds
	if end.IsZero() {
		end = a.Token.Expires
	}
	return end, end.Sub(now) <= TokenNotice
}

// Rotates returns nil if the act may rotate the access token: one of its own user, or any if the
// caller may manage users. c is the caller of the act with the rights that they have now. Returns
// NotFound if they may not, and NotAllowed if the act stands on an access token.
func (a Act) Rotates(c Caller, t AccessToken) error {
	if a.By.Token != "" {
		return &Error{Kind: NotAllowed, Public: "an access token can't rotate access tokens; log in to do this"}
	}
	if !c.MayEnd(t.User) {
		return NoSuch("access token")
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
