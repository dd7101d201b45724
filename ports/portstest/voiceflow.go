package portstest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// FarSide is a stand-in for Voiceflow. The suite tells it how to answer the client under test.
// It belongs to one test.
type FarSide struct {
	// Client returns a client of this Voiceflow, which waits for an answer for at most
	// patience, and for the next of server-sent events for as long. All services are this
	// one.
	Client func(t *testing.T, patience time.Duration) ports.Voiceflow

	// Origins are where Client is to say that it sends keys to.
	Origins domain.Origins

	// Add makes the Voiceflow know the assistant from then on.
	Add func(t *testing.T, a Assistant)

	// Fail makes every request from then on meet the fault.
	Fail func(t *testing.T, f Fault)

	// Serve makes h answer every request from then on. Of a body h may see nothing before
	// all of it has come.
	Serve func(t *testing.T, h http.Handler)

	// Requests says how many requests came so far, answered or not.
	Requests func() int

	// Elsewhere returns the number of requests so far at the target of a redirect of
	// FaultRedirect, which is another origin.
	Elsewhere func() int
}

// Assistant is an assistant at the far side, in one of its versions.
type Assistant struct {
	Project domain.VoiceflowID
	Version string // 24 lower-case hex digits
	Alias   string // an environment alias of the version
	// NameJSON is what stands in the export as the name, quotes included, to the byte.
	NameJSON string
	// PlatformJSON is what stands there as the platform, to the byte.
	PlatformJSON string
	Created      time.Time // milliseconds; zero leaves it out
	Key          domain.Secret
	Personal     domain.Secret // a personal access token that opens the project; zero for none
}

// FaultForm is the form of a Fault.
type FaultForm string

// The forms that a Fault may have.
const (
	FaultStatus   FaultForm = "status"    // an answer with Status and, unless it is empty, RetryAfter; Text is in its body
	FaultRedirect FaultForm = "redirect"  // a redirect with Status to another origin, which answers with a good export
	FaultCut      FaultForm = "cut"       // a good export without its last bytes; the transfer ends as if it were complete
	FaultReset    FaultForm = "reset"     // a good export whose connection breaks in the middle
	FaultEndless  FaultForm = "endless"   // an export that never ends
	FaultFollowed FaultForm = "followed"  // a good export followed by Text
	FaultBody     FaultForm = "body"      // an answer 200 whose whole body is Text
	FaultSilent   FaultForm = "silent"    // a request that is never answered
	FaultClosed   FaultForm = "not there" // no server listens
)

// Fault is what the far side does instead of a good answer. Fields that its form does not name
// are zero.
type Fault struct {
	Form       FaultForm
	Status     int
	RetryAfter string
	Text       string
}

