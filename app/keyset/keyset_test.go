package keyset_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app/keyset"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

// world is an installation and its keyset.
type world struct {
	*testworld.World
	keys *keyset.Keyset
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: testworld.New(t)}
	w.keys = w.open(t, w.ports())
	return w
}

func (w *world) ports() keyset.Ports {
	store := w.Store.Ports()
	return keyset.Ports{
		Installation: store.Installation, Sealings: store.Sealings, Projects: store.Projects, Sessions: store.Sessions, Audit: store.Audit,
		Cipher: w.Cipher, Keyring: w.Cipher, Pseudonyms: w.Pseudonyms, Origins: testworld.Origins(), Clock: w.Now, Random: rand.Reader,
	}
}

func (w *world) open(t *testing.T, p keyset.Ports) *keyset.Keyset {
	t.Helper()
	k, err := keyset.Open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestOpenRecognisesItsKeyset(t *testing.T) {
	w := newWorld(t)
	another, foreign, lost := w.Cipher.Another(), memory.NewCipher(), memory.NewCipher()
	if err := foreign.Prepare(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		change func(p *keyset.Ports)
		want   domain.Kind
		says   []string
	}{
		{"the same keyset opens", func(*keyset.Ports) {}, "", nil},
		{"another instance on the same keyset opens", func(p *keyset.Ports) { p.Cipher, p.Keyring = another, another }, "", nil},
		{"another keyset is refused, and the right one is named", func(p *keyset.Ports) { p.Cipher, p.Keyring = foreign, foreign }, domain.Corrupt, []string{"keyset", "that has key "}},
		{"a keyset that is lost is not made again", func(p *keyset.Ports) { p.Cipher, p.Keyring = lost, lost }, domain.Corrupt, []string{"needs the keyset that has key "}},
		{"another Voiceflow is refused, and both are named", func(p *keyset.Ports) { p.Origins[domain.ServiceAPI] = "https://other.test" },
			domain.Conflict, []string{"https://other.test", "https://api.voiceflow.test", "a new database"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := w.ports()
			tc.change(&p)
			_, err := keyset.Open(t.Context(), p)
			testworld.WantKind(t, err, tc.want)
			for _, text := range tc.says {
				if err != nil && !strings.Contains(err.Error(), text) {
					t.Errorf("the error %q does not say %q", err, text)
				}
			}
		})
	}
}

func TestReadyHoldsForASecond(t *testing.T) {
	w := newWorld(t)
	w.After(time.Hour)
	testworld.WantKind(t, w.keys.Ready(t.Context()), "")
	w.Store.Break()
	testworld.WantKind(t, w.keys.Ready(t.Context()), "")
	w.After(time.Second)
	left, leave := context.WithCancel(t.Context())
	leave() // one who leaves does not decide for the others
	testworld.WantKind(t, w.keys.Ready(left), domain.Unavailable)
	w.Store.Mend()
	testworld.WantKind(t, w.keys.Ready(t.Context()), domain.Unavailable)
	w.After(time.Second)
	testworld.WantKind(t, w.keys.Ready(left), "")
}

// keyless is a keyset without a key.
type keyless struct{ ports.Keyring }

func (keyless) Keys() []domain.KeyID { return nil }

func TestAKeysetWithoutAKeyIsCorrupt(t *testing.T) {
	w := newWorld(t)
	p := w.ports()
	p.Keyring = keyless{w.Cipher}
	_, err := keyset.Open(t.Context(), p)
	testworld.WantKind(t, err, domain.Corrupt)
}

func TestOpenTakesAllPorts(t *testing.T) {
	w := newWorld(t)
	p := w.ports()
	p.Clock = nil
	if _, err := keyset.Open(t.Context(), p); err == nil || domain.KindOf(err) != "" {
		t.Errorf("without a clock: got error %v, want one of no kind", err)
	}
	p = w.ports()
	delete(p.Origins, domain.ServiceRealtime)
	if _, err := keyset.Open(t.Context(), p); err == nil || domain.KindOf(err) != "" {
		t.Errorf("without an origin: got error %v, want one of no kind", err)
	}
}
