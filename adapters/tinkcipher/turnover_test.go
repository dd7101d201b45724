package tinkcipher_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/domain"
)

type sealFunc = func(domain.Secret, domain.Binding) (domain.Sealed, error)

func knownToNobody(sealFunc) error { return nil }

func allowAll([]domain.KeyID) error { return nil }

// stopped is a clock that stands where the test puts it.
type stopped struct{ at atomic.Pointer[time.Time] }

func newStopped(at time.Time) *stopped { c := &stopped{}; c.set(at); return c }

func (c *stopped) now() time.Time { return *c.at.Load() }

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
			wantConflict(t, "Rotate", err, tc.says+", so it is not changed by this program; change a copy by hand")
			_, err = c.Retire(t.Context(), nil, func([]domain.KeyID) error { t.Error("allow was called"); return nil })
			wantConflict(t, "Retire", err, tc.says)
			if diff := cmp.Diff(before, tree(t, filepath.Dir(path))) + cmp.Diff(entries, tree(t, filepath.Dir(filepath.Dir(path)))); diff != "" {
				t.Errorf("something was changed: %s", diff)
			}
		})
	}
	_, err := prepared(t, generate(t)).Rotate(t.Context(), knownToNobody)
	wantConflict(t, "Rotate of a keyset that is given as text", err, "the keyset in KEYSET is not changed by this program; change a copy by hand")
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
	wantConflict(t, "Retire", err, "another process changed the keyset")
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

func TestAFileIsDatedByTheClock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	at := time.Date(2031, 2, 3, 4, 5, 6, 7000, time.UTC)
	rotate(t, preparedOn(t, path, tinkcipher.FileOptions{Clock: newStopped(at).now}))
	if info, err := os.Stat(path); err != nil || !info.ModTime().Equal(at) {
		t.Errorf("the file is of %v (%v), want %v", info.ModTime(), err, at)
	}
}
