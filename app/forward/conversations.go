package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// prepareConversation makes the conversation that the call starts, and seals its handle.
func (s *sender) prepareConversation() error {
	now := s.ports.Clock()
	id, err := domain.NewConversationID(now, s.ports.Random)
	if err != nil {
		return err
	}
	c := domain.NewConversation(id, s.access, now)
	s.handle, c.HandleSealedBy, err = s.ports.Sessions.SealHandle(c, s.access.Caller.ID)
	s.conversation = c
	return err
}

// keepConversation stores the conversation with the session that Voiceflow has started. That
// happens before anybody can use the handle.
func (f *Forwarder) keepConversation(c *openCall, conversation domain.Conversation, started ports.Started) error {
	var err error
	conversation.UserID = started.UserID
	if conversation.Key, err = f.ports.Cipher.Seal(started.Key, f.bindSessionKey(conversation.ID)); err != nil {
		return err
	}
	err = f.ports.Conversations.Open(context.WithoutCancel(c.ctx), conversation)
	if domain.KindOf(err) != domain.NotFound {
		return err
	}
	// The project or the access token went while Voiceflow started the session.
	if conversation.Token != "" {
		return domain.InvalidAccessToken(err)
	}
	return notSet(err)
}

// bindSessionKey returns the Binding of a conversation's session key.
func (f *Forwarder) bindSessionKey(id domain.ConversationID) domain.Binding {
	return domain.BindConversation(id, f.ports.Keyset.Origin())
}

const (
	// maxRenewals is how often the session key is renewed for one turn: once, and once more
	// if the first renewal brought the key of another instance, which was stale by then.
	maxRenewals = 2
	// sessionTimeout is how long Voiceflow may take to start a session while a turn waits.
	sessionTimeout = 20 * time.Second
)

// turn sends a turn of a v4 session. If Voiceflow rejects the session key as stale, turn renews
// it once and sends the turn again. Voiceflow did not carry out the first one, so nothing is
// said twice.
func (s *sender) turn(r *http.Request) (ports.Answer, error) {
	again, err := s.keepBody(r)
	if err != nil {
		return ports.Answer{}, err
	}
	sealed := s.access.Conversation.Key
	key, err := s.sessionKey(sealed)
	if err != nil {
		return ports.Answer{}, err
	}
	made := false // just now, so the key can't be stale
	for tries := 0; ; tries++ {
		answer, err := s.forward(r, key)
		if domain.KindOf(err) != domain.CredentialsRejected || s.ctx.Err() != nil {
			return answer, err
		}
		if tries == maxRenewals || made {
			return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable, Public: "Voiceflow accepts no session now; retry the turn", Cause: err}
		}
		if sealed, made, err = s.renew(sealed); err != nil {
			return ports.Answer{}, err
		}
		if key, err = s.sessionKey(sealed); err != nil {
			return ports.Answer{}, err
		}
		if again == nil {
			return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable, Public: "Voiceflow needed a new session, which was started; retry the turn"}
		}
		again(r)
	}
}

// sessionKey opens the session key of the conversation.
func (s *sender) sessionKey(sealed domain.Sealed) (domain.Secret, error) {
	return s.ports.Cipher.Open(sealed, s.bindSessionKey(s.access.Conversation.ID))
}

// renewals keeps turns of one conversation from renewing its session key at the same time,
// since each new session ends the one before. The zero value is ready.
type renewals struct {
	mu   sync.Mutex
	busy map[domain.ConversationID]*renewal
}

// renewal is a renewal that goes on, and then its result.
type renewal struct {
	done chan struct{}
	key  domain.Sealed
	made bool // here and now, so the key can't be stale
	err  error
}

