package audit_test

import (
	"fmt"
	"maps"
	"net/netip"
	goruntime "runtime"
	"slices"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
)

// refuse has a call refused, which must not fail.
func (w *world) refuse(t *testing.T, call domain.Call, action domain.Action, outcome string) {
	t.Helper()
	if err := w.audit.Refused(t.Context(), call, action, "", outcome); err != nil {
		t.Fatal(err)
	}
}

func (w *world) flush(t *testing.T, all bool) {
	t.Helper()
	if err := w.audit.FlushRefusals(t.Context(), all); err != nil {
		t.Fatal(err)
	}
}

// rows are the audit's rows from the first one after those that were there before.
func (w *world) rows(before int) []string {
	var out []string
	for _, r := range w.Store.Records()[before:] {
		out = append(out, fmt.Sprintf("%s %s %s %s %d", r.Actor, r.Action, r.Outcome, r.Address, r.Count))
	}
	return out
}

func wantRows(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: got rows %q, want %q", what, got, want)
	}
}

func TestTheFirstRefusalIsARowAndTheOthersShareOne(t *testing.T) {
	w := newWorld(t)
	before := len(w.Store.Records())
	nobody := domain.Call{Address: "192.0.2.1", RequestID: "first"}
	w.refuse(t, nobody, "login", "not_authenticated")
	wantRows(t, "at once", w.rows(before), "nobody login not_authenticated 192.0.2.1 1")
	if rec := w.Store.Records()[before]; rec.RequestID != "first" || !rec.At.Equal(w.Now()) {
		t.Errorf("got %+v", rec)
	}

	for i := range 10 {
		w.After(time.Second)
		w.refuse(t, domain.Call{Address: "192.0.2.1", RequestID: fmt.Sprint(i)}, "login", "not_authenticated")
	}
	last := w.Now()
	w.After(50*time.Second - time.Microsecond)
	w.flush(t, false)
	wantRows(t, "before the minute ends", w.rows(before), "nobody login not_authenticated 192.0.2.1 1")
	w.After(time.Microsecond)
	w.flush(t, false)
	w.flush(t, true)
	wantRows(t, "when the minute ends", w.rows(before),
		"nobody login not_authenticated 192.0.2.1 1", "nobody login not_authenticated 192.0.2.1 10")
	if rec := w.Store.Records()[before+1]; rec.RequestID != "9" || !rec.At.Equal(last) {
		t.Errorf("got %+v, want the time and the request of the last", rec)
	}

	before = len(w.Store.Records())
	w.refuse(t, nobody, "login", "not_authenticated")
	w.flush(t, true)
	wantRows(t, "another minute", w.rows(before), "nobody login not_authenticated 192.0.2.1 1")
}

func TestKindsOfRefusals(t *testing.T) {
	w := newWorld(t)
	before := len(w.Store.Records())
	for range 2 {
		for _, address := range []string{"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", ""} {
			w.refuse(t, domain.Call{Address: address}, "login", "not_authenticated")
		}
		w.refuse(t, domain.Call{Address: "192.0.2.1"}, "set_project", "not_authenticated")
		w.refuse(t, domain.Call{Address: "192.0.2.1", Caller: domain.Caller{ID: "ben"}}, "set_project", "not_allowed")
		w.refuse(t, domain.Call{Address: "192.0.2.1", Caller: domain.Caller{ID: "ben", Token: "t"}}, "set_project", "not_allowed")
	}
	w.refuse(t, domain.Call{Address: "192.0.2.1"}, "login", "too_many_requests")
	firsts := []string{
		"nobody login not_authenticated 192.0.2.1 1", "nobody login not_authenticated 192.0.2.2 1", "nobody login not_authenticated 2001:db8::1 1",
		"nobody login not_authenticated 2001:db8:0:1::1 1", "nobody login not_authenticated  1", "nobody set_project not_authenticated 192.0.2.1 1",
		"user:ben set_project not_allowed 192.0.2.1 1", "token:t set_project not_allowed 192.0.2.1 1",
	}
	wantRows(t, "at once", w.rows(before), slices.Clone(firsts)...)
	before = len(w.Store.Records())
	w.flush(t, true)
	wantRows(t, "the others", w.rows(before),
		"nobody login several 192.0.2.1 2", "nobody login not_authenticated 192.0.2.2 1", "nobody login not_authenticated 2001:db8::/64 3",
		"nobody login not_authenticated 2001:db8:0:1::/64 1", "nobody login not_authenticated  1", "nobody set_project not_authenticated 192.0.2.1 1",
		"user:ben set_project not_allowed 192.0.2.1 1", "token:t set_project not_allowed 192.0.2.1 1")
}

// counted is how many refusals the rows tell of.
func (w *world) counted(before int) (rows int, refused int64) {
	for _, r := range w.Store.Records()[before:] {
		refused += r.Count
		rows++
	}
	return rows, refused
}

