// Package cookie encodes cookies, the handles of conversations, and texts that end at some time. It
// seals them with the service's cipher. A text shows nothing, and no bit of it can be altered.
//
// The text is base64url without padding (RFC 4648, section 5). It holds the length of the key's
// name in one byte, the name, and the sealed bytes. Sealed is the JSON of the claims, or an end and
// a text.
package cookie

import (
	"encoding/base64"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// MaxText is the longest text, in characters. Browsers keep a cookie of 4,096 bytes with its
// name and attributes (RFC 6265, section 6.1).
const MaxText = 3800

// Codec turns claims into a text and back. It looks nothing up. It is safe for concurrent
// use.
type Codec struct{ cipher ports.Cipher }

// New returns a Codec that seals with cipher, which must be given.
func New(cipher ports.Cipher) *Codec { return &Codec{cipher} }

// claims are the stored form of domain.Claims. Their names are in every cookie that is in
// use, so they stay. A format that these can't read needs another domain.BindCookie.
type claims struct {
	Kind    string `json:"kind"`
	Session string `json:"session"`
	User    string `json:"user"`
	Project string `json:"project,omitzero"`
	Version string `json:"version,omitzero"`
	Expires int64  `json:"expires"` // Unix microseconds
}

// Seal returns a text of at most MaxText characters that a cookie value may hold (RFC 6265,
// section 4.1.1), and the key that sealed it. Equal claims give different texts. Returns
// Invalid for claims that are not valid UTF-8 or too long. Errors of the cipher are passed
// on.
func (c *Codec) Seal(from domain.Claims) (text string, by domain.KeyID, err error) {
	stored := claims{
		Kind: string(from.Kind), Session: string(from.Session), User: string(from.User),
		Project: string(from.Project), Version: from.Version, Expires: from.Expires.UnixMicro(),
	}
	// The encoder would replace bytes that are not valid UTF-8.
	for _, text := range []string{stored.Kind, stored.Session, stored.User, stored.Project, stored.Version} {
		if !utf8.ValidString(text) {
			return "", "", doNotFit()
		}
	}
	plain, err := json.Marshal(stored)
	if err != nil {
		return "", "", doNotFit()
	}
	return c.seal(string(plain), domain.BindCookie(from.Kind))
}

// seal returns the text of what is sealed, and the key that sealed it.
func (c *Codec) seal(plain string, to domain.Binding) (text string, by domain.KeyID, err error) {
	sealed, err := c.cipher.Seal(domain.NewSecret(plain), to)
	if err != nil {
		return "", "", err
	}
	if len(sealed.Key) > 255 {
		return "", "", doNotFit()
	}
	packed := append([]byte{byte(len(sealed.Key))}, sealed.Key...)
	text = base64.RawURLEncoding.EncodeToString(append(packed, sealed.Bytes...))
	if len(text) > MaxText {
		return "", "", doNotFit()
	}
	return text, sealed.Key, nil
}

// Open reverses Seal for a text of that kind. It returns the claims and the key that sealed
// them, whichever key is current. It does not check whether the claims have expired. Returns
// NotAuthenticated if the text or the kind is wrong, and does not tell why. Returns Unavailable
// if the cipher can't answer.
func (c *Codec) Open(kind domain.SessionKind, text string) (domain.Claims, domain.KeyID, error) {
	plain, by, err := c.open(domain.BindCookie(kind), text)
	if err != nil {
		return domain.Claims{}, "", err
	}
	var of claims
	if err := json.Unmarshal([]byte(plain), &of); err != nil || of.Kind != string(kind) {
		return domain.Claims{}, "", domain.NotLoggedIn(nil)
	}
	return domain.Claims{
		Kind: kind, Session: domain.SessionID(of.Session), User: domain.UserID(of.User),
		Project: domain.ProjectID(of.Project), Version: of.Version, Expires: time.UnixMicro(of.Expires).UTC(),
	}, by, nil
}

// open reverses seal. Returns NotAuthenticated if the text or the binding is wrong, and Unavailable if
// the cipher can't answer.
func (c *Codec) open(to domain.Binding, text string) (plain string, by domain.KeyID, err error) {
	sealed, ok := unpack(text)
	if !ok {
		return "", "", domain.NotLoggedIn(nil)
	}
	opened, err := c.cipher.Open(sealed, to)
	switch {
	case domain.KindOf(err) == domain.Unavailable:
		return "", "", err
	case err != nil:
		return "", "", domain.NotLoggedIn(nil)
	}
	return opened.Reveal(), sealed.Key, nil
}

// unpack returns the sealed bytes of the text and the key that they name.
func unpack(text string) (domain.Sealed, bool) {
	if len(text) > MaxText {
		return domain.Sealed{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	// The decoder ignores line breaks. Only the text that Seal would write is valid.
	if err != nil || base64.RawURLEncoding.EncodeToString(b) != text || len(b) == 0 {
		return domain.Sealed{}, false
	}
	length, rest := int(b[0]), b[1:]
	if len(rest) < length {
		return domain.Sealed{}, false
	}
	return domain.Sealed{Key: domain.KeyID(rest[:length]), Bytes: rest[length:]}, true
}

func doNotFit() error {
	return &domain.Error{Kind: domain.Invalid, Public: "the session is too long for a cookie or not valid UTF-8"}
}
