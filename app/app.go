// Package app holds the use cases: one Service, one method a use case, each in a file
// named by its verb. It knows no HTTP, no SQL and no environment, and logs nothing: it
// returns errors, and the edge logs them once.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/app/cookie"
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

	Rates   ports.CallRates // no limit if nil
	Archive ports.Archive   // for Backup alone, which fails if it is nil

	Clock  ports.Clock // time.Now if nil
	Random io.Reader   // crypto/rand if nil; must be safe for concurrent use
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
// anybody may do. It keeps the answer of Ready for a second, the open forwarded calls, the
// end of the audit's chain that it signed last, and the counts and refusals that Run has yet
// to store.
type Service struct {
	ports      Ports
	lifetimes  domain.Lifetimes
	cookies    *cookie.Codec
	pseudonyms domain.Secret // the key of the installation's pseudonyms

	open     openUses
	counts   usageCounts
	renewals renewals

	refusals  refusals
	chainSeen seenHead

	readyMu sync.Mutex
	readyAt time.Time
	ready   error
}

// Open runs the start-up check and returns a Service that is ready. The check brings the
// schema up to date. It makes the first keyset if nothing was ever sealed. It re-encrypts the
// known value if the current key did not seal it, as after a rotation by hand.
//
// Returns Corrupt if the keyset does not open the database's known value, and Conflict if the
// database's keys are for another Voiceflow, both with a sentence for the operator. Returns
// Unavailable if the database can't be reached.
func Open(ctx context.Context, p Ports, o Options) (*Service, error) {
	p, err := p.complete()
	if err != nil {
		return nil, err
	}
	if o, err = o.complete(); err != nil {
		return nil, err
	}
	s := &Service{ports: p, lifetimes: o.Lifetimes, cookies: cookie.New(p.Cipher)}
	if err := p.Store.Installation.Prepare(ctx, s.recognise(ctx)); err != nil {
		return nil, fmt.Errorf("start-up check: %w", err)
	}
	return s, nil
}

// knownValue is what the sealed known value holds. It is no secret: that it opens is
// what tells the keyset.
const knownValue = "flowlatch"

// recognise is the start-up check on what the database knows of its installation.
func (s *Service) recognise(ctx context.Context) func(domain.Installation) (domain.Installation, error) {
	return func(is domain.Installation) (domain.Installation, error) {
		origin := s.ports.Voiceflow.Origin()
		if is.Known.IsZero() {
			err := s.ports.Keyring.Prepare(ctx, true)
			if err == nil {
				is.Known, err = s.ports.Cipher.Seal(domain.NewSecret(knownValue), domain.BindKnownValue(origin))
			}
			if err != nil {
				return domain.Installation{}, err
			}
			is.Origin = origin
			return s.withPseudonyms(is)
		}
		if is.Origin != origin {
			return domain.Installation{}, &domain.Error{Kind: domain.Conflict, Public: "the keys in this database are for Voiceflow at " +
				string(is.Origin) + ", and this service is set to send keys to " + string(origin) + "; correct the setting or use another database"}
		}
		if err := s.ports.Keyring.Prepare(ctx, false); err != nil {
			return domain.Installation{}, &domain.Error{Kind: domain.KindOf(err), Cause: err,
				Public: "this database wants the keyset with key " + string(is.Known.Key)}
		}
		if err := s.opens(is); err != nil {
			return domain.Installation{}, err
		}
		is, err := s.withPseudonyms(is)
		if err != nil {
			return domain.Installation{}, err
		}
		return s.underCurrentKey(ctx, is)
	}
}

// underCurrentKey seals what the current key has not sealed anew, so that no keyset is
// taken for the one of this database that lacks that key.
func (s *Service) underCurrentKey(ctx context.Context, is domain.Installation) (domain.Installation, error) {
	if err := s.ports.Keyring.Refresh(ctx); err != nil {
		return domain.Installation{}, err
	}
	current := s.ports.Keyring.Keys()[0]
	if is.Known.Key == current && is.Pseudonyms.Key == current {
		return is, nil
	}
	return s.resealed(is, s.ports.Cipher.Seal)
}

