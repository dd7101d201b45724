package console

import "github.com/flowlatch/flowlatch/domain"

// month is the usage of the last 30 days, as a part of a page.
type month struct {
	Problem string // why it can't be read, "" if it can
	Total   domain.Usage
	Days    *dayChart
	Rows    []domain.Usage // the days with calls
	More    string         // the address of the page of the usage
}

// month returns the usage of the last 30 days: of everybody for an admin, and the caller's own for a
// member. It is that of the assistant, or of all if project is "".
func (x *request) month(project domain.ProjectID) month {
	asked := x.usageDefault()
	asked.Project = string(project)
	m := month{More: x.monthInFull(project)}
	page, err := x.usagePart(asked, domain.Cursor{}, pageSize)
	if err != nil {
		m.Problem = x.Failure(err).Message
		return m
	}
	m.Rows = page.Items
	for _, u := range page.Items {
		m.Total = m.Total.Plus(u)
	}
	m.Days = newDayChart(asked.From, asked.To, page.Items)
	return m
}

// monthInFull returns the address of the page of the usage, of an assistant unless project is "".
func (x *request) monthInFull(project domain.ProjectID) string {
	address := x.console.url("/console/usage")
	if project != "" {
		address += "?project_id=" + string(project)
	}
	return address
}
