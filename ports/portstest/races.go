package portstest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// logins are several logins of u at the same time.
func (f *fixture) logins(t *testing.T, u domain.User) []domain.Session {
	t.Helper()
	all := make([]domain.Session, 4)
	for i := range all {
		all[i] = f.login(t, u)
	}
	return all
}

// eachUnder returns an assistant session for each login that the grant allows, not stored.
func (f *fixture) eachUnder(logins []domain.Session, id domain.ProjectID) []domain.Session {
	all := make([]domain.Session, len(logins))
	for i, login := range logins {
		all[i] = f.under(login, id)
	}
	return all
}

// openDuring opens the sessions on all instances, and calls take at the same instant. take
// removes what allows the sessions. u's logins have u's password hash. take must succeed, a
// session that is not opened must fail with one of the kinds, and the audit must tell exactly
// what succeeded. Afterwards none of the sessions may be found, whether it was opened before or
// after take.
func (f *fixture) openDuring(t *testing.T, what string, u domain.User, tries []domain.Session, action domain.Action,
	take func(rec domain.Record) error, kinds ...domain.Kind) {
	t.Helper()
	at := f.instances(t)
	last := len(tries)
	recs, errs := make([]domain.Record, last+1), make([]error, last+1)
	for i, s := range tries {
		recs[i] = f.record(domain.ActionSetProject, domain.OnSession(s.ID))
	}
	recs[last] = f.record(action, what)
	atOnce(last+1, func(i int) {
		if i == last {
			errs[i] = take(recs[i])
			return
		}
		view := at[i%len(at)].Ports.Sessions
		if tries[i].Kind == domain.LoginSession {
			errs[i] = view.OpenLogin(t.Context(), tries[i], u.PasswordHash, recs[i])
		} else {
			_, errs[i] = view.OpenAssistant(t.Context(), settingAct(tries[i], recs[i]), tries[i])
		}
	})
	wantNil(t, what+" while sessions are opened", errs[last])
	var written []domain.Record
	for i, err := range errs {
		if err == nil {
			written = append(written, recs[i])
		} else if problem := otherThan(err, kinds...); problem != "" {
			t.Fatalf("opening a session during %s: %s", what, problem)
		}
	}
	f.wantRecordsInAnyOrder(t, fmt.Sprintf("after %s while sessions were opened", what), written)
	f.wantOver(t, "opened during "+what, tries...)
}

// whileInUse calls use without pause on all instances and calls take in the middle of that. use
// must succeed before, and must be NotFound after take has returned. In between it must be one
// of the two.
func (f *fixture) whileInUse(t *testing.T, what string, use func(ctx context.Context, at Store) error, take func() error) {
	t.Helper()
	at := f.instances(t)
	for _, instance := range at {
		wantNil(t, "a use before "+what, use(t.Context(), instance))
	}
	const users = 4
	taken := make(chan struct{})
	begun, problems := make([]chan struct{}, users), make([]string, users)
	var done sync.WaitGroup
	for i := range users {
		begun[i] = make(chan struct{})
		done.Go(func() {
			instance := at[i%len(at)]
			for n, gone := 0, false; !gone; n++ {
				select {
				case <-taken:
					gone = true // this use is the last, and must fail
				default:
				}
				err := use(t.Context(), instance)
				if n == 0 {
					close(begun[i])
				}
				if err == nil && !gone {
					continue
				}
				if problem := otherThan(err, domain.NotFound); problem != "" && problems[i] == "" {
					problems[i] = problem
				}
			}
		})
	}
	for _, b := range begun {
		<-b
	}
	err := take()
	close(taken)
	done.Wait()
	wantNil(t, what+" during uses", err)
	for _, problem := range problems {
		if problem != "" {
			t.Fatalf("a use during or after %s: %s", what, problem)
		}
	}
}
