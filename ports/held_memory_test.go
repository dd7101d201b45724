package ports

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/flowlatch/flowlatch/domain"
)

// heldBytes is a HeldMemory with a limit for all.
type heldBytes struct {
	mu    sync.Mutex
	limit int64
	all   int64
	by    map[domain.Holder]int64
}

func newHeldBytes(limit int64) *heldBytes {
	return &heldBytes{limit: limit, by: map[domain.Holder]int64{}}
}

func (m *heldBytes) Take(who domain.Holder, n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all+n > m.limit {
		return &domain.Error{Kind: domain.Unavailable}
	}
	m.all, m.by[who] = m.all+n, m.by[who]+n
	return nil
}

func (m *heldBytes) GiveBack(who domain.Holder, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all, m.by[who] = m.all-n, m.by[who]-n
}

func (m *heldBytes) wantHeld(t *testing.T, what string, least, most int64) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all < least || m.all > most {
		t.Errorf("%s: got %d bytes held, want from %d to %d", what, m.all, least, most)
	}
}

func TestReadAllReadsWhatIoReadAllReads(t *testing.T) {
	for _, n := range []int{0, 1, 1<<10 - 1, 1 << 10, 1<<10 + 1, 5000, 64 << 10} {
		want := bytes.Repeat([]byte("x"), n)
		for name, r := range map[string]io.Reader{
			"whole": bytes.NewReader(want), "byte by byte": iotest.OneByteReader(bytes.NewReader(want)),
			"the end comes with the data": iotest.DataErrReader(bytes.NewReader(want)),
		} {
			got, err := NewHeld(newHeldBytes(1<<30), domain.Holder{}).ReadAll(r, 64<<10)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %s: got %d bytes and %v", n, name, len(got), err)
			}
		}
		got, err := (*Held)(nil).ReadAll(bytes.NewReader(want), 64<<10)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes without a bound: got %d bytes and %v", n, len(got), err)
		}
	}
}

func TestReadAllStopsBeyondTheLimit(t *testing.T) {
	m := newHeldBytes(1 << 30)
	got, err := NewHeld(m, domain.Holder{}).ReadAll(iotest.OneByteReader(strings.NewReader(strings.Repeat("x", 10_000))), 4096)
	if err != nil || len(got) != 4097 {
		t.Errorf("got %d bytes and %v, want one byte more than the limit", len(got), err)
	}
	m.wantHeld(t, "beyond the limit", 4097, 4097)
}

func TestReadAllCountsWhatHasArrived(t *testing.T) {
	m := newHeldBytes(1 << 30)
	came, send := io.Pipe()
	held := NewHeld(m, domain.Holder{})
	done := make(chan error)
	go func() { _, err := held.ReadAll(came, 1<<20); done <- err }()
	for sent := 0; sent < 100_000; sent += 10_000 {
		if _, err := send.Write(make([]byte, 10_000)); err != nil {
			t.Fatal(err)
		}
		m.wantHeld(t, "while the body is open", int64(sent), int64(max(2*(sent+10_000), firstRead)))
	}
	if err := send.CloseWithError(errors.New("gone")); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil || err.Error() != "gone" {
		t.Errorf("got %v, want the reader's error", err)
	}
	held.Release()
	m.wantHeld(t, "after the release", 0, 0)
}

func TestReadAllFailsIfTheBytesMayNotBeHeld(t *testing.T) {
	m := newHeldBytes(8 << 10)
	held := NewHeld(m, domain.Holder{})
	_, err := held.ReadAll(strings.NewReader(strings.Repeat("x", 100_000)), 1<<20)
	if domain.KindOf(err) != domain.Unavailable {
		t.Errorf("got %v, want %s", err, domain.Unavailable)
	}
	held.Release()
	m.wantHeld(t, "after the release", 0, 0)
}

func TestNothingIsCountedAfterTheRelease(t *testing.T) {
	m := newHeldBytes(1 << 30)
	held := NewHeld(m, domain.Holder{})
	if err := held.Add(10); err != nil {
		t.Fatal(err)
	}
	held.Release()
	held.Release()
	if err := held.Add(10); err != nil {
		t.Fatal(err)
	}
	m.wantHeld(t, "after the release", 0, 0)
}

func TestBytesAreHeldForWhoTheCallerTurnsOutToBe(t *testing.T) {
	m := newHeldBytes(1 << 30)
	ana := domain.HolderOf(domain.Caller{ID: "ana"}, "")
	held := NewHeld(m, domain.Holder{})
	held.For(ana)
	if err := HeldIn(WithHeld(context.Background(), held)).Add(10); err != nil {
		t.Fatal(err)
	}
	held.For(domain.HolderOf(domain.Caller{ID: "bob"}, "")) // too late
	if m.by[ana] != 10 {
		t.Errorf("got %d bytes held for the caller, want 10", m.by[ana])
	}
	held.Release()
	m.wantHeld(t, "after the release", 0, 0)
	if HeldIn(context.Background()) != nil || NewHeld(nil, ana) != nil {
		t.Error("without a HeldMemory there is a Held")
	}
}
