package ports

import (
	"context"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// ProjectRepository keeps projects with their sealed keys and the grants on them.
type ProjectRepository interface {
	// Add stores p, its key in the primary slot and rec together. A pair of Voiceflow
	// project and version is there at most once: the second time is AlreadyAdded, which
	// carries the project that is there. Of several equal calls at the same instant
	// exactly one succeeds.
	Add(ctx context.Context, p domain.Project, key domain.Sealed, rec domain.Record) error

	// Remove forgets the project, its keys, the grants on it and the assistant sessions
	// in it, together with rec. An unknown id is NotFound.
	Remove(ctx context.Context, id domain.ProjectID, rec domain.Record) error

	// Find returns the projects within in that ref names, in the order of their ids, at
	// most domain.MaxMatches. None is no error, and the zero ref names none.
	Find(ctx context.Context, in domain.Visible, ref domain.ProjectRef) ([]domain.Project, error)

	// Page returns at most limit projects within in that come after the cursor, in the
	// order of the bytes of (name, id). None is no error. It reads no more rows than it
	// returns, and the grants on them, and holds no connection once it has returned.
	Page(ctx context.Context, in domain.Visible, after domain.Cursor, limit int) ([]domain.Project, error)

	// Keys returns the sealed keys of the project by slot. An unknown id is NotFound.
	Keys(ctx context.Context, id domain.ProjectID) (map[domain.Slot]domain.Sealed, error)

	// Grant lets user use the project within the scopes, from the instant at on. For what
	// is granted already it replaces the scopes and nothing else; it changes nothing where
	// they are the same. Empty scopes are those that the grant has, and
	// domain.DefaultScopes for a new one. An unknown project is NotFound; whether there is
	// such a user is not looked at, since a host program may have users of its own.
	Grant(ctx context.Context, user domain.UserID, id domain.ProjectID, scopes domain.Scopes, at time.Time, rec domain.Record) error

	// Grants returns at most limit grants that the filter picks and that come after the
	// cursor (its Name is a user, its ID a project), in the order of the bytes of (user, project).
	// None is no error.
	Grants(ctx context.Context, filter domain.GrantFilter, after domain.Cursor, limit int) ([]domain.Grant, error)

	// Revoke takes the grant back and ends the assistant sessions that it let in.
	// Revoking what is not granted succeeds and changes nothing.
	Revoke(ctx context.Context, user domain.UserID, id domain.ProjectID, rec domain.Record) error

	// PutKey puts the key into the slot of the project, in the place of the one that is
	// there if one is, and stores together with it as, what the project is called now, in its
	// grants too; KeyOK as what is known of that slot, and the instant at as KeyChecked and
	// KeySet. It returns the project as stored. The other slot stays as it is. An unknown id
	// is NotFound.
	PutKey(ctx context.Context, id domain.ProjectID, slot domain.Slot, key domain.Sealed, as domain.Description,
		at time.Time, rec domain.Record) (domain.Project, error)

	// Refresh stores what the project is called now, in its grants too. It changes nothing
	// where it is called that already. An unknown id is NotFound.
	Refresh(ctx context.Context, id domain.ProjectID, as domain.Description, rec domain.Record) error

	// MarkKey records what is known of the key in the slot, and as KeyChecked the instant at
	// which Voiceflow was asked, unless that is earlier than what is there; a zero at says
	// that it was not asked. Where the status is known already KeyChecked alone moves, without
	// the record. What was asked before KeySet may be of a key that is not there any more: it
	// changes nothing. An unknown id is NotFound, as is a slot that has no key.
	MarkKey(ctx context.Context, id domain.ProjectID, slot domain.Slot, status domain.KeyStatus,
		at time.Time, rec domain.Record) error

	// MarkCredits records what is known of the project's credits. It changes nothing where
	// that is known already. An unknown id is NotFound.
	MarkCredits(ctx context.Context, id domain.ProjectID, credits domain.Credits, rec domain.Record) error
}
