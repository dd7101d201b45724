package portstest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// OpenCipher returns a Cipher that is ready for use. Each call returns one with other keys.
type OpenCipher func(t *testing.T) ports.Cipher

// Cipher checks the sentences in the comments of ports.Cipher that hold for a keyset that does
// not change. Keyring checks those about rotation.
func Cipher(t *testing.T, open OpenCipher) {
	for _, s := range []struct {
		name string
		run  func(t *testing.T, open OpenCipher)
	}{
		{"Open reverses Seal, whatever was sealed", cipherRoundTrip},
		{"equal calls of Seal give different results, and none shows what was sealed", cipherDiffers},
		{"the result of Seal names the key", cipherNamesKey},
		{"Open is Corrupt for another binding", cipherBinding},
		{"the zero Binding is refused", cipherZeroBinding},
		{"Open is Corrupt for every flipped bit, every cut and every addition, and for another key's name", cipherDamage},
		{"Open is Corrupt under another keyset", cipherForeign},
		{"Open says only Corrupt", cipherSilent},
		{"arguments are neither kept nor modified", cipherArguments},
		{"all methods are safe for concurrent use", cipherConcurrent},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, open) })
	}
}

var (
	origin     = domain.Origin("https://api.voiceflow.com")
	keyBinding = domain.BindKey(projectID(1), domain.SlotPrimary, origin)
	aKey       = domain.NewSecret("VF.DM.66c5d3e2a1b4c5d6e7f80912.AbCdEfGhIjKlMnOp")
)

func seal(t *testing.T, c ports.Cipher, plain domain.Secret, to domain.Binding) domain.Sealed {
	t.Helper()
	s, err := c.Seal(plain, to)
	wantNil(t, "Seal", err)
	return s
}

// wantOpens fails the test unless s opens as plain.
func wantOpens(t *testing.T, what string, c ports.Cipher, s domain.Sealed, to domain.Binding, plain domain.Secret) {
	t.Helper()
	got, err := c.Open(s, to)
	wantNil(t, what+": Open", err)
	wantSame(t, what+": what Open returned", got, plain)
}

// wantCorrupt fails the test unless s does not open.
func wantCorrupt(t *testing.T, what string, c ports.Cipher, s domain.Sealed, to domain.Binding) {
	t.Helper()
	got, err := c.Open(s, to)
	wantKind(t, what+": Open", err, domain.Corrupt)
	if !got.IsZero() {
		t.Fatalf("%s: Open is Corrupt and also returned something, want the zero Secret", what)
	}
}

// plains are secrets of all sorts, the empty one included.
func plains() []domain.Secret {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	texts := []string{"", "x", "\x00", "\x00\x00", "\xff\xfe", "ключ 🔑", aKey.Reveal(), string(all), strings.Repeat("k", 512), strings.Repeat("k", 64<<10)}
	secrets := make([]domain.Secret, len(texts))
	for i, text := range texts {
		secrets[i] = domain.NewSecret(text)
	}
	return secrets
}

// bindings returns bindings that all differ.
func bindings() map[string]domain.Binding {
	return map[string]domain.Binding{
		"a project's key":                      keyBinding,
		"another project's key":                domain.BindKey(projectID(2), domain.SlotPrimary, origin),
		"the key in another slot":              domain.BindKey(projectID(1), "secondary", origin),
		"the key for another Voiceflow":        domain.BindKey(projectID(1), domain.SlotPrimary, "https://api.example.com"),
		"the key for another port":             domain.BindKey(projectID(1), domain.SlotPrimary, "https://api.voiceflow.com:8443"),
		"the key for plain HTTP":               domain.BindKey(projectID(1), domain.SlotPrimary, "http://api.voiceflow.com"),
		"a login's cookie":                     domain.BindCookie(domain.LoginSession),
		"an assistant's cookie":                domain.BindCookie(domain.AssistantSession),
		"the known value":                      domain.BindKnownValue(origin),
		"the known value at another Voiceflow": domain.BindKnownValue("https://api.example.com"),
	}
}

func cipherRoundTrip(t *testing.T, open OpenCipher) {
	c := open(t)
	for _, plain := range plains() {
		for name, to := range bindings() {
			what := fmt.Sprintf("a secret of %d bytes, bound to %s", len(plain.Reveal()), name)
			wantOpens(t, what, c, seal(t, c, plain, to), to, plain)
		}
	}
}

func cipherDiffers(t *testing.T, open OpenCipher) {
	c := open(t)
	for _, plain := range plains() {
		seen := map[string]bool{}
		for range 32 {
			s := seal(t, c, plain, keyBinding)
			if seen[string(s.Bytes)] {
				t.Fatalf("Seal of the same secret of %d bytes: got the same bytes twice, want others each time", len(plain.Reveal()))
			}
			seen[string(s.Bytes)] = true
			if text := plain.Reveal(); len(text) > 4 && bytes.Contains(s.Bytes, []byte(text)) {
				t.Fatalf("Seal of a secret of %d bytes: got bytes that hold it in clear", len(text))
			}
		}
	}
}

func cipherNamesKey(t *testing.T, open OpenCipher) {
	c := open(t)
	s := seal(t, c, aKey, keyBinding)
	if s.Key == "" {
		t.Fatal("Seal: got no name of the key, want one")
	}
	for range 3 {
		wantSame(t, "the name of the key at the next Seal", seal(t, c, aKey, keyBinding).Key, s.Key)
	}
}

// cipherBinding tries every binding against every other.
func cipherBinding(t *testing.T, open OpenCipher) {
	c := open(t)
	for sealedTo, to := range bindings() {
		s := seal(t, c, aKey, to)
		for openedFor, other := range bindings() {
			if openedFor != sealedTo {
				wantCorrupt(t, fmt.Sprintf("sealed to %s, opened for %s", sealedTo, openedFor), c, s, other)
			}
		}
	}
}

