package bunstore

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.SignOns = (*SignOns)(nil)

// SignOns is a ports.SignOns on a Store.
type SignOns struct{ store *Store }

// providerSessionRow is what is kept of a login that the identity provider opened.
type providerSessionRow struct {
	LoginID domain.SessionID
	Issuer  string
	Subject string
	Sid     string

	sealedRow // zero without tokens
}

func (r *providerSessionRow) kept() domain.ProviderSession {
	return domain.ProviderSession{
		Login: r.LoginID, Identity: domain.Identity{Issuer: r.Issuer, Subject: r.Subject}, Sid: r.Sid, Tokens: r.sealed(),
	}
}

// In each of them, the last parameter is the time. A login that is over has nothing.
const (
	selectProviderSessions = `SELECT k.login_id, k.issuer, k.subject, k.sid, k.key_id, k.sealed FROM provider_sessions k JOIN sessions s ON s.id = k.login_id`

	findProviderSession       = selectProviderSessions + ` WHERE k.login_id = $1 AND s.idle > $2 AND s.expires > $2`
	providerSessionsBySid     = selectProviderSessions + ` WHERE k.issuer = $1 AND k.sid = $2 AND k.sid <> '' AND s.idle > $3 AND s.expires > $3`
	providerSessionsBySubject = selectProviderSessions + ` WHERE k.issuer = $1 AND k.subject = $2 AND s.idle > $3 AND s.expires > $3`
	lockInOrder               = ` ORDER BY s.id FOR UPDATE OF s`

	// claimRecheck does what domain.Session.RecheckDue says. Of two calls at the same instant, the second one
	// waits for the first one and finds nothing due.
	claimRecheck = `UPDATE sessions SET recheck = $2 WHERE id = $1 AND recheck <> 0 AND recheck <= $3 AND idle > $4 AND expires > $4`

	insertProviderSession = `INSERT INTO provider_sessions (login_id, issuer, subject, sid, key_id, sealed) VALUES ($1, $2, $3, $4, $5, $6)`
	updateProviderSession = `UPDATE provider_sessions SET issuer = $2, subject = $3, sid = $4, key_id = $5, sealed = $6 WHERE login_id = $1`
	setRecheck            = `UPDATE sessions SET recheck = $2 WHERE id = $1 AND idle > $3 AND expires > $3`

	endProviderLogin = `DELETE FROM sessions WHERE id = $1 AND idle > $2 AND expires > $2
	AND EXISTS (SELECT 1 FROM provider_sessions k WHERE k.login_id = sessions.id)`
)

// Open implements ports.SignOns.
func (o *SignOns) Open(ctx context.Context, in domain.SignOn, login domain.Session, kept domain.ProviderSession, once domain.Once,
	rec domain.Record) (domain.SignOnChange, error) {
	s := o.store
	var change domain.SignOnChange
	err := s.change(ctx, "open a login by the identity provider", func(ctx context.Context, tx bun.Tx) (err error) {
		if err := s.takeTurn(ctx, tx); err != nil {
			return err
		}
		if err := s.useOnce(ctx, tx, once, "this login"); err != nil {
			return err
		}
		if err := s.sessionGoesOn(ctx, tx, kept); err != nil {
			return err
		}
		if change, err = s.signOn(ctx, tx, in, rec); err != nil {
			return err
		}
		if err := s.insertLogin(ctx, tx, login, rec); err != nil {
			return err
		}
		_, err = s.exec(ctx, tx.Tx, insertProviderSession, keptValues(login.ID, kept)...)
		return err
	})
	if err != nil {
		return domain.SignOnChange{}, err
	}
	return change, nil
}

