package portstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Keyset is the place of one keyset, where there is none at first.
type Keyset struct {
	// Cipher returns another instance on this place, not prepared, as another process
	// would have.
	Cipher func(t *testing.T) ports.Cipher

	// Fixed returns an instance on a keyset that can't be changed from here, prepared. It
	// is nil where every keyset can be changed.
	Fixed func(t *testing.T) ports.Cipher

	// Spoil makes the keyset one that can't be used. It is nil where that can't happen.
	Spoil func(t *testing.T)
}

// OpenKeyset returns the place of another keyset at each call.
type OpenKeyset func(t *testing.T) Keyset

// Cipher checks every sentence in the comments of ports.Cipher.
func Cipher(t *testing.T, open OpenKeyset) {
	for _, s := range []struct {
		name string
		run  func(t *testing.T, open OpenKeyset)
	}{
		{"before Prepare nothing is sealed or opened", cipherUnprepared},
		{"Prepare makes a keyset where there is none if fresh, and all who prepare at once get the same one", cipherFresh},
		{"Prepare is Corrupt, with a sentence, where a keyset should be and is not, and makes none", cipherMissing},
		{"Prepare is Corrupt, with a sentence, where the keyset can't be used", cipherSpoilt},
		{"Prepare uses the keyset that is there, fresh or not", cipherThere},
		{"preparing again changes nothing", cipherAgain},
		{"Prepare under an ended context is Unavailable and makes no keyset", cipherEnded},
		{"Open reverses Seal, whatever was sealed", cipherRoundTrip},
		{"equal calls of Seal give different results, and none shows what was sealed", cipherDiffers},
		{"the result of Seal names the key", cipherNamesKey},
		{"Open opens under any key of the keyset", cipherTurned},
		{"Open is Corrupt for another binding", cipherBinding},
		{"the zero Binding is refused", cipherZeroBinding},
		{"Open is Corrupt for every flipped bit, every cut and every addition, and for another key's name", cipherDamage},
		{"Open is Corrupt under another keyset", cipherForeign},
		{"Open says nothing more than Corrupt", cipherSilent},
		{"Open is Unavailable for a key that is not known while the keyset can't be read", cipherOutage},
		{"arguments are neither kept nor modified", cipherArguments},
		{"all methods are safe for concurrent use", cipherConcurrent},
		{"Keys returns the current key first, then those that only open", cipherKeys},
		{"Keys returns those that only open in the order in which they were added", cipherKeysByAge},
		{"Refresh makes the current key the one that another instance has made current", cipherRefresh},
		{"what any instance has sealed opens on every other without Refresh", cipherOpensAnew},
		{"Rotate adds a key and makes it the current one", cipherRotate},
		{"known is called when every instance opens what it seals, and before anything else is sealed with the new key", cipherKnown},
		{"the error of known is returned as it is, and the current key is the one that it was", cipherKnownFails},
		{"rotations at the same time come one after the other, and none loses the key of another", cipherRotations},
		{"Retire takes out the keys that are named, each once, and returns them", cipherRetire},
		{"Retire of no key by name takes out all but the current one, and may find none", cipherRetireAll},
		{"allow is called when no instance seals with the keys any more", cipherAllow},
		{"the error of allow is returned as it is, and nothing is changed", cipherAllowFails},
		{"Retire is Conflict for the current key and NotFound for a key that is not there", cipherRetireRefused},
		{"a keyset that can't be changed from here is Conflict for Rotate and Retire, with a sentence", cipherFixed},
		{"Refresh, Rotate and Retire are Unavailable before Prepare and under an ended context", cipherNotNow},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, open) })
	}
}

var (
	origin     = domain.Origin("https://api.voiceflow.com")
	keyBinding = domain.BindKey(projectID(1), domain.SlotPrimary, origin)
	aKey       = domain.NewSecret("VF.DM.66c5d3e2a1b4c5d6e7f80912.AbCdEfGhIjKlMnOp")
)

