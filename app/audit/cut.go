package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// removeBatch is how many rows are removed in one change.
const removeBatch = 1000

// errEnough ends a walk through the chain if no more rows are wanted.
var errEnough = errors.New("audit: enough rows were read")

// CutInTurn removes the rows of days that are no longer kept, if it was not done today. Of all instances on
// one database, one does it for all. The others return at once. Start calls it all the time.
//
// The rows are verified. If there are AuditFiles, they are first stored there. Then the head is signed with
// the point where the audit begins, together with a row of the service, and only then they are removed. A
// process that dies in between leaves the rows, or the file and the rows. A call that has begun and whose
// outcome is unknown stays known: its row is written again.
//
// If nothing may be removed, since the audit is broken or the file can't be stored, the reason is kept for
// State and Health, and it is tried again every ten minutes. The error is returned if the reason is another
// one than before.
func (a *Audit) CutInTurn(ctx context.Context) error {
	if a.ports.KeepDays <= 0 {
		return nil
	}
	check, _, err := a.check(ctx)
	if err != nil || !check.CutDue(a.ports.Clock()) {
		return err
	}
	turn, err := a.take(ctx, domain.TurnCut)
	if turn == nil {
		return err
	}
	defer turn.free(ctx)
	if check, _, err = a.check(ctx); err != nil || !check.CutDue(a.ports.Clock()) { // another instance may have had the turn
		return err
	}
	begins, reason := a.cut(ctx, turn, check)
	if reason != nil && ctx.Err() != nil {
		return reason
	}
	found := a.found(begins, reason)
	if reason != nil && found.Broken == "" {
		found.Broken = "old rows of the audit can't be removed now"
	}
	err = a.noteCheck(ctx, "", func(c domain.AuditCheck) domain.AuditCheck {
		c.Cut = found
		return c
	})
	if found.Broken != check.Cut.Broken {
		err = errors.Join(reason, err)
	}
	return err
}

// cut removes what is not kept, and returns where the audit begins.
func (a *Audit) cut(ctx context.Context, turn *turn, check domain.AuditCheck) (domain.ChainPoint, error) {
	head, err := a.ports.Chain.Head(ctx)
	if err == nil {
		err = a.signed(head)
	}
	if err != nil {
		return check.Cut.Point, err
	}
	if check.Broken() != "" {
		return head.Cut.ChainPoint, &domain.Error{Kind: domain.Conflict, Public: "no row of the audit is removed while it is broken"}
	}
	to, carried, err := a.cutting(ctx, turn, head)
	if err == nil && to != head.Cut {
		err = a.signCut(ctx, turn, head.Cut, to, carried)
	}
	if err != nil {
		return head.Cut.ChainPoint, err
	}
	return to.ChainPoint, a.removeUpTo(ctx, turn, to.Seq)
}

// cutting decides where the audit is to begin, and which rows are written again. It verifies all rows that
// it reads.
func (a *Audit) cutting(ctx context.Context, turn *turn, head domain.AuditHead) (domain.AuditCut, []domain.Record, error) {
	limit, err := a.fileFrom(ctx, head.Cut.Seq+1)
	if err != nil {
		return head.Cut, nil, err
	}
	c := domain.NewCutting(head, domain.KeptFrom(a.ports.Clock(), a.ports.KeepDays), limit)
	began := time.Now()
	_, err = a.verifyLinks(ctx, head.Cut.ChainPoint,
		func(p domain.ChainPoint, row domain.ChainedRow) { c.Add(p, row.Row) },
		func(ctx context.Context) error {
			if c.Done() {
				return errEnough
			}
			rest(ctx, time.Since(began))
			began = time.Now()
			return turn.keep(ctx)
		})
	if err != nil && !errors.Is(err, errEnough) {
		return head.Cut, nil, err
	}
	return c.Cut(a.ports.Clock()), c.Carried(), nil
}

// fileFrom returns the last row of a file that begins with that row, 0 if there is none. A process may have
// died after it stored the file. The rows are then removed as far as the file goes.
func (a *Audit) fileFrom(ctx context.Context, first int64) (int64, error) {
	if a.ports.Files == nil {
		return 0, nil
	}
	names, err := a.ports.Files.Names(ctx, domain.AuditFilesFrom(first))
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if last, ok := domain.LastInAuditFile(first, name); ok {
			return last, nil
		}
	}
	return 0, nil
}

