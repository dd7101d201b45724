package ginhttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/lostright"
	"github.com/flowlatch/flowlatch/ports"
)

func TestGetProjects(t *testing.T) {
	w := newWorld(t)
	w.admin.do(t, "GET", "/get_projects", "").want(t, 404, "not_found")
	for _, name := range []string{"alpha", "Zeta", "_u", "Äpfel", "ab", "a b"} {
		w.addProject(t, name)
	}
	granted := w.addProject(t, "granted")
	w.member.do(t, "GET", "/get_projects", "").want(t, 404, "not_found")
	w.grant(t, "member", granted)

	all := []string{"Zeta", "_u", "a b", "ab", "alpha", "granted", "Äpfel"}
	whole := w.admin.do(t, "GET", "/get_projects", "").want(t, 200, "")
	if got := whole.names(t); !slices.Equal(got, all) {
		t.Errorf("an admin: got %q, want %q", got, all)
	}
	if _, more := whole.body["next_cursor"]; more || whole.header.Get("Content-Length") == "" {
		t.Errorf("got %s with Content-Length %q, want no next_cursor and a length", whole.raw, whole.header.Get("Content-Length"))
	}
	if got := w.member.do(t, "GET", "/get_projects", "").want(t, 200, "").names(t); !slices.Equal(got, []string{"granted"}) {
		t.Errorf("a member: got %q", got)
	}

	var walked []string
	var cursors []string
	next := ""
	for {
		page := w.admin.do(t, "GET", "/get_projects?other=1&other=2&limit=3&cursor="+next, "").want(t, 200, "")
		walked = append(walked, page.names(t)...)
		more, there := page.body["next_cursor"].(string)
		if !there {
			break
		}
		next = more
		cursors = append(cursors, next)
	}
	if !slices.Equal(walked, all) || len(cursors) != 2 {
		t.Errorf("by the page: got %q with %d cursors", walked, len(cursors))
	}
	if got := w.admin.do(t, "GET", "/get_projects?cursor="+cursors[0], "").want(t, 200, "").names(t); !slices.Equal(got, all[3:]) {
		t.Errorf("all behind a cursor: got %q, want %q", got, all[3:])
	}
	end := domain.Cursor{Name: "ÿ", ID: string(granted.ID)}.Text(domain.ProjectList)
	for _, query := range []string{"?cursor=" + end, "?limit=1&cursor=" + end} {
		if got := w.admin.do(t, "GET", "/get_projects"+query, "").want(t, 200, "").names(t); len(got) != 0 {
			t.Errorf("behind the end: got %q", got)
		}
	}
}

func TestListsRefuseBadPages(t *testing.T) {
	w := newWorld(t)
	w.addProject(t, "Support bot")
	users := domain.Cursor{Name: "a", ID: "01900000-0000-7000-8000-000000000000"}.Text(domain.UserList)
	for _, query := range []string{
		"limit=0", "limit=-1", "limit=1001", "limit=", "limit=a", "limit=1.5", "limit=%2B5", "limit=05", "limit=99999999999999999999",
		"limit=1&limit=1", "cursor=&cursor=", "limit=0x10", "limit=%C2%B2",
		"cursor=x", "cursor=" + users, "cursor=%00", "cursor=" + strings.Repeat("A", 5000), "cursor=%zz", "limit=1;cursor=x",
	} {
		w.admin.do(t, "GET", "/get_projects?"+query, "").want(t, 400, "invalid_request")
		if query != "cursor="+users {
			w.admin.do(t, "GET", "/get_all_users?"+query, "").want(t, 400, "invalid_request")
		}
	}
	w.admin.do(t, "GET", "/get_projects?limit=%201000%20&unknown=%41", "").want(t, 200, "")
}

// endless is a store with n projects more than it has, made up as they are read.
type endless struct {
	ports.ProjectRepository
	n      int
	fails  int // the page, counted from 1, that fails; 0 is none
	mu     sync.Mutex
	pages  int
	failed error
}

func (e *endless) Page(ctx context.Context, _ domain.Visible, _ domain.ProjectFilter, after domain.Cursor, limit int) ([]domain.Project, error) {
	e.mu.Lock()
	e.pages++
	page := e.pages
	e.mu.Unlock()
	if page == e.fails {
		return nil, e.failed
	}
	if ctx.Err() != nil {
		return nil, &domain.Error{Kind: domain.Unavailable, Cause: ctx.Err()}
	}
	first := 0
	if after.Name != "" {
		if _, err := fmt.Sscanf(after.Name, "project %07d", &first); err != nil {
			return nil, &domain.Error{Kind: domain.Unavailable, Cause: err}
		}
		first++
	}
	var found []domain.Project
	for i := first; i < e.n && len(found) < limit; i++ {
		found = append(found, domain.Project{
			ID:      domain.ProjectID(fmt.Sprintf("01900000-0000-7000-8000-%012x", i)),
			Name:    fmt.Sprintf("project %07d", i),
			Created: time.UnixMicro(int64(i)),
		})
	}
	return found, nil
}

