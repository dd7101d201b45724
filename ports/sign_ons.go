package ports

import (
	"context"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// SignOns keeps the logins that the company's identity provider opens, with the groups of their users.
type SignOns interface {
	// Open lets SignOn.Decide decide, and stores what it decides and the login in one change: a new
	// user or the changed one, their groups, the grants that come and go with them, the sessions that
	// end, the login with what is kept of it, and the audit. rec is the record of the login; each of
	// SignOnChange.Changes gets a record of domain.ActorProvider with the time, the request id and the
	// address of rec. login is of in.User.
	//
	// Returns the error of Decide, and then stores nothing. Returns Conflict if once has been used
	// before (Once); in that case too nothing is stored. The zero Once is never used. Returns
	// domain.SessionEnded, and stores nothing, if Logout has ended the session at the provider that kept
	// names, until ProviderLogout.Ends. Logins of one user are as many as SessionStore says.
	Open(ctx context.Context, in domain.SignOn, login domain.Session, kept domain.ProviderSession, once domain.Once,
		rec domain.Record) (domain.SignOnChange, error)

	// Find returns what is kept of the login. Returns NotFound if the identity provider did not open
	// it, and if it is over.
	Find(ctx context.Context, login domain.SessionID) (domain.ProviderSession, error)

	// Claim moves Session.Recheck of the login to next, if it is due at now, and reports whether it
	// did. Of several calls at the same instant, on any instances, one gets true. A login that is over
	// is not due. It keeps no record.
	Claim(ctx context.Context, login domain.SessionID, now, next time.Time) (bool, error)

	// Renew is Open for a login that is open: it applies the groups, replaces what is kept of the login
	// and sets its Recheck to next. It keeps a record of each of SignOnChange.Changes only, as
	// Open does, with rec in place of the record of the login. Returns NotFound if the login is over.
	Renew(ctx context.Context, in domain.SignOn, kept domain.ProviderSession, next time.Time, rec domain.Record) (domain.SignOnChange, error)

	// Refuse ends the login with what is under it, since the identity provider refused to renew it, and
	// keeps rec. If the login is over it succeeds and keeps no record.
	Refuse(ctx context.Context, login domain.SessionID, rec domain.Record) error

	// Logout ends the logins that ProviderLogout.Names names, with what is under them, keeps rec, and
	// returns how many it ended, which may be none. Returns Conflict, and changes nothing, if the ID of
	// the logout was used before at its issuer.
	Logout(ctx context.Context, out domain.ProviderLogout, rec domain.Record) (int, error)
}
