package portstest

import (
	"reflect"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Store is an empty, prepared database of one test's own.
type Store struct {
	// Ports are the views on the database. All of them must be there.
	Ports ports.Store

	// Archive is the view on the database that the suite Archive checks. No other suite
	// needs it.
	Archive ports.Archive

	// Records reads the audit rows, in the order in which they were written.
	Records func(t *testing.T) []domain.Record

	// Another opens the same database again, as another instance would, with the same clock.
	// Only Ports and Archive of the result are used. It is nil if the adapter lives in the
	// memory of one process only.
	Another func(t *testing.T) Store

	// Break makes the database unreachable for the views of this Store. It is nil if that
	// can't happen.
	Break func(t *testing.T)

	// StopWrites makes the database one that can only be read, for the views of this Store, and
	// returns what ends that. It is nil if that can't happen.
	StopWrites func(t *testing.T) (allow func())

	// Outgrow makes the schema one that is newer than the adapter knows. It is nil if there
	// is no schema.
	Outgrow func(t *testing.T)
}

// OpenStore returns a Store that reads the time from now. now is safe for concurrent use. Each
// call returns another, empty database.
type OpenStore func(t *testing.T, now ports.Clock) Store

// Promises runs the sentences that hold for every method of every view, each view as a parallel
// subtest. It calls each method in each way that the table of calls has.
func Promises(t *testing.T, open OpenStore) {
	for i := range reflect.TypeFor[ports.Store]().NumField() {
		view := reflect.TypeFor[ports.Store]().Field(i).Name
		t.Run(view, func(t *testing.T) {
			t.Parallel()
			check(t, open, promises(view))
		})
	}
}

// All runs the suites of all views of a ports.Store, each as a subtest. The suite Installation
// runs on prepared databases here. An adapter that needs an unprepared one for it, or that has
// an Archive, also runs Installation and Archive by themselves.
func All(t *testing.T, open OpenStore) {
	for _, suite := range []struct {
		name string
		run  func(t *testing.T, open OpenStore)
	}{
		{"ProjectRepository", ProjectRepository}, {"Grants", Grants}, {"UserRepository", UserRepository},
		{"SessionStore", SessionStore}, {"SignOns", SignOns}, {"GroupRules", GroupRules}, {"Access", Access}, {"AccessTokens", AccessTokens},
		{"Conversations", Conversations}, {"Usage", Usage}, {"AuditLog", AuditLog}, {"AuditChain", AuditChain}, {"AuditChecks", AuditChecks},
		{"Sealings", Sealings}, {"Installation", Installation}, {"Webhooks", Webhooks}, {"Sweeper", Sweeper}, {"Acts", Acts}, {"Texts", Texts},
	} {
		t.Run(suite.name, func(t *testing.T) { suite.run(t, open) })
	}
}
