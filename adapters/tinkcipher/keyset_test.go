package tinkcipher_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/daead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/domain"
)

func handleOf(t testing.TB, text domain.Secret) *keyset.Handle {
	t.Helper()
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(strings.NewReader(text.Reveal())))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func textOf(t testing.TB, h *keyset.Handle) domain.Secret {
	t.Helper()
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&text)); err != nil {
		t.Fatal(err)
	}
	return domain.NewSecret(text.String())
}

// managed returns the keyset as change leaves it.
func managed(t testing.TB, text domain.Secret, change func(m *keyset.Manager) error) domain.Secret {
	t.Helper()
	m := keyset.NewManagerFromHandle(handleOf(t, text))
	if err := change(m); err != nil {
		t.Fatal(err)
	}
	h, err := m.Handle()
	if err != nil {
		t.Fatal(err)
	}
	return textOf(t, h)
}

// addKey adds a key that becomes the primary one.
func addKey(t testing.TB, text domain.Secret) domain.Secret {
	return managed(t, text, func(m *keyset.Manager) error {
		id, err := m.Add(aead.AES256GCMKeyTemplate())
		if err != nil {
			return err
		}
		return m.SetPrimary(id)
	})
}

func disableKey(t testing.TB, text domain.Secret, id domain.KeyID) domain.Secret {
	n, err := strconv.ParseUint(string(id), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return managed(t, text, func(m *keyset.Manager) error { return m.Disable(uint32(n)) })
}

// keysetOf makes a keyset by another template than ours.
func keysetOf(t testing.TB, template *tinkpb.KeyTemplate) domain.Secret {
	t.Helper()
	h, err := keyset.NewHandle(template)
	if err != nil {
		t.Fatal(err)
	}
	return textOf(t, h)
}

// encrypted returns a keyset that is encrypted with another one.
func encrypted(t testing.TB) domain.Secret {
	t.Helper()
	master, err := aead.New(handleOf(t, generate(t)))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := handleOf(t, generate(t)).Write(keyset.NewJSONWriter(&text), master); err != nil {
		t.Fatal(err)
	}
	return domain.NewSecret(text.String())
}

// replaced is the text of a new keyset with one part replaced by another.
func replaced(t testing.TB, old, by string) domain.Secret {
	t.Helper()
	text := generate(t).Reveal()
	if !strings.Contains(text, old) {
		t.Fatalf("a keyset no longer contains %q", old)
	}
	return domain.NewSecret(strings.Replace(text, old, by, 1))
}

// without is the text of a new keyset without that member.
func without(t testing.TB, name string) domain.Secret {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(generate(t).Reveal()), &members); err != nil {
		t.Fatal(err)
	}
	delete(members, name)
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return domain.NewSecret(string(text))
}

func TestKeysetsThatAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name   string
		keyset domain.Secret
		want   string
	}{
		{"nothing", domain.Secret{}, "is empty"},
		{"white space", domain.NewSecret(" \n\t"), "is empty"},
		{"too much", domain.NewSecret(strings.Repeat(" ", 64<<10) + generate(t).Reveal()), "is larger than 64 KiB, so it is not a keyset"},
		{"garbage", domain.NewSecret("\x00\xff\xfe"), "is not a keyset in Tink's JSON"},
		{"a password", domain.NewSecret("hunter2"), "is not a keyset in Tink's JSON"},
		{"an empty object", domain.NewSecret("{}"), "is not a keyset in Tink's JSON"},
		{"no keys", domain.NewSecret(`{"primaryKeyId":1,"key":[]}`), "is not a keyset in Tink's JSON"},
		{"JSON of another program", domain.NewSecret(`{"type":"service_account","private_key":"s3cret"}`), "is not a keyset in Tink's JSON"},
		{"a keyset and more", domain.NewSecret(generate(t).Reveal() + generate(t).Reveal()), "is not a keyset in Tink's JSON"},
		{"half a keyset", domain.NewSecret(generate(t).Reveal()[:100]), "is not a keyset in Tink's JSON"},
		{"an encrypted keyset", encrypted(t), "is wrapped, but no key that unwraps it is set"},
		{"a key for HMAC", keysetOf(t, mac.HMACSHA256Tag256KeyTemplate()), "has a key that is not for authenticated encryption (Tink's AEAD)"},
		{"a key for deterministic encryption", keysetOf(t, daead.AESSIVKeyTemplate()), "has a key that is not for authenticated encryption (Tink's AEAD)"},
		{"a key of unknown type", replaced(t, "AesGcmKey", "NoSuchKey"), "has a key that is not for authenticated encryption (Tink's AEAD)"},
		{"a key that is cut", replaced(t, `"value":"Gi`, `"value":"Gj`), "has a key that Tink can't read"},
		{"a disabled key only", replaced(t, "ENABLED", "DISABLED"), "has no primary key that is enabled"},
		{"no primary key", without(t, "primaryKeyId"), "has no primary key that is enabled"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tinkcipher.NewText(tc.keyset, "KEYSET", nil).Prepare(t.Context(), true)
			wantCorrupt(t, "Prepare", err)
			if got, want := err.Error(), "corrupt: the keyset in KEYSET "+tc.want; got != want {
				t.Errorf("Prepare: got %q, want %q", got, want)
			}
		})
	}
}

func TestAKeyMustNameItselfInWhatItSeals(t *testing.T) {
	raw := keysetOf(t, aead.AES256GCMNoPrefixKeyTemplate())
	err := tinkcipher.NewText(raw, "KEYSET", nil).Prepare(t.Context(), true)
	wantCorrupt(t, "Prepare", err)
	if !strings.HasSuffix(err.Error(), "whose ciphertexts do not name it; its output prefix type must be TINK") {
		t.Errorf("Prepare: got %q, want it to say that the key has no prefix", err)
	}
}

func TestOtherAuthenticatedCiphersOfTinkWork(t *testing.T) {
	c := prepared(t, keysetOf(t, aead.XChaCha20Poly1305KeyTemplate()))
	wantOpens(t, c, seal(t, c, "x"), "x")
}

func TestNewKeysAreAES256GCM(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	c := preparedOn(t, path, new(clock).options())
	rotate(t, c)
	rotated, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		text domain.Secret
		keys int
	}{{"a new keyset", generate(t), 1}, {"a keyset that was rotated", domain.NewSecret(string(rotated)), 2}} {
		h := handleOf(t, tc.text)
		if h.Len() != tc.keys {
			t.Errorf("%s has %d keys, want %d", tc.name, h.Len(), tc.keys)
		}
		for i := range h.Len() {
			entry, err := h.Entry(i)
			if err != nil {
				t.Fatal(err)
			}
			p, is := entry.Key().Parameters().(*aesgcm.Parameters)
			if !is || p.KeySizeInBytes() != 32 || p.TagSizeInBytes() != 16 {
				t.Errorf("%s: key %d is of another kind than AES-256-GCM: %T", tc.name, i, entry.Key().Parameters())
			}
		}
	}
}
