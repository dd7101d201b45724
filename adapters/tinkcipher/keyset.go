package tinkcipher

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/flowlatch/flowlatch/domain"
)

// maxKeyset is the longest keyset that is read or written, in bytes. A key takes about 240
// bytes, so this is more keys than anybody rotates.
const maxKeyset = 64 << 10

// wrapping is the binding of a wrapped keyset. Nothing else that the outside key has encrypted
// can be taken for a keyset.
var wrapping = []byte("flowlatch/keyset/v1")

// Generate returns the text of a new keyset with one key for AES-256-GCM. The text is encrypted
// by wrap, or in clear if wrap is nil. Returns Unavailable if there is no randomness. If wrap
// fails, returns the kind of its *domain.Error, and otherwise Unavailable.
func Generate(wrap tink.AEAD) (domain.Secret, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return domain.Secret{}, &domain.Error{Kind: domain.Unavailable, Public: "a keyset could not be created", Cause: err}
	}
	return encode(handle, wrap)
}

// Wrap encrypts the keyset, which is in clear, with wrap and returns it. name is the operator's
// name for the keyset. Returns Corrupt if the text is not a keyset in clear. If wrap fails,
// returns the same errors as Generate.
func Wrap(keyset domain.Secret, name string, wrap tink.AEAD) (domain.Secret, error) {
	r, err := parse(keyset, nil, "the keyset in "+name)
	if err != nil {
		return domain.Secret{}, err
	}
	return encode(r.handle, wrap)
}

// encode returns the text of a keyset.
func encode(handle *keyset.Handle, wrap tink.AEAD) (domain.Secret, error) {
	var text bytes.Buffer
	var err error
	outside := &outsideKey{AEAD: wrap}
	if wrap == nil {
		err = insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text))
	} else {
		err = handle.WriteWithAssociatedData(keyset.NewJSONWriter(&text), outside, wrapping)
	}
	switch {
	case outside.failed != nil:
		return domain.Secret{}, ofOutside("a keyset can't be wrapped", domain.Unavailable, outside.failed)
	case err != nil:
		return domain.Secret{}, &domain.Error{Kind: domain.Unavailable, Public: "a keyset could not be written", Cause: err}
	case text.Len() >= maxKeyset:
		return domain.Secret{}, &domain.Error{Kind: domain.Conflict, Public: "the keyset has too many keys; retire some first"}
	}
	return domain.NewSecret(text.String() + "\n"), nil
}

// outsideKey is the key that wraps a keyset. It keeps the error of wrapping, because Tink turns
// it into text.
type outsideKey struct {
	tink.AEAD
	failed error
}

// Encrypt implements tink.AEAD.
func (k *outsideKey) Encrypt(plain, associated []byte) ([]byte, error) {
	sealed, err := k.AEAD.Encrypt(plain, associated)
	k.failed = err
	return sealed, err
}

// ofOutside returns the error for an outside key that failed. If the key's error has no kind,
// the kind is fallback.
func ofOutside(what string, fallback domain.Kind, err error) error {
	if e, ok := errors.AsType[*domain.Error](err); ok {
		return &domain.Error{Kind: e.Kind, Public: what + ": " + e.Public, Cause: e.Cause}
	}
	return &domain.Error{Kind: fallback, Public: what, Cause: err}
}

// ring is a keyset that is ready for use.
type ring struct {
	aead   tink.AEAD
	ids    []domain.KeyID // the enabled keys, the current key first
	handle *keyset.Handle
	file   fs.FileInfo // the file that it was read from; nil for a keyset that is given as text
}

// parse reads the JSON of a keyset, encrypted by wrap, or in clear if wrap is nil. Its messages
// begin with place. They never contain Tink's messages: Tink's decoder quotes what it can't
// read, and that can be a key.
func parse(text domain.Secret, wrap tink.AEAD, place string) (*ring, error) {
	switch size := len(text.Reveal()); {
	case strings.TrimSpace(text.Reveal()) == "":
		return nil, unusable(place, "is empty")
	case size > maxKeyset:
		return nil, unusable(place, fmt.Sprintf("is larger than %d KiB, so it is not a keyset", maxKeyset>>10))
	}
	inClear, err := decode(text, wrap, place)
	if err != nil {
		return nil, err
	}
	keys, err := inClear().Read()
	if err != nil {
		return nil, unusable(place, "is wrapped, and its content is not a keyset of Tink")
	}
	for _, key := range keys.GetKey() {
		if key.GetStatus() == tinkpb.KeyStatusType_ENABLED && key.GetOutputPrefixType() != tinkpb.OutputPrefixType_TINK {
			return nil, unusable(place, fmt.Sprintf("has key %d, whose ciphertexts do not name it; its output prefix type must be TINK", key.GetKeyId()))
		}
	}
	ids, hasPrimary := enabled(keys.GetPrimaryKeyId(), keys.GetKey())
	if !hasPrimary {
		return nil, unusable(place, "has no primary key that is enabled")
	}
	handle, err := insecurecleartextkeyset.Read(inClear())
	if err != nil {
		return nil, unusable(place, "has a key that Tink can't read")
	}
	cipher, err := aead.New(handle)
	if err != nil {
		return nil, unusable(place, "has a key that is not for authenticated encryption (Tink's AEAD)")
	}
	return &ring{aead: cipher, ids: ids, handle: handle}, nil
}

// decode returns a function that returns a reader of the keyset in clear. Each reader starts at
// the beginning.
func decode(text domain.Secret, wrap tink.AEAD, place string) (func() keyset.Reader, error) {
	clear, err := read(text).Read()
	isClear := err == nil && len(clear.GetKey()) > 0
	wrapped, err := read(text).ReadEncrypted()
	isWrapped := err == nil && len(wrapped.GetEncryptedKeyset()) > 0
	switch {
	case isClear && wrap == nil:
		return func() keyset.Reader { return read(text) }, nil
	case isClear:
		return nil, unusable(place, "is not wrapped, but a key that wraps it is set; 'flowlatch keys new --from CLEAR FILE' writes it wrapped to another file")
	case isWrapped && wrap == nil:
		return nil, unusable(place, "is wrapped, but no key that unwraps it is set")
	case !isWrapped:
		return nil, unusable(place, "is not a keyset in Tink's JSON")
	}
	plain, err := wrap.Decrypt(wrapped.GetEncryptedKeyset(), wrapping)
	if err != nil {
		return nil, ofOutside(place+" can't be unwrapped with the key that is set", domain.Corrupt, err)
	}
	return func() keyset.Reader { return keyset.NewBinaryReader(bytes.NewReader(plain)) }, nil
}

// enabled returns the enabled keys: the primary one first, if it is enabled, then the others in
// the order of the keyset.
func enabled[K interface {
	GetKeyId() uint32
	GetStatus() tinkpb.KeyStatusType
}](primary uint32, keys []K) (ids []domain.KeyID, hasPrimary bool) {
	for _, key := range keys {
		switch {
		case key.GetStatus() != tinkpb.KeyStatusType_ENABLED:
		case key.GetKeyId() == primary:
			hasPrimary = true
			ids = append([]domain.KeyID{keyID(primary)}, ids...)
		default:
			ids = append(ids, keyID(key.GetKeyId()))
		}
	}
	return ids, hasPrimary
}

func read(text domain.Secret) *keyset.JSONReader {
	return keyset.NewJSONReader(strings.NewReader(text.Reveal()))
}

// unusable returns the error for a keyset that can't be used, or that is missing.
func unusable(place, what string) error {
	return &domain.Error{Kind: domain.Corrupt, Public: place + " " + what}
}
