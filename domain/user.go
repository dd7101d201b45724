package domain

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Role says what a user may do: RoleAdmin or RoleMember.
type Role string

// The roles. An admin may add, delete, grant and use every project. A member may use the
// projects that are granted.
const (
	RoleAdmin  Role = "admin"
	RoleMember Role = "member"
)

// ParseRole reads admin or member. Returns Invalid for any other text.
func ParseRole(text string) (Role, error) {
	switch r := Role(strings.TrimSpace(text)); r {
	case RoleAdmin, RoleMember:
		return r, nil
	}
	return "", invalid("role must be admin or member")
}

// Username is a user's name as it is stored: 1 to 64 of a-z 0-9 . _ @ + -.
type Username string

// ParseUsername trims and lower-cases text, so that a name has one form everywhere. Returns
// Invalid if the result is not a Username.
func ParseUsername(text string) (Username, error) {
	text, err := parseText("username", strings.ToLower(text), 64)
	if err != nil {
		return "", err
	}
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789._@+-") != "" {
		return "", invalid("username can only contain letters, digits and . _ @ + -")
	}
	return Username(text), nil
}

// CheckPassword returns Invalid unless password has 8 to 128 code points of UTF-8 without NUL.
// There are no rules of composition (OWASP ASVS 5.0, 6.2.5). password is in NFC, in which its
// length is counted. The password hasher refuses common passwords.
func CheckPassword(password Secret) error {
	text := password.Reveal()
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		return invalid("password is missing")
	case n < 8:
		return invalid("password is shorter than 8 characters")
	case n > 128:
		return invalid("password is longer than 128 characters")
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return invalid("password contains NUL or invalid UTF-8")
	}
	return nil
}

// User is somebody who may log in here.
type User struct {
	ID           UserID
	Name         Username
	Role         Role
	Disabled     bool
	PasswordHash Secret
	Assistants   []ProjectID // the projects that are granted, in the order of their ids; an admin needs none
	Created      time.Time
	// Identity is who the user is at the identity provider. It is zero if they are not linked.
	Identity Identity
	// SignedOn is when the user last logged in by the identity provider; zero if never.
	SignedOn time.Time
	// AdminBy is the group at the identity provider that made the user an admin. It is "" for a member,
	// and for an admin to whom an admin gave the role.
	AdminBy string
	// AdminKept is true if the user has left that group and is still an admin, since there was no
	// other one.
	AdminKept bool
}

// NewUser makes a user who is enabled. assistants may repeat and come in any order.
func NewUser(id UserID, name Username, role Role, hash Secret, assistants []ProjectID, now time.Time) User {
	u := User{ID: id, Name: name, Role: role, PasswordHash: hash, Created: Instant(now)}
	u.SetAssistants(assistants)
	return u
}

// CountsAsAdmin reports whether the user is an admin who can log in.
func (u *User) CountsAsAdmin() bool { return u.Role == RoleAdmin && !u.Disabled }

// MayOpenLogin returns NotAllowed unless u, as stored now, exists, is enabled and has the password
// hash that was checked. The zero User does not exist.
func (u User) MayOpenLogin(checked Secret) error {
	if u.ID != "" && !u.Disabled && !checked.IsZero() && u.PasswordHash.Equal(checked) {
		return nil
	}
	return &Error{Kind: NotAllowed, Public: "the user has changed; log in again"}
}

// MayUseLoginLink returns NotAllowed unless u, as stored now, exists and is enabled. The zero User does
// not exist.
func (u User) MayUseLoginLink() error {
	if u.ID != "" && !u.Disabled {
		return nil
	}
	return &Error{Kind: NotAllowed, Public: "the user of this login link is gone or disabled"}
}

// SetRole changes the role. otherAdmin tells whether another user counts as admin. Returns
// Conflict if the last admin would be demoted.
func (u *User) SetRole(role Role, otherAdmin bool) error {
	if u.CountsAsAdmin() && role != RoleAdmin && !otherAdmin {
		return lastAdmin("demoted")
	}
	u.Role, u.AdminBy, u.AdminKept = role, "", false
	return nil
}

// Link links the user to the identity. Returns Conflict if they are linked to another one.
func (u *User) Link(to Identity) error {
	if u.Identity != (Identity{}) && u.Identity != to {
		return &Error{Kind: Conflict, Public: "the user is linked to another identity; unlink that first"}
	}
	u.Identity = to
	return nil
}

// Unlink removes the link to an identity. Whoever has that identity can't log in as this user any
// more. It does nothing for a user who is not linked.
func (u *User) Unlink() { u.Identity, u.SignedOn = Identity{}, time.Time{} }

// SignedOnAdmin reports whether the user is an admin who is enabled and has logged in by the identity
// provider.
func (u *User) SignedOnAdmin() bool {
	return u.CountsAsAdmin() && u.Identity != (Identity{}) && !u.SignedOn.IsZero()
}

// SetDisabled disables or enables the user. Returns Conflict if the last admin would be
// disabled.
func (u *User) SetDisabled(disabled, otherAdmin bool) error {
	if u.CountsAsAdmin() && disabled && !otherAdmin {
		return lastAdmin("disabled")
	}
	u.Disabled = disabled
	return nil
}