// Renew implements ports.SignOns.
func (o *SignOns) Renew(ctx context.Context, in domain.SignOn, kept domain.ProviderSession, next time.Time, rec domain.Record) (domain.SignOnChange, error) {
	s := o.store
	var change domain.SignOnChange
	err := s.change(ctx, "renew a login by the identity provider", func(ctx context.Context, tx bun.Tx) (err error) {
		if err := s.takeTurn(ctx, tx); err != nil {
			return err
		}
		now := micros(s.options.Now())
		var open []providerSessionRow
		if err := s.query(ctx, tx.Tx, &open, findProviderSession, string(kept.Login), now); err != nil {
			return err
		}
		if len(open) == 0 {
			return noSession()
		}
		if change, err = s.signOn(ctx, tx, in, rec); err != nil {
			return err
		}
		// The login is locked after the user. It may have ended meanwhile.
		n, err := s.exec(ctx, tx.Tx, setRecheck, string(kept.Login), microsOrNever(next), now)
		if err != nil {
			return err
		}
		if n == 0 {
			return noSession()
		}
		_, err = s.exec(ctx, tx.Tx, updateProviderSession, keptValues(kept.Login, kept)...)
		return err
	})
	if err != nil {
		return domain.SignOnChange{}, err
	}
	return change, nil
}

// keptValues returns the values of what is kept of a login.
func keptValues(login domain.SessionID, kept domain.ProviderSession) []any {
	var sealed any // NULL if there are no tokens
	if !kept.Tokens.IsZero() {
		sealed = kept.Tokens.Bytes
	}
	return []any{string(login), kept.Identity.Issuer, kept.Identity.Subject, kept.Sid, nullable(string(kept.Tokens.Key)), sealed}
}

// signOn lets in.Decide decide, and stores what it decides. The transaction has taken its turn, so that
// users, groups and rules stay. The user, the projects and the grants are locked in this order.
func (s *Store) signOn(ctx context.Context, tx bun.Tx, in domain.SignOn, rec domain.Record) (domain.SignOnChange, error) {
	var found domain.SignOnFound
	user, err := s.lockUserToLogIn(ctx, tx, domain.UserRef{Identity: in.Person.Identity})
	if err != nil {
		return domain.SignOnChange{}, err
	}
	if found.Rules, err = s.findRules(ctx, tx); err != nil {
		return domain.SignOnChange{}, err
	}
	var groups []groupRow
	if user.ID != "" {
		if err := s.query(ctx, tx.Tx, &groups, groupsOfUser, string(user.ID)); err != nil {
			return domain.SignOnChange{}, err
		}
	}
	// A rule for another group grants nothing, but Decide needs to know that there are rules.
	concerns := func(r domain.GroupRule) bool {
		return slices.Contains(in.Person.Groups.Names, r.Group) ||
			slices.ContainsFunc(groups, func(g groupRow) bool { return g.Name == r.Group })
	}
	others := slices.DeleteFunc(slices.Clone(found.Rules), concerns)
	names, rules, err := s.keepProjects(ctx, tx, slices.DeleteFunc(found.Rules, func(r domain.GroupRule) bool { return !concerns(r) }))
	if err != nil {
		return domain.SignOnChange{}, err
	}
	found.Rules = append(rules, others...)
	admin := in.User
	if user.ID != "" {
		admin = user.ID
		if found.Member, err = s.findMember(ctx, tx, user, groups); err != nil {
			return domain.SignOnChange{}, err
		}
	} else if found.Taken, err = s.takenNames(ctx, tx, in.Person.Usernames()); err != nil {
		return domain.SignOnChange{}, err
	}
	if found.OtherAdmin, err = hasOtherAdmin(ctx, tx, admin); err != nil {
		return domain.SignOnChange{}, err
	}
	change, err := in.Decide(found)
	if err != nil {
		return domain.SignOnChange{}, err
	}
	return change, s.storeChange(ctx, tx, found.Member, change, names, domain.ActorProvider, rec)
}

