package portstest

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// OpenHeldMemory returns a HeldMemory of which nothing is held, with that budget in bytes.
type OpenHeldMemory func(t *testing.T, budget int64) ports.HeldMemory

// HeldMemory checks every sentence in the comments of ports.HeldMemory.
func HeldMemory(t *testing.T, open OpenHeldMemory) {
	for _, s := range []struct {
		name string
		run  func(t *testing.T, open OpenHeldMemory)
	}{
		{"one stranger holds half of an eighth at most", heldByOneStranger},
		{"strangers together hold an eighth at most, however many they are", heldByStrangers},
		{"strangers get nothing once three quarters are held, and members still do", heldStrangersFirst},
		{"one member holds half of what members may at most", heldByOneMember},
		{"a member who holds nothing gets something beside members who hold all they can", heldForNewcomers},
		{"admins get something once members get nothing", heldForAdmins},
		{"bytes that are refused are not counted", heldRefused},
		{"bytes that are given back can be taken again", heldGivenBack},
		{"of many at the same instant no more is taken than may be held", heldAtOnce},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, open) })
	}
}

const heldBudget = 128 << 20

// stranger is a holder at an address of its own.
func stranger(i int) domain.Holder {
	return domain.HolderOf(domain.Caller{}, fmt.Sprintf("192.0.%d.%d", i/256, i%256))
}

func memberHolder(i int) domain.Holder {
	return domain.HolderOf(domain.Caller{ID: domain.UserID("member " + strconv.Itoa(i))}, "192.0.2.1")
}

var adminHolder = domain.HolderOf(domain.Caller{ID: "an admin", Admin: true}, "192.0.2.1")

// takeAll takes as many pieces for who as it gets, and returns how many bytes that were.
func takeAll(t *testing.T, m ports.HeldMemory, who domain.Holder, piece int64) (taken int64) {
	t.Helper()
	for {
		err := m.Take(who, piece)
		if err == nil {
			taken += piece
			continue
		}
		wantKind(t, "more than may be held", err, domain.Unavailable)
		if e, _ := errors.AsType[*domain.Error](err); e.RetryAfter < time.Second {
			t.Fatalf("more than may be held: got RetryAfter %v, want a second or more", e.RetryAfter)
		}
		return taken
	}
}

func wantHeld(t *testing.T, what string, got, least, most int64) {
	t.Helper()
	if got < least || got > most {
		t.Fatalf("%s: got %d bytes, want from %d to %d", what, got, least, most)
	}
}

func heldByOneStranger(t *testing.T, open OpenHeldMemory) {
	m := open(t, heldBudget)
	wantHeld(t, "one stranger", takeAll(t, m, stranger(1), 4<<10), heldBudget/16-8<<10, heldBudget/16)
	wantHeld(t, "another one", takeAll(t, m, stranger(2), 4<<10), heldBudget/64, heldBudget/32)
	// All who have no address that can be read are one stranger.
	m = open(t, heldBudget)
	takeAll(t, m, domain.HolderOf(domain.Caller{}, ""), 4<<10)
	wantHeld(t, "another one without an address", takeAll(t, m, domain.HolderOf(domain.Caller{}, "?"), 4<<10), 0, 0)
	takeAll(t, m, domain.HolderOf(domain.Caller{}, "2001:db8::1"), 4<<10)
	wantHeld(t, "the same IPv6 network", takeAll(t, m, domain.HolderOf(domain.Caller{}, "2001:db8::2"), 4<<10), 0, 0)
}

func heldByStrangers(t *testing.T, open OpenHeldMemory) {
	m := open(t, heldBudget)
	var all int64
	for i := range 5000 {
		all += takeAll(t, m, stranger(i), 4<<10)
	}
	wantHeld(t, "5,000 strangers", all, heldBudget/8-64<<10, heldBudget/8)
	wantNil(t, "a member beside them", m.Take(memberHolder(1), 16<<20))
}

func heldStrangersFirst(t *testing.T, open OpenHeldMemory) {
	m := open(t, heldBudget)
	var all int64
	for i := 0; all < heldBudget*3/4; i++ {
		wantNil(t, "a member", m.Take(memberHolder(i), 1<<20))
		all += 1 << 20
	}
	wantHeld(t, "a stranger", takeAll(t, m, stranger(1), 1), 0, 0)
	wantNil(t, "another member", m.Take(memberHolder(-1), 1<<20))
}

func heldByOneMember(t *testing.T, open OpenHeldMemory) {
	m := open(t, heldBudget)
	wantHeld(t, "one member", takeAll(t, m, memberHolder(1), 1<<20), heldBudget*7/16-2<<20, heldBudget*7/16)
}

func heldForNewcomers(t *testing.T, open OpenHeldMemory) {
	m := open(t, heldBudget)
	for i := range 5 {
		takeAll(t, m, memberHolder(i), 64<<10)
	}
	for i := range 20 {
		takeAll(t, m, stranger(i), 4<<10)
	}
	wantNil(t, "a newcomer", m.Take(memberHolder(-1), 1<<20))
}

func heldForAdmins(t *testing.T, open OpenHeldMemory) {
	m := open(t, heldBudget)
	for i := range 5000 {
		takeAll(t, m, memberHolder(i), 64<<10)
	}
	wantNil(t, "an admin", m.Take(adminHolder, 4<<20))
}

func heldRefused(t *testing.T, open OpenHeldMemory) {
	m := open(t, heldBudget)
	for range 100 {
		wantKind(t, "more than the budget", m.Take(memberHolder(1), heldBudget+1), domain.Unavailable)
	}
	wantNil(t, "a third of the budget", m.Take(memberHolder(1), heldBudget/3))
}

func heldGivenBack(t *testing.T, open OpenHeldMemory) {
	m := open(t, heldBudget)
	for _, who := range []domain.Holder{stranger(1), memberHolder(1), adminHolder} {
		first := takeAll(t, m, who, 1<<10)
		for range 100 {
			m.GiveBack(who, first)
			wantSame(t, "what can be taken again", takeAll(t, m, who, 1<<10), first)
		}
		m.GiveBack(who, first)
	}
}

func heldAtOnce(t *testing.T, open OpenHeldMemory) {
	m := open(t, heldBudget)
	var taken atomic.Int64
	atOnce(crowd, func(i int) {
		for range 100 {
			if m.Take(memberHolder(i), 1<<20) == nil {
				taken.Add(1 << 20)
			}
		}
	})
	wantHeld(t, "many members", taken.Load(), heldBudget/2, heldBudget*7/8)
}
