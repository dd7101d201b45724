package domain

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Role says what a user may do: RoleAdmin or RoleMember.
type Role string

// The roles. An admin may add, delete, grant and use every project; a member may use
// what is granted.
const (
	RoleAdmin  Role = "admin"
	RoleMember Role = "member"
)

// ParseRole takes admin and member and is Invalid otherwise.
func ParseRole(text string) (Role, error) {
	switch r := Role(strings.TrimSpace(text)); r {
	case RoleAdmin, RoleMember:
		return r, nil
	}
	return "", invalid("role must be admin or member")
}

// Username is a user's name as it is kept: 1 to 64 of a-z 0-9 . _ @ + -.
type Username string

// ParseUsername trims and lower-cases text, so that one name has one form
// everywhere, and is Invalid for what is no user name.
func ParseUsername(text string) (Username, error) {
	text, err := parseText("username", strings.ToLower(text), 64)
	if err != nil {
		return "", err
	}
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789._@+-") != "" {
		return "", invalid("username may hold letters, digits and . _ @ + - only")
	}
	return Username(text), nil
}

// CheckPassword is Invalid unless password has 8 to 128 code points of UTF-8 without
// NUL. There are no rules of composition (OWASP ASVS 5.0, 6.2.5), and the password is
// taken as it is. That it is none of the common ones is for the password hasher to say.
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
		return invalid("password holds NUL or invalid UTF-8")
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
	Assistants   []ProjectID // what is granted, in the order of the ids; an admin needs none
	Created      time.Time
}

// NewUser makes a user that is enabled. assistants may repeat and come in any order.
func NewUser(id UserID, name Username, role Role, hash Secret, assistants []ProjectID, now time.Time) User {
	u := User{ID: id, Name: name, Role: role, PasswordHash: hash, Created: Instant(now)}
	u.SetAssistants(assistants)
	return u
}

// CountsAsAdmin says whether the user is an admin who can log in.
func (u *User) CountsAsAdmin() bool { return u.Role == RoleAdmin && !u.Disabled }

// SetRole changes the role. otherAdmin says whether there is another user who counts
// as admin; the last one can't be demoted: Conflict.
func (u *User) SetRole(role Role, otherAdmin bool) error {
	if u.CountsAsAdmin() && role != RoleAdmin && !otherAdmin {
		return lastAdmin("demoted")
	}
	u.Role = role
	return nil
}

// SetDisabled disables or enables the user. The last admin can't be disabled: Conflict.
func (u *User) SetDisabled(disabled, otherAdmin bool) error {
	if u.CountsAsAdmin() && disabled && !otherAdmin {
		return lastAdmin("disabled")
	}
	u.Disabled = disabled
	return nil
}

// SetAssistants replaces what is granted. assistants may repeat and come in any order.
func (u *User) SetAssistants(assistants []ProjectID) {
	u.Assistants = slices.Compact(slices.Sorted(slices.Values(assistants)))
}

// MayBeDeleted is a Conflict for the last admin and when by, who asks, is the user.
func (u *User) MayBeDeleted(by UserID, otherAdmin bool) error {
	if u.ID == by {
		return &Error{Kind: Conflict, Public: "nobody can delete themselves"}
	}
	if u.CountsAsAdmin() && !otherAdmin {
		return lastAdmin("deleted")
	}
	return nil
}

func lastAdmin(what string) error {
	return &Error{Kind: Conflict, Public: "the last admin can't be " + what}
}
