package memory

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Pseudonyms = (*Pseudonyms)(nil)

// Pseudonyms is a ports.Pseudonyms for tests. It encrypts a text under a nonce that is a MAC of
// the text, so that one text has one pseudonym. It stores nothing. It is safe for concurrent
// use.
type Pseudonyms struct{}

// NewPseudonyms returns pseudonyms that are ready.
func NewPseudonyms() *Pseudonyms { return &Pseudonyms{} }

const (
	pseudonymKey = "memory-pseudonyms:" // begins each key, before 32 bytes in hex
	// longestText is the number of bytes that fit, after the nonce, into the longest
	// pseudonym. The pseudonym of a longer text is only a MAC.
	longestText = (domain.MaxPseudonym-len(reversible))*6/8 - aes.BlockSize

	reversible = domain.PseudonymPrefix + "p" // begins the pseudonym of a text that fits
	oneWay     = domain.PseudonymPrefix + "h" // begins one that is only a MAC
)

// NewKey returns a random key.
func (*Pseudonyms) NewKey() (domain.Secret, error) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	return domain.NewSecret(pseudonymKey + hex.EncodeToString(b[:])), nil
}

// Bind returns the pseudonym of text. Returns Corrupt if NewKey did not make key. Returns
// Invalid for an empty text, for one longer than domain.MaxOwnUserID and for the zero Binding.
func (p *Pseudonyms) Bind(text string, key domain.Secret, to domain.Binding) (string, error) {
	if text == "" || len(text) > domain.MaxOwnUserID || to == (domain.Binding{}) {
		return "", &domain.Error{Kind: domain.Invalid, Public: "a pseudonym needs a binding and a user id of 1 to 256 bytes"}
	}
	k, ok := pseudonymKeyOf(key)
	if !ok {
		return "", &domain.Error{Kind: domain.Corrupt, Public: "the key of the pseudonyms is invalid"}
	}
	if len(text) > longestText {
		return oneWay + base64.RawURLEncoding.EncodeToString(k.mac("long", text, to)), nil
	}
	nonce := k.mac("nonce", text, to)[:aes.BlockSize]
	return reversible + base64.RawURLEncoding.EncodeToString(append(slices.Clone(nonce), k.crypt(nonce, text)...)), nil
}

// Unbind returns the text of the pseudonym, for texts of at most 77 bytes.
func (p *Pseudonyms) Unbind(pseudonym string, key domain.Secret, to domain.Binding) (string, bool) {
	k, ok := pseudonymKeyOf(key)
	encoded, ours := strings.CutPrefix(pseudonym, reversible)
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if !ok || !ours || err != nil || len(b) <= aes.BlockSize || to == (domain.Binding{}) {
		return "", false
	}
	nonce := b[:aes.BlockSize]
	text := string(k.crypt(nonce, string(b[aes.BlockSize:])))
	// The decoder ignores line breaks, so the pseudonym is compared as it was given.
	if again, err := p.Bind(text, key, to); err != nil || again != pseudonym {
		return "", false
	}
	return text, true
}

type pseudonymKeyBytes []byte

func pseudonymKeyOf(key domain.Secret) (pseudonymKeyBytes, bool) {
	text, ours := strings.CutPrefix(key.Reveal(), pseudonymKey)
	b, err := hex.DecodeString(text)
	return b, ours && err == nil && len(b) == sha256.Size
}

// mac returns the MAC of the text and its binding, under a key for that use.
func (k pseudonymKeyBytes) mac(use, text string, to domain.Binding) []byte {
	h := hmac.New(sha256.New, k.derive(use))
	bound := sha256.Sum256([]byte(to.AssociatedData()))
	_, _ = h.Write(bound[:]) // a hash never fails
	_, _ = h.Write([]byte(text))
	return h.Sum(nil)
}

// crypt encrypts and decrypts.
func (k pseudonymKeyBytes) crypt(nonce []byte, text string) []byte {
	block, err := aes.NewCipher(k.derive("text"))
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	out := make([]byte, len(text))
	cipher.NewCTR(block, nonce).XORKeyStream(out, []byte(text))
	return out
}

// derive returns the key for that use.
func (k pseudonymKeyBytes) derive(use string) []byte {
	h := hmac.New(sha256.New, k)
	_, _ = h.Write([]byte(use))
	return h.Sum(nil)
}
