package portstest

import (
	"compress/gzip"
	"compress/zlib"
	"fmt"
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

func forwardSessionIDs(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	f := far.serve(t, says(200, "application/json", `{"sessionKey":"k"}`))
	for _, call := range []domain.Forward{turnOf(t), stateOf(t), sessionOf(t), streamOf(t)} {
		r := from("sessionID=s", `{"userID":"ben","sessionID":"s"}`)
		r.Header.Set("sessionID", "s")
		wantForwarded(t, "Forward with session ids", c, call, r)
		seen := f.requests()
		got := seen[len(seen)-1]
		wantSame(t, "the header sessionID", got.header.Values("sessionID"), []string{"fl-bound-s"})
		wantSame(t, "the query", got.query, "sessionID=fl-bound-s")
		if got.body != "" {
			wantSame(t, "the body", got.body, `{"userID":"fl-bound-ben","sessionID":"fl-bound-s"}`)
		}
	}
	const pseudonym = domain.PseudonymPrefix + "pAAAAAAAAAAAAAAAAAAAAAAA"
	for own, want := range map[string]string{"s": "fl-bound-s", pseudonym: pseudonym} {
		search := callOf(t, domain.ServiceAnalytics, "POST", "/v1/transcript/project/{projectID}")
		search.Environment = environment(domain.UsedEnvironment{})
		wantForwarded(t, "Forward of a search", c, search, from("", `{"sessionID":"`+own+`"}`))
		seen := f.requests()
		wantSame(t, "the body of a search for "+own, seen[len(seen)-1].body, `{"sessionID":"`+want+`"}`)
	}
	before := far.Requests()
	for _, values := range [][]string{{""}, {"a", "b"}, {strings.Repeat("x", domain.MaxOwnUserID+1)}} {
		r := from("", "{}")
		r.Header["Sessionid"] = values
		wantKind(t, fmt.Sprintf("Forward with the headers sessionID %q", values), outcome(t.Context(), c, turnOf(t), r), domain.Invalid)
	}
	wantSame(t, "requests at the far side", far.Requests(), before)
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
		{"a user id in the path", stateOf(t), "", []string{"fl-bound-ben"}, nil},
		{"a session id in the body", stream, `{"sessionID":"s"}`, []string{"fl-bound-ben"}, []string{"fl-bound-s"}},
		{"ids of a session in the body", turnOf(t), `{"session":{"sessionID":"s","userID":"u"}}`, []string{"fl-bound-ben", "fl-bound-u"}, []string{"fl-bound-s"}},
		{"ids everywhere", stream, `{"sessionID":"s"}`, []string{"fl-bound-ben"}, []string{"fl-bound-h", "fl-bound-q", "fl-bound-s"}},
		{"ids in the body alone", sessionOf(t), `{"sessionID":"s","userID":"u"}`, []string{"fl-bound-u"}, []string{"fl-bound-s"}},
	} {
		sent := func() *http.Request {
			r := from("", tc.body)
			if tc.name == "ids everywhere" {
				r = from("sessionID=q", tc.body)
				r.Header.Set("sessionID", "h")
			}
			return r
		}
		var users, sessions []string
		tc.call.UserIDs.Check = func(u, s []string) error {
			users, sessions = slices.Sorted(slices.Values(u)), slices.Sorted(slices.Values(s))
			return nil
		}
		wantForwarded(t, "Forward with "+tc.name, c, tc.call, sent())
		wantSame(t, "users that were checked for "+tc.name, users, tc.users)
		wantSame(t, "sessions that were checked for "+tc.name, sessions, tc.sessions)

		tc.call.UserIDs.Check = func([]string, []string) error { return &domain.Error{Kind: domain.NotFound} }
		before := far.Requests()
		wantKind(t, "Forward with "+tc.name+" that are another's", outcome(t.Context(), c, tc.call, sent()), domain.NotFound)
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
			_, _ = io.WriteString(body, `[{"userID":"fl-bound-ben","key":"`+r.Header.Get("Authorization")+`"}]`)
			_ = body.Close()
		})
		answer, body := wantForwarded(t, "Forward answered with "+encoding, c, turnOf(t), from("", "{}"))
		wantSame(t, "Accept-Encoding", f.requests()[0].header.Values("Accept-Encoding"), []string{"identity"})
		wantSame(t, "a body with "+encoding, body, `[{"userID":"ben","key":"`+strings.Repeat("*", len(credential.Reveal()))+`"}]`)
		wantSame(t, "Content-Encoding", len(answer.Header.Values("Content-Encoding")), 0)
		wantSame(t, "ContentLength", answer.ContentLength, int64(len(body)))
	}
}
