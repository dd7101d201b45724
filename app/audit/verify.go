package audit

import (
	"context"
	"maps"
	"slices"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// Verify chains the rows that are not in the chain yet and computes the whole chain again,
// page by page. It returns the end of the chain, whose Seq is the number of rows. Only an
// admin or the operator may: NotAllowed. It leaves an audit row, which is not in the chain
// that it returns.
//
// Returns Corrupt, with a sentence that names the first broken row, if a row was changed,
// removed, inserted or moved, if the tail was cut off, or if the keyset did not sign the
// head. Returns Corrupt if no row tells how a user or a project began, as when the whole
// audit was removed and begins again.
//
// noted is a point of the chain that was noted earlier, or "". Returns Corrupt if the chain
// does not have it, and Invalid if it is not such a point. Without it, Verify can't detect that
// the whole database was set back to an earlier state. It never detects a change of a row
// in the second before the row is chained.
func (a *Audit) Verify(ctx context.Context, call domain.Call, noted string) (domain.ChainPoint, error) {
	if err := call.Caller.MayManage(domain.ScopeManageAudit); err != nil {
		return domain.ChainPoint{}, err
	}
	var note domain.ChainPoint
	if noted != "" {
		var err error
		if note, err = domain.ParseChainPoint(noted); err != nil {
			return domain.ChainPoint{}, err
		}
	}
	end, err := a.verify(ctx, note)
	if err != nil && domain.KindOf(err) != domain.Corrupt {
		return domain.ChainPoint{}, err
	}
	rec := call.Record(a.ports.Clock(), domain.ActionVerifyAudit, domain.OnAudit(end))
	if err != nil {
		rec.Outcome = domain.OutcomeBroken
	}
	noRecord := a.ports.Log.Append(ctx, rec)
	if err == nil || note == (domain.ChainPoint{}) { // a wrong note says nothing about the chain
		a.state.note(a.found(end, err), noRecord == nil)
	}
	if err == nil {
		err = noRecord
	}
	return end, err
}

// verify chains the rows that are not in the chain yet, and goes through the whole chain. It returns
// the point up to which it is whole, and Corrupt if it is broken. Any other error says nothing about
// the chain.
func (a *Audit) verify(ctx context.Context, note domain.ChainPoint) (domain.ChainPoint, error) {
	// The rows of these are written by now, and drainChain puts them into the chain.
	untold, err := a.begun(ctx)
	if err != nil {
		return domain.ChainPoint{}, err
	}
	left := a.drainChain(ctx)
	if left != nil && domain.KindOf(left) != domain.Corrupt {
		return domain.ChainPoint{}, left
	}
	end, err := a.verifyChain(ctx, note, untold)
	if err == nil {
		err = left
	}
	return end, err
}

// begun returns the users and the projects that exist, as objects of the rows that tell how they
// began.
func (a *Audit) begun(ctx context.Context) (map[string]bool, error) {
	objects := map[string]bool{}
	err := paging.Each(func(after domain.Cursor) (paging.Page[domain.Project], error) {
		return paging.Read(paging.Max,
			func(limit int) ([]domain.Project, error) {
				return a.ports.Projects.Page(ctx, domain.Operator().Sees(), domain.ProjectFilter{}, after, limit)
			},
			func(p domain.Project) domain.Cursor { return domain.Cursor{Name: p.Name, ID: string(p.ID)} })
	}, func(p domain.Project) error {
		objects[domain.OnProject(p.ID)] = true
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
		objects[domain.OnUser(u.ID)] = true
		return nil
	})
}

// verifyChain goes through the chain and returns the point up to which it is whole. It
// removes from untold the objects whose beginning a row tells.
func (a *Audit) verifyChain(ctx context.Context, note domain.ChainPoint, untold map[string]bool) (domain.ChainPoint, error) {
	var p domain.ChainPoint
	found := note == p
	for more := true; more; {
		rows, err := a.ports.Chain.Links(ctx, p.Seq, paging.Max)
		if err != nil {
			return p, err
		}
		for _, row := range rows {
			if p, err = p.Check(row); err != nil {
				return p, err
			}
			found = found || p == note
			if row.Row.Action == domain.ActionAddProject || row.Row.Action == domain.ActionCreateUser {
				delete(untold, row.Row.Object)
			}
		}
		if len(rows) > 0 {
			continue
		}
		if more, err = a.goesOn(ctx, p); err != nil {
			return p, err
		}
	}
	if !found {
		return p, note.Unnoted()
	}
	strays, err := a.ports.Chain.Strays(ctx, 1)
	switch {
	case err == nil && len(strays) > 0:
		err = strays[0].Stray()
	case err == nil && len(untold) > 0:
		err = domain.Untold(slices.Min(slices.Collect(maps.Keys(untold))))
	}
	return p, err
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
