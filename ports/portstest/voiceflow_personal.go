package portstest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// personalToken is a token in the form of Voiceflow's personal access tokens.
var personalToken = domain.NewSecret("vfp_66c7AbCdEfGh_IjKlMnOpQrStUvWxYz012345")

// withToken returns an assistant that the token opens.
func withToken(n int) Assistant {
	a := assistantNamed(n, "p")
	a.Personal = personalToken
	return a
}

func personalAccepted(t *testing.T, far FarSide) {
	a, b := withToken(1), assistantNamed(2, "q")
	far.Add(t, a)
	far.Add(t, b)
	c := far.Client(t, patience)
	wantNil(t, "CheckPersonal", c.CheckPersonal(t.Context(), a.Project, a.Personal))
	for what, tc := range map[string]struct {
		project domain.VoiceflowID
		token   domain.Secret
	}{
		"of a project that the token does not open": {b.Project, a.Personal},
		"of an unknown project":                     {voiceflowID(3), a.Personal},
		"with an unknown token":                     {a.Project, domain.NewSecret("vfp_other_token")},
		"with the project's key":                    {a.Project, a.Key},
	} {
		wantKind(t, "CheckPersonal "+what, c.CheckPersonal(t.Context(), tc.project, tc.token), domain.VoiceflowRejected)
	}
	if n := far.Elsewhere(); n != 0 {
		t.Fatalf("CheckPersonal: got %d requests at another origin, want none", n)
	}
}

// personalSent looks at the whole request.
func personalSent(t *testing.T, far FarSide) {
	f := far.serve(t, says(200, "application/json", `{"project":{"id":"`+string(voiceflowID(1))+`"}}`))
	wantNil(t, "CheckPersonal", far.Client(t, patience).CheckPersonal(t.Context(), voiceflowID(1), personalToken))
	all := f.requests()
	if len(all) != 1 {
		t.Fatalf("CheckPersonal: got %d requests, want one", len(all))
	}
	r := all[0]
	if r.method != "GET" || r.path != "/v1/stable/project/"+string(voiceflowID(1)) || r.query != "" || r.body != "" {
		t.Errorf("CheckPersonal: got the request %+v", r)
	}
	if got := r.header.Get("Authorization"); got != "Bearer "+personalToken.Reveal() {
		t.Errorf("CheckPersonal: got another credential than Bearer and the token")
	}
	for name, values := range r.header {
		if name != "Authorization" && strings.Contains(strings.Join(values, " "), personalToken.Reveal()) {
			t.Errorf("CheckPersonal: the token is in the header %s too", name)
		}
	}
}

func personalBadBodies(t *testing.T, far FarSide) {
	id := string(voiceflowID(1))
	good := `{"project":{"id":"` + id + `","name":"` + marker + `"}}`
	bodies := map[string]string{
		"is empty":                            "",
		"is a word":                           marker,
		"is null":                             "null",
		"is a list":                           "[" + good + "]",
		"is an object without anything":       "{}",
		"has null as its project":             `{"project":null}`,
		"has a list as its project":           `{"project":[{"id":"` + id + `"}]}`,
		"has the id elsewhere":                `{"id":"` + id + `","project":{"name":"` + marker + `"}}`,
		"has the id deeper":                   `{"project":{"project":{"id":"` + id + `"}}}`,
		"has a number as its id":              `{"project":{"id":1}}`,
		"is about another project":            `{"project":{"id":"` + string(voiceflowID(2)) + `"}}`,
		"is about two projects":               `{"project":{"id":"` + string(voiceflowID(2)) + `"},"project":{"id":"` + id + `"}}`,
		"has two ids":                         `{"project":{"id":"` + id + `","id":"` + string(voiceflowID(2)) + `"}}`,
		"is cut":                              good[:len(good)-1],
		"is followed by more":                 good + `{}`,
		"has the token":                       `{"project":{"id":"` + personalToken.Reveal() + `"}}`,
		"is much too long":                    `{"project":{"id":"` + id + `","description":"` + strings.Repeat("x", 8<<20) + `"}}`,
		"is one of a list of many (too long)": `{"projects":[` + strings.Repeat(good+",", 40_000) + good + `]}`,
	}
	for what, body := range bodies {
		far.serve(t, says(200, "application/json", body))
		err := far.Client(t, time.Second).CheckPersonal(t.Context(), voiceflowID(1), personalToken)
		wantKind(t, "CheckPersonal whose answer "+what, err, domain.VoiceflowUnavailable)
		wantHarmless(t, "CheckPersonal whose answer "+what, err, personalToken)
	}
	for what, body := range map[string]string{
		"has the id in upper case":  `{"project":{"id":"` + strings.ToUpper(id) + `"}}`,
		"has more than we know of":  `{"a":[{"project":{"id":"x"}}],"project":{"name":"a\u0000\ud800","id":"` + id + `","image":null},"b":{}} `,
		"has a project as its name": `{"project":{"name":{"id":"x"},"id":"` + id + `"}}`,
	} {
		far.serve(t, says(200, "application/json", body))
		wantNil(t, "CheckPersonal whose answer "+what, far.Client(t, patience).CheckPersonal(t.Context(), voiceflowID(1), personalToken))
	}
}