// do renews the key. If another call does that already, do waits for its result.
func (r *renewals) do(ctx context.Context, id domain.ConversationID, renew func() (key domain.Sealed, made bool, err error)) (domain.Sealed, bool, error) {
	r.mu.Lock()
	if other, busy := r.busy[id]; busy {
		r.mu.Unlock()
		select {
		case <-other.done:
			return other.key, other.made, other.err
		case <-ctx.Done():
			return domain.Sealed{}, false, ctx.Err()
		}
	}
	if r.busy == nil {
		r.busy = map[domain.ConversationID]*renewal{}
	}
	mine := &renewal{done: make(chan struct{})}
	r.busy[id] = mine
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.busy, id)
		r.mu.Unlock()
		close(mine.done)
	}()
	mine.err = noNewSession() // if renew panics
	mine.key, mine.made, mine.err = renew()
	return mine.key, mine.made, mine.err
}

func noNewSession() error {
	return &domain.Error{Kind: domain.VoiceflowUnavailable, Public: "Voiceflow started no new session; retry the turn"}
}

// renew returns a session key that replaces stale. made reports whether it was made just now.
// If not, another call or another instance has renewed the key meanwhile.
func (s *sender) renew(stale domain.Sealed) (key domain.Sealed, made bool, err error) {
	id := s.access.Conversation.ID
	return s.renewals.do(s.ctx, id, func() (domain.Sealed, bool, error) {
		// Other turns may wait for the result, so it goes on if this caller leaves.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), sessionTimeout)
		defer cancel()
		// Renew with the same key tells which key is stored now.
		stored, err := s.ports.Conversations.Renew(ctx, id, stale, stale)
		if err != nil || !bytes.Equal(stored.Bytes, stale.Bytes) {
			return stored, false, gone(err)
		}
		key, err := s.newSession(ctx)
		if err != nil {
			return domain.Sealed{}, false, err
		}
		sealed, err := s.ports.Cipher.Seal(key, s.bindSessionKey(id))
		if err != nil {
			return domain.Sealed{}, false, err
		}
		stored, err = s.ports.Conversations.Renew(ctx, id, stale, sealed)
		return stored, bytes.Equal(stored.Bytes, sealed.Bytes), gone(err)
	})
}

// gone returns the error for a conversation that went while its key was renewed.
func gone(err error) error {
	if domain.KindOf(err) == domain.NotFound {
		return notSet(err)
	}
	return err
}

// newSession starts a v4 session at Voiceflow for the user id and in the environment of the
// conversation. The user id is already as Voiceflow has it. It returns the session key.
func (s *sender) newSession(ctx context.Context) (domain.Secret, error) {
	p := s.access.Project
	path := "/v4/project/" + string(p.Voiceflow) + "/session"
	route, err := domain.MatchEndpoint(string(domain.ServiceRuntime), http.MethodPost, path)
	if err != nil {
		return domain.Secret{}, err
	}
	used := s.used // of the turn that needs the session
	if used.Name != "" && used.Value(domain.FieldAlias) == "" {
		if used, _, err = s.choose(ctx, route, domain.AskedEnvironment{Names: []string{used.Name}}); err != nil {
			return domain.Secret{}, err
		}
	}
	inEnvironment := func(context.Context, domain.AskedEnvironment) (domain.UsedEnvironment, error) { return used, nil }
	body, err := json.Marshal(map[string]string{"userID": s.access.Conversation.UserID})
	if err != nil {
		return domain.Secret{}, err
	}
	var started domain.Secret
	accepted, err := s.withKey(keyedCall{route: route, again: func() {}, send: func(key domain.Secret) (proven bool, err error) {
		r := (&http.Request{
			Method: http.MethodPost, URL: &url.URL{Path: path}, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		}).WithContext(ctx)
		answer, err := s.ports.Voiceflow.Forward(ctx, domain.Forward{Route: route, Project: p, Environment: inEnvironment}, r, key)
		if err != nil {
			return false, err
		}
		started = answer.Started.Key
		return !started.IsZero(), answer.Body.Close() // nobody reads the body
	}})
	if err != nil {
		return domain.Secret{}, err
	}
	if started.IsZero() {
		return domain.Secret{}, noNewSession()
	}
	s.learn(domain.KeyOK, accepted)
	return started, nil
}
