package voiceflow

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/google/go-cmp/cmp"
)

// document is a call that adds a document to pizza, which may use two environments.
func document(t testing.TB) domain.Forward {
	t.Helper()
	c := call(t, domain.ServiceRealtime, "POST", "/v1alpha1/public/knowledge-base/document")
	c.Project.Environments = domain.Environments{Default: "main", Allowed: []string{"main", "staging"}}
	c.Environment = environmentOf(c.Route, c.Project)
	return c
}

// sentForm is a body as the call sends it, and its content type.
func sentForm(t testing.TB, c domain.Forward, contentType, body string) (media string, sent []byte, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	read, err := readChecked(c, r, newBinder(c))
	if err != nil {
		return "", nil, err
	}
	used, err := c.Environment(t.Context(), read.asked)
	if err != nil {
		return "", nil, err
	}
	return read.contentType, bytes.Join(read.rest(used), nil), nil
}

// partsOf lists the parts of a form: name, file name, type and content.
func partsOf(media string, body []byte) (parts []string, err error) {
	_, parameters, err := mime.ParseMediaType(media)
	if err != nil {
		return nil, err
	}
	for from := multipart.NewReader(bytes.NewReader(body), parameters["boundary"]); ; {
		part, err := from.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts, nil
		}
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		parts = append(parts, strings.Join([]string{part.FormName(), part.FileName(), part.Header.Get("Content-Type"), string(content)}, "|"))
	}
}

// formWith is a form with parts of these headers and contents.
func formWith(parts ...string) string {
	var b strings.Builder
	for i := 0; i < len(parts); i += 2 {
		b.WriteString("--x\r\n" + parts[i] + "\r\n\r\n" + parts[i+1] + "\r\n")
	}
	return b.String() + "--x--\r\n"
}

const (
	formX       = "multipart/form-data; boundary=x"
	partFile    = "Content-Disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".txt\"\r\nContent-Type: text/plain"
	environment = `Content-Disposition: form-data; name="projectEnvironmentIDOrAlias"`
)

func partNamed(name string) string { return `Content-Disposition: form-data; name="` + name + `"` }

