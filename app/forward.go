package app

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flowlatch/flowlatch/app/session"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Forward is the input of Service.Forward, as the caller gave it.
type Forward struct {
	Service string // the name of Voiceflow's service
	Path    string // behind the service, with its percent-encoding

	// What says who calls. An access token counts before cookies. Under a host's own
	// authentication Call.Caller counts in the place of the cookie user_session.
	Token           domain.Secret // an access token, from Authorization
	Handle          string        // anything else in Authorization, for the calls of v4 sessions
	UserCookie      string
	AssistantCookie string
}

// Forwarded is the outcome of Service.Forward.
type Forwarded struct {
	// Response is Voiceflow's answer, for the caller to read and to close. It is nil when
	// Forward fails.
	Response *http.Response
	// Endpoint is what was called; nil for what is none.
	Endpoint *domain.Endpoint
	// Caller is who called, as far as that was found out.
	Caller domain.Caller
	// UserCookie and AssistantCookie are the cookies sealed anew, to be set in the answer,
	// also when Forward fails. The Text of one is "" where the one that was shown is good
	// for longer.
	UserCookie      session.Cookie
	AssistantCookie session.Cookie
	// Rate is what is left of the caller's rate; zero where there is no limit.
	Rate domain.Rate
}

// Forward sends the call that r is to Voiceflow with the key of the assistant that is set,
// or that the access token or the handle is for, put in, and returns the answer. r's
// method, query, headers and body are the caller's. Who calls and what they may do is
// looked up for each call; and while the call is open, Start ends it when that is taken
// away.
//
// It is NotFound for a call that is not among domain.Endpoints and for one that names
// another project; NotAuthenticated for whatever is wrong with who calls and for an
// assistant session that is not good; NoAssistant when there is none; NotAllowed without
// the scope; TooManyRequests past the caller's rate; Invalid for a query or body that
// can't be read; NeedsReentry where no key of the assistant opens; CredentialsRejected and
// VoiceflowUnavailable for what comes after. Where an assistant has two keys and Voiceflow
// refuses one, the other is tried, once.
func (s *Service) Forward(ctx context.Context, call domain.Call, in Forward, r *http.Request) (Forwarded, error) {
	route, err := domain.MatchEndpoint(in.Service, r.Method, in.Path)
	if err != nil {
		return Forwarded{}, err
	}
	out := Forwarded{Endpoint: route.Endpoint}
	access, err := s.access(ctx, call.Caller, in, &out)
	out.Caller = access.Caller
	if err != nil {
		return out, err
	}
	call.Caller = access.Caller
	if err := access.May(route.Endpoint.Scope); err != nil {
		return out, err
	}
	if s.ports.Rates != nil {
		if out.Rate, err = s.ports.Rates.Take(access.Actor()); err != nil {
			return out, err
		}
	}
	if access.Token.ID != "" && s.ports.Clock().Sub(access.Token.LastUsed) >= time.Minute {
		s.counts.tokenUsed(access.Token.ID, s.ports.Clock())
	}
	f := s.begin(ctx, call, access, route)
	out.Response, err = f.send(r) //nolint:bodyclose // the caller closes it
	return out, err
}

// access finds out who calls and what they may use, and puts the cookies that are sealed
// anew into out.
func (s *Service) access(ctx context.Context, host domain.Caller, in Forward, out *Forwarded) (domain.Access, error) {
	switch {
	case out.Endpoint.BySession:
		return s.accessByHandle(ctx, host, in.Handle)
	case !in.Token.IsZero():
		return s.accessByToken(ctx, in.Token)
	}
	return s.accessByCookies(ctx, host, in, out)
}

func (s *Service) accessByToken(ctx context.Context, text domain.Secret) (domain.Access, error) {
	hash, err := domain.ParseAccessToken(text)
	if err != nil {
		return domain.Access{}, err
	}
	access, err := s.ports.Store.Access.ByToken(ctx, hash)
	if domain.KindOf(err) == domain.NotFound {
		return domain.Access{}, domain.InvalidAccessToken(err)
	}
	if err == nil && access.Project.ID == "" {
		return access, domain.InvalidAccessToken(nil) // it manages, and opens no assistant
	}
	return access, err
}

