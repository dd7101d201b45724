// Package app holds the use cases of the documented product: projects, grants, users, logins,
// sessions and access tokens. A Service has a method for each use case, in a file named by its
// verb.
//
// Subsystems are packages below: forward has the forwarded calls, keyset the turnover of keys,
// audit the audit log and its chain, webhooks tells of events, and backup the backups. A Service opens
// the first four and gives them to its callers. They do not import app. The packages session, cookie and
// paging serve the use cases and the subsystems.
//
// No use case knows HTTP, SQL or the environment. Only forward uses net/http, as the words for
// a forwarded call. Nothing here logs: errors are returned, and the edge logs them once.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/flowlatch/flowlatch/app/audit"
	"github.com/flowlatch/flowlatch/app/cookie"
	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/app/keyset"
	"github.com/flowlatch/flowlatch/app/session"
	"github.com/flowlatch/flowlatch/app/signon"
	"github.com/flowlatch/flowlatch/app/webhooks"
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

	// Logins is nil if a host program keeps the users and logs them in. Grants then have the
	// host's user ids, and the use cases of logins, users and access tokens return NotFound.
	Logins *Logins

	// Webhooks sends events. If it is nil, nobody is told of events, and the use cases of webhooks return
	// NotFound.
	Webhooks ports.WebhookSender

	Rates     ports.CallRates  // no limit if nil
	OpenCalls ports.OpenCalls  // no limit if nil
	UserRates ports.UserRates  // no limit if nil
	Held      ports.HeldMemory // no limit if nil
	// AuditFiles keeps rows of the audit before they are removed. They are removed without a copy if it is nil.
	AuditFiles ports.AuditFiles
	Clock      ports.Clock // time.Now if nil
	Random     io.Reader   // crypto/rand if nil; must be safe for concurrent use
}

// Logins is what it takes to log users in. Passwords and Attempts must be given.
type Logins struct {
	Passwords ports.PasswordHasher
	Attempts  ports.Attempts
	// Provider is the company's identity provider; nil if there is none.
	Provider ports.IdentityProvider
}