func (e *endless) read() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.pages
}

func TestAWholeListComesPageByPage(t *testing.T) {
	for _, n := range []int{499, 500, 501, 1000, 1499, 20_000} {
		store := &endless{n: n}
		w := newWorld(t, func(w *world) { store.ProjectRepository = w.ports.Store.Projects; w.ports.Store.Projects = store })
		got := w.admin.do(t, "GET", "/get_projects", "").want(t, 200, "")
		names := got.names(t)
		if len(names) != n || !slices.IsSorted(names) || len(slices.Compact(names)) != n {
			t.Errorf("got %d names, want %d different ones in order", len(names), n)
		}
		if plain := got.header.Get("Content-Length") != ""; plain != (n <= 500) {
			t.Errorf("%d projects: got a plain answer: %v", n, plain)
		}
		if pages := (n + 499) / 500; store.read() != pages {
			t.Errorf("%d projects: %d pages were read, want %d", n, store.read(), pages)
		}
	}
}

// vanishing is a store whose projects are gone when the second page is read.
type vanishing struct{ *endless }

func (v vanishing) Page(ctx context.Context, in domain.Visible, filter domain.ProjectFilter, after domain.Cursor, limit int) ([]domain.Project, error) {
	if after != (domain.Cursor{}) {
		return nil, nil
	}
	return v.endless.Page(ctx, in, filter, after, limit)
}

func TestAListThatShrinksWhileItIsWrittenStaysWhole(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.ports.Store.Projects = vanishing{&endless{ProjectRepository: w.ports.Store.Projects, n: 1000}}
	})
	if got := w.admin.do(t, "GET", "/get_projects", "").want(t, 200, "").names(t); len(got) != 500 {
		t.Errorf("got %d names, want 500", len(got))
	}
}

func TestAFailureOnTheFirstPageIsAnAnswer(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.ports.Store.Projects = &endless{ProjectRepository: w.ports.Store.Projects, n: 1000, fails: 1, failed: errDown}
	})
	w.admin.do(t, "GET", "/get_projects", "").want(t, 400, "unavailable")
}

func TestAFailureAfterTheFirstPageCutsTheAnswer(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.ports.Store.Projects = &endless{ProjectRepository: w.ports.Store.Projects, n: 2000, fails: 3, failed: errDown}
	})
	wantCut(t, w.admin, w.server.URL)
	w.server.Close()
	for _, part := range []string{`"cut":true`, `"code":"unavailable"`, `"level":"ERROR"`, "connection refused"} {
		if !strings.Contains(w.log.String(), part) {
			t.Errorf("the log lacks %s", part)
		}
	}
}

// wantCut fails the test unless the list breaks off so that the client notices.
func wantCut(t *testing.T, b *browser, url string) {
	t.Helper()
	r := b.request(t, "GET", "/get_projects", "")
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err == nil {
		t.Errorf("%s: the client read %d bytes and no error", url, len(raw))
	}
	if json.Valid(raw) {
		t.Errorf("%s: what was read looks whole", url)
	}
}

// A host whose recovery catches everything must not turn a cut answer into one that
// ends cleanly.
func TestAHostsRecoveryDoesNotMendACutAnswer(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.ports.Store.Projects = &endless{ProjectRepository: w.ports.Store.Projects, n: 2000, fails: 2, failed: errors.New("page two")}
	})
	host := gin.New()
	host.Use(func(c *gin.Context) {
		defer func() { _ = recover() }()
		c.Next()
	})
	if err := ginhttp.Mount(host, w.service, ginhttp.Options{}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(host)
	defer server.Close()
	w.server.URL = server.URL
	wantCut(t, w.admin, server.URL)
}

// A reader who stops reading holds up neither the store nor the server for longer than
// the server's write timeout: no page is read ahead, and the answer is cut.
func TestASlowReaderIsLeft(t *testing.T) {
	store := &endless{n: 1_000_000}
	ended := make(chan struct{})
	w := newWorld(t, func(w *world) {
		store.ProjectRepository = w.ports.Store.Projects
		w.ports.Store.Projects = store
		w.configure = func(s *httptest.Server) {
			s.Config.WriteTimeout = 50 * time.Millisecond
			inner := s.Config.Handler
			s.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/get_projects" {
					defer close(ended)
				}
				inner.ServeHTTP(rw, r)
			})
		}
	})
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := w.admin.request(t, "GET", "/get_projects", "")
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	<-ended
	if pages := store.read(); pages >= 1_000_000/500 {
		t.Errorf("%d pages were read for a client that reads nothing", pages)
	}
}

