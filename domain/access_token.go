package domain

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"time"
)

// TokenID names an access token: a UUIDv7 as text. It is no secret.
type TokenID string

// NewTokenID makes an id from the time now and 10 bytes of random.
func NewTokenID(now time.Time, random io.Reader) (TokenID, error) {
	id, err := newUUID(now, random)
	return TokenID(id), err
}

// ParseTokenID takes a UUID in its usual text and is Invalid otherwise.
func ParseTokenID(text string) (TokenID, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if !isUUID(text) {
		return "", invalid("token_id is no Id of an access token")
	}
	return TokenID(text), nil
}

// TokenHash is the SHA-256 of an access token's text: all that is stored of one. A fast
// hash is enough for what has 256 random bits (OWASP ASVS 5.0, 6.5.2).
type TokenHash [sha256.Size]byte

// TokenPrefix begins every access token, so that scanners for leaked secrets find it.
const TokenPrefix = "flk_"

// An access token is the prefix and, in lower-case base32 (RFC 4648) without padding, 32
// random bytes and the CRC-32 (IEEE) of prefix and bytes: flk_[a-z2-7]{58}.
const (
	tokenRandom = 32
	tokenText   = 58
	// tokenShown is how much of a token's text is kept to recognise it by: 30 of its 256 bits.
	tokenShown = len(TokenPrefix) + 6
)

var tokenEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewAccessTokenText makes the text of an access token from 32 bytes of random, with its
// hash and the prefix to recognise it by.
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

// ParseAccessToken returns the hash of a text that has the form of an access token and
// its right checksum, so that a typo costs no look-up. Anything else is NotAuthenticated.
func ParseAccessToken(text Secret) (TokenHash, error) {
	wrong := &Error{Kind: NotAuthenticated, Public: "the access token in Authorization is not good"}
	t := text.Reveal()
	rest, ours := strings.CutPrefix(t, TokenPrefix)
	if !ours || len(rest) != tokenText {
		return TokenHash{}, wrong
	}
	b, err := tokenEncoding.DecodeString(rest)
	if err != nil || len(b) != tokenRandom+crc32.Size ||
		binary.BigEndian.Uint32(b[tokenRandom:]) != tokenChecksum(b[:tokenRandom]) ||
		tokenEncoding.EncodeToString(b) != rest { // the last character has bits to spare
		return TokenHash{}, wrong
	}
	return sha256.Sum256([]byte(t)), nil
}

// AccessToken is what is known of an access token. Its text is shown once, when it is
// made, and kept nowhere.
type AccessToken struct {
	ID       TokenID
	Name     string
	Prefix   string    // the first characters of its text
	User     UserID    // who made it, and whose rights bound its own
	Project  ProjectID // what it opens; "" for one with ScopeManage
	Scopes   Scopes
	OwnUsers bool // whoever has it has users of their own: their ids go to Voiceflow as they are
	Created  time.Time
	Expires  time.Time // exclusive
	LastUsed time.Time // to about a minute; zero when it never was
}

// MaxTokens is how many access tokens a user may have, over or not: each has a rate of its
// own, so that without a bound nobody's would mean anything.
const MaxTokens = 100

// The limits of an access token's life, in days.
const (
	DefaultTokenDays = 90
	MaxTokenDays     = 365
)

// Live says whether the token can be used at now: its end is exclusive.
func (t AccessToken) Live(now time.Time) bool { return now.Before(t.Expires) }

// NewAccessToken makes a token of c for project within scopes, which may be empty: then
// they are the default ones. A token has a project, or ScopeManage and nothing else;
// userIDs is bound, which "" means too, or own. It is Invalid for what breaks these
// rules, and NotAllowed where c is no admin and asks for ScopeManage or for own user ids.
// days are 1 to MaxTokenDays.
func NewAccessToken(id TokenID, c Caller, name string, project ProjectID, scopes Scopes, userIDs string, days int, now time.Time) (AccessToken, error) {
	name, err := parseText("name", name, 64)
	if err != nil {
		return AccessToken{}, err
	}
	if days < 1 || days > MaxTokenDays {
		return AccessToken{}, invalid("expires_in_days must be 1 to 365")
	}
	if scopes == 0 && project != "" {
		scopes = DefaultScopes()
	}
	switch {
	case scopes.Has(ScopeManage) && (project != "" || scopes != ScopesOf(ScopeManage)):
		return AccessToken{}, invalid("an access token with manage has no project_id and no other scope")
	case project == "" && !scopes.Has(ScopeManage):
		return AccessToken{}, invalid("project_id is missing; only an access token with the scope manage has none")
	case userIDs != "" && userIDs != "bound" && userIDs != "own":
		return AccessToken{}, invalid("user_ids must be bound or own")
	case userIDs == "own" && project == "":
		return AccessToken{}, invalid("an access token with manage has no user_ids")
	case !c.Admin && scopes.Has(ScopeManage):
		return AccessToken{}, &Error{Kind: NotAllowed, Public: "only an admin may make an access token with the scope manage"}
	case !c.Admin && userIDs == "own":
		return AccessToken{}, &Error{Kind: NotAllowed, Public: "only an admin may make an access token with user_ids own"}
	}
	return AccessToken{
		ID: id, Name: name, User: c.ID, Project: project, Scopes: scopes, OwnUsers: userIDs == "own",
		Created: Instant(now), Expires: Instant(now.Add(time.Duration(days) * 24 * time.Hour)),
	}, nil
}
