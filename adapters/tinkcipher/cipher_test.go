package tinkcipher_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tink-crypto/tink-go/v2/tink"
	"pgregory.net/rapid"

	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

const origin = domain.Origin("https://api.voiceflow.com")

var binding = domain.BindKey("01890000-0000-7000-8000-000000000001", domain.SlotPrimary, origin)

func TestCipher(t *testing.T) {
	portstest.Cipher(t, func(t *testing.T) ports.Cipher { return onFile(t) })
}

func TestKeyring(t *testing.T) {
	instance := func(c *tinkcipher.Cipher) portstest.KeysetInstance {
		return portstest.KeysetInstance{Cipher: c, Keyring: c}
	}
	portstest.Keyring(t, func(t *testing.T) portstest.Keyset {
		path, clock := filepath.Join(t.TempDir(), "keyset.json"), new(clock)
		return portstest.Keyset{
			Open: func(*testing.T) portstest.KeysetInstance {
				return instance(tinkcipher.NewFile(path, clock.options()))
			},
			Fixed: func(t *testing.T) portstest.KeysetInstance { return instance(prepared(t, generate(t))) },
			Spoil: func(t *testing.T) { write(t, path, "spoilt", 0o600) },
		}
	})
}

// clock is the time of the machine, by which files are dated, and what was waited since.
type clock struct{ waited atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.waited.Load())) }

func (c *clock) wait(ctx context.Context, d time.Duration) error {
	c.waited.Add(int64(d))
	return ctx.Err()
}

// options are those of a file of our own.
func (c *clock) options() tinkcipher.FileOptions {
	return tinkcipher.FileOptions{Clock: c.now, Wait: c.wait}
}

// prepared returns a cipher on the keyset, ready for use.
func prepared(t testing.TB, keyset domain.Secret) *tinkcipher.Cipher {
	t.Helper()
	c := tinkcipher.NewText(keyset, "KEYSET", nil)
	if err := c.Prepare(t.Context(), false); err != nil {
		t.Fatalf("Prepare: got error %v, want success", err)
	}
	return c
}

func generate(t testing.TB) domain.Secret {
	t.Helper()
	keyset, err := tinkcipher.Generate(nil)
	if err != nil {
		t.Fatalf("Generate: got error %v, want success", err)
	}
	return keyset
}

func seal(t testing.TB, c *tinkcipher.Cipher, plain string) domain.Sealed {
	t.Helper()
	s, err := c.Seal(domain.NewSecret(plain), binding)
	if err != nil {
		t.Fatalf("Seal: got error %v, want success", err)
	}
	return s
}

func wantOpens(t testing.TB, c *tinkcipher.Cipher, s domain.Sealed, want string) {
	t.Helper()
	got, err := c.Open(s, binding)
	if err != nil {
		t.Fatalf("Open: got error %v, want success", err)
	}
	if got.Reveal() != want {
		t.Fatalf("Open: got %q, want %q", got.Reveal(), want)
	}
}

func wantCorrupt(t testing.TB, what string, err error) {
	t.Helper()
	if domain.KindOf(err) != domain.Corrupt {
		t.Fatalf("%s: got error %v, want kind %q", what, err, domain.Corrupt)
	}
}

