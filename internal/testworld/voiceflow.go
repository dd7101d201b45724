package testworld

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Voiceflow stands in for Voiceflow. It takes forwarded calls only. The zero value is ready,
// and panics at a call before it is told what to answer.
type Voiceflow struct {
	mu      sync.Mutex
	answer  func(domain.Forward, Sent) (ports.Answer, error)
	streams bool
	hangs   chan<- bool
	list    func(key string) ([]domain.EnvironmentState, error)
}

// Sent is a call that came to Voiceflow.
type Sent struct {
	Endpoint  string
	Path      string
	Used      domain.UsedEnvironment
	UserID    string // as Voiceflow was told, if the path says it
	SessionID string // the same of the member sessionID of the body
	Body      string
	Key       string
}

// ErrNotSent is the cause of an error if nothing of the call went to Voiceflow.
var ErrNotSent = errors.New("testworld: nothing was sent")

// Answer makes Voiceflow answer calls by answer. The function that it returns tells which calls
// came since.
func (v *Voiceflow) Answer(answer func(f domain.Forward, s Sent) (ports.Answer, error)) (came func() []Sent) {
	var all []Sent
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answer = func(f domain.Forward, s Sent) (ports.Answer, error) {
		v.mu.Lock()
		all = append(all, s)
		v.mu.Unlock()
		a, err := answer(f, s)
		a.Sent = !errors.Is(err, ErrNotSent)
		return a, err
	}
	return func() []Sent {
		v.mu.Lock()
		defer v.mu.Unlock()
		return slices.Clone(all)
	}
}

// Stream sets whether answers go on until the call is ended.
func (v *Voiceflow) Stream(on bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.streams = on
}

// Hang makes Voiceflow send a word to arrived for each call, which then waits until it is ended.
func (v *Voiceflow) Hang(arrived chan<- bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hangs = arrived
}

// List makes Voiceflow answer for the list of environments by list. Without it, there is none.
func (v *Voiceflow) List(list func(key string) ([]domain.EnvironmentState, error)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.list = list
}

// Environments returns the list.
func (v *Voiceflow) Environments(_ context.Context, _ domain.VoiceflowID, key domain.Secret) ([]domain.EnvironmentState, error) {
	v.mu.Lock()
	list := v.list
	v.mu.Unlock()
	if list == nil {
		return nil, &domain.Error{Kind: domain.VoiceflowRejected}
	}
	return list(key.Reveal())
}

// Origins returns Origins.
func (v *Voiceflow) Origins() domain.Origins { return Origins() }

// Export knows no version.
func (v *Voiceflow) Export(context.Context, domain.VersionRef, domain.Secret) (domain.Export, error) {
	return domain.Export{}, &domain.Error{Kind: domain.VoiceflowRejected}
}

// CheckPersonal knows no token.
func (v *Voiceflow) CheckPersonal(context.Context, domain.VoiceflowID, domain.Secret) error {
	return &domain.Error{Kind: domain.VoiceflowRejected}
}

// Forward reads the body, begins the call, and answers.
func (v *Voiceflow) Forward(ctx context.Context, f domain.Forward, r *http.Request, key domain.Secret) (ports.Answer, error) {
	v.mu.Lock()
	answer, streams, hangs := v.answer, v.streams, v.hangs
	v.mu.Unlock()
	var s Sent
	var err error
	if hangs == nil {
		s, err = sent(ctx, f, r, key)
	}
	if err == nil && f.Begin != nil {
		err = f.Begin(ctx)
	}
	switch {
	case err != nil:
		return ports.Answer{}, err
	case hangs != nil:
		hangs <- true
		<-ctx.Done()
		return givenUp(ctx)
	case streams:
		return endless(ctx), nil
	case ctx.Err() != nil:
		return givenUp(ctx)
	}
	return answer(f, s)
}

func givenUp(ctx context.Context) (ports.Answer, error) {
	return ports.Answer{Sent: true}, &domain.Error{Kind: domain.VoiceflowUnavailable, Cause: context.Cause(ctx)}
}

