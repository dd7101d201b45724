package ginhttp

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/audit"
	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// wholePage is the number of items that are read at a time for a whole list.
const wholePage = 500

// list is a route that answers with a list, by page or whole.
type list[T any] struct {
	of      domain.CursorList
	message string
	member  string
	page    func(*app.Service, context.Context, domain.Call, domain.Cursor, int) (paging.Page[T], error)
	item    func(answer, T) answer
}

var (
	projectList = list[domain.Project]{
		of: domain.ProjectList, message: "these are the assistants that you may use", member: "assistants",
		page: (*app.Service).GetProjects, item: answer.assistant,
	}
	// Admins also see the state of each assistant's keys and credits.
	projectListOfAdmin = list[domain.Project]{
		of: domain.ProjectList, message: projectList.message, member: "assistants",
		page: (*app.Service).GetProjects, item: answer.assistantOfAdmin,
	}
	tokenList = list[domain.AccessToken]{
		of: domain.TokenList, message: "these are the access tokens", member: "access_tokens",
		page: (*app.Service).GetAccessTokens, item: answer.accessToken,
	}
	userList = list[domain.User]{
		of: domain.UserList, message: "these are the users", member: "users",
		page: (*app.Service).GetAllUsers, item: answer.user,
	}
)

func (a *api) getProjects(x *exchange) error {
	shown := projectList
	if x.call.Caller.MayManage(domain.ScopeManageProjects) == nil {
		shown = projectListOfAdmin
	}
	err := shown.answer(a.service, x)
	if domain.KindOf(err) == domain.NotFound {
		return &domain.Error{Kind: noAssistants}
	}
	return err
}

func (a *api) getAllUsers(x *exchange) error { return userList.answer(a.service, x) }

func (a *api) getAccessTokens(x *exchange) error { return tokenList.answer(a.service, x) }

func (a *api) getGrants(x *exchange) error {
	asked, err := once(x.c.Request, "user_id", "project_id")
	if err != nil {
		return err
	}
	return list[domain.Grant]{
		of: domain.GrantList, message: "these are the grants", member: "grants", item: answer.grant,
		page: func(s *app.Service, ctx context.Context, call domain.Call, after domain.Cursor, limit int) (paging.Page[domain.Grant], error) {
			return s.GetGrants(ctx, call, asked[0], asked[1], after, limit)
		},
	}.answer(a.service, x)
}

func (a *api) getSessions(x *exchange) error {
	asked, err := once(x.c.Request, "user_id")
	if err != nil {
		return err
	}
	return list[domain.Session]{
		of: domain.SessionList, message: "these are the sessions", member: "sessions", item: answer.session,
		page: func(s *app.Service, ctx context.Context, call domain.Call, after domain.Cursor, limit int) (paging.Page[domain.Session], error) {
			return s.GetSessions(ctx, call, asked[0], after, limit)
		},
	}.answer(a.service, x)
}

func (a *api) getUsage(x *exchange) error {
	asked, err := once(x.c.Request, "from", "to", "group_by", "project_id", "user_id")
	if err != nil {
		return err
	}
	return list[domain.Usage]{
		of: domain.UsageList, message: "these are the counts of calls", member: "usage", item: answer.usage,
		page: func(s *app.Service, ctx context.Context, call domain.Call, after domain.Cursor, limit int) (paging.Page[domain.Usage], error) {
			in := app.GetUsage{From: asked[0], To: asked[1], GroupBy: asked[2], Project: asked[3], User: asked[4]}
			return s.GetUsage(ctx, call, in, after, limit)
		},
	}.answer(a.service, x)
}

func (a *api) getAuditEvents(x *exchange) error {
	asked, err := once(x.c.Request, "actor", "action", "object", "outcome", "request_id", "since", "until")
	if err != nil {
		return err
	}
	in := audit.EventQuery{
		Actor: asked[0], Action: asked[1], Object: asked[2], Outcome: asked[3], RequestID: asked[4], Since: asked[5], Until: asked[6],
	}
	return list[domain.AuditRow]{
		of: domain.AuditList, message: "these are the events of the audit", member: "events", item: answer.event,
		page: func(s *app.Service, ctx context.Context, call domain.Call, after domain.Cursor, limit int) (paging.Page[domain.AuditRow], error) {
			return s.Audit().Events(ctx, call, in, after, limit)
		},
	}.answer(a.service, x)
}

