package app

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

const (
	// refusalSpan is how long refusals of a kind share a row.
	refusalSpan = time.Minute
	// maxFirstRefusals is how many kinds may begin in a minute, of strangers, and as many
	// again of those who are known, so that no stranger can hide what these do. More of
	// them, whoever they are of, share a row for each action. So it is also what bounds the
	// rows that a flood makes, which are at most twice as many, and the memory that it takes.
	maxFirstRefusals = 600
	// maxRefusalsLeft is how many rows wait to be stored while the database is away. More of
	// them share a row for each action, behind these.
	maxRefusalsLeft = 4096
	// refusalBatch is how many are stored in one change.
	refusalBatch = 200
	// refusalWait is how long the answer to who is refused first waits for the row.
	refusalWait = time.Second
)

// refusalKind is what refusals have in common that share a row.
type refusalKind struct {
	action  domain.Action
	actor   domain.Actor
	network netip.Addr
}

// refusalMinute is a minute that began with the first refusal of a kind.
type refusalMinute struct {
	ends   time.Time
	others domain.Record // those behind the first; their Count is 0 when there are none
}

// add counts a refusal among the others: the row is of the time and the request of the
// last, and has the object and the outcome that all have.
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

// addressOf is a network as a row shows it.
func addressOf(network netip.Addr) string {
	switch {
	case !network.IsValid():
		return ""
	case network.Is6():
		return netip.PrefixFrom(network, 64).String()
	}
	return network.String()
}

// refusals are those of the last minute, and what is to be stored of the minutes before.
// The zero value is ready.
type refusals struct {
	mu     sync.Mutex
	kinds  map[refusalKind]*refusalMinute
	left   []domain.Record
	begins time.Time    // of the minute in which firsts are counted
	firsts map[bool]int // by whether it is known who they are of
}

// note counts rec, and says whether it is the first of its kind, which is to be stored at
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

// begin begins a minute of the kind. The caller holds the lock.
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

// end ends the minutes that over is true of. The caller holds the lock.
func (r *refusals) end(over func(*refusalMinute) bool) {
	for kind, m := range r.kinds {
		if over(m) {
			r.keep(m.others)
			delete(r.kinds, kind)
		}
	}
}

// keep keeps a row to be stored; where too many wait already, it is counted with others of
// its action. The caller holds the lock.
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

// again counts the first of a kind, which could not be stored, among the others.
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

// take returns what is to be stored by now, all that there is where the service stops.
func (r *refusals) take(now time.Time, all bool) []domain.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(func(m *refusalMinute) bool { return all || !now.Before(m.ends) })
	left := r.left
	r.left = nil
	return left
}

// giveBack takes back what could not be stored.
func (r *refusals) giveBack(list []domain.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	newer := r.left
	r.left = list
	for _, rec := range newer {
		r.keep(rec)
	}
}

// Refused puts into the audit that call was refused to do action to object, which may be
// "", with the outcome. The first refusal of an action to an actor from an address (IPv6: a
// /64) has a row at once; the others of the minute that begins with it share one with
// their count, which FlushRefusals stores. Where very many are refused for the first time
// in a minute, those beyond some hundreds share a row of ActorMany for each action. An error
// says that the row could not be stored; it is counted with the others then.
func (s *Service) Refused(ctx context.Context, call Call, action domain.Action, object, outcome string) error {
	rec := s.record(call, action, object)
	rec.Outcome = outcome
	if !s.refusals.note(rec) {
		return nil
	}
	// Whoever leaves was refused all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalWait)
	defer cancel()
	err := s.ports.Store.Audit.Append(ctx, rec)
	if err != nil {
		s.refusals.again(rec)
	}
	return err
}

// FlushRefusals stores the rows of refusals whose minute has ended, or of all where the
// service stops. What can't be stored is kept for the next time. Run calls it once a second.
func (s *Service) FlushRefusals(ctx context.Context, all bool) error {
	list := s.refusals.take(s.ports.Clock(), all)
	for batch := range slices.Chunk(list, refusalBatch) {
		if err := s.ports.Store.Audit.Append(ctx, batch...); err != nil {
			s.refusals.giveBack(list)
			return err
		}
		list = list[len(batch):]
	}
	return nil
}
