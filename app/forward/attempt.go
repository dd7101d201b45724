package forward

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// attempted is what happened when a call was sent.
type attempted struct {
	answer ports.Answer // if err is nil
	err    error

	begun    bool      // the audit has the row that the call is about to be sent
	sent     bool      // something may have gone to Voiceflow
	rejected bool      // Voiceflow rejected the key of what was sent last
	accepted sentKey   // the key that Voiceflow accepted; zero if the credential is that of a v4 session
	news     []keyNews // what is certain about the assistant's keys, in the order in which it was learned

	used         domain.UsedEnvironment // zero until it is chosen
	conversation domain.Conversation    // that the call starts; zero if it starts none
}

// sentKey is a key of the assistant that was sent to Voiceflow.
type sentKey struct {
	slot  domain.Slot
	asked time.Time // when it was sent
}

// keyNews is what an attempt tells about a key of the assistant.
type keyNews struct {
	sentKey                  // asked is zero if the key can't be opened
	status  domain.KeyStatus // KeyOK, KeyRejected or KeyNeedsReentry
}

// sender sends one call and gathers what happens in the attempted.
type sender struct {
	*Forwarder
	*openCall
	attempted

	handle string // of conversation
	again  func() // makes the call ready to be read once more; nil if it can't be
	noList error  // Voiceflow rejected all keys when it was asked for the list of environments
}

// attempt sends the call and returns what happened. It stores nothing but a renewed v4 session,
// and the row of a call that begins.
func (f *Forwarder) attempt(c *openCall, r *http.Request) attempted {
	s := &sender{Forwarder: f, openCall: c}
	s.answer, s.err = s.do(r)
	if s.noList != nil {
		s.err = s.noList
	}
	return s.attempted
}

// do sends the call with the credential that it takes.
func (s *sender) do(r *http.Request) (ports.Answer, error) {
	if s.route.Endpoint.Starts {
		if err := s.prepareConversation(); err != nil {
			return ports.Answer{}, err
		}
	}
	if s.route.Endpoint.BySession {
		return s.turn(r)
	}
	var answer ports.Answer
	call := keyedCall{route: s.route, again: func() {}, send: func(key domain.Secret) (proven bool, err error) {
		answer, err = s.forward(r, key)
		return err == nil && answer.StatusCode/100 == 2, err
	}}
	if len(s.access.Project.KeysToTry(s.route.Endpoint)) > 1 {
		again, err := s.keepBody(r)
		if err != nil {
			return ports.Answer{}, err
		}
		if call.again = nil; again != nil {
			call.again = func() { again(r) }
		}
	}
	var err error
	s.accepted, err = s.withKey(call)
	return answer, err
}

// forward sends the call once. What a turn may have is read with the scopes that are granted in every
// environment, and once more if those in the environment that it turns out to use are more.
func (s *sender) forward(r *http.Request, credential domain.Secret) (ports.Answer, error) {
	if err := s.readyToReadAgain(r); err != nil {
		return ports.Answer{}, err
	}
	answer, err := s.forwardAs(r, credential)
	if errors.Is(err, errReadAgain) && s.again != nil {
		s.again()
		answer, err = s.forwardAs(r, credential)
	}
	if answer.Sent {
		s.sent, s.rejected = true, domain.KindOf(err) == domain.CredentialsRejected
	}
	return answer, err
}

// readyToReadAgain keeps the body of a turn if what it may have depends on the environment.
func (s *sender) readyToReadAgain(r *http.Request) error {
	if s.again = nil; !s.route.Endpoint.Turn || !s.access.LimitedToEnvironments() || s.in.Load() != nil {
		return nil
	}
	again, err := s.keepBody(r)
	if again != nil {
		s.again = func() { again(r) }
	}
	return err
}

// forwardAs sends the call with the scopes that count for it now.
func (s *sender) forwardAs(r *http.Request, credential domain.Secret) (ports.Answer, error) {
	f := domain.Forward{
		Route: s.route, Project: s.access.Project, UserIDs: s.userIDs(), Environment: s.environment, Scopes: s.now().Scopes(), Handle: s.handle,
	}
	f.Personal = f.Project.UsesPersonal(f.Route.Endpoint)
	if s.ports.AuditReads.Leaves(s.route.Endpoint) {
		f.Begin = s.begin
	}
	return s.ports.Voiceflow.Forward(s.ctx, f, r, credential)
}

// begin stores the row of a call that is about to be sent, unless it is there already, because
// the call was sent with another key. The caller's right is checked once more with that. A
// caller who leaves meanwhile does not leave it open whether the row was stored.
func (s *sender) begin(ctx context.Context) error {
	if s.begun {
		return nil
	}
	if s.outcomes.full() {
		return &domain.Error{Kind: domain.Unavailable, Public: "the audit can't be written now; try again later"}
	}
	act := s.call.Act(s.ports.Clock(), domain.NeedsUse(s.access.Project.ID, s.route.Endpoint.Scopes()),
		domain.ActionForward, s.route.Object(s.access.Project.ID))
	act.Record.Outcome = domain.OutcomeBegun
	if err := s.ports.Audit.Begin(context.WithoutCancel(ctx), act); err != nil {
		return err
	}
	s.begun = true
	if ctx.Err() != nil {
		return &domain.Error{Kind: domain.VoiceflowUnavailable, Public: "the call to Voiceflow was canceled", Cause: context.Cause(ctx)}
	}
	return nil
}

