package audit

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

const (
	// refusalSpan is how long refusals of one kind share a row.
	refusalSpan = time.Minute
	// maxFirstRefusals is how many kinds of strangers may begin in a minute. As many kinds of
	// known callers may begin, so that no stranger can hide what those do. Further refusals,
	// of whoever, share a row for each action. This bounds the rows and the memory that a
	// flood of refusals takes.
	maxFirstRefusals = 600
	// maxRefusalsLeft is how many rows wait to be stored while the database is away. Further
	// ones share a row for each action.
	maxRefusalsLeft = 4096
	// refusalBatch is how many rows are stored in one change.
	refusalBatch = 200
	// refusalWait is how long the answer to a refused request waits for its row.
	refusalWait = time.Second
)

// refusalKind is what refusals that share a row have in common.
type refusalKind struct {
	action  domain.Action
	actor   domain.Actor
	network netip.Addr
}

// refusalMinute is a minute that begins with the first refusal of a kind.
type refusalMinute struct {
	ends   time.Time
	others domain.Record // the refusals after the first; their Count is 0 if there are none
}

// add counts a refusal among the others. Their row has the time and the request of the last
// one. It has no object unless all have the same, and the outcome "several" unless all have
// the same.
func (m *refusalMinute) add(kind refusalKind, rec domain.Record) {
	was := m.others
	rec.Actor, rec.Address = kind.actor, addressOf(kind.network)
	if was.Count > 0 {
		rec.Count += was.Count
		if rec.Object != was.Object {
			rec.Object = ""
		}
		if rec.Outcome != was.Outcome {
			rec.Outcome = domain.OutcomeSeveral
		}
	}
	m.others = rec
}

// addressOf returns the network as a row shows it.
func addressOf(network netip.Addr) string {
	switch {
	case !network.IsValid():
		return ""
	case network.Is6():
		return netip.PrefixFrom(network, 64).String()
	}
	return network.String()
}

// refusals are the refusals of the last minute, and the rows of earlier minutes that have yet
// to be stored. The zero value is ready.
type refusals struct {
	mu     sync.Mutex
	kinds  map[refusalKind]*refusalMinute
	left   []domain.Record
	begins time.Time    // when the minute began in which firsts are counted
	firsts map[bool]int // by whether the caller is known
}

// note counts rec. It reports whether rec is the first of its kind, which has to be stored at
// once.
func (r *refusals) note(rec domain.Record) (first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := rec.At.Sub(r.begins); age >= refusalSpan || age < 0 {
		r.begins, r.firsts = rec.At, map[bool]int{}
		r.end(func(m *refusalMinute) bool { return !rec.At.Before(m.ends) })
	}
	kind := refusalKind{rec.Action, rec.Actor, domain.NetworkOf(rec.Address)}
	if m := r.kinds[kind]; m != nil && rec.At.Before(m.ends) {
		m.add(kind, rec)
		return false
	}
	if known := rec.Actor != domain.ActorNobody; r.firsts[known] < maxFirstRefusals {
		r.firsts[known]++
		r.begin(kind, rec.At)
		return true
	}
	kind = refusalKind{action: rec.Action, actor: domain.ActorMany}
	m := r.kinds[kind]
	if m == nil || !rec.At.Before(m.ends) {
		m = r.begin(kind, rec.At)
	}
	m.add(kind, rec)
	return false
}

// begin begins a minute of the kind. The lock must be held.
func (r *refusals) begin(kind refusalKind, at time.Time) *refusalMinute {
	if m := r.kinds[kind]; m != nil {
		r.keep(m.others)
	}
	if r.kinds == nil {
		r.kinds = map[refusalKind]*refusalMinute{}
	}
	m := &refusalMinute{ends: at.Add(refusalSpan)}
	r.kinds[kind] = m
	return m
}

// end ends the minutes for which over is true. The lock must be held.
func (r *refusals) end(over func(*refusalMinute) bool) {
	for kind, m := range r.kinds {
		if over(m) {
			r.keep(m.others)
			delete(r.kinds, kind)
		}
	}
}

// keep keeps a row that has to be stored. If too many wait already, it counts the row with
// others of its action. The lock must be held.
func (r *refusals) keep(rec domain.Record) {
	switch {
	case rec.Count == 0:
	case len(r.left) < maxRefusalsLeft:
		r.left = append(r.left, rec)
	default:
		at := slices.IndexFunc(r.left, func(l domain.Record) bool { return l.Action == rec.Action && l.Actor == domain.ActorMany })
		if at < 0 {
			at, r.left = len(r.left), append(r.left, domain.Record{})
		}
		all := refusalMinute{others: r.left[at]}
		all.add(refusalKind{actor: domain.ActorMany}, rec)
		r.left[at] = all.others
	}
}

// again counts the first refusal of a kind, which could not be stored, among the others.
func (r *refusals) again(rec domain.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kind := refusalKind{rec.Action, rec.Actor, domain.NetworkOf(rec.Address)}
	if m := r.kinds[kind]; m != nil {
		m.add(kind, rec)
		return
	}
	r.keep(rec)
}

// take returns the rows whose minute has ended, or all rows.
func (r *refusals) take(now time.Time, all bool) []domain.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(func(m *refusalMinute) bool { return all || !now.Before(m.ends) })
	left := r.left
	r.left = nil
	return left
}

// giveBack takes rows back that could not be stored.
func (r *refusals) giveBack(list []domain.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	newer := r.left
	r.left = list
	for _, rec := range newer {
		r.keep(rec)
	}
}

// Refused records that call was refused to do action to object, which may be "", with the
// outcome.
//
// The first refusal of an action to an actor from an address (IPv6: a /64) has a row at once.
// The others of the minute that begins with it share a row with their count, which
// FlushRefusals stores. If very many actors are refused for the first time in one minute,
// those beyond some hundreds share a row of ActorMany for each action. If the row can't be
// stored, Refused returns the error, and counts the refusal with the others.
func (a *Audit) Refused(ctx context.Context, call domain.Call, action domain.Action, object, outcome string) error {
	rec := call.Record(a.ports.Clock(), action, object)
	rec.Outcome = outcome
	if !a.refusals.note(rec) {
		return nil
	}
	// A caller who leaves was refused all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalWait)
	defer cancel()
	err := a.ports.Log.Append(ctx, rec)
	if err != nil {
		a.refusals.again(rec)
	}
	return err
}

// FlushRefusals stores the rows of refusals whose minute has ended, or all of them. Rows that
// can't be stored are kept for the next time.
func (a *Audit) FlushRefusals(ctx context.Context, all bool) error {
	list := a.refusals.take(a.ports.Clock(), all)
	for batch := range slices.Chunk(list, refusalBatch) {
		if err := a.ports.Log.Append(ctx, batch...); err != nil {
			a.refusals.giveBack(list)
			return err
		}
		list = list[len(batch):]
	}
	return nil
}
