// Package app holds the use cases: one Service, one method a use case, each in a file named
// by its verb. Subsystems are packages below it. It knows no SQL and no environment, and logs
// nothing: it returns errors, and the edge logs them once.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/flowlatch/flowlatch/app/audit"
	"github.com/flowlatch/flowlatch/app/keyset"
	"github.com/flowlatch/flowlatch/app/session"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Ports is what a Service works with. Store, Cipher, Keyring, Pseudonyms and Voiceflow must
// be given.
type Ports struct {
	Store      ports.Store // all views of one database
	Cipher     ports.Cipher
	Keyring    ports.Keyring // of the keyset that Cipher seals with
	Pseudonyms ports.Pseudonyms
	Voiceflow  ports.Voiceflow

	// Logins is nil if a host program has users and a login of its own. Grants are then kept
	// by the host's user ids, and the use cases of logins, users and access tokens return
	// NotFound.
	Logins *Logins

	Rates  ports.CallRates // no limit if nil
	Clock  ports.Clock     // time.Now if nil
	Random io.Reader       // crypto/rand if nil; must be safe for concurrent use
}

// Logins is what it takes to log users in. Both fields must be given.
type Logins struct {
	Passwords ports.PasswordHasher
	Attempts  ports.Attempts
}

// complete returns p with its defaults, or an error that names what is missing.
func (p Ports) complete() (Ports, error) {
	if err := p.Store.Check(); err != nil {
		return p, fmt.Errorf("app: %w", err)
	}
	if p.Cipher == nil || p.Keyring == nil || p.Pseudonyms == nil || p.Voiceflow == nil {
		return p, errors.New("app: Cipher, Keyring, Pseudonyms and Voiceflow must be given")
	}
	if p.Logins != nil && (p.Logins.Passwords == nil || p.Logins.Attempts == nil) {
		return p, errors.New("app: Passwords and Attempts of Logins must be given")
	}
	if p.Clock == nil {
		p.Clock = time.Now
	}
	if p.Random == nil {
		p.Random = rand.Reader
	}
	return p, nil
}

// Options are the settings of a Service. The zero value works.
type Options struct {
	// Lifetimes of sessions; a zero one is 30 minutes idle, 12 hours at most, 720 hours
	// remembered.
	Lifetimes domain.Lifetimes
}

// complete returns o with its defaults, or an error about a lifetime that is too short.
func (o Options) complete() (Options, error) {
	for _, l := range []struct {
		of       *time.Duration
		fallback time.Duration
	}{
		{&o.Lifetimes.Idle, 30 * time.Minute},
		{&o.Lifetimes.Absolute, 12 * time.Hour},
		{&o.Lifetimes.Remember, 720 * time.Hour},
	} {
		if *l.of == 0 {
			*l.of = l.fallback
		}
		if *l.of < time.Second {
			return o, errors.New("app: a lifetime of sessions is shorter than a second")
		}
	}
	return o, nil
}

// Service carries out the use cases. It is safe for concurrent use. Any number of instances
// may work on one database, since a Service keeps nothing between calls that decides what
// anybody may do. It keeps the open forwarded calls, and the counts and refusals that have yet
// to be stored.
type Service struct {
	ports    Ports
	keyset   *keyset.Keyset
	audit    *audit.Audit
	sessions *session.Sessions

	open     openUses
	counts   usageCounts
	renewals renewals
}

// Open runs the start-up check of keyset.Open and returns a Service that is ready. The errors
// are those of keyset.Open, and errors that name what is missing in p or wrong in o.
func Open(ctx context.Context, p Ports, o Options) (*Service, error) {
	p, err := p.complete()
	if err != nil {
		return nil, err
	}
	if o, err = o.complete(); err != nil {
		return nil, err
	}
	s := &Service{ports: p}
	s.keyset, err = keyset.Open(ctx, keyset.Ports{
		Installation: p.Store.Installation, Sealings: p.Store.Sealings, Projects: p.Store.Projects, Sessions: p.Store.Sessions,
		Audit: p.Store.Audit, Cipher: p.Cipher, Keyring: p.Keyring, Pseudonyms: p.Pseudonyms, Origin: p.Voiceflow.Origin(),
		Clock: p.Clock, Random: p.Random,
	})
	if err != nil {
		return nil, err
	}
	a := audit.Ports{Log: p.Store.Audit, Chain: p.Store.Chain, Projects: p.Store.Projects, Cipher: p.Cipher, Clock: p.Clock}
	if s.OwnUsers() {
		a.Users = p.Store.Users
	}
	s.audit = audit.New(a)
	s.sessions = session.New(session.Ports{
		Store: p.Store.Sessions, Access: p.Store.Access, Cipher: p.Cipher, Keyring: p.Keyring, Clock: p.Clock,
	}, session.Options{Lifetimes: o.Lifetimes, HostLogins: !s.OwnUsers()})
	return s, nil
}

// Keyset is the keyset of the service's database.
func (s *Service) Keyset() *keyset.Keyset { return s.keyset }

// Audit is the audit of the service's database.
func (s *Service) Audit() *audit.Audit { return s.audit }

// OperatorCall is a call from the machine itself.
func (s *Service) OperatorCall() (domain.Call, error) {
	id, err := s.NewRequestID()
	return domain.Call{Caller: domain.Operator(), RequestID: id}, err
}

// NewRequestID makes the id of a request. It fails only if there is no randomness.
func (s *Service) NewRequestID() (string, error) {
	return domain.NewRequestID(s.ports.Clock(), s.ports.Random)
}

// OwnUsers reports whether users and logins are kept here and not by a host program.
func (s *Service) OwnUsers() bool { return s.ports.Logins != nil }

// ownUsers returns NotFound if a host program keeps the users.
func (s *Service) ownUsers() error {
	if s.OwnUsers() {
		return nil
	}
	return &domain.Error{Kind: domain.NotFound, Public: "users are kept by the host program"}
}

// act is the change that call wishes to make to the object now.
func (s *Service) act(call domain.Call, needs domain.Need, action domain.Action, object string) domain.Act {
	return call.Act(s.ports.Clock(), needs, action, object)
}

// record is the audit record of what call does to the object now.
func (s *Service) record(call domain.Call, action domain.Action, object string) domain.Record {
	return call.Record(s.ports.Clock(), action, object)
}
