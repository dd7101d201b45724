package domain

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Identity is who somebody is at the company's identity provider: the issuer and the subject
// together, which never name somebody else later (OpenID Connect Core 1.0, section 5.7). A name
// or an e-mail address may. The zero Identity is nobody.
type Identity struct {
	Issuer  string
	Subject string
}

// maxSubject is the longest subject, in bytes (OpenID Connect Core 1.0, section 2).
const maxSubject = 255

// NewIdentity returns the identity of the subject at the issuer. Returns Invalid if the subject is
// empty, longer than 255 bytes or not valid UTF-8, and if it holds a control character. The subject is
// taken as it is: it is case-sensitive.
func NewIdentity(issuer, subject string) (Identity, error) {
	trimmed, err := parseText("subject", subject, maxSubject)
	if err != nil {
		return Identity{}, err
	}
	if trimmed != subject {
		return Identity{}, invalid("subject begins or ends with white space")
	}
	return Identity{Issuer: issuer, Subject: subject}, nil
}

// Person is what the identity provider says about somebody who logs in.
type Person struct {
	Identity Identity
	Name     string // preferred_username, as it came; "" if the provider gives none
	Groups   Groups
	Sid      string // the session at the provider, by which it ends logins; "" if it gives none
}

// Usernames returns the names that a new user may get, the best first: the name that the provider
// gives, without what no Username has, then the same with a number behind it. Without a usable name
// they begin with "user".
func (p Person) Usernames() []Username {
	const numbered = 20
	base := strings.Map(func(c rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789._@+-", c) {
			return c
		}
		return -1
	}, strings.ToLower(p.Name))
	base = base[:min(len(base), 60)]
	if base == "" {
		base = "user"
	}
	names := make([]Username, 0, numbered)
	for n := 1; n <= numbered; n++ {
		name := base
		if n > 1 {
			name += "-" + strconv.Itoa(n)
		}
		names = append(names, Username(name))
	}
	return names
}

// GroupsState says what is known of somebody's groups.
type GroupsState int

// The states of groups.
const (
	// GroupsAbsent: neither the ID token nor userinfo has the claim.
	GroupsAbsent GroupsState = iota
	// GroupsListed: the claim lists them. An empty list is no group.
	GroupsListed
	// GroupsElsewhere: the claim says that there are too many, and where to ask for them. Entra does
	// so (Microsoft identity platform, 'Groups overage claim').
	GroupsElsewhere
	// GroupsUnreadable: the claim is there and is no list of names.
	GroupsUnreadable
)

// Groups are the groups of somebody at the identity provider.
type Groups struct {
	State GroupsState
	Names []string // for GroupsListed: in order, each once
}

const (
	// MaxGroups is how many groups a person has at most.
	MaxGroups = 1000
	// MaxGroupName is the longest name of a group, in bytes.
	MaxGroupName = 256
)

// ListedGroups returns the groups that a claim lists. Names that can be in no rule are left out: those
// that ParseGroup refuses, and those with white space around them. Such a name is not trimmed. Otherwise
// whoever may create groups at the provider could make one that passes for another.
func ListedGroups(names []string) Groups {
	var known []string
	for _, name := range names {
		if group, err := ParseGroup(name); err == nil && group == name {
			known = append(known, group)
		}
	}
	slices.Sort(known)
	return Groups{State: GroupsListed, Names: slices.Compact(known)}
}

// ParseGroup reads the name of a group: 1 to MaxGroupName bytes of UTF-8 without control characters.
// Upper and lower case differ. Returns Invalid for any other text.
func ParseGroup(text string) (string, error) { return parseText("group", text, MaxGroupName) }

// known returns nil if the groups can be gone by. Returns NotAuthenticated, with a sentence that
// says what to configure, if they can't. needed says that something depends on groups.
func (g Groups) known(needed bool) error {
	switch {
	case g.State == GroupsElsewhere:
		return refusedSignOn("the identity provider did not list your groups since they are too many; an admin has to let the provider send only the groups that are assigned to this application")
	case g.State == GroupsListed && len(g.Names) > MaxGroups:
		return refusedSignOn("the identity provider lists more than " + strconv.Itoa(MaxGroups) + " groups; an admin has to let it send only those of this application")
	case g.State == GroupsUnreadable && needed:
		return refusedSignOn("the claim of the groups that the identity provider sent is no list of names; an admin has to check FLOWLATCH_OIDC_GROUPS_CLAIM")
	case g.State == GroupsAbsent && needed:
		return refusedSignOn("the identity provider sent no groups; an admin has to add the claim of the groups at the provider, or check FLOWLATCH_OIDC_GROUPS_CLAIM and FLOWLATCH_OIDC_SCOPES")
	}
	return nil
}

// refusedSignOn is the error for a login by the identity provider that is not accepted:
// NotAuthenticated.
func refusedSignOn(public string) error { return &Error{Kind: NotAuthenticated, Public: public} }

// ProviderSession is what is kept of a login that the identity provider opened.
type ProviderSession struct {
	Login    SessionID
	Identity Identity
	Sid      string
	Tokens   Sealed // the ID token and the refresh token; bound by BindProviderTokens
}

// ProviderLogout is a logout that the identity provider tells of (OpenID Connect Back-Channel Logout
// 1.0). Sid or Identity.Subject may be empty, but not both.
type ProviderLogout struct {
	Identity Identity
	Sid      string
	ID       string    // jti: each token counts once
	Ends     time.Time // until when ID is remembered
}

// Once is what remembers that the logout was carried out.
func (o ProviderLogout) Once() Once {
	return Once{Kind: OnceLogout, ID: o.Identity.Issuer + " " + o.ID, Ends: o.Ends}
}

// EndedSession is what remembers that the session at the provider has ended. A login of that session
// which is opened just after the logout is refused: its code was redeemed before. It is zero if the logout
// names no session.
func (o ProviderLogout) EndedSession() Once { return endedSession(o.Identity.Issuer, o.Sid, o.Ends) }

// EndedSession is what remembers that the session of the login at the provider has ended. Its Ends is
// zero. It is zero if the provider gave no Sid.
func (s ProviderSession) EndedSession() Once {
	return endedSession(s.Identity.Issuer, s.Sid, time.Time{})
}

func endedSession(issuer, sid string, ends time.Time) Once {
	if sid == "" {
		return Once{}
	}
	return Once{Kind: OnceSession, ID: issuer + " " + sid, Ends: ends}
}

// SessionEnded is the error for a login whose session at the provider has ended while the login was
// opened: NotAuthenticated.
func SessionEnded() error {
	return refusedSignOn("the identity provider has just ended this login; log in again")
}

// IdentityTaken is the error for an identity that another user is linked to: Conflict.
func IdentityTaken() error {
	return &Error{Kind: Conflict, Public: "another user is linked to this identity; unlink that user first"}
}

// Names reports whether the logout ends the login.
func (o ProviderLogout) Names(s ProviderSession) bool {
	return o.Identity.Issuer == s.Identity.Issuer && (o.Sid != "" || o.Identity.Subject != "") &&
		(o.Sid == "" || o.Sid == s.Sid) && (o.Identity.Subject == "" || o.Identity.Subject == s.Identity.Subject)
}
