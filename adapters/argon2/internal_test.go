package argon2

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/flowlatch/flowlatch/domain"
)

func TestNoMoreThanAtOnceAreHashed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(Options{MemoryKiB: 8, Passes: 1})
		for range 2 { // two are being hashed, which is the default
			if err := h.turn(t.Context()); err != nil {
				t.Fatalf("turn: got error %v, want success", err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		outcomes := make(chan error, 2)
		go func() {
			_, err := h.Hash(ctx, domain.NewSecret("vast orange tundra"))
			outcomes <- err
		}()
		go func() {
			_, err := h.Verify(ctx, domain.NewSecret("x"), domain.Secret{})
			outcomes <- err
		}()
		synctest.Wait()
		if len(outcomes) != 0 {
			t.Fatal("a third password was hashed at once, want it to wait")
		}
		cancel()
		for range 2 {
			if err := <-outcomes; domain.KindOf(err) != domain.Unavailable {
				t.Errorf("a call that waited until its context ended: got error %v, want kind %q", err, domain.Unavailable)
			}
		}
		go func() {
			_, err := h.Verify(t.Context(), domain.NewSecret("x"), domain.Secret{})
			outcomes <- err
		}()
		synctest.Wait()
		h.done()
		if err := <-outcomes; err != nil {
			t.Errorf("a call that waited for its turn: got error %v, want success", err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := parse(text)
		if !ok {
			return
		}
		if p.text() != text {
			t.Errorf("text of what was parsed: got %q, want %q", p.text(), text)
		}
		if !p.cost.sane() || len(p.salt) < 8 || len(p.hash) < 16 {
			t.Errorf("parse of %q: got %+v, want it refused", text, p)
		}
	})
}
