// Package signon keeps the logins that the company's identity provider opened going: it seals the
// tokens of the provider, and asks the provider again about the users of such logins.
package signon

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

const (
	// patience is how long a recheck takes at most. No other instance asks meanwhile.
	patience = 10 * time.Second
	// longestRetry is how long it takes at most until a provider that did not answer is asked again.
	longestRetry = time.Minute
)

// Ports are the ports that Logins need. All must be given.
type Ports struct {
	Store    ports.SignOns
	Provider ports.IdentityProvider
	Cipher   ports.Cipher
	Clock    ports.Clock
	Random   io.Reader
}

// Options are the settings of Logins.
type Options struct {
	Policy  domain.SignOnPolicy
	Recheck time.Duration // how often the provider is asked again; at least a second
}

// Logins are the logins that the identity provider opened. They are safe for concurrent use. A nil
// *Logins has no provider: nobody is asked.
type Logins struct {
	ports   Ports
	options Options
	asking  sync.WaitGroup // rechecks of RecheckLater
}

// New returns the logins of the database of p. A later call panics if p is incomplete.
func New(p Ports, o Options) *Logins { return &Logins{ports: p, options: o} }

// Tokens are the tokens of the identity provider that are kept of a login. Each may be zero.
type Tokens struct {
	ID      domain.Secret
	Refresh domain.Secret
}

// tokens are the stored form of Tokens.
type tokens struct {
	ID      string `json:"id_token,omitzero"`
	Refresh string `json:"refresh_token,omitzero"`
}

// Seal seals the tokens of the login. Errors of the cipher are passed on.
func (l *Logins) Seal(login domain.SessionID, t Tokens) (domain.Sealed, error) {
	plain, err := json.Marshal(tokens{ID: t.ID.Reveal(), Refresh: t.Refresh.Reveal()})
	if err != nil {
		return domain.Sealed{}, err
	}
	return l.ports.Cipher.Seal(domain.NewSecret(string(plain)), domain.BindProviderTokens(login))
}

// Open reverses Seal for what is kept of a login. Returns Corrupt if the tokens can't be opened, and
// Unavailable if the cipher can't answer.
func (l *Logins) Open(kept domain.ProviderSession) (Tokens, error) {
	plain, err := l.ports.Cipher.Open(kept.Tokens, domain.BindProviderTokens(kept.Login))
	if err != nil {
		return Tokens{}, err
	}
	var of tokens
	if json.Unmarshal([]byte(plain.Reveal()), &of) != nil {
		return Tokens{}, &domain.Error{Kind: domain.Corrupt, Cause: errors.New("signon: the tokens of a login are not JSON")}
	}
	return Tokens{ID: domain.NewSecret(of.ID), Refresh: domain.NewSecret(of.Refresh)}, nil
}

// Every returns how often the provider is asked about a login that has the refresh token: never
// without one.
func (l *Logins) Every(refresh domain.Secret) time.Duration {
	if refresh.IsZero() {
		return 0
	}
	return l.options.Recheck
}

// Recheck asks the provider about the user of the login, if that is due and nobody else asks. It
// applies the groups that the provider names. done reports that it did, so that rights that were looked
// up before are old. Returns NotAuthenticated if the login has ended, since the provider or
// domain.SignOn.Decide refused. A provider or a database that does not answer is no error: the provider
// is asked a minute later at most.
//
// A recheck that has begun goes on if ctx ends, since the provider may have replaced the refresh
// token.
func (l *Logins) Recheck(ctx context.Context, login domain.Session) (done bool, err error) {
	if due, err := l.claim(ctx, login); !due || err != nil {
		return false, err
	}
	return l.recheck(context.WithoutCancel(ctx), login)
}

// RecheckLater is Recheck for an open call, which does not wait for the answer. The call ends with the
// login.
func (l *Logins) RecheckLater(ctx context.Context, login domain.Session) error {
	due, err := l.claim(ctx, login)
	if due {
		l.asking.Go(func() { _, _ = l.recheck(context.WithoutCancel(ctx), login) })
	}
	return err
}