// Voiceflow checks every sentence in the comments of ports.Voiceflow that can be seen from
// outside. open returns a far side without assistants.
func Voiceflow(t *testing.T, open func(t *testing.T) FarSide) {
	for _, s := range []struct {
		name string
		run  func(t *testing.T, far FarSide)
	}{
		{"Origins are the only origins that get keys; that does no I/O, never changes and is the caller's own", voiceflowOrigin},
		{"Export returns the kept part of a version's export", voiceflowExport},
		{"a creation time that Voiceflow does not tell is the zero time", voiceflowUndated},
		{"Name and Platform are valid UTF-8 without NUL, and otherwise unchanged", voiceflowTexts},
		{"an export with the key in its name or platform is VoiceflowUnavailable", voiceflowEchoes},
		{"an answer that is cut, is too long or is not a well-formed export is VoiceflowUnavailable", voiceflowBadBodies},
		{"no answer within the client's time is VoiceflowUnavailable", voiceflowSilent},
		{"408, 429, and every 3xx and 5xx are VoiceflowUnavailable", voiceflowStatuses},
		{"RetryAfter is what Voiceflow sent", voiceflowRetryAfter},
		{"any other 4xx is VoiceflowRejected", voiceflowRejected},
		{"an unknown key, version or alias is VoiceflowRejected", voiceflowUnknown},
		{"redirects are not followed", voiceflowRedirects},
		{"no error contains the key or a part of the answer's body", voiceflowErrors},
		{"Export returns promptly after its context is done", voiceflowEnded},
		{"Environments lists the environments of a project in plain form", environmentsListed},
		{"a list of environments that is too large or of another form is VoiceflowUnavailable", environmentsMalformed},
		{"Environments is VoiceflowUnavailable without a usable answer, CredentialsRejected for a 401, and VoiceflowRejected for any other 4xx", environmentsRefused},
		{"no error of Environments contains the key or a part of the answer's body", environmentsErrors},
		{"CheckPersonal succeeds for a token that opens the project, and is VoiceflowRejected for any other", personalAccepted},
		{"CheckPersonal sends the token after Bearer, to the service realtime-api", personalSent},
		{"CheckPersonal is VoiceflowUnavailable unless the answer is well-formed and about the project", personalBadBodies},
		{"CheckPersonal takes statuses, RetryAfter and time as Export does, and shows neither the token nor the answer", personalStatuses},
		{"a personal access token goes out after Bearer, and is overwritten in the answer", forwardPersonal},
		{"a personal access token goes to no call that does not take one", forwardPersonalElsewhere},
		{"an object of another project is NotFound, if the answer to a personal access token says so", forwardPersonalObjects},
		{"Forward builds the request from what the Endpoint allows", forwardBuilds},
		{"Environment gets all names and stages, and what it returns is sent; its error is that of Forward", forwardEnvironment},
		{"no credential, cookie or address of the caller goes to Voiceflow", forwardNothingOfTheCallers},
		{"the members of a body are checked, set and bound", forwardMembers},
		{"debug output of a turn needs the scope debug, and setting variables needs the scope state", forwardScopes},
		{"session ids in the header, the query and the body are bound, and a search may name pseudonyms", forwardSessionIDs},
		{"the user ids and session ids of a call are checked together, before anything is sent", forwardChecked},
		{"a call that names another project is NotFound and not sent", forwardOthers},
		{"a query or body that can't be read, or lacks a required part, is Invalid and not sent", forwardUnreadable},
		{"Sent reports whether anything went to Voiceflow, also when Forward fails", forwardSent},
		{"Sent is false if no connection came about", forwardUnconnected},
		{"Begin is called once all else is ready, and if it fails nothing is sent", forwardBegins},
		{"an answer with any status passes, with the headers of a short list and never a cookie", forwardAnswer},
		{"strings that are a pseudonym of the caller become the caller's own ids, in JSON and in the JSON of server-sent events", forwardUserIDs},
		{"an answer comes without an encoding, also if Voiceflow sent gzip or deflate", forwardEncoded},
		{"the credential is overwritten everywhere in an answer", forwardCredential},
		{"an answer that starts a session has a handle in place of the session key", forwardSession},
		{"the body reports used-up credits", forwardCredits},
		{"server-sent events pass as they are sent, and end if nothing came for the idle time", forwardEvents},
		{"any other answer is cut if the exchange takes too long", forwardTime},
		{"an answer of 400 and more whose body is not JSON has no body", forwardRefusals},
		{"the call ends at Voiceflow when its context is done or the body is closed", forwardEnds},
		{"Forward is CredentialsRejected if Voiceflow rejected the credential", forwardRejected},
		{"Forward is VoiceflowUnavailable without an answer in time, for a redirect, and for an unusable answer", forwardUnavailable},
		{"Forward is VoiceflowUnavailable at once, with RetryAfter, while the service is known to be down", forwardDown},
		{"a GET without any answer is sent once more, and nothing else is", forwardAgain},
		{"no error of Forward contains the credential or a part of the answer's body", forwardErrors},
		{"errors.As finds an error of reading the body", forwardBodyErrors},
		{"all methods are safe for concurrent use", voiceflowConcurrent},
		{"Forward is safe for concurrent use", forwardConcurrent},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, open(t)) })
	}
}

// marker is a text that must come out of no error.
const marker = "marker-4f1d"

// assistantNamed returns a new assistant.
func assistantNamed(n int, name string) Assistant {
	return Assistant{
		Project: voiceflowID(n), Version: fmt.Sprintf("66c6%020x", n), Alias: "production",
		NameJSON: `"` + name + `"`, PlatformJSON: `"webchat"`, Created: time.Date(2022, 11, 14, 4, 53, 8, 0, time.UTC),
		Key: domain.NewSecret(fmt.Sprintf("VF.DM.66c7%020x.%s", n, "AbCdEfGhIjKlMnOp")),
	}
}

