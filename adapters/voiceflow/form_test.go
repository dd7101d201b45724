package voiceflow_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/google/go-cmp/cmp"
)

// part is a part of a form.
type part struct{ disposition, content string }

func textPart(name, content string) part { return part{`form-data; name="` + name + `"`, content} }

var filePart = part{`form-data; name="file"; filename="a.txt"`, "--b0undary_is no line\r\n--x\x00\xff"}

// formOf returns a form with the parts.
func formOf(parts ...part) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("--b0undary\r\nContent-Disposition: " + p.disposition + "\r\n\r\n" + p.content + "\r\n")
	}
	return b.String() + "--b0undary--\r\n"
}

// partsOf returns the parts of a form that was sent.
func partsOf(t *testing.T, contentType, body string) []part {
	t.Helper()
	_, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	var parts []part
	for form := multipart.NewReader(strings.NewReader(body), parameters["boundary"]); ; {
		p, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part{p.Header.Get("Content-Disposition"), string(content)})
	}
}

// TestEveryBodyIsHeldToTheProject is about every row of the allow-list that has a body.
func TestEveryBodyIsHeldToTheProject(t *testing.T) {
	f := far(t, answer(200, "application/json", `{}`))
	const other = "66c600000000000000000fff"
	places := strings.NewReplacer("{projectID}", string(pizza.Voiceflow), "{versionID}", "production", "{environmentAlias}", "production",
		"{metric}", "call-count", "{", "some-", "}", "")
	for _, e := range domain.Endpoints() {
		if e.Body == domain.NoBody || e.BySession {
			continue
		}
		c := to(t, e.Service, e.Method, places.Replace(e.Path))
		bodies := []string{`{"projectID":"` + other + `"}`}
		if e.Scope == domain.ScopeKnowledgeWrite {
			bodies = append(bodies, `{"data":{"projectID":"`+other+`"}}`)
		}
		for _, body := range bodies {
			if _, err := f.forward(t.Context(), c, sent("", body)); domain.KindOf(err) != domain.NotFound {
				t.Errorf("%s %s with %s: got %v, want NotFound", e.Method, e.Path, body, err)
			}
		}
		if e.Body != domain.FormBody {
			continue
		}
		for _, p := range []part{textPart("projectID", other), textPart("data[projectID]", other), textPart("data.projectID", other), textPart("data", `{"projectID":"`+other+`"}`)} {
			r := sent("", formOf(p, filePart))
			r.Header.Set("Content-Type", "multipart/form-data; boundary=b0undary")
			if _, err := f.forward(t.Context(), c, r); domain.KindOf(err) != domain.NotFound {
				t.Errorf("%s %s with the part %s: got %v, want NotFound", e.Method, e.Path, p.disposition, err)
			}
		}
	}
	if n := len(f.seen()); n != 0 {
		t.Errorf("got %d requests, want none", n)
	}
}

// documents is the call that adds a document in an environment.
func documents(t testing.TB, known domain.Environments) domain.Forward {
	c := to(t, domain.ServiceRealtime, "POST", "/v1alpha1/public/knowledge-base/document")
	c.Project.Environments = known
	c.Environment = func(_ context.Context, asked domain.AskedEnvironment) (domain.UsedEnvironment, error) {
		used, _, err := domain.EnvironmentChoice{Route: c.Route, Project: c.Project, Asked: asked}.Decide(domain.EnvironmentList{Known: true})
		return used, err
	}
	return c
}