// personalStatuses has every sort of status, and a client that is not answered.
func personalStatuses(t *testing.T, far FarSide) {
	check := func(what string, patience time.Duration, kind domain.Kind) time.Duration {
		t.Helper()
		err := far.Client(t, patience).CheckPersonal(t.Context(), voiceflowID(1), personalToken)
		wantKind(t, "CheckPersonal "+what, err, kind)
		wantHarmless(t, "CheckPersonal "+what, err, personalToken)
		e, _ := errors.AsType[*domain.Error](err)
		return e.RetryAfter
	}
	text := `{"message":"` + marker + ` ` + personalToken.Reveal() + `","project":{"id":"` + string(voiceflowID(1)) + `"}}`
	for _, status := range []int{400, 401, 402, 403, 404, 410, 422} {
		far.Fail(t, Fault{Form: FaultStatus, Status: status, Text: text})
		check(fmt.Sprintf("answered with %d", status), time.Second, domain.VoiceflowRejected)
	}
	for _, status := range []int{201, 202, 206, 300, 399, 408, 429, 500, 502, 503, 504} {
		far.Fail(t, Fault{Form: FaultStatus, Status: status, RetryAfter: "120", Text: text})
		retry := check(fmt.Sprintf("answered with %d", status), time.Second, domain.VoiceflowUnavailable)
		wantSame(t, fmt.Sprintf("RetryAfter of %d", status), retry, 2*time.Minute)
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		far.Fail(t, Fault{Form: FaultRedirect, Status: status})
		check(fmt.Sprintf("redirected with %d", status), time.Second, domain.VoiceflowUnavailable)
	}
	if n := far.Elsewhere(); n != 0 {
		t.Fatalf("CheckPersonal redirected: got %d requests where the redirect points to, want none", n)
	}
	far.Fail(t, Fault{Form: FaultSilent})
	check("without an answer", 50*time.Millisecond, domain.VoiceflowUnavailable)
	far.Fail(t, Fault{Form: FaultClosed})
	check("while nobody listens", time.Second, domain.VoiceflowUnavailable)
}

// stableCalls are calls of the stable API, with ids of users and of other objects.
var stableCalls = [][2]string{
	{"GET", "/v1/stable/conversation-state/ben"},
	{"GET", "/v1/stable/transcript/66c800000000000000000001"},
	{"POST", "/v1/stable/transcript/search"},
}

// forwardPersonal forwards calls with a token, which the far side echoes wherever it can.
func forwardPersonal(t *testing.T, far FarSide) {
	token := personalToken.Reveal()
	f := far.serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Ratelimit-Limit", r.Header.Get("Authorization"))
		w.Header().Set("Etag", token)
		_, _ = fmt.Fprintf(w, `{"authorization":%q,"token":%q,"projectID":%q}`, r.Header.Get("Authorization"), token, voiceflowID(1))
	})
	c := far.Client(t, patience)
	for _, call := range stableCalls {
		what := call[0] + " " + call[1]
		answer, err := c.Forward(t.Context(), personally(t, call), from("", "{}"), personalToken)
		wantNil(t, what, err)
		body, err := io.ReadAll(answer.Body)
		wantNil(t, what+": reading the answer", errors.Join(err, answer.Body.Close()))
		stars := strings.Repeat("*", len(token))
		wantSame(t, what, string(body), `{"authorization":"Bearer `+stars+`","token":"`+stars+`","projectID":"`+string(voiceflowID(1))+`"}`)
		for name, values := range answer.Header {
			if strings.Contains(strings.Join(values, " "), token) {
				t.Errorf("%s: the token is in the header %s of the answer", what, name)
			}
		}
	}
	for i, r := range f.requests() {
		wantSame(t, "the credential", r.header.Values("Authorization"), []string{"Bearer " + token})
		if !strings.Contains(r.query, "projectID="+string(voiceflowID(1))) {
			t.Errorf("%v: the query %q does not name the project", stableCalls[i], r.query)
		}
	}
	before := far.Requests()
	for _, r := range []*http.Request{from("projectID="+string(voiceflowID(2)), "{}"), from("", `{"projectID":"`+string(voiceflowID(2))+`"}`)} {
		_, err := c.Forward(t.Context(), personally(t, stableCalls[2]), r, personalToken)
		wantKind(t, "Forward with a token that names another project", err, domain.NotFound)
	}
	wantSame(t, "requests that name another project", far.Requests(), before)
	for _, body := range []string{`{"message":"Unauthorized"}`, "", token} {
		far.serve(t, says(401, "application/json", body))
		_, err := c.Forward(t.Context(), personally(t, stableCalls[0]), from("", "{}"), personalToken)
		wantKind(t, "Forward with a token that is rejected", err, domain.CredentialsRejected)
		wantHarmless(t, "Forward with a token that is rejected", err, personalToken)
	}
}

