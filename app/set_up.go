package app

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// SetupLinkLifetime is how long a set-up link can be used.
const SetupLinkLifetime = 30 * time.Minute

// setupTokenSize is how much randomness is in the token of a set-up link, in bytes.
const setupTokenSize = 32

// SetupLink lets whoever has its token create the first admin. Nothing is stored about it.
type SetupLink struct {
	Token   domain.Secret // characters of base64url only
	Expires time.Time     // exclusive
}

// SetUp is the input of Service.SetUp, as the caller gave it.
type SetUp struct {
	Token    domain.Secret
	Username string
	Password domain.Secret
}

// NewSetupLink makes a link for the first admin, who is created by SetUp. A link lasts SetupLinkLifetime
// and works on every instance while there is no user. Further links do not end it. If the keyset key
// that sealed it is retired, it is invalid.
//
// Only the operator may: NotAllowed. Returns Conflict if there is a user. Returns NotFound if a host
// program keeps the users.
func (s *Service) NewSetupLink(ctx context.Context, call domain.Call) (SetupLink, error) {
	if err := s.ownUsers(); err != nil {
		return SetupLink{}, err
	}
	if err := call.Caller.MaySetUp(); err != nil {
		return SetupLink{}, err
	}
	if has, err := s.HasUsers(ctx); err != nil {
		return SetupLink{}, err
	} else if has {
		return SetupLink{}, &domain.Error{Kind: domain.Conflict, Public: "there is a user already, so nobody can be created with a link; create an admin with flowlatch user create --admin"}
	}
	random := make([]byte, setupTokenSize)
	if _, err := io.ReadFull(s.ports.Random, random); err != nil {
		return SetupLink{}, fmt.Errorf("app: no randomness for a set-up link: %w", err)
	}
	expires := domain.Instant(s.ports.Clock().Add(SetupLinkLifetime))
	token, err := s.cookies.SealUntil(expires, string(random), domain.BindSetupLink())
	if err != nil {
		return SetupLink{}, err
	}
	return SetupLink{Token: domain.NewSecret(token), Expires: expires}, nil
}

// CheckSetupLink checks whether SetUp would accept the token now. It changes nothing. Returns NotFound,
// with a sentence that says how to get another link, if the token is invalid or has expired. Returns
// Conflict if there is a user. Returns NotFound if a host program keeps the users.
func (s *Service) CheckSetupLink(ctx context.Context, token domain.Secret) error {
	if err := s.ownUsers(); err != nil {
		return err
	}
	random, ends, err := s.cookies.OpenUntil(domain.BindSetupLink(), token.Reveal())
	if domain.KindOf(err) == domain.Unavailable {
		return err
	}
	if err != nil || len(random) != setupTokenSize {
		return noSetupLink("this set-up link is invalid")
	}
	// Nobody without a link asks the database.
	has, err := s.HasUsers(ctx)
	switch {
	case err != nil:
		return err
	case has:
		return domain.UserExists()
	case !s.ports.Clock().Before(ends):
		return noSetupLink("this set-up link has expired")
	}
	return nil
}

func noSetupLink(happened string) error {
	return &domain.Error{Kind: domain.NotFound, Public: happened + "; to get another one, run flowlatch setup-link on the machine of the service, or start the service again"}
}

// SetUp creates the first user, an admin, and logs them in. The token is the right to do so. Of several
// calls at the same instant, on any instances, one creates a user.
//
// Returns the errors of CheckSetupLink, and Conflict if somebody else has just created a user. Returns
// Invalid if the name or the password breaks a rule; the link can still be used then. The admin exists
// already if the login fails.
//
// Failures do not count as failed logins. A token can't be guessed, and nothing costs time or asks
// the database before it is opened.
func (s *Service) SetUp(ctx context.Context, call domain.Call, in SetUp) (LoggedIn, error) {
	if err := s.CheckSetupLink(ctx, in.Token); err != nil {
		return LoggedIn{}, err
	}
	name, err := domain.ParseUsername(in.Username)
	if err != nil {
		return LoggedIn{}, err
	}
	hash, err := s.ports.Logins.Passwords.Hash(ctx, in.Password)
	if err != nil {
		return LoggedIn{}, err
	}
	now := s.ports.Clock()
	id, err := domain.NewUserID(now, s.ports.Random)
	if err != nil {
		return LoggedIn{}, err
	}
	u := domain.NewUser(id, name, domain.RoleAdmin, hash, nil, now)
	call.Caller = domain.CallerBySetupLink()
	act := s.act(call, domain.NeedsNoUsers(), domain.ActionCreateUser, domain.OnUser(id))
	if err := s.ports.Store.Users.Create(ctx, act, u); err != nil {
		return LoggedIn{}, err
	}
	return s.openLogin(ctx, call, u, false)
}