// prepared is an instance on k that is prepared.
func prepared(t *testing.T, k Keyset) ports.Cipher {
	t.Helper()
	c := k.Cipher(t)
	wantNil(t, "preparing: Prepare(fresh)", c.Prepare(t.Context(), true))
	return c
}

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

// cipherUnprepared tries an instance that could have a key, since another made one.
func cipherUnprepared(t *testing.T, open OpenKeyset) {
	k := open(t)
	c := k.Cipher(t)
	got, err := c.Seal(aKey, keyBinding)
	wantKind(t, "Seal before Prepare", err, domain.Unavailable)
	if !got.IsZero() {
		t.Fatal("Seal before Prepare: got sealed bytes with the error, want none")
	}
	s := seal(t, prepared(t, k), aKey, keyBinding)
	if plain, err := c.Open(s, keyBinding); err == nil || !plain.IsZero() {
		t.Fatalf("Open before Prepare: got a secret: %v, error %v; want an error alone", !plain.IsZero(), err)
	} else if problem := otherThan(err, domain.Unavailable, domain.Corrupt); problem != "" {
		t.Fatalf("Open before Prepare: %s", problem)
	}
}

// cipherFresh is several first starts at once. If one of them made a keyset of its own,
// what it seals would open for nobody else.
func cipherFresh(t *testing.T, open OpenKeyset) {
	k := open(t)
	all, errs := make([]ports.Cipher, 16), make([]error, 16)
	for i := range all {
		all[i] = k.Cipher(t)
	}
	atOnce(len(all), func(i int) { errs[i] = all[i].Prepare(t.Context(), true) })
	for _, err := range errs {
		wantNil(t, "one of 16 instances that prepare at once", err)
	}
	for i, c := range all {
		s := seal(t, c, aKey, keyBinding)
		wantOpens(t, "sealed by another that prepared at once", all[(i+1)%len(all)], s, keyBinding, aKey)
	}
}

// wantSentence fails the test unless err is Corrupt and says something to the operator.
func wantSentence(t *testing.T, what string, err error) {
	t.Helper()
	wantKind(t, what, err, domain.Corrupt)
	if e, _ := errors.AsType[*domain.Error](err); strings.TrimSpace(e.Public) == "" {
		t.Fatalf("%s: got an error without a sentence (%q), want one for the operator in Public", what, err)
	}
}

// cipherMissing would show a cipher that makes a new keyset in the place of a lost one, with
// which nothing that was sealed opens.
func cipherMissing(t *testing.T, open OpenKeyset) {
	k := open(t)
	for range 2 {
		c := k.Cipher(t)
		wantSentence(t, "Prepare without a keyset, not fresh", c.Prepare(t.Context(), false))
		wantSentence(t, "Prepare without a keyset, not fresh, again", c.Prepare(t.Context(), false))
		_, err := c.Seal(aKey, keyBinding)
		wantKind(t, "Seal after Prepare failed", err, domain.Unavailable)
		wantNil(t, "Prepare of that instance once it is told that nothing was ever sealed", open(t).Cipher(t).Prepare(t.Context(), true))
	}
	c := k.Cipher(t)
	wantSentence(t, "Prepare without a keyset, not fresh", c.Prepare(t.Context(), false))
	wantNil(t, "Prepare of the same instance, now fresh", c.Prepare(t.Context(), true))
	wantOpens(t, "after all", c, seal(t, c, aKey, keyBinding), keyBinding, aKey)
}

func cipherSpoilt(t *testing.T, open OpenKeyset) {
	k := open(t)
	if k.Spoil == nil {
		t.Log("not checked: this keyset can't be spoilt")
		return
	}
	s := seal(t, prepared(t, k), aKey, keyBinding)
	k.Spoil(t)
	for _, fresh := range []bool{false, true} {
		c := k.Cipher(t)
		wantSentence(t, fmt.Sprintf("Prepare(fresh: %v) on a keyset that can't be used", fresh), c.Prepare(t.Context(), fresh))
		if _, err := c.Open(s, keyBinding); err == nil {
			t.Fatal("Open after Prepare failed: got success, want an error")
		}
	}
}

