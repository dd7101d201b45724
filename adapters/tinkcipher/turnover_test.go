package tinkcipher_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/domain"
)

type sealFunc = func(domain.Secret, domain.Binding) (domain.Sealed, error)

func knownToNobody(sealFunc) error { return nil }

func allowAll([]domain.KeyID) error { return nil }

// stopped is a clock that stands where the test puts it.
type stopped struct{ at atomic.Pointer[time.Time] }

func newStopped(at time.Time) *stopped { c := &stopped{}; c.set(at); return c }

func (c *stopped) now() time.Time  { return *c.at.Load() }
func (c *stopped) set(t time.Time) { c.at.Store(&t) }

// preparedOn returns another instance on the file.
func preparedOn(t testing.TB, path string, o tinkcipher.FileOptions) *tinkcipher.Cipher {
	t.Helper()
	c := tinkcipher.NewFile(path, o)
	if err := c.Prepare(t.Context(), true); err != nil {
		t.Fatalf("Prepare: got error %v, want success", err)
	}
	return c
}

func rotate(t testing.TB, c *tinkcipher.Cipher) domain.KeyID {
	t.Helper()
	key, err := c.Rotate(t.Context(), knownToNobody)
	if err != nil {
		t.Fatalf("Rotate: got error %v, want success", err)
	}
	return key
}

func wantConflict(t *testing.T, what string, err error, says string) {
	t.Helper()
	if domain.KindOf(err) != domain.Conflict || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: got error %v, want kind %q that says %q", what, err, domain.Conflict, says)
	}
}

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
// nothing is sealed any more; one that is only out of sight says nothing of that.
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
	if domain.KindOf(err) != domain.Unavailable || !s.IsZero() || !strings.Contains(err.Error(), "nothing is sealed") {
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

func TestAFileIsReplacedAsAWholeWithItsModeAndOwner(t *testing.T) {
	for _, mode := range []os.FileMode{0o600, 0o640, 0o660} {
		folder := t.TempDir()
		path := filepath.Join(folder, "keyset.json")
		write(t, path, generate(t).Reveal(), mode)
		if os.Getuid() == 0 {
			if err := os.Chown(path, 4711, 4712); err != nil {
				t.Fatal(err)
			}
		}
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		held, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = held.Close() }()
		clock := new(clock)
		o := clock.options()
		o.Named = true
		c := preparedOn(t, path, o)
		rotate(t, c)
		if _, err := c.Retire(t.Context(), nil, allowAll); err != nil {
			t.Fatal(err)
		}
		after, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if after.Mode() != before.Mode() || owner(after) != owner(before) {
			t.Errorf("got mode %v and owner %s, want %v and %s", after.Mode(), owner(after), before.Mode(), owner(before))
		}
		if now, err := held.Stat(); err != nil || now.Size() != before.Size() || os.SameFile(now, after) {
			t.Errorf("who has the old file open sees it change (%v)", err)
		}
		wantOnly(t, folder, "keyset.json", "keyset.json.lock")
	}
}

