package app

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/flowlatch/flowlatch/app/session"
	"github.com/flowlatch/flowlatch/app/signon"
	"github.com/flowlatch/flowlatch/domain"
)

// FinishSignOn is the input of Service.FinishSignOn: the cookie of the browser and the parameters of the
// provider's answer, as they came.
type FinishSignOn struct {
	Cookie string
	Code   domain.Secret
	State  domain.Secret
	Issuer string // iss (RFC 9207); "" if there is none
	Error  string // error (RFC 6749, section 4.1.2.1)
	// Strict says that the browser does not send the cookie of its login with the answer, which comes
	// from another site. To link, a login must come with the answer otherwise.
	Strict bool
}

// SignedOn is the outcome of Service.FinishSignOn.
type SignedOn struct {
	User   domain.User
	Cookie session.Cookie // user_session; empty if Linked
	Linked bool           // the caller's user is linked to the identity now
	Return string         // the local path to go to; "" for the overview
}

// FinishSignOn ends what StartSignOn began: it opens a login, or links the caller's user. Returns
// NotAuthenticated if the answer does not belong to this browser, if the provider refused, or if anything
// about its ID token is wrong, and if an answer with this state was used before. Returns
// TooManyRequests after too many logins of the user, and after too many codes that the provider refused. Returns the errors of domain.SignOn.Decide and of
// ports.IdentityProvider. To link, it returns NotAuthenticated if the login that began is over, and the
// errors of LinkIdentity. With an error, User is who it is about, if that is known.
func (s *Service) FinishSignOn(ctx context.Context, call domain.Call, in FinishSignOn) (SignedOn, error) {
	if err := s.mustSignOn(); err != nil {
		return SignedOn{}, err
	}
	under, ends, err := s.openSignOn(in.Cookie)
	if err != nil {
		return SignedOn{}, err
	}
	if err := s.checkAnswer(under, in); err != nil {
		return SignedOn{}, err
	}
	answer, err := s.redeem(ctx, call, under, in.Code)
	if err != nil {
		return SignedOn{}, err
	}
	if answer.Person.Identity.Issuer != s.provider.Issuer() {
		return SignedOn{}, otherProvider()
	}
	if under.Link != "" {
		return s.linkOwn(ctx, call, under, in.Strict, answer.Person.Identity)
	}
	out, err := s.signOnAs(ctx, call, answer, onceOf(under, ends))
	out.Return = under.Return
	return out, err
}

// redeem lets the identity provider redeem the code. A code that the provider refuses counts as a failed
// login of the address, and of the login that is under way. Otherwise anybody could let the service send
// any number of requests to the provider.
func (s *Service) redeem(ctx context.Context, call domain.Call, under signOnUnderWay, code domain.Secret) (domain.ProviderAnswer, error) {
	succeeded, err := s.ports.Logins.Attempts.Begin(domain.Username(onceOf(under, time.Time{}).ID), call.Address)
	if err != nil {
		return domain.ProviderAnswer{}, err
	}
	answer, err := s.provider.Redeem(ctx, code, under.sent())
	if domain.KindOf(err) != domain.NotAuthenticated {
		succeeded()
	}
	return answer, err
}

// openSignOn returns what the cookie of a login by the identity provider holds, and when it ends. Returns
// NotAuthenticated if the cookie is missing, invalid or expired.
func (s *Service) openSignOn(cookie string) (under signOnUnderWay, ends time.Time, err error) {
	again := &domain.Error{
		Kind:   domain.NotAuthenticated,
		Public: "this login was not started in this browser, or it took longer than 10 minutes; log in again",
	}
	plain, ends, err := s.cookies.OpenUntil(domain.BindSignOn(), cookie)
	switch {
	case domain.KindOf(err) == domain.Unavailable:
		return signOnUnderWay{}, time.Time{}, err
	case err != nil, !s.ports.Clock().Before(ends), json.Unmarshal([]byte(plain), &under) != nil:
		return signOnUnderWay{}, time.Time{}, again
	}
	return under, ends, nil
}

// checkAnswer returns NotAuthenticated unless the answer belongs to the login that is under way and has a
// code.
func (s *Service) checkAnswer(under signOnUnderWay, in FinishSignOn) error {
	refused := func(public string) error { return &domain.Error{Kind: domain.NotAuthenticated, Public: public} }
	switch {
	case in.State.IsZero(), !in.State.Equal(domain.NewSecret(under.State)):
		return refused("the answer of the identity provider does not belong to this login; log in again")
	case under.Issuer != s.provider.Issuer(), in.Issuer != "" && in.Issuer != under.Issuer:
		return otherProvider()
	case in.Error != "":
		return refused(whyRefused(in.Error))
	case in.Code.IsZero():
		return refused("the answer of the identity provider has no code; log in again")
	}
	return nil
}

func otherProvider() error {
	return &domain.Error{Kind: domain.NotAuthenticated, Public: "the answer is of another identity provider; log in again"}
}

