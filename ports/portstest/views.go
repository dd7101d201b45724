package portstest

import (
	"context"
	"slices"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// The suites often call several methods, or one method in one way. These functions name what
// they then do.

// gone is the error of a look-up here that found nothing.
var gone = &domain.Error{Kind: domain.NotFound}

// keysIn returns the sealed keys of the project by slot. It is NotFound if there is no such
// project.
func keysIn(ctx context.Context, in ports.ProjectRepository, id domain.ProjectID) (map[domain.Slot]domain.Sealed, error) {
	found, err := in.Find(ctx, everything, domain.ProjectRef{ID: id})
	if err == nil && len(found) != 1 {
		err = gone
	}
	if err != nil {
		return nil, err
	}
	keys := map[domain.Slot]domain.Sealed{}
	for _, slot := range domain.Slots() {
		if k := found[0].Key(slot); !k.Empty() {
			keys[slot] = k.Sealed
		}
	}
	return keys, nil
}

// keyed is p with that key in the primary slot.
func keyed(p domain.Project, key domain.Sealed) domain.Project {
	p.Primary.Sealed = key
	return p
}

// marked is p with that status of the key in the slot.
func marked(p domain.Project, slot domain.Slot, status domain.KeyStatus) domain.Project {
	switch slot {
	case domain.SlotPrimary:
		p.Primary.Status = status
	case domain.SlotSecondary:
		p.Secondary.Status = status
	case domain.SlotPersonal:
		p.Personal.Status = status
	}
	return p
}

// unsealed is p as a list shows it, without the sealed bytes of its keys.
func unsealed(p domain.Project) domain.Project {
	p.Primary.Sealed, p.Secondary.Sealed, p.Personal.Sealed = domain.Sealed{}, domain.Sealed{}, domain.Sealed{}
	return p
}

// allUnsealed returns the projects as a list shows them.
func allUnsealed(ps []domain.Project) []domain.Project {
	all := slices.Clone(ps)
	for i, p := range all {
		all[i] = unsealed(p)
	}
	return all
}

// putKey puts the key into the slot, as Voiceflow accepted it at that instant with that
// description.
func putKey(ctx context.Context, in ports.ProjectRepository, act domain.Act, id domain.ProjectID, slot domain.Slot, key domain.Sealed,
	as domain.Description, at time.Time) (domain.Project, error) {
	return in.Update(ctx, act, id, func(p *domain.Project) error {
		p.PutKey(slot, key, at, at)
		p.Describe(as)
		return nil
	})
}

// refresh stores the name of the project, as the operator's change.
func refresh(ctx context.Context, in ports.ProjectRepository, act domain.Act, id domain.ProjectID, as domain.Description) error {
	_, err := in.Update(ctx, act, id, func(p *domain.Project) error {
		p.Describe(as)
		return nil
	})
	return err
}

// markKey notes Voiceflow's verdict about the key, with the time of the question.
func markKey(ctx context.Context, in ports.ProjectRepository, id domain.ProjectID, key domain.Sealed, status domain.KeyStatus,
	at time.Time, rec domain.Record) error {
	return in.Note(ctx, id, func(p *domain.Project) bool { return p.Mark(key, status, at) }, rec)
}

// markOpens notes whether the key can be opened.
func markOpens(ctx context.Context, in ports.ProjectRepository, id domain.ProjectID, key domain.Sealed, opens bool, rec domain.Record) error {
	return in.Note(ctx, id, func(p *domain.Project) bool { return p.MarkOpens(key, opens) }, rec)
}

// markCredits notes what a call showed of the project's credits.
func markCredits(ctx context.Context, in ports.ProjectRepository, id domain.ProjectID, credits domain.Credits, rec domain.Record) error {
	return in.Note(ctx, id, func(p *domain.Project) bool { return p.MarkCredits(credits) }, rec)
}

// findSession returns the session as a page of its user's sessions shows it. It is NotFound
// if no page does.
func findSession(ctx context.Context, in ports.SessionStore, s domain.Session) (domain.Session, error) {
	all, err := in.Page(ctx, s.User, domain.Cursor{}, 10_000)
	if err != nil {
		return domain.Session{}, err
	}
	if i := slices.IndexFunc(all, func(there domain.Session) bool { return there.ID == s.ID }); i >= 0 {
		return all[i], nil
	}
	return domain.Session{}, gone
}

// endSessions ends the sessions. It is NotFound if nothing ended.
func endSessions(ctx context.Context, in ports.SessionStore, act domain.Act, which domain.SessionsToEnd) error {
	ended, err := in.End(ctx, act, which)
	if err == nil && ended == (domain.SessionsEnded{}) {
		return gone
	}
	return err
}

// byLogin returns the caller of the login.
func byLogin(ctx context.Context, in ports.Access, login domain.SessionID) (domain.Caller, error) {
	a, err := in.ByLogin(ctx, login, domain.Use{})
	return a.Caller, err
}

// byToken returns the caller of the access token.
func byToken(ctx context.Context, in ports.Access, hash domain.TokenHash) (domain.Caller, error) {
	a, err := in.ByToken(ctx, hash)
	return a.Caller, err
}
