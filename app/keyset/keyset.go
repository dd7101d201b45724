// Package keyset works with the keyset of a database: it recognizes the keyset at the start,
// seals and opens the Voiceflow keys of projects, and turns the keyset over (rotate,
// re-encrypt, retire).
package keyset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/app/audit"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Ports is what a Keyset works with. All must be given. The views must be of one database, and
// Keyring must be of the keyset that Cipher seals with.
type Ports struct {
	Installation ports.Installation
	Sealings     ports.Sealings
	Projects     ports.ProjectRepository // keeps the marks on Voiceflow keys
	Sessions     ports.SessionStore      // Retire ends sessions
	Audit        ports.AuditLog

	Cipher     ports.Cipher
	Keyring    ports.Keyring
	Pseudonyms ports.Pseudonyms // makes the first key of the pseudonyms
	Origins    domain.Origins   // the Voiceflow that keys are sent to, complete

	Clock  ports.Clock
	Random io.Reader
}

// Keyset is the keyset of a database, which the start-up check has recognized. It is safe for
// concurrent use. Between calls it keeps the answer of Ready for a second, and the key of the
// pseudonyms.
type Keyset struct {
	ports      Ports
	pseudonyms domain.Secret

	readyMu sync.Mutex
	readyAt time.Time
	ready   error
}

// Open runs the start-up check. It brings the schema up to date. In a new database it makes
// the first keyset, unless there is one, and stores a known value that the keyset has sealed.
// Otherwise it checks that the keyset opens the known value. If another key than the current
// one sealed the known value, as after a rotation by hand, Open re-encrypts it. The first start
// records the origins of Voiceflow.
//
// Returns Corrupt if the keyset is not that of the database, or is missing. Returns Conflict
// if the keys in the database are for another Voiceflow, or if other origins of its services are
// recorded. All come with a sentence for the operator. Returns Unavailable if the database or the keyset can't be reached.
//
// Returns an error of no kind if p is incomplete.
func Open(ctx context.Context, p Ports) (*Keyset, error) {
	if p.Installation == nil || p.Sealings == nil || p.Projects == nil || p.Sessions == nil || p.Audit == nil || p.Cipher == nil ||
		p.Keyring == nil || p.Pseudonyms == nil || !p.Origins.Complete() || p.Clock == nil || p.Random == nil {
		return nil, errors.New("keyset: all of Ports must be given")
	}
	k := &Keyset{ports: p}
	err := p.Installation.Prepare(ctx, func(is domain.Installation) (domain.Installation, error) {
		if is.Known.IsZero() {
			return k.begin(ctx, is)
		}
		return k.recognize(ctx, is)
	})
	if err != nil {
		return nil, fmt.Errorf("start-up check: %w", err)
	}
	return k, nil
}

// Origin returns the Voiceflow that the keys of this installation are for: the origin of api.
func (k *Keyset) Origin() domain.Origin { return k.ports.Origins.API() }

// PseudonymKey returns the key of the installation's pseudonyms. It never changes.
func (k *Keyset) PseudonymKey() domain.Secret { return k.pseudonyms }

// Refresh takes over changes that other instances made to the keyset.
func (k *Keyset) Refresh(ctx context.Context) error { return k.ports.Keyring.Refresh(ctx) }

// Keys returns the keys of the keyset, the current one first.
func (k *Keyset) Keys() []domain.KeyID { return k.ports.Keyring.Keys() }

// refreshed is the current key, after a Refresh. Returns Corrupt if the keyset has no key.
func (k *Keyset) refreshed(ctx context.Context) (domain.KeyID, error) {
	if err := k.Refresh(ctx); err != nil {
		return "", err
	}
	keys := k.Keys()
	if len(keys) == 0 {
		return "", &domain.Error{Kind: domain.Corrupt, Public: "the keyset has no key"}
	}
	return keys[0], nil
}

// Seal seals plain with the current key.
func (k *Keyset) Seal(plain domain.Secret, to domain.Binding) (domain.Sealed, error) {
	return k.ports.Cipher.Seal(plain, to)
}

// knownValue is what the sealed known value holds. It is no secret. That it opens shows that
// the keyset is the right one.
const knownValue = "flowlatch"

// Opens returns Corrupt unless the cipher opens the known value of the installation, so that
// its keyset is the installation's.
func Opens(cipher ports.Cipher, is domain.Installation) error {
	value, err := cipher.Open(is.Known, domain.BindKnownValue(is.Origin))
	if domain.KindOf(err) == domain.Unavailable {
		return err
	}
	if err != nil || value.Reveal() != knownValue {
		return &domain.Error{Kind: domain.Corrupt, Cause: err,
			Public: "the keyset is not the one of this database; set the keyset that has key " + string(is.Known.Key)}
	}
	return nil
}

