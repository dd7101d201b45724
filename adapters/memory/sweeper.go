package memory

import (
	"context"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// sweeper is a ports.Sweeper.
type sweeper struct{ store *Store }

// Sweep forgets at most limit sessions, conversations, previous texts of access tokens and uses of
// what can be used once, that are over, and returns how many.
func (v sweeper) Sweep(ctx context.Context, limit int) (int, error) {
	s := v.store
	if err := s.enterToWrite(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	needed := map[domain.SessionID]bool{} // logins whose assistant session is not over
	for id := range s.sessions {
		if session, live := s.live(id); live {
			needed[session.Login] = true
		}
	}
	n := 0
	for id := range s.sessions {
		if _, live := s.live(id); n < limit && !live && !needed[id] {
			delete(s.sessions, id)
			n++
		}
	}
	for id, c := range s.conversations {
		if n < limit && !s.goesOn(c) {
			delete(s.conversations, id)
			n++
		}
	}
	for id, t := range s.tokens {
		if n < limit && t.secrets.Previous != (domain.TokenHash{}) && !domain.Instant(s.now()).Before(t.PreviousEnds) {
			t.secrets.Previous, t.PreviousEnds = domain.TokenHash{}, time.Time{}
			s.tokens[id] = t
			n++
		}
	}
	n += s.sweepUsed(limit - n)
	s.forgetProviderLogins()
	return n, nil
}

// sweepUsed forgets at most limit uses that have ended of what can be used once, and returns how many.
func (s *Store) sweepUsed(limit int) int {
	n := 0
	for once, ends := range s.used {
		if n < limit && !domain.Instant(s.now()).Before(ends) {
			delete(s.used, once)
			n++
		}
	}
	return n
}
