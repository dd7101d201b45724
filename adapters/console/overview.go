package console

import (
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// overviewPage is what the overview shows. Each part can have failed by itself.
type overviewPage struct {
	// First says that there are no assistants, so an admin has to begin.
	First bool
	Where string // the address at which people log in
	Local bool   // only this machine reaches that address

	Trouble troublePart // for admins
	Kept    keptPart    // for admins
	Audit   auditPart   // for admins
	Talk    talkPart    // for members
	Usage   month
}

// Well reports whether an admin has nothing to do, as far as everything could be read.
func (p overviewPage) Well() bool {
	return p.Trouble.Problem == "" && len(p.Trouble.Assistants) == 0 && p.Kept.Problem == "" && len(p.Kept.Admins) == 0 &&
		p.Audit.Problem == "" && p.Audit.Broken == "" && !p.Audit.At.IsZero()
}

// troublePart lists the assistants that somebody has to look after.
type troublePart struct {
	Problem    string // why they can't be read, "" if they can
	Assistants []troubled
	More       bool
}

// troubled is an assistant and what is wrong with it, a sentence each.
type troubled struct {
	ID    domain.ProjectID
	Name  string
	Wrong []string
}

// keptPart lists the users who stay admins though they have left the group that made them admins.
type keptPart struct {
	Problem string // why they can't be read, "" if they can
	Admins  []domain.User
}

// auditPart is the state of the chain of the audit.
type auditPart struct {
	Problem string // why it can't be verified, "" if it can
	At      time.Time
	Rows    int64
	Broken  string    // which row is broken, "" for none
	NotCut  string    // why old rows can't be removed, "" if they can
	Whole   time.Time // when the whole chain was verified last
	Running bool      // a later verification is under way
}

// talkPart lists the assistants that a member can talk to.
type talkPart struct {
	Problem    string // why they can't be read, "" if they can
	Assistants []domain.Project
	More       bool
}

// overviewRows is how many assistants a part of the overview lists.
const overviewRows = 10

func (x *request) overview() error {
	var out overviewPage
	if x.Call().Caller.Admin {
		one, err := x.console.service.SearchProjects(x.Context(), x.Call(), app.SearchProjects{}, domain.Cursor{}, 1)
		if out.First = err == nil && len(one.Items) == 0; out.First {
			out.Where, out.Local = x.baseURL()+home, isLocal(x.baseURL())
		}
		out.Trouble, out.Kept, out.Audit = x.trouble(), x.keptAdmins(), x.auditState()
	} else {
		out.Talk = x.talkable()
	}
	out.Usage = x.month("")
	return x.show("overview", "Overview", out)
}

// goHome sends the browser from the path without a slash at its end to the overview.
func (x *request) goHome() error { return x.redirect(home) }

func (x *request) trouble() troublePart {
	page, err := x.console.service.SearchProjects(x.Context(), x.Call(), app.SearchProjects{Trouble: true}, domain.Cursor{}, overviewRows)
	if err != nil {
		return troublePart{Problem: x.Failure(err).Message}
	}
	part := troublePart{More: page.Next != nil}
	for _, p := range page.Items {
		part.Assistants = append(part.Assistants, troubled{ID: p.ID, Name: p.Name, Wrong: wrongWith(p)})
	}
	return part
}

func (x *request) keptAdmins() keptPart {
	users, err := x.console.service.KeptAdmins(x.Context(), x.Call())
	if err != nil {
		return keptPart{Problem: x.Failure(err).Message}
	}
	return keptPart{Admins: users}
}

// wrongWith says what is wrong with the assistant and what to do about it, a sentence each.
func wrongWith(p domain.Project) []string {
	var all []string
	for _, slot := range domain.Slots() {
		switch p.Key(slot).Status {
		case domain.KeyRejected:
			all = append(all, "Voiceflow rejected the "+string(slot)+" key. Set a new one.")
		case domain.KeyNeedsReentry:
			all = append(all, "The "+string(slot)+" key can't be decrypted. Set it again.")
		}
	}
	if p.Credits == domain.CreditsUsedUp {
		all = append(all, "Its credits at Voiceflow are used up. Add credits there.")
	}
	return all
}

func (x *request) auditState() auditPart {
	s, err := x.stateOfAudit()
	part := auditPart{At: s.At, Rows: s.Rows(), NotCut: s.NotCut, Broken: s.Broken, Whole: s.WholeAt, Running: s.Running}
	if err != nil {
		part.Problem = x.Failure(err).Message
	}
	return part
}

func (x *request) talkable() talkPart {
	page, err := x.console.service.ChatAssistants(x.Context(), x.Call(), domain.Cursor{}, overviewRows)
	if err != nil {
		return talkPart{Problem: x.Failure(err).Message}
	}
	return talkPart{Assistants: page.Items, More: page.Next != nil}
}
