package tinkcipher_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/daead/subtle"
	"pgregory.net/rapid"

	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

func TestPseudonyms(t *testing.T) {
	portstest.Pseudonyms(t, func(*testing.T) ports.Pseudonyms { return tinkcipher.NewPseudonyms() })
}

// pseudonymKey is a key that is the same in every run: the bytes 0 to 63.
func pseudonymKey() domain.Secret {
	var b [64]byte
	for i := range b {
		b[i] = byte(i)
	}
	return domain.NewSecret(base64.StdEncoding.EncodeToString(b[:]))
}

var userIDs = domain.BindUserIDs("01890000-0000-7000-8000-000000000001", domain.ActorUser("01890000-0000-7000-9000-000000000001"))

func pseudonymOf(t testing.TB, text string) string {
	t.Helper()
	pseudonym, err := tinkcipher.NewPseudonyms().Bind(text, pseudonymKey(), userIDs)
	if err != nil {
		t.Fatalf("Bind of %q: got error %v, want success", text, err)
	}
	return pseudonym
}

// Conversations at Voiceflow are found by these.
func TestAPseudonymStaysTheSameForEver(t *testing.T) {
	for text, want := range map[string]string{
		"ben":                    "fl-pgIQQgSehB7-9s5oxH_FU0yZZHw",
		strings.Repeat("u", 77):  "fl-pm2eoEbW4XSVsjOxbq_kQnO9X6lCzPt3v3ZDwY1wFLUjFMYLg-gobMihW5b9mVk92W5mVD3Qes4Q24TqGJKPWSZgRlJzM6NLcF_mSLAkQEIyYm_AxgSWUPkvF8bpE",
		strings.Repeat("u", 78):  "fl-hO8KLoRnXK56s_i0txVXNGDTMeOb1C9rukmZgyK5cJ50",
		strings.Repeat("u", 256): "fl-hEe3Obgd88o6UOXt-VR45RRRadfbISJsrfQIvFrEumqQ",
	} {
		if got := pseudonymOf(t, text); got != want {
			t.Errorf("Bind of %q: got %s, want %s", text, got, want)
		}
	}
}

func TestTextsOfUpTo77BytesComeBackAndLongerOnesDoNot(t *testing.T) {
	p := tinkcipher.NewPseudonyms()
	for n := 1; n <= domain.MaxOwnUserID; n++ {
		text := strings.Repeat("u", n)
		pseudonym := pseudonymOf(t, text)
		got, ok := p.Unbind(pseudonym, pseudonymKey(), userIDs)
		if want := n <= 77; ok != want || ok && got != text {
			t.Errorf("Unbind of the pseudonym of %d bytes: got %q, %v, want it to come back: %v", n, got, ok, want)
		}
		if wantStart := map[bool]string{true: "fl-p", false: "fl-h"}[n <= 77]; !strings.HasPrefix(pseudonym, wantStart) {
			t.Errorf("the pseudonym of %d bytes: got %s, want it to begin with %s", n, pseudonym, wantStart)
		}
	}
}

// A pseudonym of either form is none of the other once its letter is another.
func TestTheFormsAreNotMistakenForOneAnother(t *testing.T) {
	p := tinkcipher.NewPseudonyms()
	for _, text := range []string{"ben", strings.Repeat("u", 16), strings.Repeat("u", 78)} {
		rest := pseudonymOf(t, text)[len("fl-p"):]
		for _, start := range []string{"fl-p", "fl-h", "fl-P", "fl-q", "", "p", "fl-pp", "fl-ph"} {
			if start+rest == pseudonymOf(t, text) {
				continue
			}
			if got, ok := p.Unbind(start+rest, pseudonymKey(), userIDs); ok {
				t.Errorf("Unbind of the pseudonym of %q with %q at its beginning: got %q, want none", text, start, got)
			}
		}
	}
}

// Bind refuses the empty text, so its ciphertext from elsewhere is no pseudonym either.
func TestNoPseudonymIsOfTheEmptyText(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString(pseudonymKey().Reveal())
	if err != nil {
		t.Fatal(err)
	}
	siv, err := subtle.NewAESSIV(key)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"": false, "b": true} {
		sealed, err := siv.EncryptDeterministically([]byte(text), []byte(userIDs.AssociatedData()))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := tinkcipher.NewPseudonyms().Unbind("fl-p"+base64.RawURLEncoding.EncodeToString(sealed), pseudonymKey(), userIDs); ok != want || got != text {
			t.Errorf("Unbind of what %q is sealed as: got %q, %v, want %v", text, got, ok, want)
		}
	}
}

func TestPseudonymsAreAsManyAsTexts(t *testing.T) {
	p := tinkcipher.NewPseudonyms()
	text := rapid.StringN(1, 60, domain.MaxOwnUserID)
	rapid.Check(t, func(t *rapid.T) {
		one, other := text.Draw(t, "one"), text.Draw(t, "other")
		first, err := p.Bind(one, pseudonymKey(), userIDs)
		if err != nil {
			t.Fatalf("Bind: got error %v, want success", err)
		}
		second, err := p.Bind(other, pseudonymKey(), userIDs)
		if err != nil {
			t.Fatalf("Bind: got error %v, want success", err)
		}
		if (one == other) != (first == second) {
			t.Fatalf("the pseudonyms of %q and %q: got %s and %s", one, other, first, second)
		}
	})
}

// Whatever comes in, Unbind returns a text exactly for what Bind returned for it.
func FuzzPseudonym(f *testing.F) {
	f.Add("ben", pseudonymOf(f, "ben"))
	f.Add("", "p")
	f.Add(strings.Repeat("u", 78), pseudonymOf(f, strings.Repeat("u", 78)))
	f.Add("\xff", pseudonymOf(f, "ben")+"\n")
	f.Fuzz(func(t *testing.T, text, pseudonym string) {
		p := tinkcipher.NewPseudonyms()
		if got, ok := p.Unbind(pseudonym, pseudonymKey(), userIDs); ok && pseudonymOf(t, got) != pseudonym {
			t.Fatalf("Unbind of %q: got %q, whose pseudonym is %q", pseudonym, got, pseudonymOf(t, got))
		} else if !ok && got != "" {
			t.Fatalf("Unbind of %q: got %q, want none", pseudonym, got)
		}
		made, err := p.Bind(text, pseudonymKey(), userIDs)
		if text == "" || len(text) > domain.MaxOwnUserID {
			if domain.KindOf(err) != domain.Invalid || made != "" {
				t.Fatalf("Bind of %d bytes: got %q and error %v, want kind %q", len(text), made, err, domain.Invalid)
			}
			return
		}
		if err != nil {
			t.Fatalf("Bind of %q: got error %v, want success", text, err)
		}
		if got, ok := p.Unbind(made, pseudonymKey(), userIDs); ok != (len(text) <= 77) || ok && got != text {
			t.Fatalf("Unbind of the pseudonym of %q: got %q, %v", text, got, ok)
		}
	})
}

func BenchmarkBind(b *testing.B) {
	p, key := tinkcipher.NewPseudonyms(), pseudonymKey()
	for b.Loop() {
		if _, err := p.Bind("01890000-0000-7000-8000-000000000001", key, userIDs); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnbind(b *testing.B) {
	p, key, pseudonym := tinkcipher.NewPseudonyms(), pseudonymKey(), pseudonymOf(b, "01890000-0000-7000-8000-000000000001")
	for b.Loop() {
		if _, ok := p.Unbind(pseudonym, key, userIDs); !ok {
			b.Fatal("Unbind: got none, want the text")
		}
	}
}
