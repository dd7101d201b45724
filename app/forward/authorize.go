package forward

import (
	"context"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// authorize finds out who calls and what they may use, charges their open calls and their rate, and
// opens the call. It reads no body. It fills in out, also if it fails.
func (f *Forwarder) authorize(ctx context.Context, call domain.Call, route domain.Route, in Input, out *Result) (*openCall, error) {
	access, err := f.lookUp(ctx, call.Caller, in, out)
	if err == nil {
		var rechecked bool
		if rechecked, err = f.ports.SignOns.Recheck(ctx, access.Caller.Login); rechecked {
			access, err = f.lookUp(ctx, call.Caller, in, out)
		}
	}
	out.Caller = access.Caller
	if err != nil {
		return nil, err
	}
	if end, soon := access.TokenEnds(f.ports.Clock()); soon {
		out.TokenEnds = end
	}
	call.Caller = access.Caller
	ports.HeldIn(ctx).For(domain.HolderOf(access.Caller, call.Address))
	for _, scope := range route.Endpoint.Scopes().List() {
		if err := access.May(scope); err != nil {
			return nil, err
		}
	}
	release, err := f.charge(access, out)
	if err != nil {
		return nil, err
	}
	return f.open.begin(ctx, &openCall{call: call, access: access, route: route, began: f.ports.Clock(), release: release}), nil
}

// charge counts the call against the caller's open calls and their rate. release ends the open
// call. A call that is refused counts against neither.
func (f *Forwarder) charge(access domain.Access, out *Result) (release func(), err error) {
	release = func() {}
	if f.ports.OpenCalls != nil {
		if release, err = f.ports.OpenCalls.Begin(access.OpenBudget()); err != nil {
			return nil, err
		}
	}
	if f.ports.Rates != nil {
		if out.Rate, err = f.ports.Rates.Take(access.RateBudget(out.Endpoint)); err != nil {
			release()
			return nil, err
		}
	}
	return release, nil
}

// lookUp finds out who calls and what they may use. It puts resealed cookies into out.
func (f *Forwarder) lookUp(ctx context.Context, known domain.Caller, in Input, out *Result) (domain.Access, error) {
	switch {
	case in.Project != "":
		return f.accessByName(ctx, known, in, out)
	case out.Endpoint.BySession:
		if in.Handle == "" || strings.HasPrefix(in.Handle, domain.TokenPrefix) {
			return domain.Access{}, noHandle()
		}
		return f.accessByHandle(ctx, known, in.Handle)
	case !in.Token.IsZero():
		return f.accessByToken(ctx, in.Token)
	}
	return f.accessByCookies(ctx, known, in, out)
}

// accessByName looks up the use of the assistant that the call names. Whether the caller may use
// it is for Access.May to say.
func (f *Forwarder) accessByName(ctx context.Context, known domain.Caller, in Input, out *Result) (domain.Access, error) {
	switch {
	case known.ID != "" && known.MayChat() != nil:
		return domain.Access{}, known.MayChat()
	case !in.Token.IsZero() || in.Handle != "" || in.AssistantCookie != "":
		return domain.Access{}, domain.NeedsLogin()
	case out.Endpoint.BySession || out.Endpoint.Starts:
		return domain.Access{}, &domain.Error{
			Kind:   domain.Invalid,
			Public: "a call that names its assistant can't use a v4 session; set the assistant with POST /set_project",
		}
	}
	login, err := f.openLogin(known, in.UserCookie)
	if err != nil {
		return domain.Access{}, err
	}
	access, err := f.accessByLogin(ctx, known, login, domain.UseProject(in.Project), out)
	if err != nil {
		return access, err
	}
	return access, f.use(ctx, access)
}

func (f *Forwarder) accessByToken(ctx context.Context, text domain.Secret) (domain.Access, error) {
	hash, err := domain.ParseAccessToken(text)
	if err != nil {
		return domain.Access{}, err
	}
	access, err := f.ports.Access.ByToken(ctx, hash)
	if domain.KindOf(err) == domain.NotFound {
		return domain.Access{}, domain.InvalidAccessToken(err)
	}
	if err == nil && access.Project.ID == "" {
		return access, &domain.Error{
			Kind:   domain.NotAuthenticated,
			Public: "this access token manages and is for no assistant; create one with the project_id of an assistant" + domain.SeeScopes,
		}
	}
	return access, err
}

func (f *Forwarder) accessByHandle(ctx context.Context, host domain.Caller, handle string) (domain.Access, error) {
	claims, _, err := f.ports.Sessions.Open(domain.ConversationHandle, handle, invalidHandle)
	if err != nil {
		return domain.Access{}, err
	}
	access, err := f.ports.Access.ByConversation(ctx, domain.ConversationID(claims.Session), host)
	if domain.KindOf(err) == domain.NotFound {
		return domain.Access{}, invalidHandle(err)
	}
	if err != nil {
		return domain.Access{}, err
	}
	if !access.Conversation.Claims(access.Caller.ID).Equal(claims) {
		return domain.Access{}, invalidHandle(nil)
	}
	return access, f.use(ctx, access)
}

// noHandle returns the error for a turn in a v4 session without a text that could be a handle.
func noHandle() error {
	return &domain.Error{
		Kind:   domain.NotAuthenticated,
		Public: "Authorization must have the session key of a v4 session and nothing else; start one with POST /v4/project/{projectID}/session" + domain.SeeRefused,
	}
}

// invalidHandle returns the only error for a handle, whatever is wrong with it.
func invalidHandle(cause error) error {
	return &domain.Error{
		Kind: domain.NotAuthenticated, Cause: cause,
		Public: "the session key in Authorization is invalid or expired; start a new session with POST /v4/project/{projectID}/session" + domain.SeeRefused,
	}
}

func (f *Forwarder) accessByCookies(ctx context.Context, known domain.Caller, in Input, out *Result) (domain.Access, error) {
	var set domain.Claims
	var setBy domain.KeyID
	if known.ID == "" && in.UserCookie == "" {
		return domain.Access{}, noCredential(in.Handle)
	}
	login, err := f.openLogin(known, in.UserCookie)
	if err != nil {
		return domain.Access{}, err
	}
	if in.AssistantCookie != "" {
		if set, setBy, err = f.ports.Sessions.Open(domain.AssistantSession, in.AssistantCookie, notSet); err != nil {
			return domain.Access{}, err
		}
	}
	access, err := f.accessByLogin(ctx, known, login, domain.UseSession(set.Session), out)
	if err != nil {
		return domain.Access{}, err
	}
	switch {
	case in.AssistantCookie == "":
		return access, &domain.Error{Kind: domain.NoAssistant, Public: "no assistant is set; set one with POST /set_project" + domain.SeeRefused}
	case access.Session.ID == "" || !access.Session.Claims(access.Project.Version).Equal(set):
		return access, notSet(nil)
	}
	if err := f.use(ctx, access); err != nil {
		return access, err
	}
	f.ports.Sessions.MarkSealed(ctx, access.Session, setBy)
	out.AssistantCookie = f.ports.Sessions.Reseal(ctx, access.Session, access.Project.Version, setBy)
	return access, nil
}

// noCredential returns the error for a call without an access token and without cookies.
// authorization is what the call has in Authorization instead.
func noCredential(authorization string) error {
	happened := "the call has no credential"
	if authorization != "" {
		happened = "Authorization has no access token"
	}
	return &domain.Error{
		Kind:   domain.NotAuthenticated,
		Public: happened + "; send an access token (flk_…) in Authorization, or log in and send the cookies" + domain.SeeRefused,
	}
}

// shownLogin is the login that a caller shows. It is zero for a user of a host program.
type shownLogin struct {
	claims   domain.Claims
	sealedBy domain.KeyID // the key that sealed the cookie; "" if the caller is known already
}

// openLogin returns the login that the caller is known by, or opens the cookie user_session. A user
// of a host program needs neither.
func (f *Forwarder) openLogin(known domain.Caller, cookie string) (login shownLogin, err error) {
	switch {
	case known.ID == "":
		login.claims, login.sealedBy, err = f.ports.Sessions.OpenLogin(cookie)
	case known.Login.ID != "":
		login.claims = known.Login.Claims("")
	}
	return login, err
}

// accessByLogin looks up the user by their login, or as the host program's, together with what they
// use. It puts the resealed cookie into out. Returns NotAuthenticated if there is no such user or
// login.
func (f *Forwarder) accessByLogin(ctx context.Context, known domain.Caller, login shownLogin, use domain.Use, out *Result) (domain.Access, error) {
	if login.claims.Session == "" {
		return f.ports.Access.ByHostUser(ctx, known, use)
	}
	access, err := f.ports.Access.ByLogin(ctx, login.claims.Session, use)
	switch {
	case domain.KindOf(err) == domain.NotFound:
		return domain.Access{}, domain.NotLoggedIn(err)
	case err != nil:
		return domain.Access{}, err
	case !access.Caller.Login.Claims("").Equal(login.claims):
		return domain.Access{}, domain.NotLoggedIn(nil)
	}
	if known.ID == "" {
		f.ports.Sessions.MarkSealed(ctx, access.Caller.Login, login.sealedBy)
		out.UserCookie = f.ports.Sessions.Reseal(ctx, access.Caller.Login, "", login.sealedBy)
	}
	return access, nil
}

// notSet returns the only error for an assistant session, whatever is wrong with it.
func notSet(cause error) error {
	return &domain.Error{Kind: domain.NotAuthenticated, Public: "the assistant is no longer set; set it again with POST /set_project" + domain.SeeRefused, Cause: cause}
}

// use records the use of the assistant session and of its login, or of the login of a caller who
// names an assistant.
func (f *Forwarder) use(ctx context.Context, a domain.Access) error {
	for _, session := range []domain.Session{a.Caller.Login, a.Session} {
		if session.ID == "" {
			continue
		}
		if err := f.ports.Sessions.Use(ctx, session); err != nil {
			return err
		}
	}
	return nil
}