// golden is a keyset and what it sealed for binding, made once.
func golden(t testing.TB) (keyset domain.Secret, sealed domain.Sealed, plain string) {
	t.Helper()
	text, err := os.ReadFile("testdata/sealed_v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Keyset  json.RawMessage
		Key     domain.KeyID
		Sealed  []byte
		OpensAs string `json:"opens_as"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return domain.NewSecret(string(file.Keyset)), domain.Sealed{Key: file.Key, Bytes: file.Sealed}, file.OpensAs
}

func TestSealedBytesOpenForEver(t *testing.T) {
	keyset, sealed, plain := golden(t)
	wantOpens(t, prepared(t, keyset), sealed, plain)
}

func TestAnEmptySecretIsSealedToo(t *testing.T) {
	c := prepared(t, generate(t))
	s := seal(t, c, "")
	if s.IsZero() {
		t.Fatal("Seal of nothing: got the zero Sealed, want sealed bytes")
	}
	wantOpens(t, c, s, "")
}

func TestASecretOpensForItsBindingOnly(t *testing.T) {
	c := prepared(t, generate(t))
	draw := rapid.Custom(func(t *rapid.T) domain.Binding {
		text := rapid.StringN(0, 4, 8)
		switch rapid.IntRange(0, 2).Draw(t, "purpose") {
		case 0:
			return domain.BindKey(domain.ProjectID(text.Draw(t, "project")), domain.Slot(text.Draw(t, "slot")), domain.Origin(text.Draw(t, "origin")))
		case 1:
			return domain.BindCookie(domain.SessionKind(text.Draw(t, "kind")))
		}
		return domain.BindKnownValue(domain.Origin(text.Draw(t, "origin")))
	})
	rapid.Check(t, func(t *rapid.T) {
		plain, to, other := rapid.String().Draw(t, "plain"), draw.Draw(t, "to"), draw.Draw(t, "other")
		s, err := c.Seal(domain.NewSecret(plain), to)
		if err != nil {
			t.Fatalf("Seal: got error %v, want success", err)
		}
		got, err := c.Open(s, other)
		if to == other {
			if err != nil || got.Reveal() != plain {
				t.Fatalf("Open for the same binding: got %q and error %v, want %q", got.Reveal(), err, plain)
			}
		} else if domain.KindOf(err) != domain.Corrupt || !got.IsZero() {
			t.Fatalf("Open for another binding: got error %v, want kind %q and no secret", err, domain.Corrupt)
		}
	})
}

func TestTheZeroBindingIsRefused(t *testing.T) {
	c := prepared(t, generate(t))
	if s, err := c.Seal(domain.NewSecret("x"), domain.Binding{}); domain.KindOf(err) != domain.Invalid || !s.IsZero() {
		t.Errorf("Seal: got error %v, want kind %q and nothing sealed", err, domain.Invalid)
	}
	_, err := c.Open(seal(t, c, "x"), domain.Binding{})
	wantCorrupt(t, "Open", err)
}

func TestWhateverIsWrongIsOneAnswer(t *testing.T) {
	c, stranger := prepared(t, generate(t)), prepared(t, generate(t))
	good := seal(t, c, "a secret")
	wrong := map[string]domain.Sealed{
		"nothing":                   {},
		"no bytes under a good key": {Key: good.Key},
		"the prefix alone":          {Key: good.Key, Bytes: good.Bytes[:5]},
		"no key":                    {Bytes: good.Bytes},
		"another key's name":        {Key: stranger.Keys()[0], Bytes: good.Bytes},
		"the key with a zero":       {Key: "0" + good.Key, Bytes: good.Bytes},
		"of another keyset":         seal(t, stranger, "a secret"),
		"with a byte more":          {Key: good.Key, Bytes: append(append([]byte(nil), good.Bytes...), 0)},
	}
	_, want := c.Open(domain.Sealed{}, binding)
	wantCorrupt(t, "Open", want)
	for name, s := range wrong {
		if _, err := c.Open(s, binding); !cmp.Equal(err, want) {
			t.Errorf("Open %s: got error %v, want %v like any other", name, err, want)
		}
	}
	for i := range good.Bytes {
		if _, err := c.Open(domain.Sealed{Key: good.Key, Bytes: good.Bytes[:i]}, binding); !cmp.Equal(err, want) {
			t.Errorf("Open of the first %d bytes: got error %v, want %v", i, err, want)
		}
		for bit := range 8 {
			altered := append([]byte(nil), good.Bytes...)
			altered[i] ^= 1 << bit
			if _, err := c.Open(domain.Sealed{Key: good.Key, Bytes: altered}, binding); !cmp.Equal(err, want) {
				t.Errorf("Open with bit %d of byte %d altered: got error %v, want %v", bit, i, err, want)
			}
		}
	}
	wantOpens(t, c, good, "a secret")
}

func TestNothingIsSealedOrOpenedBeforePrepare(t *testing.T) {
	keyset := generate(t)
	s := seal(t, prepared(t, keyset), "x")
	c := tinkcipher.NewText(keyset, "KEYSET", nil)
	if _, err := c.Seal(domain.NewSecret("x"), binding); domain.KindOf(err) != domain.Unavailable {
		t.Errorf("Seal: got error %v, want kind %q", err, domain.Unavailable)
	}
	if _, err := c.Open(s, binding); domain.KindOf(err) != domain.Unavailable {
		t.Errorf("Open: got error %v, want kind %q", err, domain.Unavailable)
	}
	if ids := c.Keys(); ids != nil {
		t.Errorf("Keys: got %v, want none", ids)
	}
}

func TestThePrimaryKeySealsAndEveryEnabledKeyOpens(t *testing.T) {
	first := generate(t)
	old := seal(t, prepared(t, first), "old")

	second := addKey(t, first)
	c := prepared(t, second)
	ids := c.Keys()
	if len(ids) != 2 || ids[1] != old.Key {
		t.Fatalf("Keys: got %v, want two with the old key %s behind the new one", ids, old.Key)
	}
	s := seal(t, c, "new")
	if s.Key != ids[0] {
		t.Errorf("Seal: got key %s, want the primary %s", s.Key, ids[0])
	}
	wantOpens(t, c, old, "old")
	wantOpens(t, c, s, "new")
	_, err := c.Open(domain.Sealed{Key: s.Key, Bytes: old.Bytes}, binding)
	wantCorrupt(t, "Open of the old bytes under the new key's name", err)

	retired := prepared(t, disableKey(t, second, old.Key))
	_, err = retired.Open(old, binding)
	wantCorrupt(t, "Open after the old key was disabled", err)
	if got, want := retired.Keys(), []domain.KeyID{s.Key}; !cmp.Equal(got, want) {
		t.Errorf("Keys after the old key was disabled: got %v, want %v", got, want)
	}
}

func TestConcurrentUseWhilePreparing(t *testing.T) {
	c := tinkcipher.NewText(generate(t), "KEYSET", nil)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if err := c.Prepare(t.Context(), false); err != nil {
				t.Errorf("Prepare: got error %v, want success", err)
				return
			}
			s, err := c.Seal(domain.NewSecret("x"), binding)
			if err != nil {
				t.Errorf("Seal: got error %v, want success", err)
			}
			if _, err := c.Open(s, binding); err != nil {
				t.Errorf("Open: got error %v, want success", err)
			}
		})
	}
	all.Wait()
}

func FuzzOpen(f *testing.F) {
	keyset, good, _ := golden(f)
	c := prepared(f, keyset)
	f.Add(string(good.Key), good.Bytes, binding.AssociatedData())
	f.Add("", []byte{}, "")
	f.Add(string(good.Key), good.Bytes[:5], "x")
	f.Fuzz(func(t *testing.T, key string, bytes []byte, origin string) {
		s := domain.Sealed{Key: domain.KeyID(key), Bytes: bytes}
		for _, to := range []domain.Binding{binding, domain.BindKnownValue(domain.Origin(origin)), {}} {
			plain, err := c.Open(s, to)
			if err == nil && (key != string(good.Key) || string(bytes) != string(good.Bytes) || to != binding) {
				t.Fatalf("Open of forged bytes: got %q, want an error", plain.Reveal())
			}
			if err != nil && domain.KindOf(err) != domain.Corrupt {
				t.Fatalf("Open: got error %v, want kind %q", err, domain.Corrupt)
			}
		}
	})
}

// trusting wraps nothing, so that what is wrapped can be anything.
type trusting struct{}

func (trusting) Encrypt(plain, _ []byte) ([]byte, error)  { return plain, nil }
func (trusting) Decrypt(sealed, _ []byte) ([]byte, error) { return sealed, nil }

func FuzzKeyset(f *testing.F) {
	keyset, _, _ := golden(f)
	good := keyset.Reveal()
	f.Add(good)
	f.Add(strings.ReplaceAll(good, "ENABLED", "DISABLED"))
	f.Add(strings.ReplaceAll(good, "TINK", "RAW"))
	f.Add(`{"primaryKeyId":1,"key":[{}]}`)
	f.Add(`{"primaryKeyId":1,"key":[{"keyData":{"typeUrl":"type.googleapis.com/google.crypto.tink.KmsEnvelopeAeadKey"},"keyId":1,"status":1,"outputPrefixType":1}]}`)
	wrap := newWrap(f)
	wrapped, err := tinkcipher.Wrap(keyset, "KEYSET", wrap)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wrapped.Reveal())
	unwrapped, err := tinkcipher.Wrap(keyset, "KEYSET", trusting{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(unwrapped.Reveal())
	f.Add(`{"encryptedKeyset":"AA=="}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, by := range []tink.AEAD{nil, wrap, trusting{}} {
			c := tinkcipher.NewText(domain.NewSecret(text), "KEYSET", by)
			err := c.Prepare(t.Context(), true)
			if err != nil {
				wantCorrupt(t, "Prepare", err)
				if e, _ := errors.AsType[*domain.Error](err); !strings.HasPrefix(e.Public, "the keyset in KEYSET ") || e.Cause != nil && by != wrap {
					t.Fatalf("Prepare: got %q with cause %v, want a sentence about KEYSET and nothing else", e.Public, e.Cause)
				}
				continue
			}
			wantOpens(t, c, seal(t, c, "plain"), "plain")
		}
	})
}

// onFile returns a prepared cipher on a new file of our own, as serve has it.
func onFile(t testing.TB) *tinkcipher.Cipher {
	t.Helper()
	c := tinkcipher.NewFile(filepath.Join(t.TempDir(), "keyset.json"), tinkcipher.FileOptions{})
	if err := c.Prepare(t.Context(), true); err != nil {
		t.Fatalf("Prepare: got error %v, want success", err)
	}
	return c
}

func BenchmarkSeal(b *testing.B) {
	c, plain := onFile(b), domain.NewSecret("VF.DM.66c5d3e2a1b4c5d6e7f80912.AbCdEfGhIjKlMnOp")
	for b.Loop() {
		if _, err := c.Seal(plain, binding); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	c := onFile(b)
	s := seal(b, c, "VF.DM.66c5d3e2a1b4c5d6e7f80912.AbCdEfGhIjKlMnOp")
	for b.Loop() {
		if _, err := c.Open(s, binding); err != nil {
			b.Fatal(err)
		}
	}
}
