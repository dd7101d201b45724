package audit

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

const (
	// turnLength is how long a turn lasts unless it is renewed.
	turnLength = 2 * time.Minute
	// turnRenewal is how often a turn is renewed.
	turnRenewal = 20 * time.Second
	// checkTries is how often the result of a verification is stored while others store theirs.
	checkTries = 5
)

// Health is what a service tells about its audit.
type Health struct {
	// Lag is how long the first row that is not in the chain yet has been waiting. It is usually less
	// than a second.
	Lag time.Duration
	// Broken tells that the last verification found the chain broken.
	Broken bool
	// Verified is when the last verification of any sort ended. Whole is when the last verification of
	// the whole chain ended. They are zero if none has ended.
	Verified, Whole time.Time
	// NotCut says why old rows can't be removed, "" if they can.
	NotCut string
}

// Health returns how the audit is, from what is stored: it verifies nothing. It has no caller, since it is
// for the service itself.
func (a *Audit) Health(ctx context.Context) (Health, error) {
	check, _, err := a.check(ctx)
	if err != nil {
		return Health{}, err
	}
	since, err := a.ports.Chain.Waiting(ctx)
	if err != nil {
		return Health{}, err
	}
	h := Health{Broken: check.Broken() != "", Verified: check.Last(), Whole: check.Whole.At, NotCut: check.Cut.Broken}
	if !since.IsZero() {
		h.Lag = max(a.ports.Clock().Sub(since), 0)
	}
	return h, nil
}

// VerifyInTurn verifies the audit if that is due: what was added since the verification before, and once a
// day the whole chain. Of all instances on one database, one does it for all. The others return at once.
// Start calls it all the time.
//
// What it finds is stored, signed by the keyset, and the verification of the whole chain trusts nothing of
// it. If it finds a break that no verification found before, it leaves a row of the service. It is no error
// that the chain is broken.
func (a *Audit) VerifyInTurn(ctx context.Context) error {
	check, _, err := a.check(ctx)
	if now := a.ports.Clock(); err != nil || !check.AddedDue(now) && !check.WholeDue(now) {
		return err
	}
	return a.verifyInTurn(ctx, "")
}

// verifyInTurn is VerifyInTurn, for the request with that id, if there is one.
func (a *Audit) verifyInTurn(ctx context.Context, request string) error {
	turn, err := a.take(ctx, domain.TurnVerify)
	if turn == nil {
		return err
	}
	defer turn.free(ctx)
	check, _, err := a.check(ctx) // another instance may have had the turn meanwhile
	if err != nil {
		return err
	}
	if !check.Whole.At.IsZero() && check.AddedDue(a.ports.Clock()) {
		if err := a.verifyAdded(ctx, check, request); err != nil {
			return err
		}
	}
	if check.WholeDue(a.ports.Clock()) {
		return a.verifyWhole(ctx, turn, request)
	}
	return nil
}

// verifyAdded verifies what was added since the last verification that found nothing broken. Its errors say
// nothing about the chain.
func (a *Audit) verifyAdded(ctx context.Context, check domain.AuditCheck, request string) error {
	_, left := a.chain(ctx)
	if left != nil && domain.KindOf(left) != domain.Corrupt {
		return left
	}
	end, err := a.addedSince(ctx, check.From())
	if err == nil {
		err = left
	}
	if err != nil && domain.KindOf(err) != domain.Corrupt {
		return err
	}
	return a.noteCheck(ctx, request, func(c domain.AuditCheck) domain.AuditCheck { return c.WithAdded(a.found(end, err)) })
}

// addedSince verifies the chain from a point on, which was verified earlier.
func (a *Audit) addedSince(ctx context.Context, from domain.ChainPoint) (domain.ChainPoint, error) {
	head, err := a.ports.Chain.Head(ctx)
	if err != nil {
		return from, err
	}
	if head.Seq < from.Seq {
		return from, head.RolledBack(from)
	}
	return a.verifyLinks(ctx, from, func(domain.ChainPoint, domain.ChainedRow) {}, nil)
}

