package domain

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
	"time"
)

// TokenID is the id of an access token: a UUIDv7 as text. It is not a secret.
type TokenID string

// NewTokenID makes an id from the time now and 10 bytes of random.
func NewTokenID(now time.Time, random io.Reader) (TokenID, error) {
	id, err := newUUID(now, random)
	return TokenID(id), err
}

// ParseTokenID reads a UUID in its usual text. Returns Invalid for any other text.
func ParseTokenID(text string) (TokenID, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if !isUUID(text) {
		return "", invalid("token_id is not the Id of an access token")
	}
	return TokenID(text), nil
}

// TokenHash is the SHA-256 of an access token's text. The text itself is not stored. A fast hash
// is enough for a text with 256 random bits (OWASP ASVS 5.0, 6.5.2).
type TokenHash [sha256.Size]byte

// TokenPrefix begins every access token, so that scanners for leaked secrets find it.
const TokenPrefix = "flk_"

// An access token is the prefix and, in lower-case base32 (RFC 4648) without padding, 32
// random bytes and the CRC-32 (IEEE) of prefix and bytes: flk_[a-z2-7]{58}.
const (
	tokenRandom = 32
	tokenText   = 58
	// tokenShown is how much of a token's text is stored to recognize it: 30 of its 256 bits.
	tokenShown = len(TokenPrefix) + 6
)

var tokenEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewAccessTokenText makes the text of an access token from 32 bytes of random, its hash, and the
// prefix that is shown to recognize it.
func NewAccessTokenText(random io.Reader) (text Secret, hash TokenHash, prefix string, err error) {
	b := make([]byte, tokenRandom, tokenRandom+crc32.Size)
	if _, err := io.ReadFull(random, b); err != nil {
		return Secret{}, TokenHash{}, "", fmt.Errorf("domain: no randomness for an access token: %w", err)
	}
	b = binary.BigEndian.AppendUint32(b, tokenChecksum(b))
	t := TokenPrefix + tokenEncoding.EncodeToString(b)
	return NewSecret(t), sha256.Sum256([]byte(t)), t[:tokenShown], nil
}

func tokenChecksum(b []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE([]byte(TokenPrefix)), crc32.IEEETable, b)
}

// ParseAccessToken returns the hash of the text of an access token. Returns NotAuthenticated if
// the text does not have the form or the checksum of one, so that a typo costs no look-up.
func ParseAccessToken(text Secret) (TokenHash, error) {
	wrong := InvalidAccessToken(nil)
	t := text.Reveal()
	rest, ours := strings.CutPrefix(t, TokenPrefix)
	if !ours || len(rest) != tokenText {
		return TokenHash{}, wrong
	}
	b, err := tokenEncoding.DecodeString(rest)
	if err != nil || len(b) != tokenRandom+crc32.Size ||
		binary.BigEndian.Uint32(b[tokenRandom:]) != tokenChecksum(b[:tokenRandom]) ||
		tokenEncoding.EncodeToString(b) != rest { // the last character has unused bits
		return TokenHash{}, wrong
	}
	return sha256.Sum256([]byte(t)), nil
}

// AccessToken is an access token as it is stored. Its text is shown once, when it is made, and is
// not stored.
type AccessToken struct {
	ID       TokenID
	Name     string
	Prefix   string    // the first characters of its text
	User     UserID    // who made it; the token never has more rights than this user has now
	Project  ProjectID // the project that it is for; "" if it manages
	Scopes   Scopes
	OwnUsers bool // the program that uses it has users of its own; their ids pass to Voiceflow unchanged
	Rate     int  // calls a minute of its own; 0: it shares those of User
	Open     int  // open calls of its own; 0: it shares those of User
	Created  time.Time
	Expires  time.Time // exclusive
	LastUsed time.Time // to about a minute; zero if it was never used

	Renewed      time.Time // when it was rotated last; zero if it never was
	PreviousEnds time.Time // when its text of before ends, exclusive; zero without one

	// Environments are the only ones that the token can use, of those of Project. Empty is no
	// limit of its own.
	Environments []string
}

// UsedAt is t after a use at that time. The last use moves forward only.
func (t AccessToken) UsedAt(at time.Time) AccessToken {
	t.LastUsed = later(t.LastUsed, Instant(at))
	return t
}

// MaxTokens is how many access tokens a user can have, expired ones included.
const MaxTokens = 100

// MayAddToken returns Conflict if a user who has that many access tokens can't have another.
func MayAddToken(has int) error {
	if has < MaxTokens {
		return nil
	}
	return &Error{Kind: Conflict, Public: "a user can have at most " + strconv.Itoa(MaxTokens) + " access tokens; delete some first"}
}

// Needs returns what a user needs to create the token: an admin for a token that manages, for user
// ids of its own and for limits of its own, and otherwise a grant that covers the token's scopes.
func (t AccessToken) Needs() Need {
	if t.OwnUsers || t.Rate > 0 || t.Open > 0 || t.Scopes.Manage() {
		return NeedsAdmin()
	}
	return NeedsUse(t.Project, t.Scopes)
}

// The default and the longest life of an access token, in days.
const (
	DefaultTokenDays = 90
	MaxTokenDays     = 365
)