func (a Assistant) ref() domain.VersionRef { return domain.VersionRef{Version: a.Version} }

func voiceflowOrigin(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	for range 3 {
		got := c.Origins()
		wantSame(t, "Origins", got, far.Origins)
		clear(got)
	}
	if n := far.Requests(); n != 0 {
		t.Fatalf("Origins: got %d requests at the far side, want none", n)
	}
	far.Fail(t, Fault{Form: FaultClosed})
	wantSame(t, "Origins while nobody listens", c.Origins(), far.Origins)
}

func voiceflowExport(t *testing.T, far FarSide) {
	a, b := assistantNamed(1, "Tico's assistant"), assistantNamed(2, "Another one")
	b.Created = time.Date(2026, 6, 3, 16, 20, 45, 678_000_000, time.UTC)
	far.Add(t, a)
	far.Add(t, b)
	c := far.Client(t, patience)
	for _, tc := range []struct {
		name string
		ref  domain.VersionRef
		key  domain.Secret
		want domain.Export
	}{
		{"a version", a.ref(), a.Key, domain.Export{Project: a.Project, Name: "Tico's assistant", Platform: "webchat", Created: a.Created}},
		{"another version", b.ref(), b.Key, domain.Export{Project: b.Project, Name: "Another one", Platform: "webchat", Created: b.Created}},
		{
			"a version whose project is told", domain.VersionRef{Version: a.Version, Project: a.Project}, a.Key,
			domain.Export{Project: a.Project, Name: "Tico's assistant", Platform: "webchat", Created: a.Created},
		},
		{
			"an alias", domain.VersionRef{Version: b.Alias, Project: b.Project}, b.Key,
			domain.Export{Project: b.Project, Name: "Another one", Platform: "webchat", Created: b.Created},
		},
	} {
		got, err := c.Export(t.Context(), tc.ref, tc.key)
		wantNil(t, "Export of "+tc.name, err)
		wantSame(t, "Export of "+tc.name, got, tc.want)
	}
	if n := far.Elsewhere(); n != 0 {
		t.Fatalf("Export: got %d requests at another origin, want none", n)
	}
}

func voiceflowUndated(t *testing.T, far FarSide) {
	a := assistantNamed(1, "undated")
	a.Created = time.Time{}
	far.Add(t, a)
	got, err := far.Client(t, patience).Export(t.Context(), a.ref(), a.Key)
	wantNil(t, "Export", err)
	if !got.Created.IsZero() {
		t.Fatalf("Export without a creation time: got %v, want the zero time", got.Created)
	}
}

// voiceflowTexts has names as anybody may give them to an assistant, and such as no writer of
// JSON should send.
func voiceflowTexts(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	for i, tc := range []struct {
		name, json, want string
	}{
		{"no text at all", `""`, ""},
		{"spaces around", `"  padded "`, "  padded "},
		{"line breaks and quotes", `"a\nb\r\n\"c\" \\ '\/"`, "a\nb\r\n\"c\" \\ '/"},
		{"escapes", `"\u5ba2\u670d \ud83d\ude42"`, "客服 🙂"},
		{"right to left", "\"\u202eשלום\u200f\"", "\u202eשלום\u200f"},
		{"a family of emoji", `"👩‍👩‍👧"`, "👩‍👩‍👧"},
		{"a long one", `"` + strings.Repeat("語", 2000) + `"`, strings.Repeat("語", 2000)},
		{"an escaped NUL", `"a\u0000b"`, "a\uFFFDb"},
		{"half a surrogate pair", `"a\ud83db"`, "a\uFFFDb"},
		{"the other half", `"a\ude42b"`, "a\uFFFDb"},
		{"a byte that is no UTF-8", "\"a\xffb\"", "a\uFFFDb"},
	} {
		a := assistantNamed(i, "")
		a.NameJSON, a.PlatformJSON = tc.json, tc.json
		far.Add(t, a)
		got, err := c.Export(t.Context(), a.ref(), a.Key)
		wantNil(t, "Export whose texts have "+tc.name, err)
		wantSame(t, "Name with "+tc.name, got.Name, tc.want)
		wantSame(t, "Platform with "+tc.name, got.Platform, tc.want)
	}
	// How many U+FFFD stand for a longer run is not said; that none of the run is left is.
	a := assistantNamed(99, "")
	a.NameJSON = "\"a\xf0\x9f\x99b\xc3(\xed\xa0\x80c\\u0000\\u0000d\""
	far.Add(t, a)
	got, err := c.Export(t.Context(), a.ref(), a.Key)
	wantNil(t, "Export whose name is hardly text", err)
	if !utf8.ValidString(got.Name) || strings.ContainsRune(got.Name, 0) || !strings.ContainsRune(got.Name, utf8.RuneError) {
		t.Fatalf("Name that is hardly text: got %q, want valid UTF-8 without NUL, with U+FFFD", got.Name)
	}
	for _, letter := range "ab(cd" {
		if !strings.ContainsRune(got.Name, letter) {
			t.Fatalf("Name that is hardly text: got %q, want the %q that was text left in it", got.Name, letter)
		}
	}
}