func TestAFormNamesTheEnvironmentOfTheCall(t *testing.T) {
	const file = "file|a \"b\".txt|text/plain|"
	for _, tc := range []struct {
		name string
		body string
		want []string
		kind domain.Kind
	}{
		{"a form that names none", formWith(partFile, "pizza", partNamed("folderID"), "f"), []string{"projectEnvironmentIDOrAlias|||main", file + "pizza", "folderID|||f"}, ""},
		{"an allowed one", formWith(partFile, "pizza", environment, "staging"), []string{"projectEnvironmentIDOrAlias|||staging", file + "pizza"}, ""},
		{"an empty one is none", formWith(environment, "", partFile, "pizza"), []string{"projectEnvironmentIDOrAlias|||main", file + "pizza"}, ""},
		{"nothing else", formWith(environment, "staging"), []string{"projectEnvironmentIDOrAlias|||staging"}, ""},
		{"the same one twice", formWith(environment, "staging", environment, "staging", partFile, "pizza"), []string{"projectEnvironmentIDOrAlias|||staging", file + "pizza"}, ""},
		{"another one", formWith(partFile, "pizza", environment, "other"), nil, domain.EnvironmentNotAllowed},
		{"two", formWith(environment, "main", partFile, "pizza", environment, "staging"), nil, domain.EnvironmentNotAllowed},
		{"one that can't be one", formWith(partFile, "pizza", environment, "main\r\nx"), nil, domain.Invalid},
		{"a name below data", formWith(partFile, "pizza", partNamed("data[projectEnvironmentIDOrAlias]"), "other"), nil, domain.Invalid},
		{"a name in a list", formWith(partFile, "pizza", partNamed("projectEnvironmentIDOrAlias[]"), "other"), nil, domain.Invalid},
		{"a name in other case", formWith(partFile, "pizza", partNamed("projectEnvironmentIdOrAlias"), "other"), nil, domain.Invalid},
		{"a name with a space", formWith(partFile, "pizza", partNamed("projectEnvironmentIDOrAlias "), "other"), nil, domain.Invalid},
		{"an encoded name", formWith(partFile, "pizza", "Content-Disposition: form-data; name*=utf-8''project%45nvironmentIDOrAlias", "other"), nil, domain.EnvironmentNotAllowed},
		{"two names of one part", formWith(partFile, "pizza", partNamed("a")+`; name="projectEnvironmentIDOrAlias"`, "other"), nil, domain.Invalid},
		{"the project", formWith(partFile, "pizza", partNamed("projectID"), string(pizza.Voiceflow)), []string{"projectEnvironmentIDOrAlias|||main", file + "pizza"}, ""},
		{"another project", formWith(partFile, "pizza", partNamed("projectID"), "64dbb6696a8fab0013dba195"), nil, domain.NotFound},
		{"a part without a name", formWith(partFile, "pizza", "Content-Type: text/plain", "x"), nil, domain.Invalid},
		{"what comes before and after is left out", environment + "\r\n\r\nother\r\n" + formWith(partFile, "pizza") + environment + "\r\n\r\nother", []string{"projectEnvironmentIDOrAlias|||main", file + "pizza"}, ""},
		{"a file that has the form of a form", formWith(partFile, "--y\r\n"+environment+"\r\n\r\nother\r\n--y--"),
			[]string{"projectEnvironmentIDOrAlias|||main", file + "--y\r\n" + environment + "\r\n\r\nother\r\n--y--"}, ""},
		{"an encoding stays with its content", formWith(partNamed("url")+"\r\nContent-Transfer-Encoding: base64", "YQ=="), []string{"projectEnvironmentIDOrAlias|||main", "url|||YQ=="}, ""},
		{"a hundred parts", formWith(slices.Repeat([]string{partNamed("folderID"), "f"}, 100)...), append([]string{"projectEnvironmentIDOrAlias|||main"}, slices.Repeat([]string{"folderID|||f"}, 100)...), ""},
		{"more than a hundred parts", formWith(slices.Repeat([]string{partNamed("folderID"), "f"}, 101)...), nil, domain.Invalid},
		{"half a form", strings.TrimSuffix(formWith(partFile, "pizza"), "--x--\r\n"), nil, domain.Invalid},
		{"no parts", "--x--\r\n", nil, domain.Invalid},
		{"no form", "pizza", nil, domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			media, sent, err := sentForm(t, document(t), formX, tc.body)
			if domain.KindOf(err) != tc.kind {
				t.Fatalf("got %v, want %q", err, tc.kind)
			}
			if err != nil {
				return
			}
			got, err := partsOf(media, sent)
			if err != nil {
				t.Fatalf("the form that is sent: %v: %q", err, sent)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestADocumentNamesItsEnvironmentInJSON(t *testing.T) {
	for _, tc := range []struct {
		name  string
		media string
		body  string
		want  string
		kind  domain.Kind
	}{
		{"none", "application/json", `{"data":{"url":"u"}}`, `{"data":{"url":"u","projectEnvironmentIDOrAlias":"main"}}`, ""},
		{"an allowed one", "application/json", `{"data":{"projectEnvironmentIDOrAlias":"staging"}}`, `{"data":{"projectEnvironmentIDOrAlias":"staging"}}`, ""},
		{"another one", "application/json", `{"data":{"projectEnvironmentIDOrAlias":"other"}}`, "", domain.EnvironmentNotAllowed},
		{"another one beside data", "application/json", `{"data":{},"projectEnvironmentIDOrAlias":"other"}`, "", domain.EnvironmentNotAllowed},
		{"JSON with another type", "text/plain", `{"data":{}}`, `{"data":{"projectEnvironmentIDOrAlias":"main"}}`, ""},
		{"a form of another type", "application/x-www-form-urlencoded", `projectEnvironmentIDOrAlias=other`, "", domain.Invalid},
		{"a form without a boundary", "multipart/form-data", formWith(partFile, "pizza"), "", domain.Invalid},
		{"more than a megabyte", "application/json", `{"data":{"name":"` + strings.Repeat("x", 2<<20) + `","projectEnvironmentIDOrAlias":"main"}}`,
			`{"data":{"name":"` + strings.Repeat("x", 2<<20) + `","projectEnvironmentIDOrAlias":"main"}}`, ""},
		{"too much", "application/json", strings.Repeat(" ", maxFormBody+1), "", domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			media, got, err := sentForm(t, document(t), tc.media, tc.body)
			if domain.KindOf(err) != tc.kind || string(got) != tc.want || err == nil && media != "application/json" {
				t.Errorf("got %.200s as %s, %v; want %.200s, %q", got, media, err, tc.want, tc.kind)
			}
		})
	}
}

// A form that another call sends as JSON stays refused.
func TestOnlySomeCallsTakeForms(t *testing.T) {
	_, _, err := sentForm(t, call(t, domain.ServiceRuntime, "POST", "/knowledge-base/query"), formX, formWith(partNamed("question"), "why?"))
	if domain.KindOf(err) != domain.Invalid {
		t.Errorf("got %v, want Invalid", err)
	}
}

// Whatever form is sent, its only environment is that of the call.
func FuzzForm(f *testing.F) {
	f.Add(formWith(partFile, "pizza", environment, "staging"))
	f.Add(formWith(partNamed("a\\\"; name=\\\"projectEnvironmentIDOrAlias"), "other"))
	f.Fuzz(func(t *testing.T, body string) {
		media, sent, err := sentForm(t, document(t), formX, body)
		if err != nil {
			return
		}
		parts, err := partsOf(media, sent)
		if err != nil {
			t.Fatalf("%v: %q", err, sent)
		}
		environments := 0
		for _, part := range parts {
			if name, value, _ := strings.Cut(part, "|"); strings.EqualFold(name, "projectEnvironmentIDOrAlias") {
				environments++
				if value != "||main" && value != "||staging" {
					t.Fatalf("%q is sent", part)
				}
			}
		}
		if environments != 1 {
			t.Fatal("got " + strconv.Itoa(environments) + " environments, want one")
		}
	})
}
