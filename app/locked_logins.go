package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

const (
	// lockedSpan is how long a user name is locked before the audit is told again.
	lockedSpan = time.Hour
	// maxLocked is how many names are remembered. Further names are told later, if they are still locked
	// then. To lock so many names, very many logins have to fail.
	maxLocked = 4096
)

// lockedLogin is a login that was refused since too many of that user failed.
type lockedLogin struct {
	name domain.Username
	rec  domain.Record
}

// lockedLogins are the names that are locked. Whether a user has such a name is looked up later, so that the
// time that a refusal takes does not tell. The zero value is ready.
type lockedLogins struct {
	mu   sync.Mutex
	told map[domain.Username]time.Time
	left []lockedLogin
}

// note notes a refused login, unless the name was noted within lockedSpan.
func (l *lockedLogins) note(name domain.Username, rec domain.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	over := func(at time.Time) bool { age := rec.At.Sub(at); return age >= lockedSpan || age < 0 }
	if at, known := l.told[name]; known && !over(at) {
		return
	}
	if len(l.told) >= maxLocked {
		for other, at := range l.told {
			if over(at) {
				delete(l.told, other)
			}
		}
	}
	if len(l.told) >= maxLocked {
		return
	}
	if l.told == nil {
		l.told = map[domain.Username]time.Time{}
	}
	l.told[name] = rec.At
	l.left = append(l.left, lockedLogin{name, rec})
}

// take returns what is left to store.
func (l *lockedLogins) take() []lockedLogin {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := l.left
	l.left = nil
	return left
}

// giveBack takes back what could not be stored.
func (l *lockedLogins) giveBack(list []lockedLogin) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = append(list, l.left...)
}

// noteIfLocked notes that the login of the name was refused with err, if that is since it is locked.
func (s *Service) noteIfLocked(call domain.Call, name domain.Username, err error) {
	if name == "" || !errors.Is(err, domain.ErrLoginLocked) {
		return
	}
	rec := s.record(call, domain.ActionLockLogin, "")
	rec.Actor = domain.ActorService
	s.locked.note(name, rec)
}

// FlushLocked writes to the audit which users' logins are locked, once an hour for each user, over all
// instances. Names that no user has are left out. What can't be written is kept for the next time. Start
// calls it once a second.
func (s *Service) FlushLocked(ctx context.Context) error {
	list := s.locked.take()
	for len(list) > 0 {
		if err := s.tellLocked(ctx, list[0]); err != nil {
			s.locked.giveBack(list)
			return err
		}
		list = list[1:]
	}
	return nil
}

func (s *Service) tellLocked(ctx context.Context, l lockedLogin) error {
	user, err := s.ports.Store.Users.Find(ctx, domain.UserRef{Name: l.name})
	if domain.KindOf(err) == domain.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	l.rec.Object = domain.OnUser(user.ID)
	once := domain.Once{Kind: domain.OnceLocked, ID: string(user.ID), Ends: l.rec.At.Add(lockedSpan)}
	_, err = s.ports.Store.Audit.AppendOnce(ctx, once, l.rec)
	return err
}
