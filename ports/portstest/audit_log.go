package portstest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// AuditLog checks every sentence in the comment of ports.AuditLog. It needs AuditLog and
// Records of the Store.
func AuditLog(t *testing.T, open OpenStore) {
	check(t, open, auditLog, append([]sentence{
		{"Append stores the record", 0, appendStores},
		{"Append stores several in their order, all of them or none", 0, appendSeveral},
		{"Append stands behind what was written before, by any view and on any instance", projects, appendOrder},
		{"an outage and an ended context are Unavailable, and nothing is stored", 0, appendUnavailable},
		{"all methods are safe for concurrent use, and nothing is lost", 0, appendConcurrent},
	}, auditChainSentences...))
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
			wantNil(t, "Append", f.AuditLog.Append(t.Context(), rec))
			f.log = append(f.log, rec)
			f.wantRecords(t, "after Append")
		}
	}
}

func appendSeveral(t *testing.T, f *fixture) {
	var recs []domain.Record
	for range 300 {
		recs = append(recs, f.record(domain.ActionForward, "p"))
	}
	wantNil(t, "Append of none", f.AuditLog.Append(t.Context()))
	wantNil(t, "Append of several", f.AuditLog.Append(t.Context(), recs...))
	f.log = recs
	f.wantRecords(t, "after Append of several")
	bad := slices.Clone(recs[:3])
	bad[2].Object = "NUL \x00"
	if err := f.AuditLog.Append(t.Context(), bad...); err == nil {
		f.log = append(f.log, bad...) // an adapter may keep any text
	}
	f.wantRecords(t, "after Append of several of which one may be refused")
}

func appendOrder(t *testing.T, f *fixture) {
	for _, instance := range append(f.instances(t), f.Store) {
		p := f.addNamed(t, "p")
		rec := f.record(domain.ActionForward, domain.OnProject(p.ID))
		wantNil(t, "Append", instance.AuditLog.Append(t.Context(), rec))
		f.log = append(f.log, rec)
		f.remove(t, p.ID)
		f.wantRecords(t, "after Append between changes")
	}
}

func appendUnavailable(t *testing.T, f *fixture) {
	f.append(t, 1)
	f.wantUnavailable(t, func(t *testing.T) {
		f.wantRecords(t, "after calls under ended contexts")
		head, err := f.AuditLog.Head(t.Context())
		wantNil(t, "Head", err)
		wantSame(t, "the head after calls under ended contexts", head, domain.AuditHead{})
	}, f.auditCalls()...)
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
			errs[n] = at[i%len(at)].AuditLog.Append(t.Context(), recs[n])
		}
	})
	for _, err := range errs {
		wantNil(t, fmt.Sprintf("one of %d Appends beside others", len(errs)), err)
	}
	f.wantRecordsInAnyOrder(t, "after Appends beside others", recs)
}
