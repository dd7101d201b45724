package app_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
)

const runtime = "general-runtime"

// use forwards a call and reads the answer to its end.
func (w *world) use(t interface{ Context() context.Context }, in forward.Input, method, body string) (int, error) {
	call := domain.Call{RequestID: "request", Address: "192.0.2.1"}
	out, err := w.Forwarder().Forward(t.Context(), call, in, testworld.Request(method, in.Path, body))
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, out.Answer.Body)
	return out.Answer.StatusCode, errors.Join(err, out.Answer.Body.Close())
}

// turn is a turn of the user id by these credentials.
func turn(userID string, by forward.Input) forward.Input {
	by.Service, by.Path = runtime, "/state/user/"+userID+"/interact"
	return by
}

// talker is a member who may use p within the scopes, with cookies.
func (w *world) talker(t *testing.T, name string, p domain.Project, scopes ...string) (domain.Call, forward.Input) {
	t.Helper()
	id := w.user(t, w.admin, name, "member")
	if err := w.GrantProject(t.Context(), w.admin, string(id), string(p.ID), scopes); err != nil {
		t.Fatal(err)
	}
	call, cookie := w.login(t, name, false)
	return call, forward.Input{UserCookie: cookie, AssistantCookie: w.set(t, call, p)}
}

// token makes an access token.
func (w *world) token(t *testing.T, call domain.Call, in app.CreateAccessToken) forward.Input {
	t.Helper()
	if in.Name == "" {
		in.Name = "a program"
	}
	in.Password = domain.NewSecret(password)
	made, err := w.CreateAccessToken(t.Context(), call, in)
	if err != nil {
		t.Fatal(err)
	}
	return forward.Input{Token: made.Text}
}