// The highest limits that an access token can have of its own.
const (
	MaxTokenRate = 1_000_000 // calls a minute
	MaxTokenOpen = 10_000    // open calls
)

// Live reports whether the token can be used at now. Its end is exclusive.
func (t AccessToken) Live(now time.Time) bool { return now.Before(t.Expires) }

// ParseUserIDs reads the parameter user_ids: bound or own; "" is bound. It reports whether the
// program has users of its own. Returns Invalid for any other text.
func ParseUserIDs(text string) (own bool, err error) {
	switch text {
	case "", "bound":
		return false, nil
	case "own":
		return true, nil
	}
	return false, invalid("user_ids must be bound or own")
}

// TokenSpec is what an access token is to be. It is for a project within scopes, or it has
// scopes that manage and nothing else.
type TokenSpec struct {
	Name     string
	Project  ProjectID
	Scopes   Scopes // empty are DefaultScopes
	OwnUsers bool
	Rate     *int // 1 to MaxTokenRate; nil: it shares the calls a minute of its owner
	Open     *int // 1 to MaxTokenOpen; nil: it shares the open calls of its owner
	Days     int  // 1 to MaxTokenDays

	// Environments are names for ParseEnvironmentNames; nil: no limit.
	Environments []string
}

// NewAccessToken makes an access token of c. Returns Invalid if the spec breaks a rule. Returns
// NotAllowed if c is not an admin and asks for a scope that manages, for own user ids, or for own
// limits.
func NewAccessToken(id TokenID, c Caller, spec TokenSpec, now time.Time) (AccessToken, error) {
	name, err := parseText("name", spec.Name, 64)
	if err != nil {
		return AccessToken{}, err
	}
	if spec.Days < 1 || spec.Days > MaxTokenDays {
		return AccessToken{}, invalid("expires_in_days must be 1 to 365")
	}
	if spec.Scopes == 0 && spec.Project != "" {
		spec.Scopes = DefaultScopes()
	}
	if err := spec.mayBeMadeBy(c); err != nil {
		return AccessToken{}, err
	}
	rate, err := parseLimit("rate", spec.Rate, MaxTokenRate)
	if err != nil {
		return AccessToken{}, err
	}
	open, err := parseLimit("open", spec.Open, MaxTokenOpen)
	if err != nil {
		return AccessToken{}, err
	}
	environments, err := spec.parseEnvironments()
	if err != nil {
		return AccessToken{}, err
	}
	return AccessToken{
		ID: id, Name: name, User: c.ID, Project: spec.Project, Scopes: spec.Scopes, OwnUsers: spec.OwnUsers, Rate: rate, Open: open,
		Created: Instant(now), Expires: Instant(now.Add(time.Duration(spec.Days) * 24 * time.Hour)), Environments: environments,
	}, nil
}

// parseEnvironments reads the environments that the token is limited to. Returns Invalid for an empty
// list, because no call could use such a token.
func (s TokenSpec) parseEnvironments() ([]string, error) {
	if s.Environments == nil {
		return nil, nil
	}
	if len(s.Environments) == 0 {
		return nil, invalid("environments must not be empty; leave it out for an access token without a limit")
	}
	return ParseEnvironmentNames("environments", s.Environments)
}

// parseLimit reads a limit of an access token. nil is 0. Returns Invalid unless any other limit is
// 1 to most.
func parseLimit(what string, limit *int, most int) (int, error) {
	switch {
	case limit == nil:
		return 0, nil
	case *limit < 1 || *limit > most:
		return 0, invalid(what + " must be 1 to " + strconv.Itoa(most) + "; leave it out to share the limit of the owner")
	}
	return *limit, nil
}

// mayBeMadeBy returns Invalid if project, scopes, own users and own limits do not go together, and
// NotAllowed if only an admin may make such a token and c is not one.
func (s TokenSpec) mayBeMadeBy(c Caller) error {
	manage := s.Scopes.Manage()
	if manage {
		if err := s.mayManage(); err != nil {
			return err
		}
	}
	switch {
	case s.Project == "" && !manage:
		return invalid("project_id is missing; every scope but those that manage needs it")
	case c.Admin:
		return nil
	case manage:
		return &Error{Kind: NotAllowed, Public: "only an admin may create an access token that manages"}
	case s.OwnUsers:
		return &Error{Kind: NotAllowed, Public: "only an admin may create an access token with user_ids own"}
	case s.limits():
		return &Error{Kind: NotAllowed, Public: "only an admin may create an access token with rate or open"}
	}
	return nil
}

func (s TokenSpec) limits() bool { return s.Rate != nil || s.Open != nil }

// mayManage returns Invalid if the spec has something that a token that manages can't have.
func (s TokenSpec) mayManage() error {
	const no = "an access token that manages can't have "
	switch {
	case s.Project != "" || s.Scopes.And(AllScopes()) != 0:
		return invalid(no + "a project_id or another scope")
	case s.OwnUsers:
		return invalid(no + "user_ids")
	case s.limits():
		return invalid(no + "rate or open, because it forwards no calls")
	case s.Environments != nil:
		return invalid(no + "environments, because it forwards no calls")
	}
	return nil
}