// Asked returns what the header and the query of a call say about its environment.
func Asked(r *http.Request) domain.AskedEnvironment {
	asked := domain.AskedEnvironment{Names: r.Header.Values("versionID")}
	for name, values := range r.URL.Query() {
		switch field := domain.Field(name); {
		case field.NamesEnvironment():
			asked.Names = append(asked.Names, values...)
		case field == domain.FieldStage:
			asked.Stages = append(asked.Stages, values...)
		}
	}
	return asked
}

// sent returns the call as it comes to Voiceflow. An environment counts in the path, the header and
// the query.
func sent(ctx context.Context, f domain.Forward, r *http.Request, key domain.Secret) (Sent, error) {
	s := Sent{Endpoint: f.Route.Endpoint.Method + " " + f.Route.Endpoint.Path, Key: key.Reveal()}
	bind := f.UserIDs.Bind
	if bind == nil {
		bind = func(own string) (string, error) { return own, nil }
	}
	if err := f.Route.CheckProject(f.Project); err != nil {
		return Sent{}, err
	}
	var err error
	if s.Used, err = f.Environment(ctx, Asked(r)); err != nil {
		return Sent{}, err
	}
	if s.Path, err = f.Route.Target(f.Project, s.Used, bind); err != nil {
		return Sent{}, err
	}
	if rest, found := strings.CutPrefix(s.Path, "/state/user/"); found {
		s.UserID, _, _ = strings.Cut(rest, "/")
	}
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return Sent{}, err
		}
		s.Body = string(b)
	}
	return s, s.bindSession(f, bind)
}

// bindSession binds the member sessionID of the body, and has the ids of the call checked.
func (s *Sent) bindSession(f domain.Forward, bind func(string) (string, error)) error {
	var body struct {
		SessionID string `json:"sessionID"`
	}
	var users, sessions []string
	if s.UserID != "" {
		user, err := url.PathUnescape(s.UserID)
		if err != nil {
			return err
		}
		users = append(users, user)
	}
	if json.Unmarshal([]byte(s.Body), &body) == nil && body.SessionID != "" { // any other body has none
		var err error
		if s.SessionID, err = bind(body.SessionID); err != nil {
			return err
		}
		sessions = append(sessions, s.SessionID)
	}
	if f.UserIDs.Check == nil {
		return nil
	}
	return f.UserIDs.Check(users, sessions)
}

// endless returns an answer that goes on until the call is ended.
func endless(ctx context.Context) ports.Answer {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { _ = w.CloseWithError(context.Cause(ctx)) })
	return ports.Answer{Sent: true, StatusCode: 200, Header: http.Header{}, Body: Body{ReadCloser: r}, ContentLength: -1}
}

// Body is the body of an answer.
type Body struct {
	io.ReadCloser

	UsedUp bool // the answer says that the credits are used up
}

// CreditsUsedUp is UsedUp.
func (b Body) CreditsUsedUp() bool { return b.UsedUp }

// Says returns an answer with the status and the body.
func Says(status int, body string) ports.Answer {
	return ports.Answer{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: Body{ReadCloser: io.NopCloser(strings.NewReader(body))}, ContentLength: int64(len(body)),
	}
}

// Starts returns the answer to a call that starts a session.
func Starts(f domain.Forward, key string) ports.Answer {
	a := Says(200, f.Handle)
	a.Started = ports.Started{UserID: "bound", Key: domain.NewSecret(key)}
	return a
}

// Fine answers every call with 200.
func Fine(domain.Forward, Sent) (ports.Answer, error) { return Says(200, `[]`), nil }

// Rejected rejects the key of every call.
func Rejected(domain.Forward, Sent) (ports.Answer, error) {
	return ports.Answer{}, &domain.Error{Kind: domain.CredentialsRejected}
}

// Request returns a request as a caller sends it.
func Request(method, path, body string) *http.Request {
	return &http.Request{Method: method, URL: &url.URL{Path: path}, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}