// signCut stores the rows between from and to in a file, if there is a place for files. Then it makes the
// audit begin at to.
func (a *Audit) signCut(ctx context.Context, turn *turn, from, to domain.AuditCut, carried []domain.Record) error {
	if a.ports.Files != nil {
		err := a.ports.Files.Put(ctx, domain.AuditFileName(from.Seq+1, to.Seq), func(w io.Writer) error {
			return a.writeUpTo(ctx, turn, from.ChainPoint, to.ChainPoint, w)
		})
		if err != nil {
			return err
		}
	}
	rec := domain.Call{}.Record(to.At, domain.ActionCutAudit, domain.OnAudit(to.ChainPoint))
	rec.Actor = domain.ActorService
	return a.ports.Chain.Cut(ctx, func(last domain.ChainPoint, head domain.AuditHead) (domain.AuditHead, []domain.Record, error) {
		if err := a.endsSigned(head, last); err != nil {
			return domain.AuditHead{}, nil, err
		}
		if head.Cut != from || head.Seq <= to.Seq {
			return domain.AuditHead{}, nil, &domain.Error{Kind: domain.Conflict, Public: "the audit was cut or set back meanwhile"}
		}
		head.Cut = to
		next, err := Sign(a.ports.Cipher, head)
		return next, append([]domain.Record{rec}, carried...), err
	})
}

// writeUpTo writes the rows between two points of the chain, and verifies them.
func (a *Audit) writeUpTo(ctx context.Context, turn *turn, from, to domain.ChainPoint, w io.Writer) error {
	out := json.NewEncoder(w)
	var failed error
	previous := from
	end, err := a.verifyLinks(ctx, from, func(p domain.ChainPoint, row domain.ChainedRow) {
		if failed == nil && p.Seq <= to.Seq {
			line := NewLine(row)
			line.Previous = previous.Hash.String()
			failed = out.Encode(line)
			previous = p
		}
	}, func(ctx context.Context) error {
		if failed == nil && previous.Seq < to.Seq {
			return turn.keep(ctx)
		}
		return errEnough
	})
	switch {
	case failed != nil:
		return &domain.Error{Kind: domain.Unavailable, Public: "the file for old rows of the audit can't be written", Cause: failed}
	case err != nil && !errors.Is(err, errEnough):
		return err
	case previous != to:
		return &domain.Error{Kind: domain.Conflict, Public: fmt.Sprintf("the audit was changed while it was read: it ends at seq %d", end.Seq)}
	}
	return nil
}

// removeUpTo removes the rows before the point where the audit begins, in small batches.
func (a *Audit) removeUpTo(ctx context.Context, turn *turn, seq int64) error {
	for seq > 0 {
		began := time.Now()
		n, err := a.ports.Chain.Remove(ctx, seq, removeBatch)
		if err != nil || n < removeBatch {
			return err
		}
		rest(ctx, time.Since(began))
		if err := turn.keep(ctx); err != nil {
			return err
		}
	}
	return nil
}

// VerifySpans checks that files are a part of the audit: that each goes on where the one before it ends, and
// that the last one ends where the audit begins, or at a row that it still has. The files must be in the
// order of the chain. It returns where they begin and end. Only an admin or the operator may: NotAllowed. It
// leaves no audit row. Returns Corrupt if the files do not belong to this audit, and Invalid if a file between
// them, or between the last one and the audit, is missing.
func (a *Audit) VerifySpans(ctx context.Context, call domain.Call, files []Span) (Span, error) {
	if err := call.Caller.MayManage(domain.ScopeManageAudit); err != nil {
		return Span{}, err
	}
	all, err := joined(files)
	if err != nil {
		return all, err
	}
	begins, err := a.begins(ctx)
	if err != nil {
		return all, err
	}
	is := begins.ChainPoint
	switch {
	case all.To.Seq < begins.Seq:
		return all, &domain.Error{Kind: domain.Invalid,
			Public: fmt.Sprintf("the files end at seq %d, and the audit begins after seq %d; name the files between too", all.To.Seq, begins.Seq)}
	case all.To.Seq > begins.Seq:
		rows, err := a.ports.Chain.Links(ctx, all.To.Seq-1, 1)
		if err != nil {
			return all, err
		}
		if len(rows) > 0 {
			is = rows[0].Link.ChainPoint
		}
	}
	if is != all.To {
		return all, &domain.Error{Kind: domain.Corrupt, Public: fmt.Sprintf("the files do not belong to this audit: it does not have their last row, at seq %d", all.To.Seq)}
	}
	return all, nil
}

// joined joins files that follow each other.
func joined(files []Span) (Span, error) {
	if len(files) == 0 {
		return Span{}, &domain.Error{Kind: domain.Invalid, Public: "name at least one file"}
	}
	all := files[0]
	for _, next := range files[1:] {
		switch {
		case next.From.Seq != all.To.Seq:
			return all, &domain.Error{Kind: domain.Invalid, Public: fmt.Sprintf("the files have no rows between seq %d and seq %d, or have some twice", all.To.Seq, next.From.Seq+1)}
		case next.From != all.To:
			return all, &domain.Error{Kind: domain.Corrupt, Public: fmt.Sprintf("the files do not belong together: the one from seq %d on goes on after another row", next.From.Seq+1)}
		}
		all.To = next.To
	}
	return all, nil
}
