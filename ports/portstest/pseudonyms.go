package portstest

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// maxReversible is the longest text that every ports.Pseudonyms turns back, in bytes.
const maxReversible = 64

// Pseudonyms checks every sentence in the comments of ports.Pseudonyms. Each call of open
// returns another instance.
func Pseudonyms(t *testing.T, open func(t *testing.T) ports.Pseudonyms) {
	for _, s := range []struct {
		name string
		run  func(t *testing.T, open func(t *testing.T) ports.Pseudonyms)
	}{
		{"NewKey makes another key each time", pseudonymsNewKey},
		{"Bind returns what IsPseudonym recognizes, for texts of 1 to 256 bytes", pseudonymsForm},
		{"pseudonyms are equal for equal texts and bindings, on every instance", pseudonymsSame},
		{"pseudonyms differ for another text, another binding and another key", pseudonymsDiffer},
		{"a pseudonym shows nothing of the text", pseudonymsHide},
		{"Bind is Corrupt for an invalid key", pseudonymsKey},
		{"Bind is Invalid for a text of another length and for the zero Binding", pseudonymsInvalid},
		{"Unbind reverses Bind for every text of up to 64 bytes, on every instance", pseudonymsReverse},
		{"Unbind returns the text or false for a longer one", pseudonymsLong},
		{"Unbind returns false for every alteration", pseudonymsDamage},
		{"Unbind returns false under another key and another binding", pseudonymsForeign},
		{"all methods are safe for concurrent use", pseudonymsConcurrent},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, open) })
	}
}

var (
	anasIDs = domain.BindUserIDs(projectID(1), actorAna)
	bobsIDs = domain.BindUserIDs(projectID(1), actorBob)
)

// userIDTexts are user ids of callers, of every length that there may be.
func userIDTexts() []string {
	all := []string{
		"ben", "BEN", "ben ", " ben", "ben\x00", "0", "\x00", "\xff\xfe", "a/b", "..", "%2e", "ユーザー 🙂", "p", "h", "+49 170 1234567",
		"01890000-0000-7000-8000-000000000001", "ana@example.com",
	}
	for n := 1; n <= domain.MaxOwnUserID; n++ {
		all = append(all, strings.Repeat("u", n))
	}
	return all
}

func newPseudonymKey(t *testing.T, p ports.Pseudonyms) domain.Secret {
	t.Helper()
	key, err := p.NewKey()
	wantNil(t, "NewKey", err)
	return key
}

func pseudonymOf(t *testing.T, p ports.Pseudonyms, text string, key domain.Secret, to domain.Binding) string {
	t.Helper()
	pseudonym, err := p.Bind(text, key, to)
	wantNil(t, fmt.Sprintf("Bind of a text of %d bytes", len(text)), err)
	return pseudonym
}

// wantNoText fails the test unless Unbind returns false.
func wantNoText(t *testing.T, what string, p ports.Pseudonyms, pseudonym string, key domain.Secret, to domain.Binding) {
	t.Helper()
	if text, ok := p.Unbind(pseudonym, key, to); ok || text != "" {
		t.Fatalf("Unbind, %s: got %q, %v, want no text", what, text, ok)
	}
}

func pseudonymsNewKey(t *testing.T, open func(t *testing.T) ports.Pseudonyms) {
	one, other := open(t), open(t)
	for i := range 32 {
		first, second := newPseudonymKey(t, one), newPseudonymKey(t, other)
		if first.IsZero() || first.Equal(second) {
			t.Fatalf("NewKey, pair %d: got no key or the same one twice, want another each time", i)
		}
	}
}

func pseudonymsForm(t *testing.T, open func(t *testing.T) ports.Pseudonyms) {
	p := open(t)
	key := newPseudonymKey(t, p)
	for _, text := range userIDTexts() {
		got := pseudonymOf(t, p, text, key, anasIDs)
		if !domain.IsPseudonym(got) {
			t.Fatalf("Bind of %q: got %q, want a pseudonym", text, got)
		}
	}
}

func pseudonymsSame(t *testing.T, open func(t *testing.T) ports.Pseudonyms) {
	one, other := open(t), open(t)
	key := newPseudonymKey(t, one)
	for _, text := range userIDTexts() {
		want := pseudonymOf(t, one, text, key, anasIDs)
		wantSame(t, "the same text, once more", pseudonymOf(t, one, text, key, domain.BindUserIDs(projectID(1), actorAna)), want)
		wantSame(t, "the same text, on another instance", pseudonymOf(t, other, text, domain.NewSecret(key.Reveal()), anasIDs), want)
	}
}