// deadlines is a writer that counts how often its write deadline is moved, and to when.
type deadlines struct {
	*httptest.ResponseRecorder
	moved []time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.moved = append(d.moved, t)
	return nil
}

func TestEachPageHasTheServersWriteTimeout(t *testing.T) {
	w := newWorld(t, func(w *world) { w.ports.Store.Projects = &endless{ProjectRepository: w.ports.Store.Projects, n: 1500} })
	for timeout, want := range map[time.Duration]int{0: 0, time.Hour: 3} {
		out := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		r := w.admin.request(t, "GET", "/get_projects", "")
		ctx := context.WithValue(t.Context(), http.ServerContextKey, &http.Server{WriteTimeout: timeout})
		before := time.Now()
		w.engine.ServeHTTP(out, r.WithContext(ctx))
		if out.Code != 200 || len(out.moved) != want {
			t.Errorf("got %d and %d deadlines, want 200 and %d", out.Code, len(out.moved), want)
		}
		for _, at := range out.moved {
			if at.Before(before.Add(timeout)) {
				t.Errorf("got the deadline %v, want one after %v", at, before.Add(timeout))
			}
		}
	}
}

// endlessUsers is a store with n users more than it has, made up as they are read.
type endlessUsers struct {
	ports.UserRepository
	n     int
	pages atomic.Int64
}

func (e *endlessUsers) Page(_ context.Context, after domain.Cursor, limit int) ([]domain.User, error) {
	e.pages.Add(1)
	first := 0
	if after.Name != "" {
		if _, err := fmt.Sscanf(after.Name, "user-%07d", &first); err != nil {
			return nil, &domain.Error{Kind: domain.Unavailable, Cause: err}
		}
		first++
	}
	var found []domain.User
	for i := first; i < e.n && len(found) < limit; i++ {
		found = append(found, domain.User{
			ID: domain.UserID(fmt.Sprintf("01900000-0000-7000-8000-%012x", i)), Name: domain.Username(fmt.Sprintf("user-%07d", i)), Role: domain.RoleMember,
		})
	}
	return found, nil
}

// Whoever reads a long list slowly gets no more of it once they have lost the right to it.
func TestAListIsCutWhenItsReaderLosesTheRight(t *testing.T) {
	const n = 100_000 // about 15 MB, far more than what waits between the store and the reader
	for _, tc := range []struct {
		by   lostright.Caller
		loss string
		code string // in the log
	}{
		{lostright.Admin, "nothing is lost", ""},
		{lostright.Admin, "the user is deleted", "not_authenticated"},
		{lostright.Admin, "the user is disabled", "not_authenticated"},
		{lostright.Admin, "all logins are ended", "not_authenticated"},
		{lostright.Admin, "the admin is demoted", "not_allowed"},
		{lostright.Manager, "nothing is lost", ""},
		{lostright.Manager, "the user is deleted", "not_authenticated"},
		{lostright.Manager, "the user is disabled", "not_authenticated"},
		{lostright.Manager, "the access token is deleted", "not_authenticated"},
		{lostright.Manager, "the admin is demoted", "not_allowed"},
	} {
		t.Run(string(tc.by)+"/"+tc.loss, func(t *testing.T) {
			s := setTheStage(t, tc.by)
			users := &endlessUsers{UserRepository: s.ports.Store.Users, n: n}
			long := newWorld(t, bare, func(w *world) {
				w.ports = s.ports
				w.ports.Store.Users = users
			})
			r := s.eve.request(t, "GET", "/get_all_users", "")
			r.URL.Host = long.server.Listener.Addr().String()
			response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if _, err := io.ReadFull(response.Body, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			for _, l := range lostright.Losses() {
				if l.Name == tc.loss {
					s.lose(t, l)
				}
			}
			read, err := io.Copy(io.Discard, response.Body)
			long.server.Close() // waits for the last lines of the log
			if cut := err != nil; cut != (tc.code != "") {
				t.Errorf("the client read %d bytes more and got the error %v", read, err)
			}
			if pages := users.pages.Load(); (pages < n/500) != (tc.code != "") {
				t.Errorf("%d pages were read", pages)
			}
			if log := long.log.String(); tc.code != "" && (!strings.Contains(log, `"cut":true`) || !strings.Contains(log, `"code":"`+tc.code+`"`)) {
				t.Errorf("the log lacks the code %s: %s", tc.code, log)
			}
		})
	}
}