func (s *Service) accessByHandle(ctx context.Context, host domain.Caller, handle string) (domain.Access, error) {
	wrong := func(cause error) error {
		return &domain.Error{Kind: domain.NotAuthenticated, Public: "the session key in Authorization is not good; open a new session", Cause: cause}
	}
	claims, _, err := s.sessions.Open(domain.ConversationHandle, handle, wrong)
	if err != nil {
		return domain.Access{}, err
	}
	access, err := s.ports.Store.Access.ByConversation(ctx, domain.ConversationID(claims.Session), host)
	if domain.KindOf(err) == domain.NotFound {
		return domain.Access{}, wrong(err)
	}
	if err != nil {
		return domain.Access{}, err
	}
	if !access.Conversation.Claims(access.Caller.ID).Equal(claims) {
		return domain.Access{}, wrong(nil)
	}
	return access, s.useBoth(ctx, access)
}

func (s *Service) accessByCookies(ctx context.Context, host domain.Caller, in Forward, out *Forwarded) (domain.Access, error) {
	var login, set domain.Claims
	var loginBy, setBy domain.KeyID
	var err error
	if host.ID == "" {
		if login, loginBy, err = s.sessions.OpenLogin(in.UserCookie); err != nil {
			return domain.Access{}, err
		}
	}
	if in.AssistantCookie != "" {
		if set, setBy, err = s.sessions.Open(domain.AssistantSession, in.AssistantCookie, notSet); err != nil {
			return domain.Access{}, err
		}
	}
	var access domain.Access
	if host.ID == "" {
		access, err = s.ports.Store.Access.ByLogin(ctx, login.Session, set.Session)
	} else {
		access, err = s.ports.Store.Access.ByHostUser(ctx, host, set.Session)
	}
	switch {
	case domain.KindOf(err) == domain.NotFound:
		return domain.Access{}, domain.NotLoggedIn(err)
	case err != nil:
		return domain.Access{}, err
	case host.ID == "" && !access.Caller.Login.Claims("").Equal(login):
		return domain.Access{}, domain.NotLoggedIn(nil)
	}
	if host.ID == "" {
		s.sessions.MarkSealed(ctx, access.Caller.Login, loginBy)
		out.UserCookie = s.sessions.Reseal(ctx, access.Caller.Login, "", loginBy)
	}
	switch {
	case in.AssistantCookie == "":
		return access, &domain.Error{Kind: domain.NoAssistant, Public: "no assistant is set; set one first"}
	case access.Session.ID == "" || !access.Session.Claims(access.Project.Version).Equal(set):
		return access, notSet(nil)
	}
	if err := s.useBoth(ctx, access); err != nil {
		return access, err
	}
	s.sessions.MarkSealed(ctx, access.Session, setBy)
	out.AssistantCookie = s.sessions.Reseal(ctx, access.Session, access.Project.Version, setBy)
	return access, nil
}

// notSet is the one answer for everything that is wrong with an assistant session.
func notSet(cause error) error {
	return &domain.Error{Kind: domain.NotAuthenticated, Public: "the assistant that was set is not set any more; set it again", Cause: cause}
}

// useBoth records the use of the assistant session and of the login that it is under.
func (s *Service) useBoth(ctx context.Context, a domain.Access) error {
	if a.Session.ID == "" {
		return nil
	}
	if a.Caller.Login.ID != "" {
		if err := s.sessions.Use(ctx, a.Caller.Login); err != nil {
			return err
		}
	}
	return s.sessions.Use(ctx, a.Session)
}

// forwarding is one forwarded call, from when it may be sent until its answer is closed.
type forwarding struct {
	*Service
	caller context.Context // ends when the caller leaves
	ctx    context.Context // ends with the call
	call   domain.Call
	access domain.Access
	route  domain.Route
	use    *openUse
	began  time.Time

	sent         bool                // something went to Voiceflow
	conversation domain.Conversation // that the call starts; zero if it starts none
	handle       string              // of conversation
	key          sentKey             // the key that Voiceflow accepted; zero if the credential is a session's
	refused      bool                // Voiceflow rejected the key that was sent last
	noted        error               // why something about the keys could not be noted, for the log
}