func TestAFloodOfRefusalsFillsNothing(t *testing.T) {
	const flood = 100_000
	for _, tc := range []struct {
		name string
		rows int
		call func(i int) domain.Call
	}{
		{"from one address", 2, func(int) domain.Call { return domain.Call{Address: "192.0.2.1"} }},
		{"from a network of IPv6", 2, func(i int) domain.Call {
			return domain.Call{Address: netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 12: byte(i >> 16), 13: byte(i >> 8), 14: byte(i)}).String()}
		}},
		{"from 100,000 addresses", 600 + 1, func(i int) domain.Call {
			return domain.Call{Address: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()}
		}},
		{"of 100,000 users", 600 + 1, func(i int) domain.Call {
			return domain.Call{Address: "192.0.2.1", Caller: domain.Caller{ID: domain.UserID(fmt.Sprint(i))}}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			before := len(w.Store.Records())
			var start, end goruntime.MemStats
			goruntime.GC()
			goruntime.ReadMemStats(&start)
			for i := range flood {
				w.refuse(t, tc.call(i), "login", "not_authenticated")
			}
			goruntime.GC()
			goruntime.ReadMemStats(&end)
			if grown := int64(end.HeapAlloc) - int64(start.HeapAlloc); grown > 4<<20 {
				t.Errorf("%d bytes are held, want at most 4 MiB", grown)
			}
			w.flush(t, true)
			if rows, refused := w.counted(before); rows != tc.rows || refused != flood {
				t.Errorf("got %d rows of %d refusals, want %d of %d", rows, refused, tc.rows, flood)
			}
			for range 3 { // and in each minute again
				w.After(time.Minute)
				for i := range 1000 {
					w.refuse(t, tc.call(i), "login", "not_authenticated")
				}
			}
			w.flush(t, true)
			if rows, refused := w.counted(before); rows > 4*tc.rows || refused != flood+3000 {
				t.Errorf("after four minutes: got %d rows of %d refusals, want at most %d of %d", rows, refused, 4*tc.rows, flood+3000)
			}
		})
	}
}

func TestAFloodOfStrangersHidesNoUser(t *testing.T) {
	w := newWorld(t)
	for i := range 5000 {
		w.refuse(t, domain.Call{Address: netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}).String()}, "set_token", "not_authenticated")
	}
	before := len(w.Store.Records())
	eve := domain.Call{Address: "192.0.2.9", Caller: domain.Caller{ID: "eve"}}
	w.refuse(t, eve, "set_token", "not_allowed")
	rows := w.Store.Records()[before:]
	if len(rows) != 1 || rows[0].Actor != domain.ActorUser("eve") || rows[0].Address != "192.0.2.9" {
		t.Errorf("got the rows %+v, want one of eve's", rows)
	}
}

func TestRefusalsWaitForTheDatabase(t *testing.T) {
	w := newWorld(t)
	before := len(w.Store.Records())
	w.Store.Break()
	var sent int64
	for minute := range 20 {
		for i := range 1000 {
			err := w.audit.Refused(t.Context(), domain.Call{Address: fmt.Sprintf("10.%d.%d.1", i/256, i%256)}, "login", "", "not_authenticated")
			if (err != nil) != (i < 600) {
				t.Fatalf("refusal %d of minute %d: got error %v", i, minute, err)
			}
			sent++
		}
		w.After(time.Minute)
		testworld.WantKind(t, w.audit.FlushRefusals(t.Context(), false), domain.Unavailable)
	}
	w.Store.Mend()
	w.flush(t, true)
	if rows, refused := w.counted(before); rows > 4096+1 || refused != sent {
		t.Errorf("got %d rows of %d refusals, want at most 4097 of %d", rows, refused, sent)
	}
	w.flush(t, true)
	if _, refused := w.counted(before); refused != sent {
		t.Errorf("after another flush: got %d refusals, want %d", refused, sent)
	}
}

// TestRefusalsThatWaitAreCountedByTheirAction has more rows wait than are kept.
func TestRefusalsThatWaitAreCountedByTheirAction(t *testing.T) {
	w := newWorld(t)
	before := len(w.Store.Records())
	w.Store.Break()
	sent := map[domain.Action]int64{}
	for minute := range 12 {
		for i := range 700 {
			action := []domain.Action{"login", "set_project", "forward"}[(i+minute)%3]
			// The first ones can't be stored and wait.
			_ = w.audit.Refused(t.Context(), domain.Call{Address: fmt.Sprintf("10.%d.%d.1", i/256, i%256)}, action, "", "not_authenticated")
			sent[action]++
		}
		w.After(time.Minute)
		testworld.WantKind(t, w.audit.FlushRefusals(t.Context(), false), domain.Unavailable)
	}
	w.Store.Mend()
	w.flush(t, true)
	counted := map[domain.Action]int64{}
	for _, r := range w.Store.Records()[before:] {
		counted[r.Action] += r.Count
	}
	if !maps.Equal(counted, sent) {
		t.Errorf("got refusals %v, want %v", counted, sent)
	}
	if rows, _ := w.counted(before); rows > 4096+len(sent) {
		t.Errorf("got %d rows, want at most 4096 and one for each of %d actions", rows, len(sent))
	}
}
