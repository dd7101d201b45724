package app

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
func (f *forwarding) prepareConversation() error {
	now := f.ports.Clock()
	id, err := domain.NewConversationID(now, f.ports.Random)
	if err != nil {
		return err
	}
	c := domain.NewConversation(id, f.access, now)
	f.handle, c.HandleSealedBy, err = f.sessions.SealHandle(c, f.access.Caller.ID)
	f.conversation = c
	return err
}

// keepConversation stores the conversation with what Voiceflow has started.
func (f *forwarding) keepConversation(started ports.Started) error {
	c := f.conversation
	var err error
	c.UserID = started.UserID
	if c.Key, err = f.ports.Cipher.Seal(started.Key, domain.BindConversation(c.ID, f.ports.Voiceflow.Origin())); err != nil {
		return err
	}
	return f.ports.Store.Conversations.Open(context.WithoutCancel(f.ctx), c)
}

// maxTurn is how much of a turn is kept to be sent again: Voiceflow's own limit of a body
// (github.com/voiceflow/general-runtime, config). What is longer is sent once only.
const maxTurn = 1 << 20

// turn sends a turn of a v4 session. Where Voiceflow calls the session's key stale it
// makes a new one, once, and sends the turn again: the first was refused, so nothing was
// said twice.
func (f *forwarding) turn(r *http.Request) (ports.Answer, error) {
	again, err := keepTurn(r)
	if err != nil {
		return ports.Answer{}, err
	}
	c := f.access.Conversation
	key, err := f.sessionKey(c.Key)
	if err != nil {
		return ports.Answer{}, err
	}
	// A key that somebody else has made may be stale already when it gets here.
	made := false
	for tries := 0; ; tries++ {
		answer, err := f.forward(r, key)
		if domain.KindOf(err) != domain.CredentialsRejected {
			return answer, err
		}
		if tries == maxRenewals || made {
			return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable, Public: "Voiceflow takes no session at present; send the turn again", Cause: err}
		}
		if c.Key, made, err = f.renew(c.Key); err != nil {
			return ports.Answer{}, err
		}
		if key, err = f.sessionKey(c.Key); err != nil {
			return ports.Answer{}, err
		}
		if again == nil {
			return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable, Public: "Voiceflow wanted a new session; send the turn again"}
		}
		again(r)
	}
}

// keepTurn keeps the body of r and returns what puts it there again; nil where it is too
// long for that.
func keepTurn(r *http.Request) (again func(*http.Request), err error) {
	if r.Body == nil || r.Body == http.NoBody {
		return func(*http.Request) {}, nil
	}
	whole, rest := r.Body, io.LimitReader(r.Body, maxTurn+1)
	kept, err := io.ReadAll(rest)
	if err != nil {
		return nil, &domain.Error{Kind: domain.Invalid, Public: "the body could not be read to its end", Cause: err}
	}
	if len(kept) > maxTurn {
		r.Body = readCloser{io.MultiReader(bytes.NewReader(kept), whole), whole}
		return nil, nil
	}
	again = func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(kept)), int64(len(kept))
	}
	again(r)
	return again, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

// sessionKey opens the key of the conversation's session.
func (f *forwarding) sessionKey(sealed domain.Sealed) (domain.Secret, error) {
	return f.ports.Cipher.Open(sealed, domain.BindConversation(f.access.Conversation.ID, f.ports.Voiceflow.Origin()))
}

const (
	// maxRenewals is how often the key of a session is renewed for one turn: once, and once
	// more when what came of that was another instance's and stale by then.
	maxRenewals = 2
	// sessionTimeout is how long Voiceflow may take to open a session while a turn waits.
	sessionTimeout = 20 * time.Second
)

// renewals keeps turns of one conversation from renewing its key at the same time: each
// new session ends the one before. The zero value is ready.
type renewals struct {
	mu   sync.Mutex
	busy map[domain.ConversationID]*renewal
}

// renewal is one that is under way, and then what came of it.
type renewal struct {
	done chan struct{}
	key  domain.Sealed
	made bool // here and now, so that it is not stale
	err  error
}

// do renews, or waits for what comes of it where somebody does already.
func (r *renewals) do(ctx context.Context, id domain.ConversationID, renew func() (key domain.Sealed, made bool, err error)) (domain.Sealed, bool, error) {
	r.mu.Lock()
	if under, there := r.busy[id]; there {
		r.mu.Unlock()
		select {
		case <-under.done:
			return under.key, under.made, under.err
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
	mine.err = &domain.Error{Kind: domain.VoiceflowUnavailable, Public: "no new session was opened"} // should renew panic
	mine.key, mine.made, mine.err = renew()
	return mine.key, mine.made, mine.err
}

// renew returns a session key of the conversation in the place of stale: one that
// somebody else has made meanwhile, or a new one, and says whether it was made just now.
func (f *forwarding) renew(stale domain.Sealed) (key domain.Sealed, made bool, err error) {
	id := f.access.Conversation.ID
	return f.renewals.do(f.ctx, id, func() (domain.Sealed, bool, error) {
		// It is for all who wait, so that the first of them leaves does not end it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(f.ctx), sessionTimeout)
		defer cancel()
		// With nothing new to put there, this only tells what is there now.
		stored, err := f.ports.Store.Conversations.Renew(ctx, id, stale, stale)
		if err != nil || !bytes.Equal(stored.Bytes, stale.Bytes) {
			return stored, false, f.gone(err)
		}
		key, err := f.newSession(ctx)
		if err != nil {
			return domain.Sealed{}, false, err
		}
		sealed, err := f.ports.Cipher.Seal(key, domain.BindConversation(id, f.ports.Voiceflow.Origin()))
		if err != nil {
			return domain.Sealed{}, false, err
		}
		stored, err = f.ports.Store.Conversations.Renew(ctx, id, stale, sealed)
		return stored, bytes.Equal(stored.Bytes, sealed.Bytes), f.gone(err)
	})
}

// gone is the answer for a conversation that went while it was being renewed.
func (f *forwarding) gone(err error) error {
	if domain.KindOf(err) == domain.NotFound {
		return notSet(err)
	}
	return err
}

// newSession opens a v4 session at Voiceflow for the conversation's user id, which is
// Voiceflow's already.
func (f *forwarding) newSession(ctx context.Context) (domain.Secret, error) {
	p := f.access.Project
	path := "/v4/project/" + string(p.Voiceflow) + "/session"
	route, err := domain.MatchEndpoint(string(domain.ServiceRuntime), http.MethodPost, path)
	if err != nil {
		return domain.Secret{}, err
	}
	body, err := json.Marshal(map[string]string{"userID": f.access.Conversation.UserID})
	if err != nil {
		return domain.Secret{}, err
	}
	var made domain.Secret
	used, err := f.withKey(ctx, keyedCall{route: route, again: func() {}, send: func(key domain.Secret) (good bool, err error) {
		r := (&http.Request{
			Method: http.MethodPost, URL: &url.URL{Path: path}, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		}).WithContext(ctx)
		answer, err := f.ports.Voiceflow.Forward(ctx, domain.Forward{Route: route, Project: p}, r, key) // its body goes to nobody
		if err != nil {
			return false, err
		}
		made = answer.Started.Key
		return !made.IsZero(), answer.Body.Close()
	}})
	if err != nil {
		return domain.Secret{}, err
	}
	if made.IsZero() {
		return domain.Secret{}, &domain.Error{Kind: domain.VoiceflowUnavailable, Public: "Voiceflow opened no new session"}
	}
	f.note(f.markKey(ctx, used, domain.KeyOK))
	return made, nil
}