// whyRefused returns a sentence for an error that the identity provider answers with (RFC 6749, section
// 4.1.2.1; OpenID Connect Core 1.0, section 3.1.2.6). It repeats nothing of an answer.
func whyRefused(code string) string {
	switch code {
	case "access_denied":
		return "the identity provider did not let you in, or you canceled the login; ask whoever manages the logins of your company"
	case "server_error", "temporarily_unavailable":
		return "the identity provider can't log anybody in now; try again later"
	case "invalid_request", "unsupported_response_type":
		return "the identity provider did not accept the request; an admin has to check how this application is set up there"
	case "unauthorized_client":
		return "the identity provider does not let this application log users in; an admin has to check how it is set up there"
	case "invalid_scope":
		return "the identity provider does not know a scope that was asked for; an admin has to check FLOWLATCH_OIDC_SCOPES"
	case "login_required", "interaction_required", "account_selection_required", "consent_required":
		return "the identity provider needs you to log in or to consent there first; log in again"
	}
	return "the identity provider refused the login; try again, or ask whoever manages the logins of your company"
}

// onceOf returns what remembers that the state was used. It does not keep the state itself.
func onceOf(under signOnUnderWay, ends time.Time) domain.Once {
	hash := sha256.Sum256([]byte(under.State))
	return domain.Once{Kind: domain.OnceSignOn, ID: base64.RawURLEncoding.EncodeToString(hash[:]), Ends: ends}
}

// signOnAs opens a login of the person in the answer. If another login has created the user meanwhile, it
// tries once more as that user.
func (s *Service) signOnAs(ctx context.Context, call domain.Call, answer domain.ProviderAnswer, once domain.Once) (SignedOn, error) {
	user, err := s.signOnUser(ctx, answer.Person.Identity)
	if err != nil {
		return SignedOn{}, err
	}
	if s.ports.UserRates != nil && user.Name != "" {
		if err := s.ports.UserRates.LogIn(user.ID, call.Address); err != nil {
			return SignedOn{User: user}, err
		}
	}
	out, err := s.openSignedOn(ctx, call, user, answer, once)
	if errors.Is(err, domain.ErrUsedOnce) { // a refusal, which the audit tells of
		return out, &domain.Error{Kind: domain.NotAuthenticated, Public: "this answer of the identity provider was used already; log in again", Cause: err}
	}
	if domain.KindOf(err) == domain.Conflict {
		meanwhile, failed := s.signOnUser(ctx, answer.Person.Identity)
		if failed == nil && meanwhile.Name != "" && meanwhile.ID != user.ID {
			return s.openSignedOn(ctx, call, meanwhile, answer, once)
		}
	}
	return out, err
}

// signOnUser returns the user who has the identity. If there is none, it returns a new id without a name.
func (s *Service) signOnUser(ctx context.Context, identity domain.Identity) (domain.User, error) {
	user, err := s.ports.Store.Users.Find(ctx, domain.UserRef{Identity: identity})
	if domain.KindOf(err) != domain.NotFound {
		return user, err
	}
	id, err := domain.NewUserID(s.ports.Clock(), s.ports.Random)
	return domain.User{ID: id}, err
}

// openSignedOn opens a login of the user, which signOnUser returned.
func (s *Service) openSignedOn(ctx context.Context, call domain.Call, user domain.User, answer domain.ProviderAnswer, once domain.Once) (SignedOn, error) {
	out := SignedOn{}
	if user.Name != "" {
		out.User = user
	}
	now := s.ports.Clock()
	id, err := domain.NewSessionID(now, s.ports.Random)
	if err != nil {
		return out, err
	}
	login := domain.NewProviderLogin(id, user.ID, now, s.sessions.Lifetimes(), s.signOns.Every(answer.Refresh), call.Address, call.Agent)
	cookie, by, err := s.sessions.Seal(login, "")
	if err != nil {
		return out, err
	}
	login.SealedBy = by
	kept := domain.ProviderSession{Login: id, Identity: answer.Person.Identity, Sid: answer.Person.Sid}
	if kept.Tokens, err = s.signOns.Seal(id, signon.Tokens{ID: answer.IDToken, Refresh: answer.Refresh}); err != nil {
		return out, err
	}
	call.Caller = domain.Caller{ID: user.ID}
	in := domain.SignOn{Person: answer.Person, Policy: s.signOn.Policy, User: user.ID, At: domain.Instant(now)}
	change, err := s.ports.Store.SignOns.Open(ctx, in, login, kept, once, s.record(call, domain.ActionProviderLogin, domain.OnSession(id)))
	if err != nil {
		return out, err
	}
	return SignedOn{User: change.User, Cookie: cookie}, nil
}

// linkOwn links the user of the login that began to the identity. Returns NotAuthenticated if the browser
// is not logged in as that user: whoever plants a cookie must not link a victim's identity to a user of
// their own. A strict browser may not tell who is logged in.
func (s *Service) linkOwn(ctx context.Context, call domain.Call, under signOnUnderWay, strict bool, identity domain.Identity) (SignedOn, error) {
	if is := call.Caller.Login.ID; string(is) != under.Link && (is != "" || !strict) {
		return SignedOn{}, &domain.Error{Kind: domain.NotAuthenticated, Public: "this browser is not logged in as the user who is to be linked; log in and link your user again"}
	}
	caller, err := s.callerByLogin(ctx, domain.SessionID(under.Link))
	if err != nil {
		return SignedOn{}, err
	}
	call.Caller = caller
	act := s.act(call, domain.NeedsCaller(), domain.ActionLinkIdentity, domain.OnUser(caller.ID))
	user, err := s.link(ctx, act, caller.ID, identity)
	if err != nil {
		return SignedOn{User: domain.User{ID: caller.ID}}, err
	}
	return SignedOn{User: user, Linked: true, Return: under.Return}, nil
}