func voiceflowEchoes(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	for n, change := range []func(a *Assistant){
		func(a *Assistant) { a.NameJSON = `"` + a.Key.Reveal() + `"` },
		func(a *Assistant) { a.NameJSON = `"no such key: ` + a.Key.Reveal() + `!"` },
		func(a *Assistant) { a.PlatformJSON = `"webchat ` + a.Key.Reveal() + `"` },
	} {
		a := assistantNamed(n+1, "Echo")
		change(&a)
		far.Add(t, a)
		got, err := c.Export(t.Context(), a.ref(), a.Key)
		wantKind(t, "Export with the key in it", err, domain.VoiceflowUnavailable)
		wantSame(t, "what Export with the key in it returned", got, domain.Export{})
	}
}

// badBodies returns faults whose body is not an export.
func badBodies() map[string]Fault {
	return map[string]Fault{
		"is cut":                           {Form: FaultCut},
		"breaks off":                       {Form: FaultReset},
		"goes on without end":              {Form: FaultEndless},
		"is followed by more":              {Form: FaultFollowed, Text: `{"more":"` + marker + `"}`},
		"is followed by a bracket":         {Form: FaultFollowed, Text: `}`},
		"is followed by a NUL":             {Form: FaultFollowed, Text: "\x00"},
		"is empty":                         {Form: FaultBody},
		"is a word":                        {Form: FaultBody, Text: marker},
		"is a page":                        {Form: FaultBody, Text: "<html><body>" + marker + "</body></html>"},
		"is null":                          {Form: FaultBody, Text: `null`},
		"is a list":                        {Form: FaultBody, Text: `["` + marker + `"]`},
		"is a text":                        {Form: FaultBody, Text: `"` + marker + `"`},
		"is an object without anything":    {Form: FaultBody, Text: `{}`},
		"is an object without a project":   {Form: FaultBody, Text: `{"diagrams":{},"version":{"name":"` + marker + `"}}`},
		"has null as its project":          {Form: FaultBody, Text: `{"project":null}`},
		"has a text as its project":        {Form: FaultBody, Text: `{"project":"` + marker + `"}`},
		"has a project without an id":      {Form: FaultBody, Text: `{"project":{"name":"` + marker + `"}}`},
		"has a project whose id is a word": {Form: FaultBody, Text: `{"project":{"_id":"` + marker + `","name":"x"}}`},
		"is half an object":                {Form: FaultBody, Text: `{"project":{"_id":"66c500000000000000000001","name":"` + marker + `"}`},
	}
}

func voiceflowBadBodies(t *testing.T, far FarSide) {
	a := assistantNamed(1, "p")
	far.Add(t, a)
	for what, fault := range badBodies() {
		far.Fail(t, fault)
		got, err := far.Client(t, time.Second).Export(t.Context(), a.ref(), a.Key)
		wantKind(t, "Export whose answer "+what, err, domain.VoiceflowUnavailable)
		wantSame(t, "what Export returned beside the error", got, domain.Export{})
	}
}

// voiceflowSilent waits as long as the client's time limit, which is short.
func voiceflowSilent(t *testing.T, far FarSide) {
	a := assistantNamed(1, "p")
	far.Add(t, a)
	far.Fail(t, Fault{Form: FaultSilent})
	_, err := far.Client(t, 50*time.Millisecond).Export(t.Context(), a.ref(), a.Key)
	wantKind(t, "Export without an answer", err, domain.VoiceflowUnavailable)
	far.Fail(t, Fault{Form: FaultClosed})
	_, err = far.Client(t, time.Second).Export(t.Context(), a.ref(), a.Key)
	wantKind(t, "Export while nobody listens", err, domain.VoiceflowUnavailable)
}

