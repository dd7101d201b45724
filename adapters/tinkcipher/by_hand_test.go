package tinkcipher_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/domain"
)

func TestByHandAKeysetTurnsOverStepByStep(t *testing.T) {
	for name, wrap := range map[string]tink.AEAD{"in clear": nil, "wrapped": newWrap(t)} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "copy.json")
			o := tinkcipher.FileOptions{Wrap: wrap}
			text, err := tinkcipher.Generate(wrap)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, text.Reveal(), 0o640)
			// instance is one that was given the copy as it is now.
			instance := func() *tinkcipher.Cipher {
				t.Helper()
				text, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				c := tinkcipher.NewText(domain.NewSecret(string(text)), "KEYSET", wrap)
				if err := c.Prepare(t.Context(), false); err != nil {
					t.Fatal(err)
				}
				return c
			}
			before := instance()
			for range 2 {
				was := instance().Keys()
				key, seals, err := tinkcipher.RotateByHand(t.Context(), path, o)
				if err != nil || seals {
					t.Fatalf("the first step: got key %s that seals: %v, and error %v, want one that only opens", key, seals, err)
				}
				opens := instance()
				if got := seal(t, opens, "x").Key; got != was[0] {
					t.Errorf("after the first step %s seals, want %s as before", got, was[0])
				}
				again, seals, err := tinkcipher.RotateByHand(t.Context(), path, o)
				if err != nil || !seals || again != key {
					t.Fatalf("the second step: got key %s that seals: %v, and error %v, want %s", again, seals, err, key)
				}
				if got := seal(t, instance(), "x").Key; got != key {
					t.Errorf("after the second step %s seals, want %s", got, key)
				}
				wantOpens(t, opens, seal(t, instance(), "x"), "x") // so the steps may be rolled out one by one
				wantOpens(t, instance(), seal(t, before, "x"), "x")
			}
			first := before.Keys()[0]
			wantConflict(t, "RetireByHand of the key that seals", tinkcipher.RetireByHand(t.Context(), path, instance().Keys()[0], o), "rotate first")
			if err := tinkcipher.RetireByHand(t.Context(), path, "1", o); domain.KindOf(err) != domain.NotFound {
				t.Errorf("RetireByHand of a key that does not exist: got error %v, want kind %q", err, domain.NotFound)
			}
			if err := tinkcipher.RetireByHand(t.Context(), path, first, o); err != nil {
				t.Errorf("RetireByHand: got error %v, want success", err)
			}
			_, err = instance().Open(seal(t, before, "x"), binding)
			wantCorrupt(t, "Open under the key that was retired", err)
			if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
				t.Errorf("the copy has mode %v (%v), want 0640 as before", info.Mode(), err)
			}
		})
	}
}

func TestByHandNothingIsMadeOfWhatIsNoKeyset(t *testing.T) {
	path := filepath.Join(t.TempDir(), "copy.json")
	for _, text := range []string{"", "spoilt"} {
		if text != "" {
			write(t, path, text, 0o600)
		}
		_, _, err := tinkcipher.RotateByHand(t.Context(), path, ours)
		wantCorrupt(t, "RotateByHand", err)
		wantCorrupt(t, "RetireByHand", tinkcipher.RetireByHand(t.Context(), path, "1", ours))
		if got, _ := os.ReadFile(path); string(got) != text {
			t.Errorf("the file holds %q, want %q as before", got, text)
		}
	}
}
