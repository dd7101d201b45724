package audit

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// Verified is what Verify has found.
type Verified struct {
	domain.ChainPoint                 // the end of the chain; Seq is the number of rows, also of those that were cut
	Begins            domain.AuditCut // where the audit begins
	// NotedIsCut tells that the noted point is before the beginning. Whether the chain had it can't be
	// seen any longer.
	NotedIsCut bool
}

// Verify chains the rows that are not in the chain yet and computes the whole chain again,
// page by page, from where the audit begins. Only an admin or the operator may: NotAllowed. It leaves an
// audit row, which is not in the chain that it returns.
//
// Returns Corrupt, with a sentence that names the first broken row, if a row was changed,
// removed, inserted or moved, if the tail was cut off, or if the keyset did not sign the
// head. Rows that are missing at the beginning are removed rows, unless the signed head says that they were
// cut. Returns Corrupt if no row tells how a user or a project began, as when the whole
// audit was removed and begins again. Those that are older than the rows that were cut need no such row.
//
// noted is a point of the chain that was noted earlier, or "". Returns Corrupt if the chain
// does not have it, and Invalid if it is not such a point. Without it, Verify can't detect that
// the whole database was set back to an earlier state. It never detects a change of a row
// in the second before the row is chained.
func (a *Audit) Verify(ctx context.Context, call domain.Call, noted string) (Verified, error) {
	if err := call.Caller.MayManage(domain.ScopeManageAudit); err != nil {
		return Verified{}, err
	}
	var note domain.ChainPoint
	if noted != "" {
		var err error
		if note, err = domain.ParseChainPoint(noted); err != nil {
			return Verified{}, err
		}
	}
	end, err := a.verify(ctx, note, nil)
	if err != nil && domain.KindOf(err) != domain.Corrupt {
		return Verified{}, err
	}
	rec := call.Record(a.ports.Clock(), domain.ActionVerifyAudit, domain.OnAudit(end.ChainPoint))
	if err != nil {
		rec.Outcome = domain.OutcomeBroken
	}
	if noRecord := a.noteVerified(ctx, note, a.found(end.ChainPoint, err), rec); err == nil {
		err = noRecord
	}
	return end, err
}

// noteVerified stores what Verify found, and the row about it.
func (a *Audit) noteVerified(ctx context.Context, note domain.ChainPoint, found domain.AuditChecked, rec domain.Record) error {
	if found.Broken != "" && note != (domain.ChainPoint{}) { // a wrong note says nothing about the chain
		return a.ports.Log.Append(ctx, rec)
	}
	return a.noteCheck(ctx, rec.RequestID, func(c domain.AuditCheck) domain.AuditCheck { return c.WithWhole(found) }, rec)
}

// found returns what a verification has found that has just ended at the point, with nil or with Corrupt.
func (a *Audit) found(end domain.ChainPoint, broken error) domain.AuditChecked {
	found := domain.AuditChecked{At: domain.Instant(a.ports.Clock()), Point: end}
	if e, ok := errors.AsType[*domain.Error](broken); ok {
		found.Broken = e.Public
	}
	return found
}

// verify chains the rows that are not in the chain yet, and goes through the whole chain. It returns
// the point up to which it is whole, and Corrupt if it is broken. Any other error says nothing about
// the chain. hold is called after each page, unless it is nil; its error ends the verification.
func (a *Audit) verify(ctx context.Context, note domain.ChainPoint, hold func(context.Context) error) (Verified, error) {
	// The rows of these are written by now, and drainChain puts them into the chain.
	untold, err := a.begun(ctx)
	if err != nil {
		return Verified{}, err
	}
	left := a.drainChain(ctx)
	if left != nil && domain.KindOf(left) != domain.Corrupt {
		return Verified{}, left
	}
	end, err := a.verifyChain(ctx, note, untold, hold)
	if err == nil {
		err = left
	}
	return end, err
}

// begun returns the users and the projects that exist, as objects of the rows that tell how they
// began, with the time when they did.
func (a *Audit) begun(ctx context.Context) (map[string]time.Time, error) {
	objects := map[string]time.Time{}
	err := paging.Each(func(after domain.Cursor) (paging.Page[domain.Project], error) {
		return paging.Read(paging.Max,
			func(limit int) ([]domain.Project, error) {
				return a.ports.Projects.Page(ctx, domain.Operator().Sees(), domain.ProjectFilter{}, after, limit)
			},
			func(p domain.Project) domain.Cursor { return domain.Cursor{Name: p.Name, ID: string(p.ID)} })
	}, func(p domain.Project) error {
		objects[domain.OnProject(p.ID)] = p.Created
		return nil
	})
	if err != nil || a.ports.Users == nil {
		return objects, err
	}
	return objects, paging.Each(func(after domain.Cursor) (paging.Page[domain.User], error) {
		return paging.Read(paging.Max,
			func(limit int) ([]domain.User, error) { return a.ports.Users.Page(ctx, after, limit) },
			func(u domain.User) domain.Cursor { return domain.Cursor{Name: string(u.Name), ID: string(u.ID)} })
	}, func(u domain.User) error {
		objects[domain.OnUser(u.ID)] = u.Created
		return nil
	})
}