// complete returns p with its defaults, or an error that names what is missing.
func (p Ports) complete() (Ports, error) {
	if err := p.Store.Check(); err != nil {
		return p, fmt.Errorf("app: %w", err)
	}
	if p.Cipher == nil || p.Keyring == nil || p.Pseudonyms == nil || p.Voiceflow == nil {
		return p, errors.New("app: Cipher, Keyring, Pseudonyms and Voiceflow must be given")
	}
	if !p.Voiceflow.Origins().Complete() {
		return p, errors.New("app: Origins of Voiceflow must have an origin for each service")
	}
	if p.Logins != nil && (p.Logins.Passwords == nil || p.Logins.Attempts == nil) {
		return p, errors.New("app: Passwords and Attempts of Logins must be given")
	}
	if p.Logins != nil {
		p.Logins = &Logins{Passwords: passwords{p.Logins.Passwords}, Attempts: p.Logins.Attempts, Provider: p.Logins.Provider}
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
	// Lifetimes of sessions. The defaults are 30 minutes idle, 12 hours absolute, and 720
	// hours for a remembered login.
	Lifetimes domain.Lifetimes
	// AuditReads says which forwarded reads leave rows in the audit. The zero value is exports.
	AuditReads domain.AuditReads
	// AuditKeepDays is for how many days rows of the audit are kept. UsageKeepDays is for how many days the
	// usage is kept, at least domain.LeastUsageDays. 0 keeps everything.
	AuditKeepDays, UsageKeepDays int
	// SignOn are the settings of logins by the company's identity provider.
	SignOn SignOnOptions
	// PasswordLogin says who may log in with a password. The zero value is all.
	PasswordLogin domain.PasswordLogin
}

// complete returns o with its defaults, or an error that names the field. provider says that there is an
// identity provider.
func (o Options) complete(provider bool) (Options, error) {
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
	var err error
	if o.PasswordLogin, err = domain.ParsePasswordLogin(string(o.PasswordLogin)); err != nil {
		return o, fmt.Errorf("app: PasswordLogin: %w", err)
	}
	if o.AuditKeepDays < 0 || o.UsageKeepDays < 0 || o.UsageKeepDays > 0 && o.UsageKeepDays < domain.LeastUsageDays {
		return o, fmt.Errorf("app: AuditKeepDays must be at least 0, and UsageKeepDays 0 or at least %d", domain.LeastUsageDays)
	}
	if o.PasswordLogin != domain.PasswordLoginAll && !provider {
		return o, errors.New("app: PasswordLogin can only be all without an identity provider: nobody else could log in")
	}
	if o.SignOn.Recheck == 0 {
		o.SignOn.Recheck = 15 * time.Minute
	}
	if o.SignOn.Recheck < time.Second {
		return o, errors.New("app: Recheck of SignOn is shorter than a second")
	}
	return o, nil
}

// Service carries out the use cases. It is safe for concurrent use. Any number of instances
// may work on one database: nothing that a Service keeps between calls decides what anybody
// may do.
type Service struct {
	ports     Ports
	keyset    *keyset.Keyset
	audit     *audit.Audit
	sessions  *session.Sessions
	cookies   *cookie.Codec // of set-up links, login links, notices and logins by the identity provider
	forwarder *forward.Forwarder
	checks    userTurns // of passwords
	locked    lockedLogins
	webhooks  *webhooks.Deliverer

	provider      ports.IdentityProvider // nil if there is none
	signOns       *signon.Logins         // nil without provider
	signOn        SignOnOptions
	passwordLogin domain.PasswordLogin
	usageKeepDays int // 0: for ever
}

// Open runs the start-up check of keyset.Open and returns a Service that is ready. Returns the
// errors of keyset.Open. Returns an error that names the field if p or o is incomplete or wrong.
func Open(ctx context.Context, p Ports, o Options) (*Service, error) {
	p, err := p.complete()
	if err != nil {
		return nil, err
	}
	s := &Service{ports: p, cookies: cookie.New(p.Cipher)}
	if p.Logins != nil {
		s.provider = p.Logins.Provider
	}
	if o, err = o.complete(s.provider != nil); err != nil {
		return nil, err
	}
	s.usageKeepDays = o.UsageKeepDays
	s.signOn, s.passwordLogin = o.SignOn, o.PasswordLogin
	s.keyset, err = keyset.Open(ctx, keyset.Ports{
		Installation: p.Store.Installation, Sealings: p.Store.Sealings, Projects: p.Store.Projects, Sessions: p.Store.Sessions,
		Audit: p.Store.Audit, Cipher: p.Cipher, Keyring: p.Keyring, Pseudonyms: p.Pseudonyms, Origins: p.Voiceflow.Origins(),
		Clock: p.Clock, Random: p.Random,
	})
	if err != nil {
		return nil, err
	}
	// Before keyset.Open the tables of users may be missing, or be those of an earlier version.
	if err := s.someAdminSignsOn(ctx); err != nil {
		return nil, err
	}
	a := audit.Ports{Log: p.Store.Audit, Chain: p.Store.Chain, Checks: p.Store.Checks, Projects: p.Store.Projects, Cipher: p.Cipher, Clock: p.Clock, KeepDays: o.AuditKeepDays, Files: p.AuditFiles}
	if s.OwnUsers() {
		a.Users = p.Store.Users
	}
	s.audit = audit.New(a)
	told := webhooks.Ports{
		Webhooks: p.Store.Webhooks, Sender: p.Webhooks, Projects: p.Store.Projects, Users: a.Users, Tokens: p.Store.Tokens, Cipher: p.Cipher,
		Clock: p.Clock, Random: p.Random,
	}
	s.webhooks = webhooks.New(told)
	s.sessions = session.New(session.Ports{
		Store: p.Store.Sessions, Access: p.Store.Access, Cipher: p.Cipher, Keyring: p.Keyring, Clock: p.Clock,
	}, session.Options{Lifetimes: o.Lifetimes, HostLogins: !s.OwnUsers()})
	if s.provider != nil {
		s.signOns = signon.New(signon.Ports{
			Store: p.Store.SignOns, Provider: s.provider, Cipher: p.Cipher, Clock: p.Clock, Random: p.Random,
		}, signon.Options{Policy: o.SignOn.Policy, Recheck: o.SignOn.Recheck})
	}
	s.forwarder = forward.New(forward.Ports{
		Access: p.Store.Access, Projects: p.Store.Projects, Conversations: p.Store.Conversations, Usage: p.Store.Usage,
		Audit: p.Store.Audit, AuditReads: o.AuditReads, Keyset: s.keyset, Sessions: s.sessions, SignOns: s.signOns,
		Cipher: p.Cipher, Pseudonyms: p.Pseudonyms,
		Voiceflow: p.Voiceflow, Rates: p.Rates, OpenCalls: p.OpenCalls, Clock: p.Clock, Random: p.Random,
	})
	return s, nil
}

// someAdminSignsOn returns an error if nobody can log in with a password and no admin has logged in by
// the identity provider yet.
func (s *Service) someAdminSignsOn(ctx context.Context) error {
	if s.passwordLogin != domain.PasswordLoginOff {
		return nil
	}
	has, err := s.ports.Store.Users.HasSignedOnAdmin(ctx)
	if err == nil && !has {
		err = &domain.Error{Kind: domain.Conflict, Public: "password login can't be off yet, since no enabled admin has logged in with the identity provider; " +
			"set it to admins, log in with the identity provider as an admin, and then turn it off"}
	}
	return err
}

// Keyset returns the keyset of the service's database.
func (s *Service) Keyset() *keyset.Keyset { return s.keyset }

// Audit returns the audit of the service's database.
func (s *Service) Audit() *audit.Audit { return s.audit }

// Webhooks tells webhooks of events. Without a sender nothing may be delivered.
func (s *Service) Webhooks() *webhooks.Deliverer { return s.webhooks }

// Forwarder forwards calls to Voiceflow.
func (s *Service) Forwarder() *forward.Forwarder { return s.forwarder }

// OperatorCall returns a call from the machine itself.
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
	return &domain.Error{Kind: domain.NotFound, Public: "the host program manages the users"}
}

// act returns the change that the call wishes to make to the object now.
func (s *Service) act(call domain.Call, needs domain.Need, action domain.Action, object string) domain.Act {
	return call.Act(s.ports.Clock(), needs, action, object)
}

// record returns the audit record of what the call does to the object now.
func (s *Service) record(call domain.Call, action domain.Action, object string) domain.Record {
	return call.Record(s.ports.Clock(), action, object)
}