// verifyWhole verifies the whole chain. Meanwhile it goes on to verify what was added, and keeps the turn.
// Its errors say nothing about the chain.
func (a *Audit) verifyWhole(ctx context.Context, turn *turn, request string) error {
	began := time.Now()
	end, err := a.verify(ctx, domain.ChainPoint{}, func(ctx context.Context) error {
		rest(ctx, time.Since(began))
		began = time.Now()
		if err := turn.keep(ctx); err != nil {
			return err
		}
		check, _, err := a.check(ctx)
		if err != nil || check.Whole.At.IsZero() || !check.AddedDue(a.ports.Clock()) {
			return err
		}
		return a.verifyAdded(ctx, check, request)
	})
	if err != nil && domain.KindOf(err) != domain.Corrupt {
		return err
	}
	return a.noteCheck(ctx, request, func(c domain.AuditCheck) domain.AuditCheck { return c.WithWhole(a.found(end.ChainPoint, err)) })
}

// rest pauses for as long as a page took, so that a long verification takes half of a core at most.
func rest(ctx context.Context, took time.Duration) {
	timer := time.NewTimer(min(took, time.Second))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// check returns what the verifications have found so far, and how it is stored. If the keyset did not seal
// what is stored, nothing is known yet.
func (a *Audit) check(ctx context.Context) (domain.AuditCheck, domain.Sealed, error) {
	stored, err := a.ports.Checks.Get(ctx)
	if err != nil || stored.IsZero() {
		return domain.AuditCheck{}, stored, err
	}
	text, err := a.ports.Cipher.Open(stored, domain.BindAuditCheck())
	if domain.KindOf(err) == domain.Corrupt {
		return domain.AuditCheck{}, stored, nil
	}
	if err != nil {
		return domain.AuditCheck{}, stored, err
	}
	check, err := domain.ParseAuditCheck(text.Reveal())
	if err != nil {
		check = domain.AuditCheck{}
	}
	return check, stored, nil
}

// noteCheck stores the check as change makes it from the stored one. If that tells of a break that is news,
// a row of the service tells of it, in the same change. recs are stored in place of that row, if there are
// any.
func (a *Audit) noteCheck(ctx context.Context, request string, change func(domain.AuditCheck) domain.AuditCheck, recs ...domain.Record) error {
	for range checkTries {
		before, stored, err := a.check(ctx)
		if err != nil {
			return err
		}
		after := change(before)
		told := recs
		if len(recs) == 0 && after.Tells(before) {
			told = []domain.Record{a.brokenRecord(after, request)}
		}
		sealed, err := a.ports.Cipher.Seal(domain.NewSecret(after.Text()), domain.BindAuditCheck())
		if err != nil {
			return err
		}
		if put, err := a.ports.Checks.Put(ctx, stored, sealed, told...); err != nil || put {
			return err
		}
	}
	return &domain.Error{Kind: domain.Unavailable, Public: "the result of a verification of the audit could not be stored; try again"}
}

// brokenRecord is the row of the service that tells of a break.
func (a *Audit) brokenRecord(check domain.AuditCheck, request string) domain.Record {
	at := check.Added
	if check.Whole.Broken != "" {
		at = check.Whole
	}
	rec := domain.Call{RequestID: request}.Record(a.ports.Clock(), domain.ActionVerifyAudit, domain.OnAudit(at.Point))
	rec.Actor, rec.Outcome = domain.ActorService, domain.OutcomeBroken
	return rec
}

// turn is a turn that this instance has. Each has a holder of its own, so that two tasks of one instance
// exclude each other too.
type turn struct {
	audit   *Audit
	name    domain.Turn
	holder  string
	renewed time.Time
}

// take takes the turn. It returns nil if another instance has it.
func (a *Audit) take(ctx context.Context, name domain.Turn) (*turn, error) {
	t := &turn{audit: a, name: name, holder: rand.Text(), renewed: a.ports.Clock()}
	got, err := a.ports.Checks.Claim(ctx, name, t.holder, t.renewed.Add(turnLength))
	if err != nil || !got {
		return nil, err
	}
	return t, nil
}

// keep renews the turn now and then. Returns Unavailable if another instance has the turn by now, as after a
// long pause of this process.
func (t *turn) keep(ctx context.Context) error {
	now := t.audit.ports.Clock()
	if age := now.Sub(t.renewed); age >= 0 && age < turnRenewal {
		return nil
	}
	got, err := t.audit.ports.Checks.Claim(ctx, t.name, t.holder, now.Add(turnLength))
	if err == nil && !got {
		err = &domain.Error{Kind: domain.Unavailable, Public: "another instance has begun to do the same, since this one paused"}
	}
	t.renewed = now
	return err
}

// free lets others have the turn. If that fails, the turn ends by itself.
func (t *turn) free(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_, _ = t.audit.ports.Checks.Claim(ctx, t.name, t.holder, t.audit.ports.Clock())
}
