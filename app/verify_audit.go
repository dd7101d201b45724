package app

import (
	"context"
	"maps"
	"slices"

	"github.com/flowlatch/flowlatch/domain"
)

// VerifyAudit chains what is left of the audit and computes the whole chain anew, page by
// page. It returns where the chain ends, which is also how many rows it has. It is Corrupt
// with a sentence that names the first row that is broken, and what is wrong, when a row
// was changed, removed, inserted or moved, the tail was cut off, or the head is not signed
// by the keyset; and when there is a user or a project whose beginning no row tells, as
// when all of the audit was removed and begins anew. noted, if it is not "", is a point of the chain that was noted earlier,
// which must be in it: without one, a database that was taken back as a whole to what it
// was at some time looks as it did then. What somebody changed within the second before a
// row was chained is not seen. Only an admin or the operator may: NotAllowed. It leaves a
// row, which is not in what it returns.
func (s *Service) VerifyAudit(ctx context.Context, call Call, noted string) (domain.ChainPoint, error) {
	if err := call.Caller.MayManage(); err != nil {
		return domain.ChainPoint{}, err
	}
	var note domain.ChainPoint
	if noted != "" {
		var err error
		if note, err = domain.ParseChainPoint(noted); err != nil {
			return domain.ChainPoint{}, err
		}
	}
	// Their rows are there by now, and will be in the chain.
	untold, err := s.begun(ctx, call)
	if err != nil {
		return domain.ChainPoint{}, err
	}
	left := s.drainChain(ctx)
	if left != nil && domain.KindOf(left) != domain.Corrupt {
		return domain.ChainPoint{}, left
	}
	end, err := s.verifyChain(ctx, note, untold)
	if err == nil {
		err = left
	}
	if err != nil && domain.KindOf(err) != domain.Corrupt {
		return domain.ChainPoint{}, err
	}
	rec := s.record(call, domain.ActionVerifyAudit, domain.OnAudit(end))
	if err != nil {
		rec.Outcome = domain.OutcomeBroken
	}
	if noRecord := s.ports.Store.Audit.Append(ctx, rec); err == nil {
		err = noRecord
	}
	return end, err
}

// begun are the users and projects that are there, as objects of the rows that tell of
// their beginning.
func (s *Service) begun(ctx context.Context, call Call) (map[string]bool, error) {
	objects := map[string]bool{}
	err := everyPage(func(after domain.Cursor) (Page[domain.Project], error) {
		return s.projects(ctx, call.Caller.Sees(), after, MaxPage)
	}, func(p domain.Project) error {
		objects[domain.OnProject(p.ID)] = true
		return nil
	})
	if err != nil || !s.OwnUsers() {
		return objects, err
	}
	return objects, everyPage(func(after domain.Cursor) (Page[domain.User], error) {
		return s.GetAllUsers(ctx, call, after, MaxPage)
	}, func(u domain.User) error {
		objects[domain.OnUser(u.ID)] = true
		return nil
	})
}

// verifyChain goes through the chain and returns how far it is good. It takes out of
// untold what a row tells the beginning of.
func (s *Service) verifyChain(ctx context.Context, note domain.ChainPoint, untold map[string]bool) (domain.ChainPoint, error) {
	var p domain.ChainPoint
	found := note == p
	for more := true; more; {
		rows, err := s.ports.Store.Chain.Links(ctx, p.Seq, MaxPage)
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
		if more, err = s.goesOn(ctx, p); err != nil {
			return p, err
		}
	}
	if !found {
		return p, note.Unnoted()
	}
	strays, err := s.ports.Store.Chain.Strays(ctx, 1)
	switch {
	case err == nil && len(strays) > 0:
		err = strays[0].Stray()
	case err == nil && len(untold) > 0:
		err = domain.Untold(slices.Min(slices.Collect(maps.Keys(untold))))
	}
	return p, err
}

// goesOn says whether the chain, which was found to end at p, has been extended since. It
// is Corrupt where it ends and should not.
func (s *Service) goesOn(ctx context.Context, p domain.ChainPoint) (bool, error) {
	head, err := s.ports.Store.Chain.Head(ctx)
	if err != nil {
		return false, err
	}
	if head.Seq > p.Seq { // which is stored together with the links up to it
		rows, err := s.ports.Store.Chain.Links(ctx, p.Seq, 1)
		if err != nil || len(rows) > 0 {
			return true, err
		}
	}
	return false, s.endsSigned(head, p)
}
