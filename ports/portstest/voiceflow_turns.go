package portstest

import (
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

func forwardScopes(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	const debug, variables = `{"config":{"excludeTypes":["x"]}}`, `{"variables":{"a":1}}`
	for _, call := range []domain.Forward{turnOf(t), streamOf(t)} {
		f := far.serve(t, says(200, "application/json", `[]`))
		wantForwarded(t, "Forward of a turn that asks for debug output", c, call, from("logs=verbose&logs=off", debug))
		wantSame(t, "its query", strings.Contains(f.requests()[0].query, "verbose"), false)
		wantSame(t, "its body", f.requests()[0].body, `{"config":{"excludeTypes":["x","debug","log","flow","block"]}}`)

		before := far.Requests()
		wantKind(t, "Forward of a turn that sets variables", outcome(t.Context(), c, call, from("", variables)), domain.NotAllowed)
		wantSame(t, "requests at the far side", far.Requests(), before)

		call.Scopes = domain.ScopesOf(domain.ScopeDebug, domain.ScopeState)
		f = far.serve(t, says(200, "application/json", `[]`))
		wantForwarded(t, "Forward with the scope debug", c, call, from("logs=verbose", debug))
		wantForwarded(t, "Forward with the scope state", c, call, from("", variables))
		wantSame(t, "the body with the scope debug", f.requests()[0].body, debug)
		wantSame(t, "the body with the scope state", f.requests()[1].body, variables)
	}
	call := turnOf(t)
	call.Scopes = domain.ScopesOf(domain.ScopeDebug)
	f := far.serve(t, says(200, "application/json", `[]`))
	wantForwarded(t, "Forward with the scope debug", c, call, from("logs=verbose", ""))
	wantSame(t, "the query with the scope debug", f.requests()[0].query, "logs=verbose")
}

func forwardChecked(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	far.serve(t, says(200, "application/json", `{"sessionKey":"k"}`))
	stream := callOf(t, domain.ServiceRuntime, "POST", "/v2/project/{projectID}/user/ben/interact/stream")
	for _, tc := range []struct {
		name            string
		call            domain.Forward
		body            string
		users, sessions []string
	}{
		{"a user id in the path", stateOf(t), "", []string{"bound-ben"}, nil},
		{"a session id in the body", stream, `{"sessionID":"s"}`, []string{"bound-ben"}, []string{"bound-s"}},
		{"ids of a session in the body", turnOf(t), `{"session":{"sessionID":"s","userID":"u"}}`, []string{"bound-ben", "bound-u"}, []string{"bound-s"}},
		{"ids in the body alone", sessionOf(t), `{"sessionID":"s","userID":"u"}`, []string{"bound-u"}, []string{"bound-s"}},
	} {
		var users, sessions []string
		tc.call.UserIDs.Check = func(u, s []string) error {
			users, sessions = slices.Sorted(slices.Values(u)), slices.Sorted(slices.Values(s))
			return nil
		}
		wantForwarded(t, "Forward with "+tc.name, c, tc.call, from("", tc.body))
		wantSame(t, "users that were checked for "+tc.name, users, tc.users)
		wantSame(t, "sessions that were checked for "+tc.name, sessions, tc.sessions)

		tc.call.UserIDs.Check = func([]string, []string) error { return &domain.Error{Kind: domain.NotFound} }
		before := far.Requests()
		wantKind(t, "Forward with "+tc.name+" that are another's", outcome(t.Context(), c, tc.call, from("", tc.body)), domain.NotFound)
		wantSame(t, "requests at the far side", far.Requests(), before)
	}
}

func forwardEncoded(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	encode := map[string]func(io.Writer) io.WriteCloser{
		"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	}
	for encoding, to := range encode {
		f := far.serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", encoding)
			w.Header().Set("Content-Type", "application/json")
			body := to(w)
			_, _ = io.WriteString(body, `[{"userID":"bound-ben","key":"`+r.Header.Get("Authorization")+`"}]`)
			_ = body.Close()
		})
		answer, body := wantForwarded(t, "Forward answered with "+encoding, c, turnOf(t), from("", "{}"))
		wantSame(t, "Accept-Encoding", f.requests()[0].header.Values("Accept-Encoding"), []string{"identity"})
		wantSame(t, "a body with "+encoding, body, `[{"userID":"ben","key":"`+strings.Repeat("*", len(credential.Reveal()))+`"}]`)
		wantSame(t, "Content-Encoding", len(answer.Header.Values("Content-Encoding")), 0)
		wantSame(t, "ContentLength", answer.ContentLength, int64(len(body)))
	}
}
