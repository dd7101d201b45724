package tinkcipher_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/domain"
)

func TestAnInstanceSealsWithTheNewestKeyWithinASecond(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	clock := newStopped(time.Now())
	start := clock.now()
	c, other := preparedOn(t, path, tinkcipher.FileOptions{Clock: clock.now}), preparedOn(t, path, ours)
	was := c.Keys()[0]
	key := rotate(t, other)
	for after, want := range map[time.Duration]domain.KeyID{0: was, time.Second - 1: was} {
		clock.set(start.Add(after))
		if got := seal(t, c, "x").Key; got != want {
			t.Errorf("Seal %v later: got key %s, want %s", after, got, want)
		}
	}
	clock.set(start.Add(time.Second))
	if got := seal(t, c, "x").Key; got != key {
		t.Errorf("Seal a second later: got key %s, want the new one, %s", got, key)
	}
	newest := rotate(t, other)
	clock.set(start) // it was put back
	if got := c.Keys()[0]; got != newest {
		t.Errorf("Keys after the clock was put back: got key %s, want the newest, %s", got, newest)
	}
}

// Whoever makes keys up costs looks at the file, and no readings.
func TestAnUnknownKeyReadsTheFileOnlyIfItChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	clock := newStopped(time.Now())
	wrap := &counting{AEAD: newWrap(t)}
	o := tinkcipher.FileOptions{Clock: clock.now, Wrap: wrap}
	c, other := preparedOn(t, path, o), preparedOn(t, path, o)
	s := seal(t, c, "x")
	madeUp := domain.Sealed{Key: "1", Bytes: append([]byte{1, 0, 0, 0, 1}, s.Bytes[5:]...)}
	reads := wrap.decrypted.Load()
	for range 100 {
		_, err := c.Open(madeUp, binding)
		wantCorrupt(t, "Open under a made-up key", err)
	}
	if got := wrap.decrypted.Load() - reads; got != 0 {
		t.Errorf("100 made-up keys: the file was read %d times, want never", got)
	}
	rotate(t, other)
	reads = wrap.decrypted.Load()
	wantOpens(t, c, seal(t, other, "new"), "new")
	for range 100 {
		_, err := c.Open(madeUp, binding)
		wantCorrupt(t, "Open under a made-up key", err)
	}
	if got := wrap.decrypted.Load() - reads; got != 1 {
		t.Errorf("after a rotation and 100 made-up keys: the file was read %d times, want once", got)
	}
}

func TestAFailedReadingIsTriedAgainAfterASecond(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	clock := newStopped(time.Now())
	wrap := &counting{AEAD: newWrap(t)}
	o := tinkcipher.FileOptions{Clock: clock.now, Wrap: wrap}
	c, other := preparedOn(t, path, o), preparedOn(t, path, o)
	key := rotate(t, other)
	wrap.fails.Store(true)
	reads := wrap.decrypted.Load()
	for range 100 {
		if err := c.Refresh(t.Context()); domain.KindOf(err) != domain.Unavailable || !strings.Contains(err.Error(), "out of reach") {
			t.Fatalf("Refresh while the key that wraps is out of reach: got error %v, want kind %q that says so", err, domain.Unavailable)
		}
	}
	if got := wrap.decrypted.Load() - reads; got != 1 {
		t.Errorf("within a second: it was tried %d times, want once", got)
	}
	wrap.fails.Store(false)
	if err := c.Refresh(t.Context()); err == nil {
		t.Error("Refresh within the second: got success, want the error of before")
	}
	clock.set(clock.now().Add(time.Second))
	if err := c.Refresh(t.Context()); err != nil || c.Keys()[0] != key {
		t.Errorf("Refresh a second later: got error %v and key %s, want %s", err, c.Keys()[0], key)
	}
}

// A reading that takes long, and fails, is waited for by nobody who seals, and not tried
// again before twice its time has passed.
func TestASlowReadingHoldsUpNobodyElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	clock := newStopped(time.Now())
	wrap := &slow{AEAD: newWrap(t)}
	c := preparedOn(t, path, tinkcipher.FileOptions{Clock: clock.now, Wrap: wrap})
	other := preparedOn(t, path, tinkcipher.FileOptions{Wrap: wrap.AEAD})
	rotate(t, other)
	unknown := seal(t, other, "x")
	failing := &counting{AEAD: wrap.AEAD}
	failing.fails.Store(true)
	wrap.AEAD, wrap.asked, wrap.answer = failing, make(chan struct{}), make(chan struct{})

	opened := make(chan error, 1)
	go func() {
		_, err := c.Open(unknown, binding)
		opened <- err
	}()
	<-wrap.asked
	clock.set(clock.now().Add(2 * time.Second))
	seal(t, c, "y") // which would wait for ever
	clock.set(clock.now().Add(3 * time.Second))
	close(wrap.answer)
	if err := <-opened; domain.KindOf(err) != domain.Unavailable {
		t.Errorf("Open: got error %v, want kind %q", err, domain.Unavailable)
	}
	for _, passed := range []time.Duration{0, 9 * time.Second} {
		clock.set(clock.now().Add(passed))
		if _, err := c.Open(unknown, binding); domain.KindOf(err) != domain.Unavailable || failing.decrypted.Load() != 1 {
			t.Errorf("Open %v later: got error %v, and the file was read %d times, want once", passed, err, failing.decrypted.Load())
		}
	}
	failing.fails.Store(false)
	clock.set(clock.now().Add(time.Second))
	wrap.asked = nil
	wantOpens(t, c, unknown, "x")
}