// keyedCall is a call to Voiceflow whose credential is a key of the assistant.
type keyedCall struct {
	// route is what is sent. It decides which keys may be sent.
	route domain.Route
	// send sends the call. proven reports whether Voiceflow gives such an answer only to a
	// valid key.
	send func(key domain.Secret) (proven bool, err error)
	// again makes the call ready to be sent once more. It is nil if the call can't be.
	again func()
}

// withKey sends the call with the first key to be tried. If that key can't be opened, or if
// Voiceflow rejects it, withKey sends the call with the other key, if there is one: a call that was
// rejected was not carried out. It returns the key that was not rejected, and keeps the news.
func (s *sender) withKey(call keyedCall) (sentKey, error) {
	var refused []sentKey
	var sent domain.Secret
	var closed, failed error // of keys that can't be opened, and of the last key that was sent
	for _, k := range s.access.Project.KeysToTry(call.route.Endpoint) {
		key, err := s.ports.Keyset.OpenKey(s.access.Project, k.Slot)
		switch {
		case domain.KindOf(err) == domain.NeedsReentry:
			closed = errors.Join(closed, err)
			s.learn(domain.KeyNeedsReentry, sentKey{slot: k.Slot})
			continue
		case err != nil:
			return sentKey{}, err
		case len(refused) > 0 && key.Equal(sent): // both slots have it once one was promoted
			refused = append(refused, sentKey{k.Slot, refused[0].asked})
			continue
		case len(refused) > 0 && call.again == nil:
			return sentKey{}, s.tooLong(call, refused, failed)
		case len(refused) > 0:
			call.again()
		}
		sent = key
		now := sentKey{k.Slot, s.ports.Clock()}
		proven, err := call.send(key)
		if domain.KindOf(err) == domain.CredentialsRejected {
			refused, failed = append(refused, now), err
			continue
		}
		if proven || s.meansKey(call, failed) {
			s.learn(domain.KeyRejected, refused...)
		}
		return now, err
	}
	if s.meansKey(call, failed) {
		s.learn(domain.KeyRejected, refused...)
	}
	if failed == nil {
		failed = closed
	}
	return sentKey{}, failed
}

// meansKey reports whether the refusal of the call means that Voiceflow rejected the key. A caller who
// names an environment that Voiceflow does not know must not make the key look rejected.
func (s *sender) meansKey(call keyedCall, refusal error) bool {
	p := s.access.Project
	return call.route.RefusalMeansKey(p) && (!errors.Is(refusal, domain.ErrKeyOrVersion) || p.UsesByDefault(s.used))
}

// learn keeps the news about keys.
func (s *sender) learn(status domain.KeyStatus, keys ...sentKey) {
	for _, key := range keys {
		s.news = append(s.news, keyNews{key, status})
	}
}

// tooLong returns the error for a call that Voiceflow rejected with one key, and whose body is
// too long to have been kept for the other key. If the rejection tells about the key, the next
// call takes the other key first.
func (s *sender) tooLong(call keyedCall, refused []sentKey, err error) error {
	if !s.meansKey(call, err) {
		return err
	}
	s.learn(domain.KeyRejected, refused...)
	return &domain.Error{
		Kind: domain.VoiceflowUnavailable, Cause: err,
		Public: "Voiceflow rejected one of the assistant's keys; retry the request",
	}
}

// userIDs binds the caller's user ids to the assistant and to the caller. An access token is a
// caller of its own. User ids of an access token with user ids of its own pass unchanged, unless
// they could be taken for those of another caller.
func (s *sender) userIDs() domain.UserIDs {
	if s.access.Token.OwnUsers {
		return domain.UserIDs{
			Bind: func(text string) (string, error) { return text, domain.CheckOwnID(text) },
			Check: func(users, sessions []string) error {
				if user := s.access.Conversation.UserID; user != "" {
					users = append(slices.Clone(users), user)
				}
				return domain.CheckOwnIDs(users, sessions)
			},
		}
	}
	to := domain.BindUserIDs(s.access.Project.ID, s.access.Actor())
	return domain.UserIDs{
		Bind: func(text string) (string, error) {
			return s.ports.Pseudonyms.Bind(text, s.ports.Keyset.PseudonymKey(), to)
		},
		Own: func(bound string) (string, bool) {
			return s.ports.Pseudonyms.Unbind(bound, s.ports.Keyset.PseudonymKey(), to)
		},
	}
}

// maxKept is the longest body that is kept to be sent again, in bytes. It is Voiceflow's own
// limit of a body (github.com/voiceflow/general-runtime, config). A longer body is sent once.
const maxKept = 1 << 20

// keepBody reads the body of r and keeps it. again puts the body back; it is nil if the body is
// too long to be kept.
func (s *sender) keepBody(r *http.Request) (again func(*http.Request), err error) {
	if r.Body == nil || r.Body == http.NoBody {
		return func(*http.Request) {}, nil
	}
	whole := r.Body
	kept, err := ports.HeldIn(s.ctx).ReadAll(whole, maxKept)
	if domain.KindOf(err) == domain.Unavailable {
		return nil, err
	}
	if err != nil {
		return nil, &domain.Error{Kind: domain.Invalid, Public: "the body could not be read to its end; send the request again", Cause: err}
	}
	if len(kept) > maxKept {
		r.Body = readCloser{io.MultiReader(bytes.NewReader(kept), whole), whole}
		return nil, nil
	}
	again = func(r *http.Request) {
		r.Body, r.ContentLength = ports.NewWholeBody(kept), int64(len(kept))
	}
	again(r)
	return again, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}
