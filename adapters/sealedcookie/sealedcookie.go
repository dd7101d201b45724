// Package sealedcookie is the ports.Cookies that seals a cookie with the service's
// cipher: the text shows nothing and no bit of it can be altered. It is a codec only.
//
// The text is base64url without padding (RFC 4648, section 5) of the length of the key's
// name in one byte, that name, and the sealed bytes. Sealed is the JSON of the claims.
package sealedcookie

import (
	"encoding/base64"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Cookies = (*Codec)(nil)

// maxText is the longest text of a cookie. Browsers keep a cookie of 4,096 bytes with
// its name and attributes (RFC 6265, section 6.1).
const maxText = 3800

// Codec is a ports.Cookies on a cipher. It is safe for concurrent use.
type Codec struct{ cipher ports.Cipher }

// New returns a Codec that seals with cipher, which must be prepared before its use.
func New(cipher ports.Cipher) *Codec { return &Codec{cipher} }

// claims are what is written of domain.Claims. Their names are in every cookie that is
// out, so they stay; a format that these can't read needs another domain.BindCookie.
type claims struct {
	Kind    string `json:"kind"`
	Session string `json:"session"`
	User    string `json:"user"`
	Project string `json:"project,omitzero"`
	Version string `json:"version,omitzero"`
	Expires int64  `json:"expires"` // Unix microseconds
}

// Seal is Invalid for claims that fit no cookie: text that is no UTF-8 or far too long.
// The errors of the cipher are passed on.
func (c *Codec) Seal(from domain.Claims) (text string, by domain.KeyID, err error) {
	plain, err := json.Marshal(claims{
		Kind: string(from.Kind), Session: string(from.Session), User: string(from.User),
		Project: string(from.Project), Version: from.Version, Expires: from.Expires.UnixMicro(),
	})
	if err != nil {
		return "", "", doNotFit()
	}
	sealed, err := c.cipher.Seal(domain.NewSecret(string(plain)), domain.BindCookie(from.Kind))
	if err != nil {
		return "", "", err
	}
	if len(sealed.Key) > 255 {
		return "", "", doNotFit()
	}
	packed := append([]byte{byte(len(sealed.Key))}, sealed.Key...)
	text = base64.RawURLEncoding.EncodeToString(append(packed, sealed.Bytes...))
	if len(text) > maxText {
		return "", "", doNotFit()
	}
	return text, sealed.Key, nil
}

// Open is NotAuthenticated and says no more, whatever is wrong. It is Unavailable only
// when the cipher can't answer.
func (c *Codec) Open(kind domain.SessionKind, text string) (domain.Claims, domain.KeyID, error) {
	sealed, ok := unpack(text)
	if !ok {
		return domain.Claims{}, "", notAuthenticated()
	}
	plain, err := c.cipher.Open(sealed, domain.BindCookie(kind))
	if domain.KindOf(err) == domain.Unavailable {
		return domain.Claims{}, "", err
	}
	if err != nil {
		return domain.Claims{}, "", notAuthenticated()
	}
	var of claims
	if err := json.Unmarshal([]byte(plain.Reveal()), &of); err != nil || of.Kind != string(kind) {
		return domain.Claims{}, "", notAuthenticated()
	}
	return domain.Claims{
		Kind: kind, Session: domain.SessionID(of.Session), User: domain.UserID(of.User),
		Project: domain.ProjectID(of.Project), Version: of.Version, Expires: time.UnixMicro(of.Expires).UTC(),
	}, sealed.Key, nil
}

func unpack(text string) (domain.Sealed, bool) {
	if len(text) > maxText {
		return domain.Sealed{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	// The decoder passes over line breaks: only the text that Seal would write counts.
	if err != nil || base64.RawURLEncoding.EncodeToString(b) != text || len(b) == 0 {
		return domain.Sealed{}, false
	}
	length, rest := int(b[0]), b[1:]
	if len(rest) < length {
		return domain.Sealed{}, false
	}
	return domain.Sealed{Key: domain.KeyID(rest[:length]), Bytes: rest[length:]}, true
}

func notAuthenticated() error {
	return &domain.Error{Kind: domain.NotAuthenticated, Public: "you are not logged in"}
}

func doNotFit() error {
	return &domain.Error{Kind: domain.Invalid, Public: "what the cookie is to say does not fit in one"}
}