// takenNames returns those of the names that users have.
func (s *Store) takenNames(ctx context.Context, tx bun.Tx, names []domain.Username) ([]domain.Username, error) {
	var taken []domain.Username
	err := tx.NewSelect().Model((*userRow)(nil)).Column("name").Where("name IN (?)", bun.List(names)).Scan(ctx, &taken)
	return taken, err
}

// Find implements ports.SignOns.
func (o *SignOns) Find(ctx context.Context, login domain.SessionID) (domain.ProviderSession, error) {
	s := o.store
	var rows []providerSessionRow
	err := s.read(ctx, "find a login by the identity provider", func(ctx context.Context) error {
		return s.lookUp(ctx, &rows, findProviderSession, string(login), micros(s.options.Now()))
	})
	if err != nil {
		return domain.ProviderSession{}, err
	}
	if len(rows) == 0 {
		return domain.ProviderSession{}, noSession()
	}
	return rows[0].kept(), nil
}

// Claim implements ports.SignOns.
func (o *SignOns) Claim(ctx context.Context, login domain.SessionID, now, next time.Time) (bool, error) {
	s := o.store
	var claimed bool
	err := s.write(ctx, "claim the recheck of a login", func(ctx context.Context, on handle) error {
		n, err := s.exec(ctx, on, claimRecheck, string(login), microsOrNever(next), micros(now), micros(s.options.Now()))
		claimed = n == 1
		return err
	})
	return claimed, err
}

// Refuse implements ports.SignOns.
func (o *SignOns) Refuse(ctx context.Context, login domain.SessionID, rec domain.Record) error {
	s := o.store
	return s.change(ctx, "refuse to renew a login", func(ctx context.Context, tx bun.Tx) error {
		n, err := s.exec(ctx, tx.Tx, endProviderLogin, string(login), micros(s.options.Now()))
		if err != nil || n == 0 {
			return err
		}
		return s.audit(ctx, tx.Tx, rec)
	})
}

// sessionGoesOn returns domain.SessionEnded if a logout has ended the session of the login at the
// provider. The transaction has taken its turn, as logouts do.
func (s *Store) sessionGoesOn(ctx context.Context, tx bun.Tx, kept domain.ProviderSession) error {
	if ended, err := s.remembered(ctx, tx, kept.EndedSession()); err != nil || !ended {
		return err
	}
	return domain.SessionEnded()
}

// Logout implements ports.SignOns. It takes its turn, so that it also sees a login that is opened at the
// same time. A login that is opened later sees what it remembers.
func (o *SignOns) Logout(ctx context.Context, out domain.ProviderLogout, rec domain.Record) (int, error) {
	s := o.store
	ended := 0
	err := s.change(ctx, "end logins by the identity provider", func(ctx context.Context, tx bun.Tx) error {
		if err := s.takeTurn(ctx, tx); err != nil {
			return err
		}
		if err := s.useOnce(ctx, tx, out.Once(), "this logout token"); err != nil {
			return err
		}
		if err := s.rememberOnce(ctx, tx, out.EndedSession()); err != nil {
			return err
		}
		statement, by := providerSessionsBySid, out.Sid
		if out.Sid == "" {
			statement, by = providerSessionsBySubject, out.Identity.Subject
		}
		if s.postgres {
			statement += lockInOrder
		}
		var rows []providerSessionRow
		if err := s.query(ctx, tx.Tx, &rows, statement, out.Identity.Issuer, by, micros(s.options.Now())); err != nil {
			return err
		}
		var named []domain.SessionID
		for i := range rows {
			if kept := rows[i].kept(); out.Names(kept) {
				named = append(named, kept.Login)
			}
		}
		ended = len(named)
		for chunk := range slices.Chunk(named, maxList) {
			if _, err := tx.NewDelete().Model((*sessionRow)(nil)).Where("id IN (?)", bun.List(chunk)).Exec(ctx); err != nil {
				return err
			}
		}
		return s.audit(ctx, tx.Tx, rec)
	})
	if err != nil {
		return 0, err
	}
	return ended, nil
}