func TestKeysetsThatAreNotChangedFromHere(t *testing.T) {
	text := generate(t).Reveal()
	for _, tc := range []struct {
		name string
		make func(t *testing.T, folder string) (path string)
		says string
	}{
		{"a link, as in a secret that Kubernetes mounts", func(t *testing.T, folder string) string {
			if err := os.MkdirAll(filepath.Join(folder, "..2026_11_25"), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(folder, "..2026_11_25", "keyset.json"), text, 0o600)
			if err := errors.Join(os.Symlink("..2026_11_25", filepath.Join(folder, "..data")), os.Symlink("..data/keyset.json", filepath.Join(folder, "keyset.json"))); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(folder, "keyset.json")
		}, "is a link, as a secret that is mounted is"},
		{"a read-only file", func(t *testing.T, folder string) string {
			write(t, filepath.Join(folder, "keyset.json"), text, 0o440)
			return filepath.Join(folder, "keyset.json")
		}, "is read-only (mode 0440)"},
		{"a read-only folder", func(t *testing.T, folder string) string {
			below := filepath.Join(folder, "mounted")
			if err := os.Mkdir(below, 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(below, "keyset.json"), text, 0o600)
			if err := os.Chmod(below, 0o500); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(below, 0o700) })
			return filepath.Join(below, "keyset.json")
		}, "is in a read-only folder (mode 0500)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := tc.make(t, t.TempDir())
			before, entries := tree(t, filepath.Dir(path)), tree(t, filepath.Dir(filepath.Dir(path)))
			c := preparedOn(t, path, named)
			_, err := c.Rotate(t.Context(), func(sealFunc) error { t.Error("known was called"); return nil })
			wantConflict(t, "Rotate", err, tc.says+", so it is not changed from here; by hand it is done on a copy")
			_, err = c.Retire(t.Context(), nil, func([]domain.KeyID) error { t.Error("allow was called"); return nil })
			wantConflict(t, "Retire", err, tc.says)
			if diff := cmp.Diff(before, tree(t, filepath.Dir(path))) + cmp.Diff(entries, tree(t, filepath.Dir(filepath.Dir(path)))); diff != "" {
				t.Errorf("something was changed: %s", diff)
			}
		})
	}
	_, err := prepared(t, generate(t)).Rotate(t.Context(), knownToNobody)
	wantConflict(t, "Rotate of a keyset that is given as text", err, "the keyset in KEYSET is not changed from here; by hand it is done on a copy")
}

// tree is what is below the folder: each name with its mode and size.
func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		all[path] = fmt.Sprint(info.Mode(), info.Size())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
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

// waits is a Wait that notes what it is asked for.
type waits struct {
	asked []time.Duration
	then  func(ctx context.Context) error
}

func (w *waits) wait(ctx context.Context, d time.Duration) error {
	w.asked = append(w.asked, d)
	if w.then != nil {
		return w.then(ctx)
	}
	return nil
}

func TestRetireWaitsUntilTheLastChangeIsLongAgo(t *testing.T) {
	for _, tc := range []struct {
		name  string
		age   time.Duration
		waits []time.Duration
	}{
		{"just changed", 0, []time.Duration{tinkcipher.SealsWithin}},
		{"changed a while ago", 4 * time.Second, []time.Duration{6 * time.Second}},
		{"almost long enough ago", tinkcipher.SealsWithin - 1, []time.Duration{1}},
		{"long enough ago", tinkcipher.SealsWithin, nil},
		{"years ago", 1 << 60, nil},
		{"changed by a machine whose clock is ahead", -time.Hour, []time.Duration{tinkcipher.SealsWithin}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keyset.json")
			rotate(t, preparedOn(t, path, ours))
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			clock, w := newStopped(info.ModTime().Add(tc.age)), new(waits)
			c := preparedOn(t, path, tinkcipher.FileOptions{Clock: clock.now, Wait: w.wait})
			allowed := 0
			retired, err := c.Retire(t.Context(), nil, func([]domain.KeyID) error { allowed = len(w.asked); return nil })
			if err != nil || len(retired) != 1 {
				t.Errorf("Retire: got %v and error %v, want one key", retired, err)
			}
			if !cmp.Equal(w.asked, tc.waits) || allowed != len(tc.waits) {
				t.Errorf("it waited %v, of that %d times before allow, want %v", w.asked, allowed, tc.waits)
			}
		})
	}
}

func TestAnEndedContextEndsTheWaitOfRetire(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	ctx, cancel := context.WithCancel(t.Context())
	w := &waits{then: func(ctx context.Context) error { cancel(); return ctx.Err() }}
	c := preparedOn(t, path, tinkcipher.FileOptions{Wait: w.wait})
	rotate(t, c)
	before := c.Keys()
	_, err := c.Retire(ctx, nil, func([]domain.KeyID) error { t.Error("allow was called"); return nil })
	if domain.KindOf(err) != domain.Unavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("Retire: got error %v, want kind %q and the context's end", err, domain.Unavailable)
	}
	if got := preparedOn(t, path, ours).Keys(); !cmp.Equal(got, before) {
		t.Errorf("Keys: got %v, want %v as before", got, before)
	}
}