// One that is another than the one that was read may have another current key, so that
// nothing is sealed. A file that is only out of sight stops nothing.
func TestAFileThatCanNotBeReadLaterLeavesTheKeysetAsItIs(t *testing.T) {
	for _, tc := range []struct {
		name    string
		harm    func(t *testing.T, path string)
		another bool
	}{
		{"is gone", func(_ *testing.T, path string) { _ = os.Remove(path) }, false},
		{"is a link to nothing", func(_ *testing.T, path string) { _ = os.Remove(path); _ = os.Symlink("nothing", path) }, false},
		{"is spoilt", func(t *testing.T, path string) { write(t, path, "spoilt", 0o600) }, true},
		{"is open to everyone", func(t *testing.T, path string) { write(t, path, generate(t).Reveal(), 0o644) }, true},
		{"is a folder", func(_ *testing.T, path string) { _ = os.Remove(path); _ = os.Mkdir(path, 0o700) }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keyset.json")
			clock := newStopped(time.Now())
			c := preparedOn(t, path, tinkcipher.FileOptions{Clock: clock.now})
			s, keys := seal(t, c, "x"), c.Keys()
			tc.harm(t, path)
			clock.set(clock.now().Add(time.Hour))
			if tc.another {
				wantNotSealed(t, c)
			} else {
				wantOpens(t, c, seal(t, c, "y"), "y")
			}
			wantOpens(t, c, s, "x")
			if got := c.Keys(); !cmp.Equal(got, keys) {
				t.Errorf("Keys: got %v, want %v as before", got, keys)
			}
			err := c.Refresh(t.Context())
			wantCorrupt(t, "Refresh", err)
			if !strings.Contains(err.Error(), path) {
				t.Errorf("Refresh: got %q, want it to name %s", err, path)
			}
			if _, err := c.Rotate(t.Context(), knownToNobody); err == nil {
				t.Error("Rotate: got success, want an error")
			}
			if _, err := c.Retire(t.Context(), nil, allowAll); err == nil {
				t.Error("Retire: got success, want an error")
			}
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			write(t, path, generate(t).Reveal(), 0o600)
			if err := c.Refresh(t.Context()); err != nil || cmp.Equal(c.Keys(), keys) {
				t.Errorf("Refresh once another keyset is there: got error %v and keys %v, want another", err, c.Keys())
			}
			wantOpens(t, c, seal(t, c, "z"), "z")
		})
	}
}

// wantNotSealed fails the test unless c seals nothing.
func wantNotSealed(t *testing.T, c *tinkcipher.Cipher) {
	t.Helper()
	s, err := c.Seal(domain.NewSecret("x"), binding)
	if domain.KindOf(err) != domain.Unavailable || !s.IsZero() || !strings.Contains(err.Error(), "nothing is encrypted") {
		t.Errorf("Seal: got key %q and error %v, want kind %q and a sentence", s.Key, err, domain.Unavailable)
	}
}

// A key that was retired has nothing sealed with it by then, also where an instance can't
// read that it is retired.
func TestAnInstanceThatCanNotReadAnotherKeysetSealsForSecondsOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	clock := newStopped(time.Now())
	wrap := &counting{AEAD: newWrap(t)}
	c := preparedOn(t, path, tinkcipher.FileOptions{Clock: clock.now, Wrap: wrap})
	other := preparedOn(t, path, tinkcipher.FileOptions{Wrap: wrap.AEAD})
	start := clock.now()
	at := func(d time.Duration) { clock.set(start.Add(d)) }
	s, was := seal(t, c, "x"), c.Keys()[0]
	rotate(t, other)
	wrap.fails.Store(true)
	for _, after := range []time.Duration{0, time.Second, 2 * time.Second, 3*time.Second - 1} {
		at(after)
		if got := seal(t, c, "x").Key; got != was {
			t.Errorf("Seal %v later: got key %s, want %s", after, got, was)
		}
	}
	for _, after := range []time.Duration{3 * time.Second, time.Hour} {
		at(after)
		wantNotSealed(t, c)
		wantOpens(t, c, s, "x")
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	at(2 * time.Hour)
	wantNotSealed(t, c) // it is known still that it was another one
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	wrap.fails.Store(false)
	at(3 * time.Hour)
	if got := seal(t, c, "x").Key; got != other.Keys()[0] {
		t.Errorf("Seal once it can be read: got key %s, want %s", got, other.Keys()[0])
	}

	// One that looks for the first time in hours has no seconds left.
	rotate(t, other)
	wrap.fails.Store(true)
	at(6 * time.Hour)
	wantNotSealed(t, c)
	wrap.fails.Store(false)
	if _, err := preparedOn(t, path, tinkcipher.FileOptions{Wrap: wrap.AEAD, Wait: new(waits).wait}).Retire(t.Context(), nil, allowAll); err != nil {
		t.Fatal(err)
	}
	wrap.fails.Store(true)
	at(7 * time.Hour)
	wantNotSealed(t, c)
}