func cipherZeroBinding(t *testing.T, open OpenCipher) {
	c := open(t)
	got, err := c.Seal(aKey, domain.Binding{})
	if err == nil || domain.KindOf(err) == "" {
		t.Fatalf("Seal for the zero Binding: got error %v, want a *domain.Error", err)
	}
	if !got.IsZero() {
		t.Fatal("Seal for the zero Binding: got sealed bytes with the error, want none")
	}
	wantCorrupt(t, "for the zero Binding", c, seal(t, c, aKey, keyBinding), domain.Binding{})
}

// damaged returns s with every kind of damage.
func damaged(s domain.Sealed) map[string]domain.Sealed {
	all := map[string]domain.Sealed{
		"no bytes":                     {Key: s.Key},
		"nothing at all":               {},
		"no name of the key":           {Bytes: s.Bytes},
		"an unknown name of the key":   {Key: s.Key + "0", Bytes: s.Bytes},
		"a foreign name of the key":    {Key: "1", Bytes: s.Bytes},
		"a name of the key that's odd": {Key: "' OR 1=1 --\x00\xff", Bytes: s.Bytes},
		"one byte more at the end":     {Key: s.Key, Bytes: append(bytes.Clone(s.Bytes), 0)},
		"one byte more in front":       {Key: s.Key, Bytes: append([]byte{0}, s.Bytes...)},
		"the bytes twice":              {Key: s.Key, Bytes: bytes.Repeat(s.Bytes, 2)},
		"zeros":                        {Key: s.Key, Bytes: make([]byte, len(s.Bytes))},
		"a megabyte":                   {Key: s.Key, Bytes: make([]byte, 1<<20)},
	}
	for i := range s.Bytes {
		all[fmt.Sprintf("cut to %d bytes", i)] = domain.Sealed{Key: s.Key, Bytes: s.Bytes[:i]}
		all[fmt.Sprintf("cut by the first %d bytes", i+1)] = domain.Sealed{Key: s.Key, Bytes: s.Bytes[i+1:]}
		for bit := range 8 {
			flipped := bytes.Clone(s.Bytes)
			flipped[i] ^= 1 << bit
			all[fmt.Sprintf("bit %d of byte %d flipped", bit, i)] = domain.Sealed{Key: s.Key, Bytes: flipped}
		}
	}
	return all
}

func cipherDamage(t *testing.T, open OpenCipher) {
	c := open(t)
	for _, plain := range []domain.Secret{aKey, {}} {
		s := seal(t, c, plain, keyBinding)
		for what, bad := range damaged(s) {
			wantCorrupt(t, fmt.Sprintf("a secret of %d bytes, %s", len(plain.Reveal()), what), c, bad, keyBinding)
		}
		wantOpens(t, "undamaged after all", c, s, keyBinding, plain)
	}
}

func cipherForeign(t *testing.T, open OpenCipher) {
	ours, foreign := open(t), open(t)
	s := seal(t, ours, aKey, keyBinding)
	wantCorrupt(t, "under another keyset", foreign, s, keyBinding)
	renamed := s
	renamed.Key = seal(t, foreign, aKey, keyBinding).Key
	wantCorrupt(t, "under another keyset and the name of its key", foreign, renamed, keyBinding)
}

// cipherSilent compares texts. An error that tells a bad key from bad bytes helps a forger.
func cipherSilent(t *testing.T, open OpenCipher) {
	c, foreign := open(t), open(t)
	s := seal(t, c, aKey, keyBinding)
	_, first := c.Open(domain.Sealed{}, keyBinding)
	wantKind(t, "Open of nothing", first, domain.Corrupt)
	same := func(what string, c ports.Cipher, s domain.Sealed, to domain.Binding) {
		t.Helper()
		if _, err := c.Open(s, to); err == nil || err.Error() != first.Error() {
			t.Fatalf("Open, %s: got the error %q, want the same text as for every other fault, %q", what, err, first)
		}
	}
	for what, bad := range damaged(s) {
		same(what, c, bad, keyBinding)
	}
	same("another binding", c, s, domain.BindCookie(domain.LoginSession))
	same("another keyset", foreign, s, keyBinding)
}

func cipherArguments(t *testing.T, open OpenCipher) {
	c := open(t)
	s := seal(t, c, aKey, keyBinding)
	before := bytes.Clone(s.Bytes)
	wantOpens(t, "the first time", c, s, keyBinding, aKey)
	wantSame(t, "the bytes after Open", s.Bytes, before)
	wantOpens(t, "the second time", c, s, keyBinding, aKey)
	other := seal(t, c, aKey, keyBinding)
	clear(other.Bytes)
	wantOpens(t, "after the caller cleared the bytes of another Seal", c, s, keyBinding, aKey)
}

func cipherConcurrent(t *testing.T, open OpenCipher) {
	c := open(t)
	problems := make([]error, crowd)
	atOnce(crowd, func(i int) {
		plain := domain.NewSecret(fmt.Sprintf("secret %d", i))
		to := domain.BindKey(projectID(i), domain.SlotPrimary, origin)
		for range 16 {
			s, err := c.Seal(plain, to)
			if err != nil {
				problems[i] = err
				return
			}
			got, err := c.Open(s, to)
			if err == nil && !got.Equal(plain) {
				err = errors.New("another secret came out than went in")
			}
			if err != nil {
				problems[i] = err
				return
			}
		}
	})
	for _, err := range problems {
		wantNil(t, "sealing and opening beside others", err)
	}
}
