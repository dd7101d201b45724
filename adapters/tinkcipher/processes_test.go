package tinkcipher_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/domain"
)

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
