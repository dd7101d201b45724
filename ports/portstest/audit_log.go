package portstest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// AuditLog checks every sentence in the comments of ports.AuditLog.
func AuditLog(t *testing.T, open OpenStore) {
	check(t, open, append([]sentence{
		{"Append stores the record", appendStores},
		{"Append stores several in their order, all of them or none", appendSeveral},
		{"Begin stores the record of the act and changes nothing else", beginStores},
		{"Append comes after what was written before, by any view and on any instance", appendOrder},
		{"of very many Appends at the same instant nothing is lost", appendConcurrent},
		{"Find returns the row, and its link once it is in the chain", findRow},
		{"Find of an unknown id is NotFound", findUnknownRow},
		{"Page returns at most limit rows that come after the place, newest first, and of one time the higher id first", auditPage},
		{"Page returns the rows that match each part of the filter", auditFiltered},
	}, promises("Audit")...))
}

// appendStores has an actor and an outcome of each sort, and the same record twice.
func appendStores(t *testing.T, f *fixture) {
	for _, change := range []func(r *domain.Record){
		func(*domain.Record) {},
		func(r *domain.Record) { r.Actor, r.Outcome = domain.ActorUser(userID(1)), domain.OutcomeOf(204) },
		func(r *domain.Record) { r.Actor, r.Outcome = domain.ActorToken(tokenID(1)), domain.OutcomeOf(500) },
		func(r *domain.Record) {
			r.Actor, r.Outcome = domain.ActorUser("CN=Ana,OU='Support'"), domain.OutcomeRejected
		},
		func(r *domain.Record) { r.Outcome, r.Address = domain.OutcomeUnknown, "" },
		func(r *domain.Record) {
			r.Object = domain.OnProject(projectID(1)) + ` DELETE /v2/transcripts/"';--\ 句 🙂`
		},
		func(r *domain.Record) { r.Object = strings.Repeat("x", 2000) },
	} {
		rec := f.record(domain.ActionForward, domain.OnProject(projectID(404)))
		change(&rec)
		for range 2 {
			wantNil(t, "Append", f.Ports.Audit.Append(t.Context(), rec))
			f.log = append(f.log, rec)
			f.wantRecords(t, "after Append")
		}
	}
}

func beginStores(t *testing.T, f *fixture) {
	f.install(t)
	who := f.actorByLogin(t, domain.RoleMember)
	needs := domain.NeedsUse(f.projectFor(t, who).ID, domain.ScopesOf(domain.ScopeExport))
	before := f.state(t, f.Ports)
	for _, object := range []string{"first", "second", "second"} {
		act := f.actBy(who, attempt{needs: needs}, object)
		act.Record.Outcome = domain.OutcomeBegun
		wantNil(t, "Begin", f.Ports.Audit.Begin(t.Context(), act))
		f.log = append(f.log, act.Record)
		f.wantRecords(t, "after Begin")
	}
	f.wantState(t, "after Begin", before)
}

// appended stores a record and returns its row.
func (f *fixture) appended(t *testing.T) domain.AuditRow {
	t.Helper()
	rec := f.record(domain.ActionForward, domain.OnProject(projectID(404)))
	wantNil(t, "Append", f.Ports.Audit.Append(t.Context(), rec))
	f.log = append(f.log, rec)
	rows, err := f.Ports.Audit.Page(t.Context(), domain.AuditFilter{RequestID: rec.RequestID}, nil, 10)
	wantNil(t, "Audit.Page", err)
	wantSame(t, "the rows of a record", len(rows), 1)
	wantSame(t, "the record of the row", rows[0].Record, rec)
	return rows[0]
}

// findRow looks for rows on every instance, before they are in the chain and then.
func findRow(t *testing.T, f *fixture) {
	rows := []domain.AuditRow{f.appended(t), f.appended(t), f.appended(t)}
	for _, instance := range f.instances(t) {
		for _, row := range rows {
			got, err := instance.Ports.Audit.Find(t.Context(), row.ID)
			wantNil(t, "Find", err)
			wantSame(t, "a row that is not in the chain", got, domain.ChainedRow{Row: row})
		}
	}
	chainAll(t, f.Ports.Chain)
	rows = append(rows, f.appended(t)) // which is in no chain
	links, err := f.Ports.Chain.Links(t.Context(), 0, 10)
	wantNil(t, "Links", err)
	wantSame(t, "how many rows are in the chain", len(links), 3)
	want := append(links, domain.ChainedRow{Row: rows[3]})
	for _, instance := range f.instances(t) {
		for i, row := range rows {
			got, err := instance.Ports.Audit.Find(t.Context(), row.ID)
			wantNil(t, "Find", err)
			wantSame(t, "a row and its link", got, want[i])
		}
	}
}

func findUnknownRow(t *testing.T, f *fixture) {
	row := f.appended(t)
	for _, id := range []int64{row.ID + 1, 0, -row.ID, 1<<63 - 1, -1 << 63} {
		_, err := f.Ports.Audit.Find(t.Context(), id)
		wantKind(t, fmt.Sprintf("Find of the id %d", id), err, domain.NotFound)
	}
}

func appendSeveral(t *testing.T, f *fixture) {
	var recs []domain.Record
	for range 300 {
		recs = append(recs, f.record(domain.ActionForward, "p"))
	}
	wantNil(t, "Append of none", f.Ports.Audit.Append(t.Context()))
	wantNil(t, "Append of several", f.Ports.Audit.Append(t.Context(), recs...))
	f.log = recs
	f.wantRecords(t, "after Append of several")
	bad := slices.Clone(recs[:3])
	bad[2].Object = "NUL \x00"
	if err := f.Ports.Audit.Append(t.Context(), bad...); err == nil {
		f.log = append(f.log, bad...) // an adapter may keep any text
	}
	f.wantRecords(t, "after Append of several, one of which may be refused")
}

func appendOrder(t *testing.T, f *fixture) {
	for _, instance := range append(f.instances(t), f.Store) {
		p := f.addNamed(t, "p")
		rec := f.record(domain.ActionForward, domain.OnProject(p.ID))
		wantNil(t, "Append", instance.Ports.Audit.Append(t.Context(), rec))
		f.log = append(f.log, rec)
		f.remove(t, p.ID)
		f.wantRecords(t, "after Append between changes")
	}
}

func appendConcurrent(t *testing.T, f *fixture) {
	at := f.instances(t)
	const each = 4
	recs, errs := make([]domain.Record, crowd*each), make([]error, crowd*each)
	for i := range recs {
		recs[i] = f.record(domain.ActionForward, "p")
	}
	atOnce(crowd, func(i int) {
		for n := i * each; n < (i+1)*each; n++ {
			errs[n] = at[i%len(at)].Ports.Audit.Append(t.Context(), recs[n])
		}
	})
	for _, err := range errs {
		wantNil(t, fmt.Sprintf("one of %d Appends beside others", len(errs)), err)
	}
	f.wantRecordsInAnyOrder(t, "after Appends beside others", recs)
}
