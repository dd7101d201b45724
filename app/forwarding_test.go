package app_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

const runtime = "general-runtime"

// sent is what came to Voiceflow.
type sent struct {
	endpoint string
	path     string
	userID   string // what Voiceflow was told, where the path says it
	body     string
	key      string
}

// forwardTo makes Voiceflow answer forwarded calls by answer, and returns what comes there.
func (v *voiceflow) forwardTo(answer func(f domain.Forward, s sent) (ports.Answer, error)) func() []sent {
	var all []sent
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forward = func(f domain.Forward, r *http.Request, key domain.Secret) (ports.Answer, error) {
		s := sent{endpoint: f.Route.Endpoint.Method + " " + f.Route.Endpoint.Path, key: key.Reveal()}
		bind := f.UserIDs.Bind
		if bind == nil {
			bind = func(own string) (string, error) { return own, nil }
		}
		var err error
		if s.path, err = f.Route.Target(f.Project, bind); err != nil {
			return ports.Answer{}, err
		}
		if rest, found := strings.CutPrefix(s.path, "/state/user/"); found {
			s.userID, _, _ = strings.Cut(rest, "/")
		}
		if r.Body != nil {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				return ports.Answer{}, err
			}
			s.body = string(b)
		}
		v.mu.Lock()
		all = append(all, s)
		v.mu.Unlock()
		a, err := answer(f, s)
		a.Sent = true
		return a, err
	}
	return func() []sent {
		v.mu.Lock()
		defer v.mu.Unlock()
		return slices.Clone(all)
	}
}

// says is an answer with that status and body.
func says(status int, text string) ports.Answer {
	return ports.Answer{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: body{ReadCloser: io.NopCloser(strings.NewReader(text))}, ContentLength: int64(len(text)),
	}
}

// body is the body of an answer.
type body struct {
	io.ReadCloser

	usedUp bool
}

func (b body) CreditsUsedUp() bool { return b.usedUp }

// starts is the answer to a call that starts a session.
func starts(f domain.Forward, key string) ports.Answer {
	a := says(200, f.Handle)
	a.Started = ports.Started{UserID: "bound", Key: domain.NewSecret(key)}
	return a
}

func fine(domain.Forward, sent) (ports.Answer, error) { return says(200, `[]`), nil }

func rejected(domain.Forward, sent) (ports.Answer, error) {
	return ports.Answer{}, &domain.Error{Kind: domain.CredentialsRejected}
}

func request(method, path, body string) *http.Request {
	return &http.Request{Method: method, URL: &url.URL{Path: path}, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// use forwards a call and reads the answer to its end.
func (w *world) use(t interface{ Context() context.Context }, in app.Forward, method, body string) (int, error) {
	out, err := w.Forward(t.Context(), domain.Call{RequestID: "request", Address: "192.0.2.1"}, in, request(method, in.Path, body))
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, out.Response.Body)
	return out.Response.StatusCode, errors.Join(err, out.Response.Body.Close())
}

// turn is a turn of the user id by these credentials.
func turn(userID string, by app.Forward) app.Forward {
	by.Service, by.Path = runtime, "/state/user/"+userID+"/interact"
	return by
}

// talker is a member who may use p within the scopes, with cookies.
func (w *world) talker(t *testing.T, name string, p domain.Project, scopes ...string) (domain.Call, app.Forward) {
	t.Helper()
	id := w.user(t, w.admin, name, "member")
	if err := w.GrantProject(t.Context(), w.admin, string(id), string(p.ID), scopes); err != nil {
		t.Fatal(err)
	}
	call, cookie := w.login(t, name, false)
	return call, app.Forward{UserCookie: cookie, AssistantCookie: w.set(t, call, p)}
}

// token makes an access token.
func (w *world) token(t *testing.T, call domain.Call, in app.CreateAccessToken) app.Forward {
	t.Helper()
	if in.Name == "" {
		in.Name = "a program"
	}
	made, err := w.CreateAccessToken(t.Context(), call, in)
	if err != nil {
		t.Fatal(err)
	}
	return app.Forward{Token: made.Text}
}

type closing struct {
	io.ReadCloser
	closed *bool
}

func (c closing) Close() error {
	*c.closed = true
	return c.ReadCloser.Close()
}

// slow is an answer that goes on until the call is ended.
func slow(ctx context.Context) ports.Answer {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { _ = w.CloseWithError(context.Cause(ctx)) })
	return ports.Answer{Sent: true, StatusCode: 200, Header: http.Header{}, Body: body{ReadCloser: r}, ContentLength: -1}
}
