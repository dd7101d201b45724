package console

import (
	"slices"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// sessionTable is a table of sessions.
type sessionTable struct {
	Rows []sessionRow
	End  string // the local path that ends one
}

// sessionRow is a session as a page shows it.
type sessionRow struct {
	domain.Session

	Assistant string // the name of its assistant, "" for a login
	This      bool   // it is the login by which the page was asked for
	OfThis    bool   // it is the assistant session of that login
}

// Login reports whether the row is a login.
func (r sessionRow) Login() bool { return r.Kind == domain.LoginSession }

// sessionTable returns all sessions of the user, the one that was used last first. There are at most
// 200 (domain.MaxSessions of each kind).
func (x *request) sessionTable(of domain.UserID, end string) (sessionTable, error) {
	table := sessionTable{End: end}
	page, err := x.console.service.GetSessions(x.Context(), x.Call(), string(of), domain.Cursor{}, paging.Max)
	if err != nil {
		return table, err
	}
	var ids []domain.ProjectID
	for _, s := range page.Items {
		ids = append(ids, s.Project)
	}
	names, err := x.names(ids, nil, nil)
	own := x.Call().Caller.Login.ID
	for _, s := range page.Items {
		table.Rows = append(table.Rows, sessionRow{
			Session: s, Assistant: names.Projects[s.Project], This: s.ID == own, OfThis: own != "" && s.Login == own,
		})
	}
	slices.SortStableFunc(table.Rows, func(a, b sessionRow) int { return b.LastUsed.Compare(a.LastUsed) })
	return table, err
}

// sessionsPage is what the page of one's own sessions shows.
type sessionsPage struct {
	Sessions sessionTable
	Others   bool // there are sessions that the button for all others ends
}

const sessionsTitle = "Your sessions"

func (x *request) sessions() error {
	page, err := x.sessionsPage()
	if err != nil {
		return err
	}
	return x.show("sessions", sessionsTitle, page)
}

func (x *request) sessionsPage() (sessionsPage, error) {
	table, err := x.sessionTable(x.Call().Caller.ID, "/console/sessions/delete")
	others := slices.ContainsFunc(table.Rows, func(r sessionRow) bool { return !r.This && !r.OfThis })
	return sessionsPage{Sessions: table, Others: others}, err
}

func (x *request) sessionsAgain(err error) error {
	page, failed := x.sessionsPage()
	if failed != nil {
		return failed
	}
	return x.again(err, "sessions", sessionsTitle, page)
}

// endSession ends the session that the form names. It reports whether that was the caller's login.
func (x *request) endSession() (own bool, err error) {
	in, err := x.fields()
	if err != nil {
		return false, err
	}
	if err := x.console.service.DeleteSession(x.Context(), x.Call(), in.text("session_id")); err != nil {
		return false, err
	}
	id, err := domain.ParseSessionID(in.text("session_id"))
	return id == x.Call().Caller.Login.ID, err
}

func (x *request) endOwnSession() error {
	own, err := x.endSession()
	switch {
	case err != nil:
		return x.sessionsAgain(err)
	case own:
		return x.loggedOut("You have ended your session.")
	}
	return x.done("/console/sessions", "The session was ended.")
}

func (x *request) endOtherSessions() error {
	if err := x.console.service.DeleteOtherSessions(x.Context(), x.Call()); err != nil {
		return x.sessionsAgain(err)
	}
	return x.done("/console/sessions", "All other sessions were ended.")
}

// loggedOut sends the browser to the login after the caller's login has ended.
func (x *request) loggedOut(notice string) error {
	x.forgetLogin(notice)
	return x.redirect("/console/login")
}

// forgetLogin makes the browser forget the caller's login, which has ended, and leaves a notice for the
// page of the login.
func (x *request) forgetLogin(notice string) {
	x.ForgetLogin()
	x.ended = true
	// Whatever the pages keep in the browser goes too: others may use the same computer.
	x.Writer().Header().Set("Clear-Site-Data", `"storage"`)
	x.leaveNotice(notice)
}