// SetAssistants replaces the projects that are granted. assistants may repeat and come in any
// order.
func (u *User) SetAssistants(assistants []ProjectID) {
	u.Assistants = slices.Compact(slices.Sorted(slices.Values(assistants)))
}

// MayBeDeleted returns Conflict if the user is the last admin, and if by, who asks, is the
// user.
func (u *User) MayBeDeleted(by UserID, otherAdmin bool) error {
	if u.ID == by {
		return &Error{Kind: Conflict, Public: "nobody can delete themselves"}
	}
	if u.CountsAsAdmin() && !otherAdmin {
		return lastAdmin("deleted")
	}
	return nil
}

// Equal reports whether u and other are the same in all that may change (Changed). Both have their assistants in order.
func (u User) Equal(other User) bool {
	return u.Role == other.Role && u.Disabled == other.Disabled && u.PasswordHash.Equal(other.PasswordHash) &&
		slices.Equal(u.Assistants, other.Assistants) && u.Identity == other.Identity && u.SignedOn.Equal(other.SignedOn) &&
		u.AdminBy == other.AdminBy && u.AdminKept == other.AdminKept
}

// Changed is u as a change leaves it: with all of to but the id, the name and the time of its
// creation.
func (u User) Changed(to User) User {
	u.Role, u.Disabled, u.PasswordHash = to.Role, to.Disabled, to.PasswordHash
	u.Identity, u.SignedOn, u.AdminBy, u.AdminKept = to.Identity, Instant(to.SignedOn), to.AdminBy, to.AdminKept
	u.SetAssistants(to.Assistants)
	return u
}

// Regranted tells by which grants u differs from was: those that are gone and those that are
// new. Both users have their assistants in order.
func (u User) Regranted(was User) (gone, added []ProjectID) {
	return without(was.Assistants, u.Assistants), without(u.Assistants, was.Assistants)
}

// without returns the elements of all that are not in some, both sorted.
func without(all, some []ProjectID) []ProjectID {
	return slices.DeleteFunc(slices.Clone(all), func(id ProjectID) bool {
		_, found := slices.BinarySearch(some, id)
		return found
	})
}

// SessionsLost says which sessions of a user end when the user changes.
type SessionsLost struct {
	// All ends every session but Keep and the assistant session of that login.
	All  bool
	Keep SessionID
	// ByRole ends the assistant sessions that the role of an admin allowed.
	ByRole bool
	// ByGrant ends the assistant sessions that a grant on one of these projects allowed.
	ByGrant []ProjectID
}

// Kept is what a user keeps when their password changes. The zero Kept is nothing.
type Kept struct {
	Login  SessionID // with its assistant session
	Tokens bool      // their access tokens
}

// TokensLostBy reports whether the access tokens of a user end when was becomes is. Another
// password hash ends them all unless they are kept.
func TokensLostBy(was, is User, keep Kept) bool {
	return !keep.Tokens && !is.PasswordHash.Equal(was.PasswordHash)
}

// SessionsLostBy says which sessions end when was becomes is:
//
//   - Disabling the user ends all of them.
//   - Another password hash ends all but keep.Login and its assistant session.
//   - Unlinking the user from an identity ends all of them.
//   - Demoting an admin ends the assistant sessions that the role allowed.
//   - Removing a grant ends the assistant sessions that it allowed.
func SessionsLostBy(was, is User, keep Kept) SessionsLost {
	gone, _ := is.Regranted(was)
	lost := SessionsLost{ByRole: was.Role == RoleAdmin && is.Role != RoleAdmin, ByGrant: gone}
	switch {
	case is.Disabled, was.Identity != (Identity{}) && is.Identity != was.Identity:
		lost.All = true
	case !is.PasswordHash.Equal(was.PasswordHash):
		lost.All, lost.Keep = true, keep.Login
	}
	return lost
}

// SessionsLostByRevoking says which sessions of a user end when the grant on the project is
// taken back.
func SessionsLostByRevoking(project ProjectID) SessionsLost {
	return SessionsLost{ByGrant: []ProjectID{project}}
}

// Ends reports whether the session, which is the user's, is lost.
func (l SessionsLost) Ends(s Session) bool {
	kept := l.Keep != "" && (s.ID == l.Keep || s.Login == l.Keep)
	switch {
	case l.All && !kept:
		return true
	case s.Kind != AssistantSession:
		return false
	case s.ByRole:
		return l.ByRole
	}
	return slices.Contains(l.ByGrant, s.Project)
}

// UserRef names a user by one of its fields. The zero UserRef names none.
type UserRef struct {
	ID       UserID
	Name     Username
	Identity Identity
}

// Names reports whether r names the user.
func (r UserRef) Names(u User) bool {
	return r != (UserRef{}) && (r.ID == "" || r.ID == u.ID) && (r.Name == "" || r.Name == u.Name) &&
		(r.Identity == (Identity{}) || r.Identity == u.Identity)
}

func lastAdmin(what string) error {
	return &Error{Kind: Conflict, Public: "the last admin can't be " + what}
}