func cipherThere(t *testing.T, open OpenKeyset) {
	k := open(t)
	first := prepared(t, k)
	s := seal(t, first, aKey, keyBinding)
	for _, fresh := range []bool{false, true} {
		c := k.Cipher(t)
		what := fmt.Sprintf("another instance, Prepare(fresh: %v)", fresh)
		wantNil(t, what, c.Prepare(t.Context(), fresh))
		wantOpens(t, what, c, s, keyBinding, aKey)
		back := seal(t, c, aKey, keyBinding)
		wantOpens(t, "the first instance, sealed by "+what, first, back, keyBinding, aKey)
		wantSame(t, what+": the name of the key", back.Key, s.Key)
	}
}

func cipherAgain(t *testing.T, open OpenKeyset) {
	c := prepared(t, open(t))
	s := seal(t, c, aKey, keyBinding)
	for _, fresh := range []bool{true, false, true} {
		what := fmt.Sprintf("Prepare(fresh: %v) again", fresh)
		wantNil(t, what, c.Prepare(t.Context(), fresh))
		wantOpens(t, "after "+what, c, s, keyBinding, aKey)
		wantSame(t, "the name of the key after "+what, seal(t, c, aKey, keyBinding).Key, s.Key)
	}
}

func cipherEnded(t *testing.T, open OpenKeyset) {
	k := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := k.Cipher(t)
	wantKind(t, "Prepare under an ended context", c.Prepare(ctx, true), domain.Unavailable)
	wantSentence(t, "Prepare afterwards, not fresh", c.Prepare(t.Context(), false))
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

// bindings are bindings of which no two are equal.
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

func cipherRoundTrip(t *testing.T, open OpenKeyset) {
	c := prepared(t, open(t))
	for _, plain := range plains() {
		for name, to := range bindings() {
			what := fmt.Sprintf("a secret of %d bytes, bound to %s", len(plain.Reveal()), name)
			wantOpens(t, what, c, seal(t, c, plain, to), to, plain)
		}
	}
}

func cipherDiffers(t *testing.T, open OpenKeyset) {
	c := prepared(t, open(t))
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

func cipherNamesKey(t *testing.T, open OpenKeyset) {
	k := open(t)
	c := prepared(t, k)
	s := seal(t, c, aKey, keyBinding)
	if s.Key == "" {
		t.Fatal("Seal: got no name of the key, want one")
	}
	for range 3 {
		wantSame(t, "the name of the key at the next Seal", seal(t, c, aKey, keyBinding).Key, s.Key)
	}
}

// cipherTurned turns the keyset over several times, and opens what each key sealed.
func cipherTurned(t *testing.T, open OpenKeyset) {
	k := open(t)
	first := prepared(t, k)
	var all []domain.Sealed
	names := map[domain.KeyID]bool{}
	for turn := range 4 {
		if turn > 0 {
			rotate(t, first)
		}
		c := prepared(t, k)
		s := seal(t, c, aKey, keyBinding)
		if names[s.Key] {
			t.Fatalf("Seal after %d turns: got the key %q, which sealed before a turn, want the current one", turn, s.Key)
		}
		names[s.Key] = true
		all = append(all, s)
		for age, old := range slices.Backward(all) {
			wantOpens(t, fmt.Sprintf("sealed under the %d. key, opened after %d turns", age+1, turn), c, old, keyBinding, aKey)
		}
		if len(all) > 1 {
			renamed := all[0]
			renamed.Key = s.Key
			wantCorrupt(t, "sealed under the first key, under the name of the current one", c, renamed, keyBinding)
		}
	}
}

// cipherBinding tries every binding against every other.
func cipherBinding(t *testing.T, open OpenKeyset) {
	c := prepared(t, open(t))
	for sealedTo, to := range bindings() {
		s := seal(t, c, aKey, to)
		for openedFor, other := range bindings() {
			if openedFor != sealedTo {
				wantCorrupt(t, fmt.Sprintf("sealed to %s, opened for %s", sealedTo, openedFor), c, s, other)
			}
		}
	}
}

func cipherZeroBinding(t *testing.T, open OpenKeyset) {
	c := prepared(t, open(t))
	got, err := c.Seal(aKey, domain.Binding{})
	if err == nil || domain.KindOf(err) == "" {
		t.Fatalf("Seal for the zero Binding: got error %v, want a *domain.Error", err)
	}
	if !got.IsZero() {
		t.Fatal("Seal for the zero Binding: got sealed bytes with the error, want none")
	}
	wantCorrupt(t, "for the zero Binding", c, seal(t, c, aKey, keyBinding), domain.Binding{})
}

// damaged are all the ways in which s is not what was sealed.
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

func cipherDamage(t *testing.T, open OpenKeyset) {
	c := prepared(t, open(t))
	for _, plain := range []domain.Secret{aKey, {}} {
		s := seal(t, c, plain, keyBinding)
		for what, bad := range damaged(s) {
			wantCorrupt(t, fmt.Sprintf("a secret of %d bytes, %s", len(plain.Reveal()), what), c, bad, keyBinding)
		}
		wantOpens(t, "undamaged after all", c, s, keyBinding, plain)
	}
}

func cipherForeign(t *testing.T, open OpenKeyset) {
	ours, foreign := prepared(t, open(t)), prepared(t, open(t))
	s := seal(t, ours, aKey, keyBinding)
	wantCorrupt(t, "under another keyset", foreign, s, keyBinding)
	renamed := s
	renamed.Key = seal(t, foreign, aKey, keyBinding).Key
	wantCorrupt(t, "under another keyset and the name of its key", foreign, renamed, keyBinding)
}

// cipherSilent compares texts: an error that tells a bad key from bad bytes helps whoever
// forges them.
func cipherSilent(t *testing.T, open OpenKeyset) {
	c, foreign := prepared(t, open(t)), prepared(t, open(t))
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

func cipherOutage(t *testing.T, open OpenKeyset) {
	k := open(t)
	if k.Spoil == nil {
		t.Log("not checked: this keyset can't be spoilt")
		return
	}
	here, there := prepared(t, k), prepared(t, k)
	known := seal(t, here, aKey, keyBinding)
	rotate(t, there)
	s := seal(t, there, aKey, keyBinding)
	k.Spoil(t)
	got, err := here.Open(s, keyBinding)
	wantKind(t, "Open under a key of another instance", err, domain.Unavailable)
	if !got.IsZero() {
		t.Fatal("Open is Unavailable and also returned something, want the zero Secret")
	}
	wantOpens(t, "under a key that is known", here, known, keyBinding, aKey)
	wantCorrupt(t, "under a key that is known, for another binding", here, known, domain.BindCookie(domain.LoginSession))
}

func cipherArguments(t *testing.T, open OpenKeyset) {
	c := prepared(t, open(t))
	s := seal(t, c, aKey, keyBinding)
	before := bytes.Clone(s.Bytes)
	wantOpens(t, "the first time", c, s, keyBinding, aKey)
	wantSame(t, "the bytes after Open", s.Bytes, before)
	wantOpens(t, "the second time", c, s, keyBinding, aKey)
	other := seal(t, c, aKey, keyBinding)
	clear(other.Bytes)
	wantOpens(t, "after the caller cleared the bytes of another Seal", c, s, keyBinding, aKey)
}

func cipherConcurrent(t *testing.T, open OpenKeyset) {
	k := open(t)
	c := prepared(t, k)
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
			if i%16 == 0 {
				problems[i] = c.Prepare(t.Context(), i%32 == 0)
			}
		}
	})
	for _, err := range problems {
		wantNil(t, "sealing and opening beside others", err)
	}
}