// begin makes a call that is open from now on.
func (s *Service) begin(ctx context.Context, call domain.Call, access domain.Access, route domain.Route) *forwarding {
	open, end := context.WithCancelCause(ctx)
	now := s.ports.Clock()
	f := &forwarding{
		Service: s, caller: ctx, ctx: open, call: call, access: access, route: route, began: now,
		use: &openUse{of: access.OpenUse(), scope: route.Endpoint.Scope, since: now, end: end},
	}
	s.open.add(f.use)
	return f
}

// send sends the call, and once more where Voiceflow found the key of a v4 session stale.
func (f *forwarding) send(r *http.Request) (*http.Response, error) {
	answer, err := f.attempt(r)
	if err != nil {
		err = f.lost(err)
		f.failed(err)
		return nil, err
	}
	if err := f.recordWrite(domain.OutcomeOf(answer.StatusCode)); err != nil {
		_ = answer.Body.Close()
		f.count(1, true)
		return nil, err
	}
	f.counts.add(domain.Usage{UsageKey: f.usageKey(), Calls: 1}) // a stream may go on for long
	counted := &countedBody{AnswerBody: answer.Body, of: f}
	counted.failed.Store(answer.StatusCode >= http.StatusBadRequest)
	return &http.Response{
		StatusCode: answer.StatusCode, Header: answer.Header, ContentLength: answer.ContentLength, Body: counted,
	}, nil
}

// attempt sends the call, and keeps the conversation that it starts, if it starts one,
// before anybody can use its handle.
func (f *forwarding) attempt(r *http.Request) (ports.Answer, error) {
	if f.route.Endpoint.Starts {
		if err := f.prepareConversation(); err != nil {
			return ports.Answer{}, err
		}
	}
	answer, err := f.try(r)
	if err == nil && !answer.Started.Key.IsZero() {
		if err = f.keepConversation(answer.Started); err != nil {
			_ = answer.Body.Close()
		}
	}
	return answer, err
}

// forward forwards the call, once.
func (f *forwarding) forward(r *http.Request, credential domain.Secret) (ports.Answer, error) {
	answer, err := f.ports.Voiceflow.Forward(f.ctx, domain.Forward{
		Route: f.route, Project: f.access.Project, UserIDs: f.userIDs(), Handle: f.handle,
	}, r, credential)
	f.sent = f.sent || answer.Sent
	return answer, err
}

func (f *forwarding) try(r *http.Request) (answer ports.Answer, err error) {
	if f.route.Endpoint.BySession {
		return f.turn(r)
	}
	call := keyedCall{route: f.route, again: func() {}, send: func(key domain.Secret) (good bool, err error) {
		answer, err = f.forward(r, key)
		return err == nil && answer.StatusCode/100 == 2, err
	}}
	if !f.access.Project.Secondary.Empty() {
		again, err := keepTurn(r)
		if err != nil {
			return ports.Answer{}, err
		}
		if call.again = nil; again != nil {
			call.again = func() { again(r) }
		}
	}
	f.key, err = f.withKey(f.ctx, call)
	return answer, err
}

// userIDs binds the caller's user ids to the project and to the caller, who is the access
// token where one is used. The ids of one who has users of their own go as they are.
func (f *forwarding) userIDs() domain.UserIDs {
	if f.access.Token.OwnUsers {
		// But for those of other callers, whose conversations they would open.
		return domain.UserIDs{Bind: func(text string) (string, error) {
			if strings.HasPrefix(text, domain.PseudonymPrefix) {
				return "", &domain.Error{Kind: domain.NotFound, Public: "a user id that begins like this is another caller's"}
			}
			return text, nil
		}}
	}
	to := domain.BindUserIDs(f.access.Project.ID, f.access.Actor())
	return domain.UserIDs{
		Bind: func(text string) (string, error) {
			return f.ports.Pseudonyms.Bind(text, f.keyset.PseudonymKey(), to)
		},
		Own: func(bound string) (string, bool) {
			return f.ports.Pseudonyms.Unbind(bound, f.keyset.PseudonymKey(), to)
		},
	}
}

