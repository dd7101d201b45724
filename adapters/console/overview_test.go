package console_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// boom is the cause of every failure of the broken repositories. It must be on no page.
const boom = "the disk is on fire"

var errBroken = &domain.Error{Kind: domain.Unavailable, Public: "the database does not answer", Cause: errors.New(boom)}

// brokenUsage can't be read.
type brokenUsage struct{ ports.Usage }

func (brokenUsage) Report(context.Context, domain.UsageQuery, *domain.UsageKey, int) ([]domain.Usage, error) {
	return nil, errBroken
}

// brokenGrants can't be read.
type brokenGrants struct{ ports.Grants }

func (brokenGrants) Page(context.Context, domain.GrantFilter, domain.Cursor, int) ([]domain.Grant, error) {
	return nil, errBroken
}

// brokenProjects can't be listed.
type brokenProjects struct{ ports.ProjectRepository }

func (brokenProjects) Page(context.Context, domain.Visible, domain.ProjectFilter, domain.Cursor, int) ([]domain.Project, error) {
	return nil, errBroken
}

// brokenChain can't be verified.
type brokenChain struct{ ports.AuditChain }

func (brokenChain) Links(context.Context, int64, int) ([]domain.ChainedRow, error) {
	return nil, errBroken
}

// calls counts calls of the user with the assistant on a day, days ago.
func (w *world) calls(t *testing.T, user domain.UserID, p domain.Project, days int, calls, failed int64) {
	t.Helper()
	err := w.ports.Store.Usage.Add(t.Context(), []domain.Usage{{
		UsageKey: domain.UsageKey{Day: domain.DayOf(time.Now().AddDate(0, 0, -days)), Project: p.ID, User: user, Scope: domain.ScopeConverse},
		Calls:    calls, Errors: failed, Milliseconds: calls,
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

// reject makes Voiceflow reject the key of the assistant, and finds that out.
func (w *world) reject(t *testing.T, n int, p domain.Project) {
	t.Helper()
	replaced := w.assistants[n]
	replaced.Key = replaced.Key[:len(replaced.Key)-4] + "gone"
	if err := w.standIn.Add(replaced); err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.CheckProject(t.Context(), w.operator(t), string(p.ID)); err != nil {
		t.Fatal(err)
	}
}

// markCredits stores what is known about the credits of the assistant.
func (w *world) markCredits(t *testing.T, p domain.Project, credits domain.Credits) {
	t.Helper()
	rec := w.operator(t).Record(time.Now(), domain.ActionMarkCredits, domain.OnProject(p.ID))
	err := w.ports.Store.Projects.Note(t.Context(), p.ID, func(p *domain.Project) bool { return p.MarkCredits(credits) }, rec)
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheFirstStepsAreShownToAnAdminWhileThereAreNoAssistants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	steps := []string{"First steps", `href="/console/assistants/new"`, `href="/console/users/new"`, `id="where">` + w.server.URL + "/console/<"}
	w.admin.get(t, "/console/").want(t, http.StatusOK, steps...).wantNo(t, "All is well")
	w.member.get(t, "/console/").want(t, http.StatusOK, "You can't talk to an assistant yet. Ask an admin").wantNo(t, "First steps", "/console/users/new")
	w.add(t, 0)
	w.admin.get(t, "/console/").want(t, http.StatusOK, "All is well").wantNo(t, "First steps")
}

func TestTheOverviewOfAnAdmin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pizza, trains := w.add(t, 0), w.add(t, 1)
	w.admin.get(t, "/console/").want(t, http.StatusOK, "All is well", "There were no calls in the last 30 days.", "Whole", "<time ", `href="/console/audit"`).
		wantNo(t, "Needs attention")

	w.reject(t, 0, pizza)
	w.markCredits(t, trains, domain.CreditsUsedUp)
	w.calls(t, domain.UserID(w.id(t, "member")), pizza, 0, 1200, 34)
	w.calls(t, domain.UserID(w.id(t, "admin")), trains, 29, 34, 0)
	w.calls(t, domain.UserID(w.id(t, "admin")), trains, 31, 5000, 0)
	w.admin.get(t, "/console/").want(t, http.StatusOK,
		"Needs attention", "Voiceflow rejected the primary key. Set a new one.", "Its credits at Voiceflow are used up.",
		`href="/console/assistants/`+string(pizza.ID)+`"`, `href="/console/assistants/`+string(trains.ID)+`"`,
		"1,234 calls", "34 of them with an error", "<svg", "Show the days as a table", `href="/console/usage"`,
	).wantNo(t, "All is well", "6,234", "trouble=yes")
}

func TestTheOverviewListsTenAssistantsThatNeedAttention(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, p := range w.store(t, 12) {
		w.markCredits(t, p, domain.CreditsUsedUp)
	}
	w.admin.get(t, "/console/").want(t, http.StatusOK, "Bot 00009", `href="/console/assistants?trouble=yes"`).wantNo(t, "Bot 00010")
	w.admin.get(t, "/console/assistants?trouble=yes").want(t, http.StatusOK, "Bot 00011")
}

func TestTheOverviewOfAMember(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pizza, trains := w.add(t, 0), w.add(t, 1)
	w.grant(t, "member", pizza)
	w.grant(t, "member", trains, "export")
	w.reject(t, 0, pizza)
	w.calls(t, domain.UserID(w.id(t, "member")), pizza, 1, 7, 0)
	w.calls(t, domain.UserID(w.id(t, "admin")), pizza, 1, 5000, 0)
	w.member.get(t, "/console/").want(t, http.StatusOK, "Your assistants", "Pizza", `href="/chat/`+string(pizza.ID)+`"`, "7 calls", "none with an error").
		wantNo(t, "Trains", "Needs attention", "rejected", "5,007", "/console/audit", "All is well")
}

// TestAPartOfTheOverviewThatCantBeReadSaysSo also checks that the others are shown.
func TestAPartOfTheOverviewThatCantBeReadSaysSo(t *testing.T) {
	t.Parallel()
	const audit, usage, trouble = "Whole", "7 calls", "credits at Voiceflow are used up"
	for _, tc := range []struct {
		name   string
		breaks func(*ports.Store)
		says   string
		shows  []string
	}{
		{"the usage", func(s *ports.Store) { s.Usage = brokenUsage{s.Usage} }, "The usage can't be read now. The database does not answer.", []string{audit, trouble}},
		{"the assistants", func(s *ports.Store) { s.Projects = brokenProjects{s.Projects} }, "The state of the assistants can't be read now. The database does not answer.", []string{usage}},
		{"the audit", func(s *ports.Store) { s.Chain = brokenChain{s.Chain} }, "The audit can't be verified now.", []string{usage, trouble}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(w *world) { tc.breaks(&w.ports.Store) })
			p := w.add(t, 0)
			w.markCredits(t, p, domain.CreditsUsedUp)
			w.calls(t, domain.UserID(w.id(t, "member")), p, 0, 7, 0)
			w.admin.get(t, "/console/").want(t, http.StatusOK, append(tc.shows, tc.says)...).wantNo(t, "All is well", "First steps", boom)
		})
	}
}

func TestTheOverviewSaysThatTheAuditIsBroken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(t, 0)
	verify := func() error {
		_, err := w.service.Audit().Verify(t.Context(), w.operator(t), "")
		return err
	}
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	w.memory.Tamper(func(rows *[]domain.Record, _ *[]domain.ChainLink, _ *domain.AuditHead) {
		(*rows)[1].Outcome = "tampered"
	})
	if err := verify(); domain.KindOf(err) != domain.Corrupt {
		t.Fatalf("got error %v, want %s", err, domain.Corrupt)
	}
	w.admin.get(t, "/console/").want(t, http.StatusOK, "The audit is broken:").wantNo(t, "All is well", "Whole")
}