func TestTheEnvironmentOfAForm(t *testing.T) {
	known := domain.Environments{Default: "main", Allowed: []string{"main", "staging"}}
	const name = "projectEnvironmentIDOrAlias"
	for _, tc := range []struct {
		name  string
		parts []part
		want  []part
		kind  domain.Kind
	}{
		{"none", []part{filePart}, []part{textPart(name, "main"), filePart}, ""},
		{"no parts", nil, []part{textPart(name, "main")}, ""},
		{"one that is allowed", []part{textPart("folderID", "x"), textPart(name, "staging"), filePart, textPart("metadata", "{}")},
			[]part{textPart("folderID", "x"), textPart(name, "staging"), filePart, textPart("metadata", "{}")}, ""},
		{"below data", []part{textPart("data["+name+"]", "staging"), filePart}, []part{textPart("data["+name+"]", "staging"), textPart(name, "staging"), filePart}, ""},
		{"in a part with JSON", []part{textPart("data", `{"a":1,"projectEnvironmentIDOrAlias":"staging"}`), filePart},
			[]part{textPart("data", `{"a":1,"projectEnvironmentIDOrAlias":"staging"}`), textPart(name, "staging"), filePart}, ""},
		{"one that is not allowed", []part{textPart(name, "secret"), filePart}, nil, domain.EnvironmentNotAllowed},
		{"one by another name", []part{textPart("environment", "secret"), filePart}, nil, domain.EnvironmentNotAllowed},
		{"two", []part{textPart(name, "main"), textPart("versionID", "staging"), filePart}, nil, domain.EnvironmentNotAllowed},
		{"one in JSON that is not allowed", []part{textPart("data", `{"environmentAlias":"secret"}`), filePart}, nil, domain.EnvironmentNotAllowed},
		{"after the file", []part{filePart, textPart(name, "staging")}, nil, domain.Invalid},
		{"JSON after the file", []part{filePart, textPart("data", `{}`)}, nil, domain.Invalid},
		{"in a file", []part{{`form-data; name="projectEnvironmentIDOrAlias"; filename="x"`, "staging"}}, nil, domain.Invalid},
		{"in a path that is read in several ways", []part{textPart("["+name+"]", "staging")}, nil, domain.Invalid},
		{"in a list", []part{textPart(name+"[]", "staging")}, nil, domain.Invalid},
		{"in capitals", []part{textPart(strings.ToUpper(name), "staging")}, nil, domain.Invalid},
		{"in a prototype", []part{textPart("__proto__."+name, "staging")}, nil, domain.Invalid},
		{"in JSON of another form", []part{textPart("data", `{},"x":{}`)}, nil, domain.Invalid},
		{"a name in quotes", []part{{`form-data; name="a\"; x="` + name, "x"}}, nil, domain.Invalid},
		{"two names", []part{{`form-data; name="file"; name="` + name + `"`, "x"}}, nil, domain.Invalid},
		{"a name in another encoding", []part{{`form-data; name="file"; name*=utf-8''` + name, "x"}}, nil, domain.Invalid},
		{"a text in another encoding", []part{{"form-data; name=\"" + name + "\"\r\nContent-Transfer-Encoding: base64", "c3RhZ2luZw=="}}, nil, domain.Invalid},
		{"no name", []part{{`form-data; filename="x"`, "x"}}, nil, domain.Invalid},
		{"a long header", []part{{`form-data; name="file"; filename="` + strings.Repeat("x", 40<<10) + `"`, "x"}}, nil, domain.Invalid},
		{"a long text that is checked", []part{textPart(name, strings.Repeat("x", 1<<20+1))}, nil, domain.Invalid},
		{"a long text that is not", []part{textPart("metadata", strings.Repeat("x", 1<<20+1))}, []part{textPart(name, "main"), textPart("metadata", strings.Repeat("x", 1<<20+1))}, ""},
		{"a file whose name has a quote", []part{{`form-data; name="file"; filename="a\"b"`, "x"}}, []part{textPart(name, "main"), {`form-data; name="file"; filename="a%22b"`, "x"}}, ""},
		{"a file whose name is encoded", []part{{`form-data; name="file"; filename*=utf-8''%C3%A9.txt`, "x"}}, []part{textPart(name, "main"), {`form-data; name="file"; filename*=utf-8''%C3%A9.txt`, "x"}}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := far(t, answer(200, "application/json", `{}`))
			r := sent("", formOf(tc.parts...))
			r.Header.Set("Content-Type", "multipart/form-data; boundary=b0undary")
			resp, err := f.forward(t.Context(), documents(t, known), r)
			if domain.KindOf(err) != tc.kind {
				t.Fatalf("got %v, want %q", err, tc.kind)
			}
			if err != nil {
				if n := len(f.seen()); n != 0 {
					t.Errorf("got %d requests, want none", n)
				}
				return
			}
			_ = resp.Body.Close()
			got := f.seen()[0]
			if diff := cmp.Diff(tc.want, partsOf(t, got.Header.Get("Content-Type"), got.Body), cmp.AllowUnexported(part{})); diff != "" {
				t.Errorf("-want +got:\n%.2000s", diff)
			}
		})
	}
}