// What was put back is no other one.
func TestAFileThatIsPutBackIsSealedWithAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	clock := newStopped(time.Now())
	c := preparedOn(t, path, tinkcipher.FileOptions{Clock: clock.now})
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	write(t, path, "spoilt", 0o600)
	clock.set(clock.now().Add(time.Minute))
	wantNotSealed(t, c)
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	clock.set(clock.now().Add(time.Second))
	wantOpens(t, c, seal(t, c, "x"), "x")
}

// The clock may be put back while another file is there.
func TestAClockThatIsPutBackGivesNoMoreTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	clock := newStopped(time.Now())
	c := preparedOn(t, path, tinkcipher.FileOptions{Clock: clock.now})
	write(t, path, "spoilt", 0o600)
	clock.set(clock.now().Add(-time.Hour))
	wantNotSealed(t, c)
}

// slow is a key that answers when it is told to.
type slow struct {
	tink.AEAD
	asked, answer chan struct{}
}

func (s *slow) Decrypt(sealed, associated []byte) ([]byte, error) {
	if s.asked != nil {
		s.asked <- struct{}{}
		<-s.answer
	}
	return s.AEAD.Decrypt(sealed, associated)
}

// While one call waits for the key that wraps the keyset, others wait too once they were
// not sure of theirs for seconds.
func TestNobodySealsOnWhileAnotherKeysetIsBeingRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	clock := newStopped(time.Now())
	wrap := &slow{AEAD: newWrap(t)}
	c := preparedOn(t, path, tinkcipher.FileOptions{Clock: clock.now, Wrap: wrap})
	key := rotate(t, preparedOn(t, path, tinkcipher.FileOptions{Wrap: wrap.AEAD}))
	wrap.asked, wrap.answer = make(chan struct{}), make(chan struct{})
	clock.set(clock.now().Add(3 * time.Second))
	refreshed := make(chan error, 1)
	go func() { refreshed <- c.Refresh(t.Context()) }()
	<-wrap.asked
	sealed := make(chan domain.Sealed, 8)
	for range cap(sealed) {
		go func() {
			s, err := c.Seal(domain.NewSecret("x"), binding)
			if err != nil {
				t.Errorf("Seal: got error %v, want that it waits", err)
			}
			sealed <- s
		}()
	}
	close(wrap.answer)
	if err := <-refreshed; err != nil {
		t.Fatal(err)
	}
	for range cap(sealed) {
		if s := <-sealed; s.Key != key {
			t.Errorf("Seal: got key %s, want the new one, %s", s.Key, key)
		}
	}
}

// A secret that is mounted is replaced by turning a link.
func TestALinkThatIsTurnedIsNoticed(t *testing.T) {
	folder := t.TempDir()
	first := generate(t)
	write(t, filepath.Join(folder, "one"), first.Reveal(), 0o600)
	write(t, filepath.Join(folder, "two"), addKey(t, first).Reveal(), 0o600)
	link := filepath.Join(folder, "keyset.json")
	if err := os.Symlink("one", link); err != nil {
		t.Fatal(err)
	}
	c := preparedOn(t, link, named)
	if err := errors.Join(os.Symlink("two", link+".next"), os.Rename(link+".next", link)); err != nil {
		t.Fatal(err)
	}
	if err := c.Refresh(t.Context()); err != nil || len(c.Keys()) != 2 {
		t.Errorf("Refresh: got error %v and keys %v, want two", err, c.Keys())
	}
}

func TestAnOutageIsNoForgery(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	clock := newStopped(time.Now())
	wrap := &counting{AEAD: newWrap(t)}
	c := preparedOn(t, path, tinkcipher.FileOptions{Clock: clock.now, Wrap: wrap})
	other := preparedOn(t, path, tinkcipher.FileOptions{Wrap: wrap.AEAD})
	rotate(t, other)
	s := seal(t, other, "x")
	wrap.fails.Store(true)
	for range 2 { // the second time nothing is read
		_, err := c.Open(s, binding)
		if domain.KindOf(err) != domain.Unavailable || !strings.Contains(err.Error(), "out of reach") {
			t.Errorf("Open while the key that wraps is out of reach: got error %v, want kind %q that says so", err, domain.Unavailable)
		}
	}
	wrap.fails.Store(false)
	clock.set(clock.now().Add(time.Second))
	wantOpens(t, c, s, "x")

	rotate(t, other)
	s = seal(t, other, "y")
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Open(s, binding); domain.KindOf(err) != domain.Unavailable || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("Open while the file is away: got error %v, want kind %q that says so", err, domain.Unavailable)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	wantOpens(t, c, s, "y")
}