// begin is the start-up check of a database in which nothing was ever sealed.
func (k *Keyset) begin(ctx context.Context, is domain.Installation) (domain.Installation, error) {
	if err := k.ports.Keyring.Prepare(ctx, true); err != nil {
		return domain.Installation{}, err
	}
	is.Origin = k.Origin()
	var err error
	if is.Known, err = k.Seal(domain.NewSecret(knownValue), domain.BindKnownValue(is.Origin)); err != nil {
		return domain.Installation{}, err
	}
	return k.withNotes(is)
}

// recognize is the start-up check of a database that has a known value.
func (k *Keyset) recognize(ctx context.Context, is domain.Installation) (domain.Installation, error) {
	if is.Origin != k.Origin() {
		return domain.Installation{}, otherAPI("database", is.Origin, k.Origin())
	}
	if err := k.ports.Keyring.Prepare(ctx, false); err != nil {
		return domain.Installation{}, needsKeyset(is, err)
	}
	if err := Opens(k.ports.Cipher, is); err != nil {
		return domain.Installation{}, err
	}
	is, err := k.withNotes(is)
	if err != nil {
		return domain.Installation{}, err
	}
	return k.withCurrentKey(ctx, is)
}

// needsKeyset is the error for a keyset that is missing or can't be read. It names the key.
func needsKeyset(is domain.Installation, err error) error {
	return &domain.Error{Kind: domain.KindOf(err), Cause: err,
		Public: "this database needs the keyset that has key " + string(is.Known.Key)}
}

// withCurrentKey re-encrypts the installation, unless the current key has sealed it. A keyset
// that lacks the current key is then not taken for the keyset of this database.
func (k *Keyset) withCurrentKey(ctx context.Context, is domain.Installation) (domain.Installation, error) {
	current, err := k.refreshed(ctx)
	if err != nil {
		return domain.Installation{}, err
	}
	if is.Known.Key == current && is.Pseudonyms.Key == current {
		return is, nil
	}
	return k.resealed(is, k.ports.Cipher.Seal)
}

// seal is the Seal of a ports.Cipher under one of its keys.
type seal = func(domain.Secret, domain.Binding) (domain.Sealed, error)

// resealed returns the installation, sealed by with.
func (k *Keyset) resealed(is domain.Installation, with seal) (domain.Installation, error) {
	var err error
	if is.Known, err = with(domain.NewSecret(knownValue), domain.BindKnownValue(is.Origin)); err != nil {
		return domain.Installation{}, err
	}
	pseudonyms, err := k.ports.Cipher.Open(is.Pseudonyms, domain.BindPseudonymKey()) // with the notes
	if err != nil {
		return domain.Installation{}, err
	}
	is.Pseudonyms, err = with(pseudonyms, domain.BindPseudonymKey())
	return is, err
}

// withNotes opens the key of the pseudonyms with the notes beside it, or makes it if there is none.
// It signs a head at the beginning of the audit's chain if the notes do not say that there is one.
// It records the origins of Voiceflow that the notes lack. Returns Conflict if the notes have
// others.
func (k *Keyset) withNotes(is domain.Installation) (domain.Installation, error) {
	n, err := k.notesOf(is)
	if err != nil {
		return domain.Installation{}, err
	}
	k.pseudonyms = domain.NewSecret(n.key)
	if err := CheckOrigins("database", n.origins, k.ports.Origins); err != nil {
		return domain.Installation{}, err
	}
	if n.hasHead && n.origins.Complete() {
		return is, nil
	}
	if !n.hasHead && is.Head.Sealed.IsZero() {
		if is.Head, err = audit.Sign(k.ports.Cipher, domain.AuditHead{}); err != nil {
			return domain.Installation{}, err
		}
	}
	n.hasHead, n.origins = true, k.ports.Origins
	is.Pseudonyms, err = n.seal(k.Seal)
	return is, err
}

// notesOf returns the notes of the installation, or notes with a new key if it has none.
func (k *Keyset) notesOf(is domain.Installation) (notes, error) {
	if !is.Pseudonyms.IsZero() {
		return openNotes(k.ports.Cipher, is)
	}
	key, err := k.ports.Pseudonyms.NewKey()
	return notes{key: key.Reveal()}, err
}