func TestRetireGivesUpWhenSomethingElseChangesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	w := &waits{}
	c := preparedOn(t, path, tinkcipher.FileOptions{Wait: w.wait})
	rotate(t, c)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w.then = func(context.Context) error {
		write(t, path, addKey(t, domain.NewSecret(string(text))).Reveal(), 0o600)
		return nil
	}
	_, err = c.Retire(t.Context(), nil, func([]domain.KeyID) error { t.Error("allow was called"); return nil })
	wantConflict(t, "Retire", err, "changed by something else meanwhile")
}

func TestAnEndedContextEndsTheWaitForTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	c, other := preparedOn(t, path, ours), preparedOn(t, path, ours)
	_, err := c.Rotate(t.Context(), func(sealFunc) error {
		ctx, cancel := context.WithCancel(t.Context())
		waiting := make(chan error, 1)
		go func() {
			_, err := other.Rotate(ctx, func(sealFunc) error { t.Error("known was called under another's lock"); return nil })
			waiting <- err
		}()
		cancel()
		if err := <-waiting; domain.KindOf(err) != domain.Unavailable {
			t.Errorf("Rotate while another rotates: got error %v, want kind %q", err, domain.Unavailable)
		}
		return nil
	})
	if err != nil {
		t.Errorf("Rotate: got error %v, want success", err)
	}
}

func TestAKeysetThatIsFullIsNotMadeUnreadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	write(t, path, managed(t, generate(t), func(m *keyset.Manager) error {
		for range 200 {
			if _, err := m.Add(aead.AES256GCMKeyTemplate()); err != nil {
				return err
			}
		}
		return nil
	}).Reveal(), 0o600)
	c := preparedOn(t, path, ours)
	var err error
	for range 1000 {
		if _, err = c.Rotate(t.Context(), knownToNobody); err != nil {
			break
		}
	}
	wantConflict(t, "Rotate of a keyset that is full", err, "too many keys")
	again := preparedOn(t, path, new(clock).options())
	wantOpens(t, again, seal(t, c, "x"), "x")
	if _, err := again.Retire(t.Context(), nil, allowAll); err != nil || len(again.Keys()) != 1 {
		t.Errorf("Retire: got error %v and %d keys, want one", err, len(again.Keys()))
	}
}

// The child processes of the tests below: they rotate the keyset at the path and are
// killed at a step of that, or are not.
const (
	childPath = "TINKCIPHER_CHILD_PATH"
	childStep = "TINKCIPHER_CHILD_STEP"
)