func TestTheEnvironmentOfAnUploadInJSON(t *testing.T) {
	known := domain.Environments{Default: "main", Allowed: []string{"main", "staging"}}
	for _, tc := range []struct {
		body, want string
		kind       domain.Kind
	}{
		{`{"data":{"type":"url"}}`, `{"data":{"type":"url","projectEnvironmentIDOrAlias":"main"}}`, ""},
		{`{"type":"url"}`, `{"type":"url","data":{"projectEnvironmentIDOrAlias":"main"}}`, ""},
		{`{"data":{"projectEnvironmentIDOrAlias":"staging"}}`, `{"data":{"projectEnvironmentIDOrAlias":"staging"}}`, ""},
		{`{"data":{"projectEnvironmentIDOrAlias":"secret"}}`, "", domain.EnvironmentNotAllowed},
		{`{"versionID":"secret"}`, "", domain.EnvironmentNotAllowed},
		{`[]`, "", domain.Invalid},
	} {
		f := far(t, answer(200, "application/json", `{}`))
		_, err := f.forward(t.Context(), documents(t, known), sent("", tc.body))
		if domain.KindOf(err) != tc.kind {
			t.Errorf("%s: got %v, want %q", tc.body, err, tc.kind)
		} else if err == nil && f.seen()[0].Body != tc.want {
			t.Errorf("%s: got %s, want %s", tc.body, f.seen()[0].Body, tc.want)
		}
	}
}

func TestAFormThatBreaksOffIsNotSent(t *testing.T) {
	f := far(t, answer(200, "application/json", `{}`))
	whole := formOf(textPart("metadata", "{}"), filePart)
	for _, body := range []string{"", "pizza", whole[:20], whole[:len(whole)/2], strings.TrimSuffix(whole, "--\r\n")} {
		r := sent("", body)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b0undary")
		if _, err := f.forward(t.Context(), upload(t), r); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%q: got %v, want Invalid", body, err)
		}
	}
	if n := len(f.seen()); n != 0 {
		t.Errorf("got %d requests, want none", n)
	}
}

func TestATableMayHaveTenMebibytes(t *testing.T) {
	f := far(t, answer(200, "application/json", `{}`))
	table := to(t, domain.ServiceAPI, "POST", "/v1/knowledge-base/docs/upload/table")
	for spaces, kind := range map[int]domain.Kind{10<<20 - 2: "", 10<<20 - 1: domain.Invalid} {
		if _, err := f.forward(t.Context(), table, sent("", "{"+strings.Repeat(" ", spaces)+"}")); domain.KindOf(err) != kind {
			t.Errorf("%d bytes: got %v, want %q", spaces+2, err, kind)
		}
	}
}

func TestAnUploadIsJSONOrAForm(t *testing.T) {
	f := far(t, answer(200, "application/json", `{}`))
	for _, contentType := range []string{
		"text/plain", "application/x-www-form-urlencoded", "multipart/mixed; boundary=b0undary", "multipart/form-data",
		"multipart/form-data; boundary=" + strings.Repeat("x", 71), "application/json, multipart/form-data; boundary=b0undary", "/",
	} {
		r := sent("", formOf(filePart))
		r.Header.Set("Content-Type", contentType)
		if _, err := f.forward(t.Context(), upload(t), r); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%s: got %v, want Invalid", contentType, err)
		}
	}
	if n := len(f.seen()); n != 0 {
		t.Errorf("got %d requests, want none", n)
	}
}

// FuzzForm holds the forms that are sent against mime/multipart: they have the parts of the caller's
// form and none that names another project or environment.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		formOf(filePart), formOf(textPart("environment", "main"), filePart), formOf(filePart, textPart("metadata", "{}")), "--b0undary\n\n\nx\n--b0undary--",
		formOf(textPart("data", `{"projectID":"x"}`)), formOf(part{`form-data; name=file; filename="a\"b"`, "x"}), "--b0undary--", "x\r\n" + formOf(filePart) + "x",
	} {
		f.Add([]byte(seed))
	}
	side := far(f, answer(200, "application/json", `{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", "http://flowlatch.example/", bytes.NewReader(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b0undary")
		before := len(side.seen())
		resp, err := side.forward(t.Context(), documents(t, domain.Environments{Default: "main", Allowed: []string{"main"}}), r)
		if err != nil {
			return
		}
		_ = resp.Body.Close()
		got := side.seen()[before]
		files := func(parts []part) (files []string) {
			for _, p := range parts {
				if _, parameters, _ := mime.ParseMediaType(p.disposition); parameters["filename"] != "" {
					files = append(files, p.content)
				}
			}
			return files
		}
		out := partsOf(t, got.Header.Get("Content-Type"), got.Body)
		for _, p := range out {
			if _, parameters, _ := mime.ParseMediaType(p.disposition); strings.HasPrefix(parameters["name"], "environment") && p.content != "main" {
				t.Errorf("%q became the environment %q", body, p.content)
			}
		}
		if diff := cmp.Diff(files(partsOf(t, "multipart/form-data; boundary=b0undary", string(body))), files(out)); diff != "" {
			t.Errorf("%q became %q (-want +got):\n%s", body, got.Body, diff)
		}
	})
}