func pseudonymsDiffer(t *testing.T, open func(t *testing.T) ports.Pseudonyms) {
	p := open(t)
	key, otherKey := newPseudonymKey(t, p), newPseudonymKey(t, p)
	seen := map[string]string{}
	differs := func(what, pseudonym string) {
		t.Helper()
		if other, twice := seen[pseudonym]; twice {
			t.Fatalf("%s has the pseudonym of %s, want another", what, other)
		}
		seen[pseudonym] = what
	}
	for _, text := range userIDTexts() {
		for name, to := range map[string]domain.Binding{
			"a user": anasIDs, "another user": bobsIDs, "another project": domain.BindUserIDs(projectID(2), actorAna),
			"an access token": domain.BindUserIDs(projectID(1), domain.ActorToken(domain.TokenID(userID(1)))),
		} {
			differs(fmt.Sprintf("%q of %s", text, name), pseudonymOf(t, p, text, key, to))
		}
		differs(fmt.Sprintf("%q of a user under another key", text), pseudonymOf(t, p, text, otherKey, anasIDs))
	}
}

// pseudonymsHide looks for the text as it is, in hex and in each of the three places that
// it can have in base64.
func pseudonymsHide(t *testing.T, open func(t *testing.T) ports.Pseudonyms) {
	p := open(t)
	key := newPseudonymKey(t, p)
	for _, text := range []string{"ana@example.com", "01890000-0000-7000-8000-000000000001", strings.Repeat("a long text ", 20)} {
		pseudonym := pseudonymOf(t, p, text, key, anasIDs)
		shown := []string{text[:8], hex.EncodeToString([]byte(text[:8]))}
		for skip := range 3 {
			shown = append(shown, base64.RawURLEncoding.EncodeToString([]byte(text[skip:skip+9])))
		}
		for _, part := range shown {
			if strings.Contains(strings.ToLower(pseudonym), strings.ToLower(part)) {
				t.Fatalf("Bind of %q: got %q, which shows the text as %q", text, pseudonym, part)
			}
		}
	}
}

func pseudonymsKey(t *testing.T, open func(t *testing.T) ports.Pseudonyms) {
	p := open(t)
	key := newPseudonymKey(t, p)
	good := pseudonymOf(t, p, "ben", key, anasIDs)
	text := key.Reveal()
	for name, wrong := range map[string]string{
		"none": "", "a word": "secret", "one that is cut": text[:len(text)-1], "one that lacks its beginning": text[1:],
		"one with a letter more": text + "A", "one with a line break behind it": text + "\n", "one with a line break inside": text[:8] + "\n" + text[8:],
		"twice one": text + text, "one with NUL in it": text[:8] + "\x00" + text[9:],
	} {
		got, err := p.Bind("ben", domain.NewSecret(wrong), anasIDs)
		wantKind(t, "Bind under an invalid key, "+name, err, domain.Corrupt)
		if got != "" {
			t.Fatalf("Bind under an invalid key, %s: got a pseudonym with the error, want none", name)
		}
		if wrong != "" && strings.Contains(err.Error(), wrong) {
			t.Fatalf("Bind under an invalid key, %s: got the error %q, which holds it", name, err)
		}
		wantNoText(t, "under an invalid key, "+name, p, good, domain.NewSecret(wrong), anasIDs)
	}
}

func pseudonymsInvalid(t *testing.T, open func(t *testing.T) ports.Pseudonyms) {
	p := open(t)
	key := newPseudonymKey(t, p)
	for _, text := range []string{"", strings.Repeat("u", domain.MaxOwnUserID+1), strings.Repeat("ü", domain.MaxOwnUserID/2) + "u", strings.Repeat("u", 1<<20)} {
		got, err := p.Bind(text, key, anasIDs)
		wantKind(t, fmt.Sprintf("Bind of a text of %d bytes", len(text)), err, domain.Invalid)
		if got != "" {
			t.Fatalf("Bind of a text of %d bytes: got a pseudonym with the error, want none", len(text))
		}
	}
	got, err := p.Bind("ben", key, domain.Binding{})
	wantKind(t, "Bind of a text for the zero Binding", err, domain.Invalid)
	if got != "" {
		t.Fatal("Bind of a text for the zero Binding: got a pseudonym with the error, want none")
	}
	wantNoText(t, "for the zero Binding", p, pseudonymOf(t, p, "ben", key, anasIDs), key, domain.Binding{})
}

func pseudonymsReverse(t *testing.T, open func(t *testing.T) ports.Pseudonyms) {
	one, other := open(t), open(t)
	key := newPseudonymKey(t, one)
	for _, text := range userIDTexts() {
		if len(text) > maxReversible {
			continue
		}
		pseudonym := pseudonymOf(t, one, text, key, anasIDs)
		for name, p := range map[string]ports.Pseudonyms{"the same instance": one, "another instance": other} {
			got, ok := p.Unbind(pseudonym, key, anasIDs)
			if !ok || got != text {
				t.Fatalf("Unbind on %s: got %q, %v, want %q", name, got, ok, text)
			}
		}
	}
}

