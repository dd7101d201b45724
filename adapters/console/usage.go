package console

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

const (
	// usageRows is how many rows the table of the usage has. The file has all.
	usageRows = 100
	// usageBars is how many horizontal bars the chart has.
	usageBars = 20
)

// usageAsked is the query of the page, with the names of the JSON route.
type usageAsked struct {
	From, To      domain.Day
	GroupBy       domain.UsageField
	Project, User string // ids, "" for all
}

// usagePage is what the page of the usage shows.
type usagePage struct {
	usageAsked
	Groups  []usageChoice
	Presets []usageChoice
	// Filters are the assistant and the user that the page is about.
	Filters []usageFilter
	Days    *dayChart
	Bars    []usageRow
	Rows    []usageRow
	Hidden  int64 // rows that only the file has
	Total   domain.Usage
	File    string // the address of the file with all rows
}

// usageChoice is a choice among several, or a link to it.
type usageChoice struct {
	Value, Name string
	Chosen      bool
}

// usageFilter is what the usage is restricted to.
type usageFilter struct {
	What, Field, ID string
	Named           named
	Without         string // the address of the page without it
}

// usageRow is a row of the table, and a bar of the chart.
type usageRow struct {
	domain.Usage
	Of    named
	Share int64 // of the largest row, in a thousandth
	Wrong int64 // the part of Share that failed
}

// usage shows how often assistants were used. Members see what they used themselves.
func (x *request) usage() error {
	asked, err := x.usageAsked()
	if err != nil {
		return x.again(err, "usage", usageTitle, usagePage{usageAsked: x.usageDefault(), Groups: x.usageGroups(domain.UsageDay)})
	}
	out := usagePage{usageAsked: asked, Groups: x.usageGroups(asked.GroupBy), Presets: x.usagePresets(asked), File: x.usageAddress("/console/usage.csv", asked)}
	var top domain.UsageTop
	if asked.GroupBy == domain.UsageDay {
		out.Days, top, err = x.usageDays(asked)
	} else {
		top, err = x.usageTop(asked)
	}
	if err != nil {
		return err
	}
	out.Total, out.Hidden = top.Total, top.Sums-int64(len(top.Most))
	if out.Rows, err = x.usageRows(asked, top.Most); err != nil {
		return err
	}
	if asked.GroupBy != domain.UsageDay {
		out.Bars = out.Rows[:min(len(out.Rows), usageBars)]
	}
	if out.Filters, err = x.usageFilters(asked); err != nil {
		return err
	}
	return x.show("usage", usageTitle, out)
}

const usageTitle = "Usage"

// usageFile answers with all rows of the usage.
func (x *request) usageFile() error {
	asked, err := x.usageAsked()
	if err != nil {
		return err
	}
	columns := []string{string(asked.GroupBy)}
	named := asked.GroupBy != domain.UsageDay && asked.GroupBy != domain.UsageScope
	if named {
		columns = append(columns, string(asked.GroupBy)+"_name")
	}
	columns = append(columns, "calls", "errors", "milliseconds")
	return sendCSV(x, "usage-"+string(asked.From)+"-"+string(asked.To)+".csv", columns,
		func(after domain.Cursor) (paging.Page[domain.Usage], error) {
			return x.usagePart(asked, after, csvPage)
		},
		func(list []domain.Usage) ([][]string, error) {
			known, err := x.usageNames(list)
			if err != nil {
				return nil, err
			}
			var rows [][]string
			for _, u := range list {
				row := []string{usageOf(u, asked.GroupBy)}
				if named {
					row = append(row, known.usage(x, u, asked.GroupBy).Name)
				}
				rows = append(rows, append(row, strconv.FormatInt(u.Calls, 10), strconv.FormatInt(u.Errors, 10), strconv.FormatInt(u.Milliseconds, 10)))
			}
			return rows, nil
		})
}

// usageAsked reads the query.
func (x *request) usageAsked() (usageAsked, error) {
	query := x.Request().URL.Query()
	text := func(name string) string { return strings.TrimSpace(query.Get(name)) }
	group := cmp.Or(text("group_by"), string(domain.UsageDay))
	q, err := domain.NewUsageQuery(text("from"), text("to"), group, x.console.clock())
	if err != nil {
		return usageAsked{}, err
	}
	if len(q.GroupBy) != 1 {
		return usageAsked{}, &domain.Error{Kind: domain.Invalid, Public: "a page groups by one of day, project, user, token and scope"}
	}
	asked := usageAsked{From: q.From, To: q.To, GroupBy: q.GroupBy[0], Project: text("project_id")}
	if x.Call().Caller.Admin { // members see their own usage only
		asked.User = text("user_id")
	}
	return asked, noKey(asked.Project, asked.User)
}

// usageDefault is what the page shows if nothing is asked for.
func (x *request) usageDefault() usageAsked {
	today := x.console.clock().UTC() // days of other zones may have 23 or 25 hours
	return usageAsked{From: domain.DayOf(today.AddDate(0, 0, -29)), To: domain.DayOf(today), GroupBy: domain.UsageDay}
}