func voiceflowStatuses(t *testing.T, far FarSide) {
	a := assistantNamed(1, "p")
	far.Add(t, a)
	for _, status := range []int{300, 304, 305, 306, 399, 408, 429, 500, 501, 502, 503, 504, 505, 507, 520, 522, 599} {
		text := `{"message":"` + marker + `"}`
		if status == 304 {
			text = "" // HTTP has no body there
		}
		far.Fail(t, Fault{Form: FaultStatus, Status: status, Text: text})
		_, err := far.Client(t, time.Second).Export(t.Context(), a.ref(), a.Key)
		wantKind(t, fmt.Sprintf("Export answered with %d", status), err, domain.VoiceflowUnavailable)
	}
}

func voiceflowRetryAfter(t *testing.T, far FarSide) {
	a := assistantNamed(1, "p")
	far.Add(t, a)
	for _, status := range []int{429, 503} {
		for text, want := range map[string]time.Duration{
			"120": 2 * time.Minute, "3600": time.Hour, "": 0, "0": 0, "soon": 0, "-5": 0, "1.5": 0, "\xff": 0,
		} {
			far.Fail(t, Fault{Form: FaultStatus, Status: status, RetryAfter: text})
			_, err := far.Client(t, time.Second).Export(t.Context(), a.ref(), a.Key)
			what := fmt.Sprintf("Export answered with %d and Retry-After %q", status, text)
			wantKind(t, what, err, domain.VoiceflowUnavailable)
			e, _ := errors.AsType[*domain.Error](err)
			wantSame(t, what+": RetryAfter", e.RetryAfter, want)
		}
	}
}

func voiceflowRejected(t *testing.T, far FarSide) {
	a := assistantNamed(1, "p")
	far.Add(t, a)
	for _, status := range []int{400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 413, 414, 415, 418, 422, 423, 426, 428, 431, 451, 499} {
		far.Fail(t, Fault{Form: FaultStatus, Status: status, Text: `{"message":"` + marker + `"}`})
		_, err := far.Client(t, patience).Export(t.Context(), a.ref(), a.Key)
		wantKind(t, fmt.Sprintf("Export answered with %d", status), err, domain.VoiceflowRejected)
	}
}

func voiceflowUnknown(t *testing.T, far FarSide) {
	a, b := assistantNamed(1, "a"), assistantNamed(2, "b")
	far.Add(t, a)
	far.Add(t, b)
	c := far.Client(t, patience)
	for _, tc := range []struct {
		name string
		ref  domain.VersionRef
		key  domain.Secret
	}{
		{"an unknown key", a.ref(), assistantNamed(3, "").Key},
		{"another assistant's key", a.ref(), b.Key},
		{"an unknown version", assistantNamed(3, "").ref(), a.Key},
		{"an unknown alias", domain.VersionRef{Version: "nightly", Project: a.Project}, a.Key},
		{"an alias of an unknown project", domain.VersionRef{Version: a.Alias, Project: voiceflowID(3)}, a.Key},
	} {
		_, err := c.Export(t.Context(), tc.ref, tc.key)
		wantKind(t, "Export with "+tc.name, err, domain.VoiceflowRejected)
	}
}

func voiceflowRedirects(t *testing.T, far FarSide) {
	a := assistantNamed(1, "p")
	far.Add(t, a)
	for _, status := range []int{301, 302, 303, 307, 308} {
		far.Fail(t, Fault{Form: FaultRedirect, Status: status})
		_, err := far.Client(t, time.Second).Export(t.Context(), a.ref(), a.Key)
		wantKind(t, fmt.Sprintf("Export redirected with %d", status), err, domain.VoiceflowUnavailable)
		if n := far.Elsewhere(); n != 0 {
			t.Fatalf("Export redirected with %d: got %d requests where the redirect points to, want none", status, n)
		}
	}
}