// TestChild is no test: it is what a child process does.
func TestChild(t *testing.T) {
	path := os.Getenv(childPath)
	if path == "" {
		return
	}
	kill := func() { // as kill -9 does: nothing is tidied up
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		if err != nil {
			t.Fatal(err)
		}
		select {}
	}
	c := preparedOn(t, path, tinkcipher.FileOptions{Wrap: killing{newWrapOf(t, path), os.Getenv(childStep), new(atomic.Int64), kill}})
	_, err := c.Rotate(t.Context(), func(seal sealFunc) error {
		s, err := seal(domain.NewSecret("known"), binding)
		if err == nil {
			err = os.WriteFile(path+".known."+string(s.Key), s.Bytes, 0o600)
		}
		if os.Getenv(childStep) == "known" {
			kill()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// child starts a child process that rotates.
func child(t *testing.T, path, step string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childPath+"="+path, childStep+"="+step)
	return cmd
}

// known are what children have sealed with their new keys.
func known(t *testing.T, path string) []domain.Sealed {
	t.Helper()
	files, err := filepath.Glob(path + ".known.*")
	if err != nil {
		t.Fatal(err)
	}
	var all []domain.Sealed
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, domain.Sealed{Key: domain.KeyID(strings.TrimPrefix(filepath.Ext(file), ".")), Bytes: b})
	}
	return all
}

// TestARotationThatIsKilledLosesNothing kills it before it writes the new key, after that,
// when the new key is known, and before it makes the new key the primary one.
func TestARotationThatIsKilledLosesNothing(t *testing.T) {
	for _, tc := range []struct {
		step  string
		known int
	}{{"first write", 0}, {"known", 1}, {"second write", 1}} {
		t.Run(tc.step, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "keyset.json")
			o := new(clock).options()
			o.Wrap = newWrapOf(t, path)
			c := preparedOn(t, path, o)
			s, was := seal(t, c, "before"), c.Keys()[0]
			if output, err := child(t, path, tc.step).CombinedOutput(); err == nil {
				t.Fatalf("the child was not killed\n%s", output)
			}
			sealed := known(t, path)
			if len(sealed) != tc.known {
				t.Fatalf("the child sealed %d known values, want %d", len(sealed), tc.known)
			}
			// What a process that is killed in the middle of writing leaves.
			write(t, path+".new", "half a keys", 0o600)
			for name, instance := range map[string]*tinkcipher.Cipher{"an instance of before": c, "one of after": preparedOn(t, path, o)} {
				wantOpens(t, instance, s, "before")
				for _, k := range sealed {
					wantOpens(t, instance, k, "known")
				}
				if got := seal(t, instance, "x").Key; got != was {
					t.Errorf("%s: got key %s, want %s as before", name, got, was)
				}
			}
			key := rotate(t, c)
			again := preparedOn(t, path, o)
			if got := seal(t, again, "x").Key; got != key {
				t.Errorf("after the next rotation: got key %s, want %s", got, key)
			}
			wantOpens(t, again, s, "before")
			for _, k := range sealed {
				wantOpens(t, again, k, "known")
			}
			if _, err := os.Stat(path + ".new"); !os.IsNotExist(err) {
				t.Errorf("what the killed process left is still there (%v)", err)
			}
		})
	}
}

func TestRotationsOfSeveralProcessesLoseNoKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	o := tinkcipher.FileOptions{Wrap: newWrapOf(t, path)}
	c := preparedOn(t, path, o)
	s := seal(t, c, "before")
	const n = 4
	var all sync.WaitGroup
	for range n {
		cmd := child(t, path, "")
		all.Go(func() {
			if output, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("the child: %v\n%s", err, output)
			}
		})
	}
	all.Wait()
	again := preparedOn(t, path, o)
	if got := again.Keys(); len(got) != n+1 {
		t.Errorf("Keys: got %v, want %d", got, n+1)
	}
	sealed := known(t, path)
	if len(sealed) != n {
		t.Errorf("the children made %d keys, want %d", len(sealed), n)
	}
	for _, k := range sealed {
		wantOpens(t, again, k, "known")
		wantOpens(t, c, k, "known")
	}
	wantOpens(t, again, s, "before")
}

func TestInstancesThatSealWhileTheKeysetTurnsOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	clock := new(clock)
	instances := make([]*tinkcipher.Cipher, 4)
	for i := range instances {
		instances[i] = preparedOn(t, path, clock.options())
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i, c := range instances {
		next := instances[(i+1)%len(instances)]
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				s, err := c.Seal(domain.NewSecret("x"), binding)
				if err == nil {
					_, err = next.Open(s, binding)
				}
				if err != nil {
					t.Errorf("sealed by one instance and opened by another: got error %v, want success", err)
					return
				}
			}
		})
	}
	for range 20 {
		rotate(t, instances[0])
		clock.waited.Add(int64(time.Second))
	}
	close(stop)
	all.Wait()
}

func TestAFileIsDatedByTheClock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	at := time.Date(2031, 2, 3, 4, 5, 6, 7000, time.UTC)
	rotate(t, preparedOn(t, path, tinkcipher.FileOptions{Clock: newStopped(at).now}))
	if info, err := os.Stat(path); err != nil || !info.ModTime().Equal(at) {
		t.Errorf("the file is of %v (%v), want %v", info.ModTime(), err, at)
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
	if _, err := c.Open(s, binding); domain.KindOf(err) != domain.Unavailable || !strings.Contains(err.Error(), "is not there") {
		t.Errorf("Open while the file is away: got error %v, want kind %q that says so", err, domain.Unavailable)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	wantOpens(t, c, s, "y")
}
