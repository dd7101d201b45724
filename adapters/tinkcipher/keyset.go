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

// maxKeyset is the longest keyset that is read or written, in bytes. A key takes some
// 240, so this holds more keys than anybody turns over.
const maxKeyset = 64 << 10

// wrapping is what a wrapped keyset is bound to, so that nothing else that the key outside
// has encrypted is taken for one.
var wrapping = []byte("flowlatch/keyset/v1")

// Generate makes the text of a new keyset with one key for AES-256-GCM, encrypted by wrap,
// or in clear where that is nil. It fails only where there is no randomness, or where wrap
// fails: Unavailable, or the kind of the *domain.Error that wrap gives.
func Generate(wrap tink.AEAD) (domain.Secret, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return domain.Secret{}, &domain.Error{Kind: domain.Unavailable, Public: "a keyset could not be made", Cause: err}
	}
	return encode(handle, wrap)
}

// Wrap returns the keyset, which is in clear, encrypted by wrap. It is Corrupt for what is
// no keyset in clear, and fails as Generate does where wrap fails. name is what the
// operator calls the keyset.
func Wrap(keyset domain.Secret, name string, wrap tink.AEAD) (domain.Secret, error) {
	r, err := parse(keyset, nil, "the keyset in "+name)
	if err != nil {
		return domain.Secret{}, err
	}
	return encode(r.handle, wrap)
}

// encode is the text of a keyset.
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

// outsideKey is the key that is to wrap a keyset. It keeps the error, which Tink turns into
// text.
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

// ofOutside is what is said where the key that wraps a keyset fails. A key that does not
// say what kind of failure it is has failed by fallback.
func ofOutside(what string, fallback domain.Kind, err error) error {
	if e, ok := errors.AsType[*domain.Error](err); ok {
		return &domain.Error{Kind: e.Kind, Public: what + ": " + e.Public, Cause: e.Cause}
	}
	return &domain.Error{Kind: fallback, Public: what, Cause: err}
}

// ring is a keyset that is ready for use.
type ring struct {
	aead   tink.AEAD
	ids    []domain.KeyID // of the enabled keys, the primary one first
	handle *keyset.Handle
	file   fs.FileInfo // which file it stands in; nil for one that is given as text
}

// parse reads the JSON of a keyset, encrypted by wrap, or in clear where that is nil. place
// begins its sentences, which are written without those of Tink: its decoder quotes what
// it can't read, and that may be a key.
func parse(text domain.Secret, wrap tink.AEAD, place string) (*ring, error) {
	switch size := len(text.Reveal()); {
	case strings.TrimSpace(text.Reveal()) == "":
		return nil, unusable(place, "is empty")
	case size > maxKeyset:
		return nil, unusable(place, fmt.Sprintf("is larger than %d KiB, so it is something else", maxKeyset>>10))
	}
	inClear, err := decode(text, wrap, place)
	if err != nil {
		return nil, err
	}
	keys, err := inClear().Read()
	if err != nil {
		return nil, unusable(place, "is wrapped, and what is in it is no keyset of Tink's")
	}
	for _, key := range keys.GetKey() {
		if key.GetStatus() == tinkpb.KeyStatusType_ENABLED && key.GetOutputPrefixType() != tinkpb.OutputPrefixType_TINK {
			return nil, unusable(place, fmt.Sprintf("has key %d, which does not name itself in what it seals (output prefix type TINK)", key.GetKeyId()))
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

// decode says how to read the keyset in the text, in clear: the function returns a reader
// at its beginning each time.
func decode(text domain.Secret, wrap tink.AEAD, place string) (func() keyset.Reader, error) {
	clear, err := read(text).Read()
	isClear := err == nil && len(clear.GetKey()) > 0
	wrapped, err := read(text).ReadEncrypted()
	isWrapped := err == nil && len(wrapped.GetEncryptedKeyset()) > 0
	switch {
	case isClear && wrap == nil:
		return func() keyset.Reader { return read(text) }, nil
	case isClear:
		return nil, unusable(place, "is in clear, and a key is set that wraps it; 'flowlatch keys new --from CLEAR FILE' writes it wrapped to another file")
	case isWrapped && wrap == nil:
		return nil, unusable(place, "is encrypted, and no key is set that wraps it")
	case !isWrapped:
		return nil, unusable(place, "is no keyset in Tink's JSON")
	}
	plain, err := wrap.Decrypt(wrapped.GetEncryptedKeyset(), wrapping)
	if err != nil {
		return nil, ofOutside(place+" does not open with the key that wraps it", domain.Corrupt, err)
	}
	return func() keyset.Reader { return keyset.NewBinaryReader(bytes.NewReader(plain)) }, nil
}

// enabled are the keys that are enabled: the primary one first, if it is among them, then
// the others in the order of the keyset.
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

// unusable is the answer for a keyset that is there, or should be, and can't be used.
func unusable(place, what string) error {
	return &domain.Error{Kind: domain.Corrupt, Public: place + " " + what}
}
