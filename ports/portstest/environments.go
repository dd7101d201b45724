package portstest

import (
	"fmt"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// setEnvironments stores other environments of p on one instance.
func (f *fixture) setEnvironments(t *testing.T, on Store, p domain.Project, to domain.Environments) domain.Project {
	t.Helper()
	rec := f.record(domain.ActionSetEnvironments, domain.OnProject(p.ID))
	changed := !p.Environments.Equal(to)
	stored, err := on.Ports.Projects.Update(t.Context(), byOperator(rec), p.ID, func(p *domain.Project) error {
		p.Environments = to
		return nil
	})
	wantNil(t, "Update of environments", err)
	if changed {
		f.log = append(f.log, rec)
	}
	p.Environments = to
	wantSame(t, "what Update of environments returned", stored, p)
	return p
}

// environmentsInTurn are environments of each sort, and how an admin may change from one to the
// next. The second of two equal ones is no change.
func environmentsInTurn(p domain.Project) []domain.Environments {
	listed := domain.Environments{Default: "main", Allowed: []string{"dev", "main", p.Version}, AllowDraft: []string{"dev"}}
	return []domain.Environments{
		listed, listed,
		{Default: "main", Allowed: []string{"main", "dev", p.Version}, AllowDraft: []string{"dev"}},
		{Default: "main", Allowed: []string{"main"}},
		{Default: "dev", All: true, AllowDraft: []string{"dev", "A-z_0"}},
		{Default: "dev", All: true}, {}, {},
	}
}

// environmentsStored also has another change of the project beside, which keeps the environments.
func environmentsStored(t *testing.T, f *fixture) {
	p, beside := f.addNamed(t, "p"), f.add(t, f.inEnvironments("q"))
	f.grant(t, "a host's user", p.ID)
	at := f.instances(t)
	for i, to := range environmentsInTurn(p) {
		what := fmt.Sprintf("after environments %d", i)
		p = f.setEnvironments(t, at[i%len(at)], p, to)
		f.wantProject(t, what, p)
		f.wantRecords(t, what)
		for _, in := range []domain.Visible{everything, domain.GrantedTo("a host's user")} {
			page, err := at[(i+1)%len(at)].Ports.Projects.Page(t.Context(), in, domain.ProjectFilter{}, domain.Cursor{}, 1)
			wantNil(t, what+": Page", err)
			wantSame(t, what+": Page", page, []domain.Project{unsealed(p)})
		}
		p = f.put(t, p, domain.SlotPrimary, keyFor(projectID(f.next())))
		f.wantProject(t, what+" and of a key", p)
	}
	f.wantProject(t, "the project beside", beside)
}

// useOfEnvironments has a limited access token and a conversation in an environment, and looks all
// uses up on another instance than the one that stored the environments.
func useOfEnvironments(t *testing.T, f *fixture) {
	h := f.talk(t)
	limited := f.token(h.member.ID, h.p.ID, domain.DefaultScopes())
	limited.Environments = []string{"main", h.p.Version}
	f.issue(t, limited)
	inMain := f.conversation(domain.Session{}, limited)
	inMain.Environment = "main"
	f.converse(t, inMain)
	at := f.instances(t)
	for i, to := range environmentsInTurn(h.p) {
		h.p = f.setEnvironments(t, at[i%len(at)], h.p, to)
		uses := h.uses()
		byToken := ofToken(limited, false, h.p, h.granted)
		for name, use := range map[string]struct {
			shown shown
			want  domain.Access
		}{
			"a member's session":                     {inSession(h.session), ofSession(h.session, h.login, false, h.p, h.granted)},
			"a host's session":                       {inSession(h.host), ofSession(h.host, domain.Session{}, false, h.p, h.hostGranted)},
			"a token without a limit":                {shown{Token: tokenHash(h.token)}, ofToken(h.token, false, h.p, h.granted)},
			"a token with a limit":                   {shown{Token: tokenHash(limited)}, byToken},
			"a conversation of a token with a limit": {shown{Conversation: inMain.ID}, in(inMain, byToken)},
		} {
			uses[name] = use
		}
		for name, use := range uses {
			got, err := useOf(t.Context(), at[(i+1)%len(at)].Ports.Access, use.shown)
			wantNil(t, name+": the look-up", err)
			if d := otherAccess(got, use.want); d != nil {
				t.Fatalf("%s after environments %d: the look-up: %v", name, i, d)
			}
		}
	}
}
