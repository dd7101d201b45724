package portstest

import (
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Store is an empty, prepared database of one test's own, and the views on it.
//
// A program that brings only some of the ports leaves the other views nil. The
// sentences that need one of those are then not checked, and the suite logs which;
// an adapter that has them all is checked in full.
type Store struct {
	Projects      ports.ProjectRepository
	Users         ports.UserRepository
	Sessions      ports.SessionStore
	Callers       ports.Callers
	Access        ports.Access
	AccessTokens  ports.AccessTokens
	Conversations ports.Conversations
	Usage         ports.Usage
	AuditLog      ports.AuditLog
	Installation  ports.Installation
	Sealings      ports.Sealings
	Archive       ports.Archive

	// Records reads the audit rows, in the order in which they were written. It is
	// needed by every suite but that of Installation.
	Records func(t *testing.T) []domain.Record

	// Another opens the same database again, as another instance would, with the same
	// clock. Of what it returns only the views are used. It is nil where the adapter
	// lives in the memory of one process only.
	Another func(t *testing.T) Store

	// Break makes the database unreachable from then on, for the views of this Store. It
	// is nil where that can't happen.
	Break func(t *testing.T)

	// Outgrow makes the schema one that is newer than the adapter knows. It is nil where
	// there is no schema.
	Outgrow func(t *testing.T)
}

// OpenStore returns a Store that reads the time from now, which is safe for
// concurrent use. Each call returns another, empty database.
type OpenStore func(t *testing.T, now ports.Clock) Store