// Pause returns how often an open call looks whether the provider has to be asked about its login, once
// that was due: every minute, or as often as the provider is asked if that is more often.
func (l *Logins) Pause() time.Duration {
	if l == nil {
		return longestRetry
	}
	return min(longestRetry, l.options.Recheck)
}

// Wait waits for the rechecks of RecheckLater. Each takes ten seconds at most.
func (l *Logins) Wait() {
	if l != nil {
		l.asking.Wait()
	}
}

// claim reports whether the recheck of the login is due and is this caller's.
func (l *Logins) claim(ctx context.Context, login domain.Session) (bool, error) {
	now := l.now()
	if l == nil || !login.RecheckDue(now) {
		return false, nil
	}
	due, err := l.ports.Store.Claim(ctx, login.ID, now, now.Add(max(patience, l.Pause())))
	if domain.KindOf(err) == domain.Unavailable {
		return false, nil // such as a database that can only be read
	}
	return due, err
}

func (l *Logins) now() time.Time {
	if l == nil {
		return time.Time{}
	}
	return l.ports.Clock()
}

// recheck asks the provider about the user of the login, and stores what that changes.
func (l *Logins) recheck(ctx context.Context, login domain.Session) (done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rec, err := l.record(login)
	if err != nil {
		return false, err
	}
	switch err = l.renew(ctx, login, rec); domain.KindOf(err) {
	case domain.NotFound: // the login has ended meanwhile
		return false, domain.NotLoggedIn(err)
	case domain.NotAuthenticated, domain.NotAllowed, domain.Conflict, domain.Corrupt:
		rec.Outcome = string(domain.KindOf(err))
		if failed := l.ports.Store.Refuse(ctx, login.ID, rec); failed != nil {
			return false, failed
		}
		return false, domain.NotLoggedIn(err)
	case domain.Unavailable: // the provider or the database
		return false, nil
	}
	return err == nil, err
}

// renew asks the provider about the user of the login, and stores the answer.
func (l *Logins) renew(ctx context.Context, login domain.Session, rec domain.Record) error {
	kept, err := l.ports.Store.Find(ctx, login.ID)
	if err != nil {
		return err
	}
	if kept.Identity.Issuer != l.ports.Provider.Issuer() {
		return &domain.Error{Kind: domain.NotAuthenticated, Public: "another identity provider opened this login"}
	}
	had, err := l.Open(kept)
	if err != nil {
		return err
	}
	answer, err := l.ports.Provider.Refresh(ctx, had.Refresh, kept.Identity)
	if err != nil {
		return err
	}
	if answer.Person.Identity != kept.Identity {
		return &domain.Error{Kind: domain.NotAuthenticated, Public: "the identity provider answered about somebody else"}
	}
	has := Tokens{ID: orElse(answer.IDToken, had.ID), Refresh: orElse(answer.Refresh, had.Refresh)}
	if kept.Tokens, err = l.Seal(login.ID, has); err != nil {
		return err
	}
	if answer.Person.Sid != "" {
		kept.Sid = answer.Person.Sid
	}
	in := domain.SignOn{Person: answer.Person, Policy: l.options.Policy, User: login.User, Renews: true, At: rec.At}
	_, err = l.ports.Store.Renew(ctx, in, kept, rec.At.Add(l.options.Recheck), rec)
	return err
}

func orElse(first, second domain.Secret) domain.Secret {
	if first.IsZero() {
		return second
	}
	return first
}

// record returns the record of a recheck, which is a request of its own.
func (l *Logins) record(login domain.Session) (domain.Record, error) {
	now := l.ports.Clock()
	id, err := domain.NewRequestID(now, l.ports.Random)
	if err != nil {
		return domain.Record{}, err
	}
	rec := domain.Call{RequestID: id}.Record(now, domain.ActionProviderRecheck, domain.OnSession(login.ID))
	rec.Actor = domain.ActorProvider
	return rec, nil
}
