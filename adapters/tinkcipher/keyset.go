package tinkcipher

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/flowlatch/flowlatch/domain"
)

// maxKeyset is the longest keyset that is read, in bytes. A key takes some 240, so this
// holds more keys than anybody turns over.
const maxKeyset = 64 << 10

// Generate makes the text of a new keyset with one key for AES-256-GCM. It fails only
// where there is no randomness: Unavailable.
func Generate() (domain.Secret, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return domain.Secret{}, &domain.Error{Kind: domain.Unavailable, Public: "a keyset could not be made", Cause: err}
	}
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
		return domain.Secret{}, &domain.Error{Kind: domain.Unavailable, Public: "a keyset could not be written", Cause: err}
	}
	return domain.NewSecret(text.String() + "\n"), nil
}

// ring is a keyset that is ready for use.
type ring struct {
	aead tink.AEAD
	ids  []domain.KeyID // of the enabled keys, the primary one first
}

// parse reads the JSON of a keyset. place begins its sentences, which are written
// without those of Tink: its decoder quotes what it can't read, and that may be a key.
func parse(text domain.Secret, place string) (*ring, error) {
	switch size := len(text.Reveal()); {
	case strings.TrimSpace(text.Reveal()) == "":
		return nil, unusable(place, "is empty")
	case size > maxKeyset:
		return nil, unusable(place, fmt.Sprintf("is larger than %d KiB, so it is something else", maxKeyset>>10))
	}
	keys, err := read(text).Read()
	if err != nil || len(keys.GetKey()) == 0 {
		if sealed, err := read(text).ReadEncrypted(); err == nil && len(sealed.GetEncryptedKeyset()) > 0 {
			return nil, unusable(place, "is encrypted; it must be Tink's JSON in clear")
		}
		return nil, unusable(place, "is no keyset in Tink's JSON")
	}
	var ids []domain.KeyID
	hasPrimary := false
	for _, key := range keys.GetKey() {
		if key.GetStatus() != tinkpb.KeyStatusType_ENABLED {
			continue
		}
		if key.GetOutputPrefixType() != tinkpb.OutputPrefixType_TINK {
			return nil, unusable(place, fmt.Sprintf("has key %d, which does not name itself in what it seals (output prefix type TINK)", key.GetKeyId()))
		}
		if key.GetKeyId() == keys.GetPrimaryKeyId() {
			hasPrimary = true
			ids = append([]domain.KeyID{keyID(key.GetKeyId())}, ids...)
		} else {
			ids = append(ids, keyID(key.GetKeyId()))
		}
	}
	if !hasPrimary {
		return nil, unusable(place, "has no primary key that is enabled")
	}
	handle, err := insecurecleartextkeyset.Read(read(text))
	if err != nil {
		return nil, unusable(place, "has a key that Tink can't read")
	}
	cipher, err := aead.New(handle)
	if err != nil {
		return nil, unusable(place, "has a key that is not for authenticated encryption (Tink's AEAD)")
	}
	return &ring{aead: cipher, ids: ids}, nil
}

func read(text domain.Secret) *keyset.JSONReader {
	return keyset.NewJSONReader(strings.NewReader(text.Reveal()))
}

// unusable is the answer for a keyset that is there, or should be, and can't be used.
func unusable(place, what string) error {
	return &domain.Error{Kind: domain.Corrupt, Public: place + " " + what}
}
