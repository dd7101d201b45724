package tinkcipher_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/domain"
)

// newWrap is a key that wraps keysets.
func newWrap(t testing.TB) tink.AEAD {
	t.Helper()
	wrap, err := aead.New(handleOf(t, generate(t)))
	if err != nil {
		t.Fatal(err)
	}
	return wrap
}

// newWrapOf is the key that wraps the keyset at path, the same in every process.
func newWrapOf(t testing.TB, path string) tink.AEAD {
	t.Helper()
	file := path + ".wrap"
	if _, err := os.Stat(file); err != nil {
		if err := tinkcipher.WriteFile(file, generate(t)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(strings.NewReader(string(text))))
	if err != nil {
		t.Fatal(err)
	}
	wrap, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	return wrap
}

// counting counts, and is out of reach while it is told so.
type counting struct {
	tink.AEAD
	decrypted atomic.Int64
	fails     atomic.Bool
}

func (c *counting) Decrypt(sealed, associated []byte) ([]byte, error) {
	c.decrypted.Add(1)
	if c.fails.Load() {
		return nil, &domain.Error{Kind: domain.Unavailable, Public: "it is out of reach", Cause: errors.New("no route")}
	}
	return c.AEAD.Decrypt(sealed, associated)
}

func (c *counting) Encrypt(plain, associated []byte) ([]byte, error) {
	if c.fails.Load() {
		return nil, &domain.Error{Kind: domain.Unavailable, Public: "it is out of reach"}
	}
	return c.AEAD.Encrypt(plain, associated)
}

// killing kills its process when it is to encrypt the keyset for that write.
type killing struct {
	tink.AEAD
	step   string
	writes *atomic.Int64
	kill   func()
}

func (k killing) Encrypt(plain, associated []byte) ([]byte, error) {
	if n := k.writes.Add(1); k.step == "first write" && n == 1 || k.step == "second write" && n == 2 {
		k.kill()
	}
	return k.AEAD.Encrypt(plain, associated)
}

func TestAWrappedKeysetIsInNoFileInClear(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "keyset.json")
	o := new(clock).options()
	o.Wrap = newWrap(t)
	c := preparedOn(t, path, o)
	s := seal(t, c, "x")
	rotate(t, c)
	rotate(t, c)
	if _, err := c.Retire(t.Context(), nil, allowAll); err != nil {
		t.Fatal(err)
	}
	_, err := c.Open(s, binding)
	wantCorrupt(t, "Open under a key that was retired", err)
	again := preparedOn(t, path, o)
	wantOpens(t, again, seal(t, c, "y"), "y")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"encryptedKeyset"`) || strings.Contains(string(text), "keyData") {
		t.Error("the keyset is in clear")
	}
	wantOnly(t, folder, "keyset.json", "keyset.json.lock")
}

func TestWrapTakesAKeysetOver(t *testing.T) {
	clear, wrap := generate(t), newWrap(t)
	s := seal(t, prepared(t, clear), "x")
	wrapped, err := tinkcipher.Wrap(clear, "FILE", wrap)
	if err != nil {
		t.Fatal(err)
	}
	c := tinkcipher.NewText(wrapped, "KEYSET", wrap)
	if err := c.Prepare(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	wantOpens(t, c, s, "x")
	_, err = tinkcipher.Wrap(wrapped, "FILE", wrap)
	wantCorrupt(t, "Wrap of what is wrapped", err)
}

func TestWrappedKeysetsThatAreRefused(t *testing.T) {
	wrap, other := newWrap(t), newWrap(t)
	wrapped := func(by tink.AEAD) domain.Secret {
		t.Helper()
		text, err := tinkcipher.Generate(by)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	out := &counting{AEAD: wrap}
	out.fails.Store(true)
	for _, tc := range []struct {
		name   string
		keyset domain.Secret
		wrap   tink.AEAD
		kind   domain.Kind
		want   string
	}{
		{"one in clear", generate(t), wrap, domain.Corrupt,
			"is not wrapped, but a key that wraps it is set; 'flowlatch keys new --from CLEAR FILE' writes it wrapped to another file"},
		{"a wrapped one, and no key", wrapped(wrap), nil, domain.Corrupt, "is wrapped, but no key that unwraps it is set"},
		{"one that another key wraps", wrapped(other), wrap, domain.Corrupt, "can't be unwrapped with the key that is set"},
		{"one that is wrapped for something else", encryptedBy(t, wrap), wrap, domain.Corrupt, "can't be unwrapped with the key that is set"},
		{"one whose key is out of reach", wrapped(wrap), out, domain.Unavailable, "can't be unwrapped with the key that is set: it is out of reach"},
		{"one with something else in it", domain.NewSecret(`{"encryptedKeyset":"/////w=="}`), trusting{}, domain.Corrupt,
			"is wrapped, and its content is not a keyset of Tink"},
		{"one with nothing in it", domain.NewSecret(`{"encryptedKeyset":"AA=="}`), emptied{}, domain.Corrupt, "has no primary key that is enabled"},
		{"garbage", domain.NewSecret("hunter2"), wrap, domain.Corrupt, "is not a keyset in Tink's JSON"},
		{"half a keyset", domain.NewSecret(wrapped(wrap).Reveal()[:80]), wrap, domain.Corrupt, "is not a keyset in Tink's JSON"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tinkcipher.NewText(tc.keyset, "KEYSET", tc.wrap).Prepare(t.Context(), true)
			e, _ := errors.AsType[*domain.Error](err)
			if e == nil || e.Kind != tc.kind || e.Public != "the keyset in KEYSET "+tc.want {
				t.Errorf("Prepare: got error %v, want kind %q and %q", err, tc.kind, tc.want)
			}
		})
	}
}

// emptied finds nothing in what was wrapped.
type emptied struct{ trusting }

func (emptied) Decrypt([]byte, []byte) ([]byte, error) { return nil, nil }

// encryptedBy returns a keyset that is encrypted, and not bound to what ours are.
func encryptedBy(t testing.TB, wrap tink.AEAD) domain.Secret {
	t.Helper()
	var text strings.Builder
	if err := handleOf(t, generate(t)).Write(keyset.NewJSONWriter(&text), wrap); err != nil {
		t.Fatal(err)
	}
	return domain.NewSecret(text.String())
}

func TestAKeysetIsNotMadeWhileTheKeyThatWrapsItIsOutOfReach(t *testing.T) {
	folder := t.TempDir()
	out := &counting{AEAD: newWrap(t)}
	out.fails.Store(true)
	path := filepath.Join(folder, "keyset.json")
	c := tinkcipher.NewFile(path, tinkcipher.FileOptions{Wrap: out})
	if err := c.Prepare(t.Context(), true); domain.KindOf(err) != domain.Unavailable || !strings.Contains(err.Error(), "out of reach") {
		t.Errorf("Prepare: got error %v, want kind %q that says why", err, domain.Unavailable)
	}
	wantOnly(t, folder)
	out.fails.Store(false)
	if err := c.Prepare(t.Context(), true); err != nil {
		t.Errorf("Prepare once it answers: got error %v, want success", err)
	}
	keys := c.Keys()
	out.fails.Store(true)
	if _, err := c.Rotate(t.Context(), knownToNobody); domain.KindOf(err) != domain.Unavailable {
		t.Errorf("Rotate while it is out of reach: got error %v, want kind %q", err, domain.Unavailable)
	}
	out.fails.Store(false)
	if got := preparedOn(t, path, tinkcipher.FileOptions{Wrap: out}).Keys(); len(got) != len(keys) {
		t.Errorf("Keys: got %v, want %v as before", got, keys)
	}
}
