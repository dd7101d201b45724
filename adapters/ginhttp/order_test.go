package ginhttp_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// raw sends a request that announces a body of 10 MB of text and sends none of it: what
// is answered was decided before the body.
func raw(t *testing.T, b *browser, method, path, contentType string, extra ...string) *reply {
	t.Helper()
	conn, err := net.Dial("tcp", b.w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var cookies []string
	for name, value := range b.cookies {
		cookies = append(cookies, name+"="+value)
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: flowlatch\r\nContent-Length: 10485760\r\nContent-Type: %s\r\nCookie: %s\r\n%s\r\n",
		method, path, contentType, strings.Join(cookies, "; "), strings.Join(extra, ""))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := &reply{what: method + " " + path, status: response.StatusCode, header: response.Header, raw: body}
	a.check(t, b.w)
	return a
}

func TestTheOrderOfChecks(t *testing.T) {
	w := newWorld(t)
	const foreign = "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n"
	const bearer = "Authorization: Bearer x\r\n"
	for _, tc := range []struct {
		name   string
		b      *browser
		method string
		path   string
		extra  string
		status int
		code   string
	}{
		{"the origin comes before who calls", w.nobody, "POST", "/set_project", foreign, 400, "cross_origin"},
		{"and it is a 403 on other routes", w.nobody, "POST", "/grant_project", foreign, 403, "cross_origin"},
		{"and for a login", w.nobody, "POST", "/login", foreign, 403, "cross_origin"},
		{"and before the token", w.admin, "POST", "/add_project", foreign + bearer, 400, "cross_origin"},
		{"who calls comes before the size of the body", w.nobody, "POST", "/set_project", "", 401, "not_authenticated"},
		{"a token counts, cookie or not", w.admin, "POST", "/set_project", bearer, 401, "not_authenticated"},
		{"an admin's route comes before the size of the body", w.member, "POST", "/add_project", "", 401, "not_allowed"},
		{"and it is a 403 elsewhere", w.member, "PATCH", "/update_user", "", 403, "not_allowed"},
		{"the size of the body comes before its form", w.admin, "POST", "/add_project", "", 413, "too_large"},
		{"elsewhere too", w.admin, "POST", "/create_user", "", 413, "too_large"},
		{"and for a login", w.nobody, "POST", "/login", "", 413, "too_large"},
		{"a path comes before everything", w.nobody, "POST", "/nothing", foreign + bearer, 404, "not_found"},
		{"a method too", w.nobody, "PUT", "/set_project", foreign + bearer, 405, "method_not_allowed"},
		{"what reads no body takes any", w.admin, "POST", "/clear_project", "", 200, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			raw(t, tc.b, tc.method, tc.path, "text/plain", tc.extra).want(t, tc.status, tc.code)
		})
	}
}

func TestBodies(t *testing.T) {
	w := newWorld(t)
	send := func(t *testing.T, path string, body io.Reader, contentType ...string) *reply {
		t.Helper()
		r := w.admin.request(t, "POST", path, "")
		r.Body, r.ContentLength = io.NopCloser(body), -1
		r.Header["Content-Type"] = contentType
		return w.admin.send(t, r)
	}
	padded := func(size int) string { return `{"project_id":"x"` + strings.Repeat(" ", size-18) + `}` }
	t.Run("64 KiB are read", func(t *testing.T) {
		send(t, "/set_project", strings.NewReader(padded(64<<10)), "application/json").want(t, 400, "invalid_request")
	})
	t.Run("a byte more is too large", func(t *testing.T) {
		send(t, "/set_project", strings.NewReader(padded(64<<10+1)), "application/json").want(t, 413, "too_large")
	})
	t.Run("another type is a 400 on the four", func(t *testing.T) {
		send(t, "/set_project", strings.NewReader(`{}`), "text/plain").want(t, 400, "unsupported_media_type")
		send(t, "/set_project", strings.NewReader(`{}`)).want(t, 400, "unsupported_media_type")
		send(t, "/add_project", strings.NewReader(`{}`), "application/json", "text/plain").want(t, 400, "unsupported_media_type")
	})
	t.Run("another type is a 415 elsewhere", func(t *testing.T) {
		send(t, "/delete_user", strings.NewReader(`{}`), "application/x-www-form-urlencoded").want(t, 415, "unsupported_media_type")
	})
	t.Run("a charset is no matter", func(t *testing.T) {
		send(t, "/delete_user", strings.NewReader(`{}`), "application/json; charset=UTF-8").want(t, 400, "invalid_request")
	})
	for name, body := range map[string]string{
		"no body":         "",
		"no JSON":         "project_id=x",
		"nested":          strings.Repeat("[", 60_000),
		"nested objects":  strings.Repeat(`{"a":`, 12_000),
		"bad UTF-8":       "{\"project_id\":\"\xff\"}",
		"NUL":             `{"project_id":"\u0000"}`,
		"a number":        `{"project_id":1}`,
		"twice":           `{"project_id":"a","project_id":"b"}`,
		"another case":    `{"PROJECT_ID":"` + projectA + `"}`,
		"trailing object": `{"project_id":"a"}{}`,
	} {
		for _, path := range []string{
			"/add_project", "/delete_project", "/set_project", "/grant_project", "/revoke_project",
			"/login", "/change_password", "/create_user", "/delete_user",
		} {
			if path == "/login" {
				body = body[:min(len(body), 4<<10)] // it takes no more
			}
			t.Run(name+" for "+path, func(t *testing.T) {
				send(t, path, strings.NewReader(body), "application/json").want(t, 400, "invalid_request")
			})
		}
	}
}

func TestTheRequestIdIsOurs(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for range 3 {
		r := w.nobody.request(t, "GET", "/get_projects", "")
		r.Header.Set("X-Request-Id", "01900000-0000-7000-8000-000000000000")
		id := w.nobody.send(t, r).want(t, 401, "not_authenticated").header.Get("X-Request-Id")
		if id == "01900000-0000-7000-8000-000000000000" || seen[id] {
			t.Errorf("got the id %s", id)
		}
		seen[id] = true
	}
}

func TestNoRandomnessIsAFailureLikeAnyOther(t *testing.T) {
	w := newWorld(t)
	broken := newWorld(t, bare, func(b *world) {
		b.ports = w.ports
		b.ports.Random = noRandomness{}
	})
	response, err := broken.server.Client().Get(broken.server.URL + "/get_projects")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 400 || !strings.Contains(string(body), `"code":"internal"`) {
		t.Errorf("got %d %s, want 400 internal", response.StatusCode, body)
	}
}

// noRandomness is a source of randomness that has none.
type noRandomness struct{}

func (noRandomness) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