// verifyChain goes through the chain and returns the point up to which it is whole. untold are the objects
// whose beginning a row has to tell.
func (a *Audit) verifyChain(ctx context.Context, note domain.ChainPoint, untold map[string]time.Time, hold func(context.Context) error) (Verified, error) {
	begins, err := a.begins(ctx)
	if err != nil {
		return Verified{}, err
	}
	found := note == domain.ChainPoint{} || note == begins.ChainPoint
	p, err := a.verifyLinks(ctx, begins.ChainPoint, func(at domain.ChainPoint, row domain.ChainedRow) {
		found = found || at == note
		if row.Row.Action == domain.ActionAddProject || row.Row.Action == domain.ActionCreateUser {
			delete(untold, row.Row.Object)
		}
	}, hold)
	if err != nil {
		return Verified{ChainPoint: p, Begins: begins}, err
	}
	if begins, err = a.begins(ctx); err != nil { // rows may have been cut meanwhile
		return Verified{}, err
	}
	end := Verified{ChainPoint: p, Begins: begins, NotedIsCut: !found && note.Seq < begins.Seq}
	if !found && !end.NotedIsCut {
		return end, note.Unnoted()
	}
	strays, err := a.ports.Chain.Strays(ctx, 1)
	switch {
	case err != nil:
		return end, err
	case len(strays) > 0:
		return end, strays[0].Stray()
	}
	maps.DeleteFunc(untold, func(_ string, began time.Time) bool { return begins.Tells(began) })
	if len(untold) > 0 {
		return end, domain.Untold(slices.Min(slices.Collect(maps.Keys(untold))))
	}
	return end, nil
}

// verifyLinks goes through the chain from a point on, gives each row and its point to visit, and returns the
// point up to which the chain is whole. If rows are cut meanwhile, it goes on where the chain begins then.
// hold is called after each page, unless it is nil; its error ends the verification.
func (a *Audit) verifyLinks(ctx context.Context, p domain.ChainPoint, visit func(domain.ChainPoint, domain.ChainedRow), hold func(context.Context) error) (domain.ChainPoint, error) {
	for {
		rows, err := a.ports.Chain.Links(ctx, p.Seq, paging.Max)
		if err != nil {
			return p, err
		}
		var broken error
		for _, row := range rows {
			if p, broken = p.Check(row); broken != nil {
				break
			}
			visit(p, row)
		}
		if broken == nil && len(rows) == 0 {
			var more bool
			if more, broken = a.goesOn(ctx, p); broken == nil && !more {
				return p, nil
			}
		}
		if broken != nil {
			begins, err := a.begins(ctx)
			if err != nil || begins.Seq <= p.Seq {
				return p, cmp.Or(err, broken)
			}
			p = begins.ChainPoint
		}
		if hold != nil && len(rows) > 0 {
			if err := hold(ctx); err != nil {
				return p, err
			}
		}
	}
}

// begins returns where the audit begins, by its signed head. It is zero if the keyset did not sign the head.
// Then the end of the chain shows it, and rows that were cut are missing.
func (a *Audit) begins(ctx context.Context) (domain.AuditCut, error) {
	head, err := a.ports.Chain.Head(ctx)
	if err != nil {
		return domain.AuditCut{}, err
	}
	switch err := a.signed(head); {
	case domain.KindOf(err) == domain.Corrupt:
		return domain.AuditCut{}, nil
	case err != nil:
		return domain.AuditCut{}, err
	}
	return head.Cut, nil
}

// goesOn reports whether the chain, which ended at p, has been extended since. Returns Corrupt
// if the chain ends at p and should not.
func (a *Audit) goesOn(ctx context.Context, p domain.ChainPoint) (bool, error) {
	head, err := a.ports.Chain.Head(ctx)
	if err != nil {
		return false, err
	}
	if head.Seq > p.Seq { // the head is stored together with the links up to it
		rows, err := a.ports.Chain.Links(ctx, p.Seq, 1)
		if err != nil || len(rows) > 0 {
			return true, err
		}
	}
	return false, a.endsSigned(head, p)
}