// voiceflowErrors lets the far side echo the key and a marker wherever it can.
func voiceflowErrors(t *testing.T, far FarSide) {
	a := assistantNamed(1, marker)
	far.Add(t, a)
	faults := badBodies()
	for _, status := range []int{400, 401, 404, 408, 429, 500, 503} {
		faults[fmt.Sprintf("has the status %d", status)] = Fault{
			Form: FaultStatus, Status: status, Text: fmt.Sprintf(`{"message":"%s %s"}`, marker, a.Key.Reveal()),
		}
	}
	faults["never comes"] = Fault{Form: FaultSilent}
	faults["echoes the key"] = Fault{Form: FaultBody, Text: `{"project":` + a.Key.Reveal()}
	faults["is redirected"] = Fault{Form: FaultRedirect, Status: 307}
	for what, fault := range faults {
		far.Fail(t, fault)
		_, err := far.Client(t, 200*time.Millisecond).Export(t.Context(), a.ref(), a.Key)
		if err == nil {
			t.Fatalf("Export whose answer %s: got success, want an error", what)
		}
		wantHarmless(t, "Export whose answer "+what, err, a.Key)
	}
	far.Fail(t, Fault{Form: FaultClosed})
	_, err := far.Client(t, time.Second).Export(t.Context(), a.ref(), a.Key)
	wantHarmless(t, "Export while nobody listens", err, a.Key)
}

// wantHarmless fails the test when err, or anything that it wraps, shows the key or marker.
func wantHarmless(t *testing.T, what string, err error, key domain.Secret) {
	t.Helper()
	for todo := []error{err}; len(todo) > 0; todo = todo[1:] {
		one := todo[0]
		texts := []string{one.Error(), fmt.Sprintf("%+v", one), fmt.Sprintf("%#v", one)}
		if e, ours := one.(*domain.Error); ours { //nolint:errorlint // each error of the chain is looked at by itself
			texts = append(texts, e.Public)
		}
		for _, text := range texts {
			if strings.Contains(text, key.Reveal()) || strings.Contains(text, key.Reveal()[len("VF.DM."):]) {
				t.Fatalf("%s: got a %T that shows the key", what, one)
			}
			if strings.Contains(text, marker) {
				t.Fatalf("%s: got a %T that shows what stood in the answer's body: %s", what, one, text)
			}
		}
		switch wraps := one.(type) { //nolint:errorlint // it walks the chain
		case interface{ Unwrap() error }:
			if inner := wraps.Unwrap(); inner != nil {
				todo = append(todo, inner)
			}
		case interface{ Unwrap() []error }:
			todo = append(todo, wraps.Unwrap()...)
		}
	}
}

// voiceflowEnded gives the client much patience, so that only the context can end the call.
func voiceflowEnded(t *testing.T, far FarSide) {
	a := assistantNamed(1, "p")
	far.Add(t, a)
	c := far.Client(t, time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Export(ctx, a.ref(), a.Key)
	if problem := otherThan(err, domain.VoiceflowUnavailable, domain.Unavailable); problem != "" {
		t.Fatalf("Export under an ended context: %s", problem)
	}

	for what, fault := range map[string]Fault{"while no answer comes": {Form: FaultSilent}, "while the answer goes on": {Form: FaultEndless}} {
		far.Fail(t, fault)
		before := far.Requests()
		ctx, cancel := context.WithCancel(t.Context())
		returned := make(chan struct{})
		go func() {
			defer close(returned)
			_, err = c.Export(ctx, a.ref(), a.Key)
		}()
		for far.Requests() == before && !closed(returned) {
			runtime.Gosched()
		}
		cancel()
		wantReturn(t, "Export whose context ends "+what, returned)
		if problem := otherThan(err, domain.VoiceflowUnavailable, domain.Unavailable); problem != "" {
			t.Fatalf("Export whose context ends %s: %s", what, problem)
		}
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func voiceflowConcurrent(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	all, problems := make([]Assistant, 16), make([]error, 16)
	for i := range all {
		all[i] = assistantNamed(i, fmt.Sprintf("assistant %d", i))
		far.Add(t, all[i])
	}
	atOnce(len(all), func(i int) {
		got, err := c.Export(t.Context(), all[i].ref(), all[i].Key)
		problems[i] = cmp.Or(err, mismatch(got, domain.Export{
			Project: all[i].Project, Name: fmt.Sprintf("assistant %d", i), Platform: "webchat", Created: all[i].Created,
		}))
		if len(c.Origins().Changed(far.Origins)) > 0 && problems[i] == nil {
			problems[i] = errors.New("the origin has changed")
		}
	})
	for _, err := range problems {
		wantNil(t, "Export beside others", err)
	}
}