// personally returns a call of the stable API whose credential is a personal access token.
func personally(t *testing.T, call [2]string) domain.Forward {
	t.Helper()
	f := callOf(t, domain.ServiceRealtime, call[0], call[1])
	f.Personal = true
	return f
}

// forwardPersonalElsewhere forwards calls of other APIs with a token, which must not be sent there.
func forwardPersonalElsewhere(t *testing.T, far FarSide) {
	f := far.serve(t, says(200, "application/json", `{}`))
	c := far.Client(t, patience)
	for _, call := range []domain.Forward{turnOf(t), stateOf(t), sessionOf(t), callOf(t, domain.ServiceRealtime, "GET", "/v1alpha1/public/knowledge-base/document")} {
		call.Personal = true
		answer, err := c.Forward(t.Context(), call, from("", `{"userID":"ben"}`), personalToken)
		if err == nil || answer.Sent {
			t.Errorf("%s with a personal access token: it was sent", call.Route.Endpoint.Path)
		}
	}
	wantSame(t, "requests with a personal access token", len(f.requests()), 0)
}

// forwardPersonalObjects asks for objects by their ids with a token, which opens other projects too.
func forwardPersonalObjects(t *testing.T, far FarSide) {
	own, other := string(voiceflowID(1)), string(voiceflowID(2))
	c := far.Client(t, patience)
	ask := func(personal bool, call [2]string, body string) (string, error) {
		far.serve(t, says(200, "application/json", body))
		f := personally(t, call)
		f.Personal = personal
		answer, err := c.Forward(t.Context(), f, from("", "{}"), personalToken)
		if err != nil {
			return "", err
		}
		read, err := io.ReadAll(answer.Body)
		return string(read), errors.Join(err, answer.Body.Close())
	}
	object, list := stableCalls[1], stableCalls[2]
	long := `,"logs":[{"data":{"projectID":"` + other + `","userID":"fl-bound-ben"}},"` + strings.Repeat("x", 200_000) + `"]`
	for name, body := range map[string]string{
		"its project":                       `{"transcript":{"id":"x","projectID":"` + own + `"}}`,
		"its project in upper case":         `{"transcript":{"projectID":"` + strings.ToUpper(own) + `"}}`,
		"its project, at the top":           `{"projectID":"` + own + `"}`,
		"no project":                        `{"evaluation":{"id":"x","name":"projectID"}}`,
		"null as its project":               `{"transcript":{"projectID":null}}`,
		"another project in what users did": `{"transcript":{"projectID":"` + own + `"` + long + `}}`,
	} {
		got, err := ask(true, object, body)
		wantNil(t, "Forward whose answer has "+name, err)
		wantSame(t, "the answer that has "+name, got, strings.ReplaceAll(body, "fl-bound-ben", "ben"))
	}
	foreign := map[string]string{
		"another project":                    `{"transcript":{"id":"` + marker + `","projectID":"` + other + `"}}`,
		"another project, in escapes":        `{"transcript":{"project\u0049D":"` + other + `"}}`,
		"another project at the top":         `{"logs":[{"x":"` + marker + `"}],"projectID":"` + other + `"}`,
		"another project behind much":        `{"transcript":{"x":1` + long + `,"projectID":"` + other + `"}}`,
		"another project behind its own one": `{"transcript":{"projectID":"` + own + `","projectID":"` + other + `"}}`,
		"another project in a second object": `{"a":{"projectID":"` + own + `"},"b":{"projectID":"` + other + `"}}`,
		"a number as its project":            `{"transcript":{"projectID":7}}`,
		"an object as its project":           `{"transcript":{"projectID":{"id":"` + own + `"}}}`,
		"an empty project":                   `{"transcript":{"projectID":""}}`,
		"another project and is cut":         `{"projectID":"` + other + `"`,
	}
	for name, body := range foreign {
		_, err := ask(true, object, body)
		wantKind(t, "Forward whose answer has "+name, err, domain.NotFound)
		wantHarmless(t, "Forward whose answer has "+name, err, personalToken)
	}
	for name, body := range map[string]string{
		"a list": `[{"projectID":"` + own + `"}]`, "a word": marker, "half an object": `{"transcript":{"projectID":"` + own + `"}`,
		"more behind it": `{}{"projectID":"` + own + `"}`, "a text": `"` + marker + `"`,
	} {
		_, err := ask(true, object, body)
		wantKind(t, "Forward whose answer is "+name, err, domain.VoiceflowUnavailable)
		wantHarmless(t, "Forward whose answer is "+name, err, personalToken)
	}
	for name, try := range map[string]struct {
		personal bool
		call     [2]string
	}{"a project's key, which opens one project": {false, object}, "a call that asks for no object": {true, list}} {
		body := foreign["another project"]
		got, err := ask(try.personal, try.call, body)
		wantNil(t, "Forward with "+name, err)
		wantSame(t, "Forward with "+name, got, body)
	}
}