// input returns the query for the use cases.
func (a usageAsked) input() app.GetUsage {
	return app.GetUsage{From: string(a.From), To: string(a.To), GroupBy: string(a.GroupBy), Project: a.Project, User: a.User}
}

// usagePart returns a page of the sums: of everybody for an admin, and the caller's for a member.
func (x *request) usagePart(asked usageAsked, after domain.Cursor, limit int) (paging.Page[domain.Usage], error) {
	get := x.console.service.GetOwnUsage
	if x.Call().Caller.Admin {
		get = x.console.service.GetUsage
	}
	return get(x.Context(), x.Call(), asked.input(), after, limit)
}

// usageTop returns the largest sums, as many as the table has rows, of the calls that usagePart has.
func (x *request) usageTop(asked usageAsked) (domain.UsageTop, error) {
	get := x.console.service.GetTopOwnUsage
	if x.Call().Caller.Admin {
		get = x.console.service.GetTopUsage
	}
	return get(x.Context(), x.Call(), asked.input(), usageRows)
}

// usageDays returns the chart of the days, and the last of them, as many as the table has rows, with
// the total of all.
func (x *request) usageDays(asked usageAsked) (*dayChart, domain.UsageTop, error) {
	var days []domain.Usage
	var last domain.UsageTop
	err := paging.Each(func(after domain.Cursor) (paging.Page[domain.Usage], error) {
		return x.usagePart(asked, after, paging.Max)
	}, func(u domain.Usage) error {
		days = append(days, u)
		last.Total = last.Total.Plus(u)
		return nil
	})
	if err != nil {
		return nil, last, err
	}
	chart := newDayChart(asked.From, asked.To, days)
	slices.Reverse(days)
	last.Sums, last.Most = int64(len(days)), days[:min(len(days), usageRows)]
	last.Total.UsageKey = domain.UsageKey{}
	return chart, last, nil
}

// usageGroups returns what the caller can group by.
func (x *request) usageGroups(chosen domain.UsageField) []usageChoice {
	names := map[domain.UsageField]string{
		domain.UsageDay: "Day", domain.UsageProject: "Assistant", domain.UsageUser: "User", domain.UsageToken: "Access token", domain.UsageScope: "Scope",
	}
	var all []usageChoice
	for _, f := range domain.UsageFields() {
		if f == domain.UsageUser && !x.Call().Caller.Admin || f == domain.UsageToken && !x.console.service.OwnUsers() {
			continue
		}
		all = append(all, usageChoice{string(f), names[f], f == chosen})
	}
	return all
}

// usagePresets returns links to the ranges that end today.
func (x *request) usagePresets(asked usageAsked) []usageChoice {
	today := x.console.clock().UTC()
	was := asked
	var all []usageChoice
	for _, days := range []int{7, 30, 90} {
		asked.From, asked.To = domain.DayOf(today.AddDate(0, 0, 1-days)), domain.DayOf(today)
		all = append(all, usageChoice{x.usageAddress("/console/usage", asked), strconv.Itoa(days) + " days", asked == was})
	}
	return all
}

// usageAddress returns the address of a page or file of the usage.
func (x *request) usageAddress(path string, asked usageAsked) string {
	query := url.Values{"from": {string(asked.From)}, "to": {string(asked.To)}, "group_by": {string(asked.GroupBy)}}
	if asked.Project != "" {
		query.Set("project_id", asked.Project)
	}
	if asked.User != "" {
		query.Set("user_id", asked.User)
	}
	return x.console.url(path) + "?" + query.Encode()
}

// usageFilters returns what the usage is restricted to.
func (x *request) usageFilters(asked usageAsked) ([]usageFilter, error) {
	known, err := x.names([]domain.ProjectID{domain.ProjectID(asked.Project)}, []domain.UserID{domain.UserID(asked.User)}, nil)
	if err != nil {
		return nil, err
	}
	var all []usageFilter
	if asked.Project != "" {
		without := asked
		without.Project = ""
		all = append(all, usageFilter{"assistant", "project_id", asked.Project, known.project(domain.ProjectID(asked.Project)), x.usageAddress("/console/usage", without)})
	}
	if asked.User != "" {
		without := asked
		without.User = ""
		all = append(all, usageFilter{"user", "user_id", asked.User, known.user(domain.UserID(asked.User)), x.usageAddress("/console/usage", without)})
	}
	return all, nil
}

// usageRows returns the rows of the table.
func (x *request) usageRows(asked usageAsked, list []domain.Usage) ([]usageRow, error) {
	known, err := x.usageNames(list)
	if err != nil {
		return nil, err
	}
	most := int64(1)
	for _, u := range list {
		most = max(most, u.Calls)
	}
	rows := make([]usageRow, len(list))
	for i, u := range list {
		rows[i] = usageRow{Usage: u, Of: known.usage(x, u, asked.GroupBy), Share: thousandths(u.Calls, most), Wrong: thousandths(u.Errors, most)}
	}
	return rows, nil
}

