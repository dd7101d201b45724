package clients

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// at returns the text at a place of a JSON text, such as transcripts.0.id.
func at(text, where string) (string, error) {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return "", err
	}
	for step := range strings.SplitSeq(where, ".") {
		switch of := v.(type) {
		case map[string]any:
			v = of[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(of) {
				return "", fmt.Errorf("there is no %s", where)
			}
			v = of[i]
		default:
			return "", fmt.Errorf("there is no %s", where)
		}
	}
	value, isText := v.(string)
	if !isText || value == "" {
		return "", errors.New("there is no text at " + where)
	}
	return value, nil
}

var (
	anyID   = regexp.MustCompile(`\b[0-9a-f]{24}\b`)
	anyTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|\b1[78]\d{11}\b`)
)

// comparable returns a text in which nothing differs between two worlds that say the same: ids
// that are not known, times, and session keys.
func comparable(known []string, text string) string {
	text = anyTime.ReplaceAllString(text, "TIME")
	return anyID.ReplaceAllStringFunc(text, func(id string) string {
		if slices.Contains(known, id) {
			return id
		}
		return "ID"
	})
}

// plain returns a value of JSON as comparable returns a text.
func plain(known []string, v any) any {
	switch v := v.(type) {
	case string:
		return comparable(known, v)
	case []any:
		out := []any{}
		for _, e := range v {
			out = append(out, plain(known, e))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for name, e := range v {
			switch name {
			case "sessionKey":
				e = "SESSION KEY"
			case "time", "timestamp":
				e = "TIME"
			}
			out[comparable(known, name)] = plain(known, e)
		}
		return out
	}
	return v
}

// event is a server-sent event.
type event struct {
	Fields []string // without data
	Data   any
}

// content returns what a body says, in a form that can be compared.
func content(known []string, contentType, body string) any {
	switch {
	case strings.HasPrefix(contentType, "text/event-stream"):
		var events []event
		for block := range strings.SplitSeq(body, "\n\n") {
			var e event
			for line := range strings.SplitSeq(strings.TrimPrefix(block, "\n"), "\n") {
				if data, isData := strings.CutPrefix(line, "data: "); isData {
					e.Data = content(known, "application/json", data)
				} else if line != "" {
					e.Fields = append(e.Fields, line)
				}
			}
			events = append(events, e)
		}
		return events
	case strings.HasPrefix(contentType, "multipart/form-data"):
		// Flowlatch writes the form again, with a boundary of its own.
		if _, parameters, err := mime.ParseMediaType(contentType); err == nil {
			body = strings.ReplaceAll(body, "--"+parameters["boundary"], "--BOUNDARY")
		}
		// The stand-in keeps the first MiB of a body, so a longer boundary leaves less of the file.
		return comparable(known, body[:min(len(body), 1<<20-1024)])
	}
	var v any
	if json.Unmarshal([]byte(body), &v) == nil {
		return plain(known, v)
	}
	return comparable(known, body)
}

// added are the headers that Flowlatch adds to an answer of Voiceflow, with the reason.
var added = map[string]string{
	"X-Request-Id":                     "names the call in the log and in the audit",
	"Ratelimit-Limit":                  "the rate of the caller at Flowlatch",
	"Ratelimit-Remaining":              "the same",
	"Ratelimit-Reset":                  "the same",
	"Flowlatch-Environment":            "the environment that was used",
	"Flowlatch-Environment-Version":    "whether its draft was used",
	"Flowlatch-Token-Expires":          "the access token has to be renewed soon",
	"Cache-Control":                    "what a caller may read is for that caller alone",
	"X-Content-Type-Options":           "no browser takes an answer of Voiceflow for a page of Flowlatch",
	"X-Accel-Buffering":                "nginx passes each part of a stream on at once",
	"Access-Control-Allow-Origin":      "a page of a trusted origin may read the answer",
	"Access-Control-Allow-Credentials": "the same",
	"Access-Control-Expose-Headers":    "the same",
	"Vary":                             "a cache keeps the answers to pages of several origins apart",

	"Content-Security-Policy": "an answer that a browser shows runs nothing",
}

// computed are the headers that each server makes for its own connection.
var computed = []string{"Date", "Content-Length", "Transfer-Encoding", "Connection"}

// differences compares two answers. It returns "" if a client can't tell them apart, except by
// the headers of added and by what differs lists.
func differences(known []string, want, got reply, differs map[string]string) string {
	type shown struct {
		Status  int
		Headers map[string][]string
		Body    any
	}
	show := func(r reply) shown {
		s := shown{r.status, map[string][]string{}, content(known, r.header.Get("Content-Type"), r.body)}
		for name, values := range r.header {
			if added[name] == "" && !slices.Contains(computed, name) {
				s.Headers[name] = values
			}
		}
		return s
	}
	if want.status != got.status {
		return fmt.Sprintf("- %d\n+ %d %s", want.status, got.status, got.body)
	}
	if _, of := differs["environment"]; of {
		if cmp.Equal(show(want), show(got)) {
			return "the environment no longer differs"
		}
		known = nil // versions are then ids like others
	}
	w, g := show(want), show(got)
	for what := range differs {
		name, isHeader := strings.CutPrefix(what, "answer ")
		switch {
		case !isHeader:
		case name == "body" && !cmp.Equal(w.Body, g.Body):
			w.Body, g.Body = nil, nil
		case slices.Equal(w.Headers[name], g.Headers[name]):
			return what + " no longer differs"
		default:
			delete(w.Headers, name)
			delete(g.Headers, name)
		}
	}
	return cmp.Diff(w, g)
}

// passed are the headers of a client that Voiceflow acts on. All others stay at Flowlatch: they are
// about the connection, or they may name the caller.
var passed = []string{"Accept", "Content-Type", "Versionid", "Sessionid", "Projectid"}

// lost compares a request as it came to Voiceflow directly and through Flowlatch. It returns "" if
// both ask for the same, except for what differs lists. Flowlatch binds ids of users and sessions,
// and it may say more: the project and the version that are used.
func lost(known []string, direct, through voiceflowtest.Request, differs map[string]string) string {
	type shown struct {
		Method, Path string
		Query        url.Values
		Header       http.Header
		Body         any
	}
	show := func(r voiceflowtest.Request) shown {
		s := shown{r.Method, comparable(known, r.URL.EscapedPath()), url.Values{}, http.Header{}, content(known, r.Header.Get("Content-Type"), string(r.Body))}
		for name, values := range r.URL.Query() {
			for _, value := range values {
				s.Query.Add(name, comparable(known, value))
			}
		}
		for _, name := range passed {
			if values := r.Header[name]; len(values) > 0 && (name != "Content-Type" || len(r.Body) > 0) {
				s.Header[name] = values
				if is, _, _ := mime.ParseMediaType(values[0]); is == "multipart/form-data" {
					s.Header[name] = []string{is}
				}
			}
		}
		return s
	}
	d, th := show(direct), show(through)
	for what := range differs {
		name, isParameter := strings.CutPrefix(what, "query ")
		header, isHeader := strings.CutPrefix(what, "header ")
		switch {
		case isHeader && d.Header[header] != nil && th.Header[header] == nil:
			delete(d.Header, header)
		case isParameter && d.Query[name] != nil && th.Query[name] == nil:
			delete(d.Query, name)
		case what == "body" && d.Body != "" && th.Body == "":
			d.Body = ""
			delete(d.Header, "Content-Type")
		case isParameter || isHeader || what == "body":
			return what + " no longer differs"
		}
	}
	th.Path = unbound(d.Path, th.Path)
	th.Body = unboundIn(d.Body, th.Body)
	for name := range maps.Keys(th.Query) {
		if d.Query[name] == nil && saidByFlowlatch[name] {
			delete(th.Query, name)
		} else {
			th.Query[name] = []string{unbound(d.Query.Get(name), th.Query.Get(name))}
		}
	}
	for name := range maps.Keys(th.Header) {
		if d.Header[name] == nil && saidByFlowlatch[strings.ToLower(name)] {
			delete(th.Header, name)
		} else {
			th.Header[name] = []string{unbound(d.Header.Get(name), th.Header.Get(name))}
		}
	}
	return cmp.Diff(d, th)
}

// saidByFlowlatch are the parameters and headers that Flowlatch puts in.
var saidByFlowlatch = map[string]bool{
	"projectID": true, "environmentAlias": true, "environment": true, "version": true, "projectEnvironmentIDOrAlias": true, "versionVariant": true, "projectid": true, "versionid": true,
}

// boundID is an opaque id in place of an id of a user or a session.
var boundID = regexp.MustCompile(`fl-[A-Za-z0-9_-]{20,}`)

// unbound returns the text as the client sent it if through is the same but for an opaque id.
func unbound(direct, through string) string {
	parts := boundID.Split(through, -1)
	if len(parts) == 1 {
		return through
	}
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	if regexp.MustCompile(`^` + strings.Join(parts, ".+") + `$`).MatchString(direct) {
		return direct
	}
	return through
}

// unboundIn does the same with the texts of a JSON value. Members that Flowlatch puts in are left
// out.
func unboundIn(direct, through any) any {
	switch th := through.(type) {
	case string:
		d, _ := direct.(string)
		return unbound(d, th)
	case []any:
		d, _ := direct.([]any)
		out := []any{}
		for i, e := range th {
			var of any
			if i < len(d) {
				of = d[i]
			}
			out = append(out, unboundIn(of, e))
		}
		return out
	case map[string]any:
		d, _ := direct.(map[string]any)
		out := map[string]any{}
		for name, e := range th {
			_, said := d[name]
			switch {
			case name == "excludeTypes" && said:
				out[name] = withoutDebug(d[name], e)
			case said || !saidByFlowlatch[name]:
				out[name] = unboundIn(d[name], e)
			}
		}
		return out
	}
	return through
}

// withoutDebug returns a list of types of traces without the types of debug output that Flowlatch has
// added for a caller without the scope debug.
func withoutDebug(direct, through any) any {
	said, _ := direct.([]any)
	list, _ := through.([]any)
	out := []any{}
	for _, e := range list {
		if slices.Contains(said, e) || !slices.Contains([]any{"debug", "log", "flow", "block"}, e) {
			out = append(out, e)
		}
	}
	return out
}