// once returns the parameters of those names, trimmed, or "" for a missing one. Returns Invalid
// if a parameter is repeated.
func once(r *http.Request, names ...string) ([]string, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("the query is invalid")
	}
	values := make([]string, len(names))
	for i, name := range names {
		if len(query[name]) > 1 {
			return nil, invalid(name + " may be given only once")
		}
		values[i] = strings.TrimSpace(query.Get(name))
	}
	return values, nil
}

// answer sends one page if limit asks for one, and otherwise everything after the cursor. A list
// that fits into one page is one plain answer. A longer list is written page by page. The store
// is asked for the next page only after the client has taken the last one. So memory stays flat
// and no connection waits for a slow reader. The caller is looked up again before each page but
// the first. A failure after the first page cuts the answer.
func (l list[T]) answer(s *app.Service, x *exchange) error {
	after, limit, err := pageAsked(x.c.Request, l.of)
	if err != nil {
		return err
	}
	whole := limit == 0
	if whole {
		limit = wholePage
	}
	page, err := l.page(s, x.ctx(), x.call, after, limit)
	if err != nil {
		return err
	}
	b := append(make(answer, 0, 1024), say(l.message)...).member(l.member)
	b = l.items(append(b, '['), page.Items)
	held := cap(b)
	if err := x.held.Add(held); err != nil {
		return err
	}
	if !whole || page.Next == nil {
		b = append(b, ']')
		if page.Next != nil {
			b = b.member("next_cursor").text(page.Next.Text(l.of))
		}
		x.send(http.StatusOK, b)
		return nil
	}
	x.begin(http.StatusOK)
	for page.Next != nil {
		if err := x.writePart(b); err != nil {
			x.cut = true
			return nil
		}
		if err = s.SameRights(x.ctx(), x.call.Caller); err == nil {
			page, err = l.page(s, x.ctx(), x.call, *page.Next, limit)
		}
		if err != nil {
			x.giveUp(err)
			return nil
		}
		b = b[:0]
		if len(page.Items) > 0 {
			b = l.items(append(b, ','), page.Items)
		}
		if err := x.held.Add(cap(b) - held); err != nil {
			x.giveUp(err)
			return nil
		}
		held = max(held, cap(b))
	}
	x.cut = x.writePart(append(b, "]}"...)) != nil
	return nil
}

func (l list[T]) items(b answer, items []T) answer {
	start := len(b)
	for i, item := range items {
		if i == 1 { // the others take about as much as the first
			b = slices.Grow(b, (len(items)-1)*(len(b)-start+8))
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = l.item(b, item)
	}
	return b
}

// writePart writes a part of a long answer.
func (x *exchange) writePart(b answer) error {
	x.renew()
	_, err := x.c.Writer.Write(b)
	return err
}

// renew gives the client as long for the next part of a long answer as for a whole one.
func (x *exchange) renew() {
	if server, ok := x.ctx().Value(http.ServerContextKey).(*http.Server); ok && server.WriteTimeout > 0 {
		// A writer without deadlines has none to renew.
		_ = http.NewResponseController(x.c.Writer).SetWriteDeadline(time.Now().Add(server.WriteTimeout))
	}
}

// pageAsked reads cursor and limit. limit is 0 if the whole list is wanted. Other parameters are
// ignored.
func pageAsked(r *http.Request, of domain.CursorList) (after domain.Cursor, limit int, err error) {
	if r.URL.RawQuery == "" {
		return domain.Cursor{}, 0, nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return domain.Cursor{}, 0, invalid("the query is invalid")
	}
	if len(query["limit"]) > 1 || len(query["cursor"]) > 1 {
		return domain.Cursor{}, 0, invalid("limit and cursor may be given only once")
	}
	if query.Has("limit") {
		text := strings.TrimSpace(query.Get("limit"))
		limit, err = strconv.Atoi(text)
		if err != nil || strconv.Itoa(limit) != text {
			limit = 0
		}
		if err := paging.CheckLimit(limit); err != nil {
			return domain.Cursor{}, 0, err
		}
	}
	after, err = domain.ParseCursor(of, strings.TrimSpace(query.Get("cursor")))
	return after, limit, err
}