// pseudonymsLong would show an adapter that gives back a part of a text.
func pseudonymsLong(t *testing.T, open func(t *testing.T) ports.Pseudonyms) {
	p := open(t)
	key := newPseudonymKey(t, p)
	for _, text := range userIDTexts() {
		got, ok := p.Unbind(pseudonymOf(t, p, text, key, anasIDs), key, anasIDs)
		if ok && got != text || !ok && got != "" {
			t.Fatalf("Unbind of the pseudonym of %d bytes: got %q, %v, want the text or nothing", len(text), got, ok)
		}
	}
}

func pseudonymsDamage(t *testing.T, open func(t *testing.T) ports.Pseudonyms) {
	p := open(t)
	key := newPseudonymKey(t, p)
	for _, text := range []string{"u", "ana@example.com", strings.Repeat("u", maxReversible), strings.Repeat("u", domain.MaxOwnUserID)} {
		pseudonym := pseudonymOf(t, p, text, key, anasIDs)
		for what, bad := range damagedTexts(pseudonym) {
			wantNoText(t, fmt.Sprintf("the pseudonym of %d bytes, %s", len(text), what), p, bad, key, anasIDs)
		}
	}
	wantNoText(t, "a text that is its own", p, "ben", key, anasIDs)
}

func pseudonymsForeign(t *testing.T, open func(t *testing.T) ports.Pseudonyms) {
	p := open(t)
	key := newPseudonymKey(t, p)
	for _, text := range userIDTexts() {
		pseudonym := pseudonymOf(t, p, text, key, anasIDs)
		wantNoText(t, "as another user", p, pseudonym, key, bobsIDs)
		wantNoText(t, "in another project", p, pseudonym, key, domain.BindUserIDs(projectID(2), actorAna))
		wantNoText(t, "under another key", p, pseudonym, newPseudonymKey(t, p), anasIDs)
	}
}

func pseudonymsConcurrent(t *testing.T, open func(t *testing.T) ports.Pseudonyms) {
	p := open(t)
	key := newPseudonymKey(t, p)
	problems := make([]error, crowd)
	atOnce(crowd, func(i int) {
		to := domain.BindUserIDs(projectID(i), actorAna)
		for n := range 16 {
			want := fmt.Sprintf("user %d of %d", n, i)
			pseudonym, err := p.Bind(want, key, to)
			if err != nil {
				problems[i] = err
				return
			}
			if got, ok := p.Unbind(pseudonym, key, to); !ok || got != want {
				problems[i] = errors.New("another text came out than went in")
				return
			}
		}
	})
	for _, err := range problems {
		wantNil(t, "making and reversing pseudonyms beside others", err)
	}
}

// damagedTexts returns texts that differ from text, however little.
func damagedTexts(text string) map[string]string {
	all := map[string]string{
		"nothing": "", "a space": " ", "NUL": "\x00", "no UTF-8": "\xff", "a word": "login", "dots": "..", "JSON": `{"kind":"login"}`,
		"zeros": strings.Repeat("A", len(text)), "a megabyte": strings.Repeat("A", 1<<20), "twice": text + text, "quoted": `"` + text + `"`,
		"in capitals": strings.ToUpper(text), "in lower case": strings.ToLower(text),
	}
	// Decoders ignore some of these, and read some of them as others.
	for _, more := range []string{"\n", "\r", "\r\n", " ", "\t", "=", "==", "A", ".", "-", "_", "\x00"} {
		all[fmt.Sprintf("%q behind it", more)] = text + more
		all[fmt.Sprintf("%q in front", more)] = more + text
		for _, at := range []int{1, 2, 3, 4, len(text) / 2, len(text) - 1} {
			all[fmt.Sprintf("%q at %d", more, at)] = text[:at] + more + text[at:]
		}
	}
	for i := range len(text) {
		all[fmt.Sprintf("cut to %d characters", i)] = text[:i]
		all[fmt.Sprintf("cut by the first %d characters", i+1)] = text[i+1:]
		all[fmt.Sprintf("without character %d", i)] = text[:i] + text[i+1:]
		for bit := range 8 {
			b := []byte(text)
			b[i] ^= 1 << bit
			all[fmt.Sprintf("bit %d of character %d flipped", bit, i)] = string(b)
		}
	}
	// Every last character: its unused bits count too.
	for c := byte(0x21); c < 0x7f; c++ {
		all[fmt.Sprintf("%q as the last character", c)] = text[:len(text)-1] + string(c)
	}
	for from, to := range map[string]string{"-": "+", "_": "/", "+": "-", "/": "_"} {
		all[fmt.Sprintf("every %q as %q", from, to)] = strings.ReplaceAll(text, from, to)
	}
	for what, other := range all {
		if other == text {
			delete(all, what)
		}
	}
	return all
}