// thousandths returns n as a part of most. What is there at all is seen.
func thousandths(n, most int64) int64 {
	if n == 0 {
		return 0
	}
	return max(5, int64(1000*float64(n)/float64(most)))
}

// usageNames looks up the names of what the sums are of.
func (x *request) usageNames(list []domain.Usage) (names, error) {
	var projects []domain.ProjectID
	var users []domain.UserID
	var tokens []domain.TokenID
	for _, u := range list {
		projects, users, tokens = append(projects, u.Project), append(users, u.User), append(tokens, u.Token)
	}
	return x.names(projects, users, tokens)
}

// usage returns what a sum is of.
func (n names) usage(x *request, u domain.Usage, by domain.UsageField) named {
	switch by {
	case domain.UsageProject:
		return n.project(u.Project)
	case domain.UsageUser:
		return n.user(u.User)
	case domain.UsageToken:
		if u.Token == "" {
			return named{Name: "with a login"}
		}
		return n.token(u.Token)
	}
	return named{Name: usageOf(u, by)}
}

// usageOf returns the field of the sum that it is grouped by.
func usageOf(u domain.Usage, by domain.UsageField) string {
	switch by {
	case domain.UsageProject:
		return string(u.Project)
	case domain.UsageUser:
		return string(u.User)
	case domain.UsageToken:
		return string(u.Token)
	case domain.UsageScope:
		return string(u.Scope)
	}
	return string(u.Day)
}

// dayChart is a chart with a bar for each day, or for each month or year of a long range.
type dayChart struct {
	Unit        string // day, month or year
	Bars        []dayBar
	Most        int64 // calls of the highest bar
	First, Last string
	Width       int // 10 for each bar
}

// dayBar is a bar of a dayChart. Heights are a hundredth of the highest bar.
type dayBar struct {
	Of            string
	X             int
	Calls, Errors int64
	Top, High     string // of the calls
	TopErrors     string
	HighErrors    string
}

// maxBars is how many bars a dayChart has at most for days, and for months.
const maxBars = 124

// newDayChart returns the chart of the days from first to last. Days without calls are zero.
func newDayChart(first, last domain.Day, rows []domain.Usage) *dayChart {
	from, _ := time.Parse(time.DateOnly, string(first)) // both are days
	to, _ := time.Parse(time.DateOnly, string(last))
	c := &dayChart{Unit: "day"}
	layout, next := time.DateOnly, func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }
	if to.Sub(from) >= maxBars*24*time.Hour {
		c.Unit, layout = "month", "2006-01"
		from = time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC)
		next = func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }
		if to.Year()-from.Year() >= maxBars/12 {
			c.Unit, layout = "year", "2006"
			from = time.Date(max(from.Year(), to.Year()-maxBars+1), 1, 1, 0, 0, 0, 0, time.UTC)
			next = func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }
		}
	}
	sums := map[string]domain.Usage{}
	for _, u := range rows {
		at, _ := time.Parse(time.DateOnly, string(u.Day))
		sums[at.Format(layout)] = u.Plus(sums[at.Format(layout)])
	}
	for at := from; !at.After(to); at = next(at) {
		u := sums[at.Format(layout)]
		c.Bars = append(c.Bars, dayBar{Of: at.Format(layout), X: 10 * len(c.Bars), Calls: u.Calls, Errors: u.Errors})
		c.Most = max(c.Most, u.Calls)
	}
	for i := range c.Bars {
		b := &c.Bars[i]
		b.Top, b.High = span100(b.Calls, c.Most)
		b.TopErrors, b.HighErrors = span100(b.Errors, c.Most)
	}
	c.First, c.Last, c.Width = c.Bars[0].Of, c.Bars[len(c.Bars)-1].Of, 10*len(c.Bars)
	return c
}

// span100 returns the top and the height of a bar of n in a chart that is 100 high. What is there at
// all is seen.
func span100(n, most int64) (top, high string) {
	h := 0.0
	if n > 0 {
		h = max(2, 100*float64(n)/float64(most))
	}
	return strconv.FormatFloat(100-h, 'f', 1, 64), strconv.FormatFloat(h, 'f', 1, 64)
}

// percent returns which part of the calls failed.
func percent(u domain.Usage) string {
	if u.Calls == 0 || u.Errors == 0 {
		return "0 %"
	}
	return strconv.FormatFloat(100*float64(u.Errors)/float64(u.Calls), 'f', 1, 64) + " %"
}

// mean returns how long a call took on average.
func mean(u domain.Usage) string {
	if u.Calls == 0 {
		return "–"
	}
	ms := u.Milliseconds / u.Calls
	if ms < 1000 {
		return strconv.FormatInt(ms, 10) + " ms"
	}
	return strconv.FormatFloat(float64(ms)/1000, 'f', 1, 64) + " s"
}