// lost turns err into why the call was ended here, if it was.
func (f *forwarding) lost(err error) error {
	if cause, ok := errors.AsType[*domain.Error](context.Cause(f.ctx)); ok {
		return cause
	}
	return err
}

// failed ends a call that brought no answer, and notes what that tells.
func (f *forwarding) failed(err error) {
	noted := f.noted
	if f.sent {
		outcome := domain.OutcomeUnknown
		if f.refused {
			outcome = domain.OutcomeRejected
		}
		noted = errors.Join(noted, f.recordWrite(outcome))
	}
	if e, ok := errors.AsType[*domain.Error](err); ok && noted != nil {
		e.Cause = errors.Join(e.Cause, noted) // for the log
	}
	if !f.sent {
		f.close()
		return
	}
	f.count(1, f.caller.Err() == nil)
}

// recordWrite leaves a row in the audit of a call that writes. It is there before the
// answer is passed on, so nothing that was acknowledged is missing.
func (f *forwarding) recordWrite(outcome string) error {
	if !f.route.Endpoint.Writes {
		return nil
	}
	rec := f.record(f.call, domain.ActionForward, f.route.Object(f.access.Project.ID))
	rec.Outcome = outcome
	return f.ports.Store.Audit.Append(context.WithoutCancel(f.ctx), rec)
}

// markCredits notes whether the project's credits are used up, if that is news.
func (f *forwarding) markCredits(ctx context.Context, credits domain.Credits) error {
	p := f.access.Project
	if p.Credits == credits {
		return nil
	}
	rec := f.record(f.call, domain.ActionMarkCredits, domain.OnProject(p.ID))
	rec.Outcome = string(credits)
	return f.ports.Store.Projects.Note(ctx, p.ID, func(p *domain.Project) bool { return p.MarkCredits(credits) }, rec)
}

// close ends the call.
func (f *forwarding) close() {
	f.open.remove(f.use)
	f.use.end(nil)
}

// count ends the call and counts it as so many.
func (f *forwarding) count(calls int64, failed bool) {
	u := domain.Usage{UsageKey: f.usageKey(), Calls: calls, Milliseconds: f.ports.Clock().Sub(f.began).Milliseconds()}
	if failed {
		u.Errors = 1
	}
	f.counts.add(u)
	f.close()
}

// usageKey is what the call is counted by.
func (f *forwarding) usageKey() domain.UsageKey {
	return domain.UsageKey{
		Day: domain.DayOf(f.began), Project: f.access.Project.ID, User: f.access.Caller.ID,
		Token: f.access.Token.ID, Scope: f.route.Endpoint.Scope,
	}
}

// countedBody is the body of an answer, whose end is that of the call.
type countedBody struct {
	ports.AnswerBody

	of     *forwarding
	failed atomic.Bool // one goroutine may read while another closes
	once   sync.Once
}

// Read reads on. When the call was ended here, it says why.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.AnswerBody.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.of.lost(err)
		if b.of.caller.Err() == nil {
			b.failed.Store(true)
		}
	}
	return n, err
}

// Close ends the call.
func (b *countedBody) Close() error {
	err := b.AnswerBody.Close()
	b.once.Do(func() {
		f := b.of
		ctx := context.WithoutCancel(f.ctx)
		converses := f.route.Endpoint.Scope == domain.ScopeConverse
		// What can't be noted now is noted at the next call.
		switch {
		case b.CreditsUsedUp():
			b.failed.Store(true)
			_ = f.markCredits(ctx, domain.CreditsUsedUp)
		case converses && !b.failed.Load():
			_ = f.markCredits(ctx, domain.CreditsOK)
		}
		if !b.failed.Load() && f.key.Slot != "" {
			_ = f.markKey(ctx, f.key, domain.KeyOK)
		}
		f.count(0, b.failed.Load()) // it was counted when it began to be answered
	})
	return err
}
