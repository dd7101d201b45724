// Package audit keeps the audit: it records refusals, chains the rows of the audit, signs the
// end of the chain, verifies and exports it, and finds events and calls whose
// end is unknown.
//
// Changes write their own audit records, together with the change.
package audit

import (
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Ports is what an Audit works with. All but Users, KeepDays and Files must be given. The views must be of one
// database.
type Ports struct {
	Log      ports.AuditLog
	Chain    ports.AuditChain
	Checks   ports.AuditChecks
	Projects ports.ProjectRepository // Verify looks for the rows that tell how they began
	Users    ports.UserRepository    // likewise; nil if a host program keeps the users
	Cipher   ports.Cipher            // signs the head of the chain
	Clock    ports.Clock

	KeepDays int              // rows of older days are removed; 0 keeps all of them
	Files    ports.AuditFiles // where rows are stored before they are removed; nil stores none
}

// Audit is the audit of one database. It is safe for concurrent use. It keeps in memory the
// refusals that it has yet to store, the head that it signed last, and the last state that it told.
type Audit struct {
	ports    Ports
	refusals refusals
	seen     seenHead
	state    state
}

// New returns an Audit. A later call panics if p is incomplete. The start-up check of the keyset must have succeeded before Chain,
// Verify and Export are called, since it signs the first head.
func New(p Ports) *Audit { return &Audit{ports: p} }

// Sign returns the head, sealed with the current key.
func Sign(cipher ports.Cipher, head domain.AuditHead) (domain.AuditHead, error) {
	var err error
	head.Sealed, err = cipher.Seal(domain.NewSecret(head.Text()), domain.BindAuditHead())
	return head, err
}