// resealed is the installation as seal seals it.
func (s *Service) resealed(is domain.Installation, seal func(domain.Secret, domain.Binding) (domain.Sealed, error)) (domain.Installation, error) {
	var err error
	if is.Known, err = seal(domain.NewSecret(knownValue), domain.BindKnownValue(is.Origin)); err != nil {
		return domain.Installation{}, err
	}
	pseudonyms, err := s.ports.Cipher.Open(is.Pseudonyms, domain.BindPseudonymKey()) // with what is behind the key
	if err != nil {
		return domain.Installation{}, err
	}
	is.Pseudonyms, err = seal(pseudonyms, domain.BindPseudonymKey())
	return is, err
}

// withPseudonyms opens the key of the pseudonyms, or makes it where there is none yet. With
// it goes the head of the audit's chain: the first start that finds neither the word for
// it behind the key nor a head signs one, at the beginning of the chain.
func (s *Service) withPseudonyms(is domain.Installation) (domain.Installation, error) {
	var opened domain.Secret
	var err error
	if is.Pseudonyms.IsZero() {
		opened, err = s.ports.Pseudonyms.NewKey()
	} else if opened, err = s.ports.Cipher.Open(is.Pseudonyms, domain.BindPseudonymKey()); err != nil {
		err = &domain.Error{Kind: domain.KindOf(err), Cause: err,
			Public: "the key of this database's pseudonyms does not open; it was sealed with key " + string(is.Pseudonyms.Key)}
	}
	if err != nil {
		return domain.Installation{}, err
	}
	key, has := strings.CutSuffix(opened.Reveal(), chained)
	s.pseudonyms = domain.NewSecret(key)
	if has {
		return is, nil
	}
	if is.Head.Sealed.IsZero() {
		if is.Head, err = s.signed(domain.AuditHead{}); err != nil {
			return domain.Installation{}, err
		}
	}
	is.Pseudonyms, err = s.ports.Cipher.Seal(domain.NewSecret(key+chained), domain.BindPseudonymKey())
	return is, err
}

// opens says whether the keyset opens the known value of the database.
func (s *Service) opens(is domain.Installation) error {
	value, err := s.ports.Cipher.Open(is.Known, domain.BindKnownValue(is.Origin))
	if domain.KindOf(err) == domain.Unavailable {
		return err
	}
	if err != nil || value.Reveal() != knownValue {
		return &domain.Error{Kind: domain.Corrupt, Cause: err,
			Public: "the keyset is not the one of this database, which wants the one with key " + string(is.Known.Key)}
	}
	return nil
}

// Call is domain.Call.
type Call = domain.Call

// OperatorCall is a call from the machine itself.
func (s *Service) OperatorCall() (Call, error) {
	id, err := s.NewRequestID()
	return Call{Caller: domain.Operator(), RequestID: id}, err
}

// NewRequestID makes the id of a request. It fails only where there is no randomness.
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
func (s *Service) act(call Call, needs domain.Need, action domain.Action, object string) domain.Act {
	return call.Act(s.ports.Clock(), needs, action, object)
}

// record is the audit record of what call does to the object now.
func (s *Service) record(call Call, action domain.Action, object string) domain.Record {
	return call.Record(s.ports.Clock(), action, object)
}

// Cookie is a cookie to be set: its text and how long the browser keeps it.
type Cookie struct {
	Text   string
	MaxAge time.Duration // zero: until the browser closes
}

// cookie returns the cookie of session and the key that sealed it.
func (s *Service) cookie(session domain.Session, version string) (Cookie, domain.KeyID, error) {
	text, by, err := s.cookies.Seal(session.Claims(version))
	if err != nil {
		return Cookie{}, "", err
	}
	c := Cookie{Text: text}
	if session.Remember {
		c.MaxAge = session.Expires.Sub(s.ports.Clock())
	}
	return c, by, nil
}
