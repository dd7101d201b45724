package portstest

import (
	"slices"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// tooMany are more ids than can be named at once.
func tooMany[ID ~string]() []ID { return make([]ID, domain.MaxNamed+1) }

// full returns as many ids as can be named at once, with those given among them.
func full[ID ~string](given ...ID) []ID {
	rest := make([]ID, domain.MaxNamed-len(given))
	for i := range rest {
		rest[i] = ID(projectID(100_000 + i))
	}
	return slices.Concat(rest, given)
}

func namesOfProjects(t *testing.T, f *fixture) {
	a, b, c := f.addNamed(t, "same"), f.addNamed(t, "same"), f.addNamed(t, "句 '\"\\")
	f.grant(t, "a host's user", b.ID)
	f.grant(t, "a host's user", c.ID)
	f.grant(t, "another", a.ID)
	for _, tc := range []struct {
		name string
		in   domain.Visible
		of   []domain.ProjectID
		want map[domain.ProjectID]string
	}{
		{"of no id", everything, nil, map[domain.ProjectID]string{}},
		{"of all", everything, []domain.ProjectID{c.ID, a.ID, b.ID}, map[domain.ProjectID]string{a.ID: a.Name, b.ID: b.Name, c.ID: c.Name}},
		{"of some, twice", everything, []domain.ProjectID{c.ID, c.ID}, map[domain.ProjectID]string{c.ID: c.Name}},
		{"of unknown ids beside", everything, []domain.ProjectID{projectID(404), "", "no id", a.ID}, map[domain.ProjectID]string{a.ID: a.Name}},
		{"within what is granted", domain.GrantedTo("a host's user"), []domain.ProjectID{a.ID, b.ID, c.ID}, map[domain.ProjectID]string{b.ID: b.Name, c.ID: c.Name}},
		{"within nothing", domain.Visible{}, []domain.ProjectID{a.ID}, map[domain.ProjectID]string{}},
		{"of as many as can be", everything, full(a.ID), map[domain.ProjectID]string{a.ID: a.Name}},
	} {
		got, err := f.Ports.Projects.Names(t.Context(), tc.in, tc.of)
		wantNil(t, "Names "+tc.name, err)
		wantSame(t, "Names "+tc.name, got, tc.want)
	}
	_, err := f.Ports.Projects.Names(t.Context(), everything, tooMany[domain.ProjectID]())
	wantKind(t, "Names of too many ids", err, domain.Invalid)
}

func namesOfUsers(t *testing.T, f *fixture) {
	ana, ben := f.member(t, "ana"), f.admin(t, "ben")
	for _, tc := range []struct {
		name string
		of   []domain.UserID
		want map[domain.UserID]domain.Username
	}{
		{"of no id", nil, map[domain.UserID]domain.Username{}},
		{"of all", []domain.UserID{ben.ID, ana.ID, ben.ID}, map[domain.UserID]domain.Username{ana.ID: "ana", ben.ID: "ben"}},
		{"of unknown ids beside", []domain.UserID{userID(404), "", "a host's user", ana.ID}, map[domain.UserID]domain.Username{ana.ID: "ana"}},
		{"of as many as can be", full(ana.ID), map[domain.UserID]domain.Username{ana.ID: "ana"}},
	} {
		got, err := f.Ports.Users.Names(t.Context(), tc.of)
		wantNil(t, "Names "+tc.name, err)
		wantSame(t, "Names "+tc.name, got, tc.want)
	}
	_, err := f.Ports.Users.Names(t.Context(), tooMany[domain.UserID]())
	wantKind(t, "Names of too many ids", err, domain.Invalid)
}

func namesOfTokens(t *testing.T, f *fixture) {
	p, ana, ben := f.addNamed(t, "p"), f.member(t, "ana"), f.admin(t, "ben")
	first, second := f.token(ana.ID, p.ID, domain.DefaultScopes()), f.token(ben.ID, p.ID, domain.DefaultScopes())
	first.Name, second.Name = "report", "句 '"
	f.issue(t, first)
	f.issue(t, second)
	all := []domain.TokenID{second.ID, first.ID, tokenID(404), "", first.ID}
	for _, tc := range []struct {
		name string
		user domain.UserID
		of   []domain.TokenID
		want map[domain.TokenID]string
	}{
		{"of no id", "", nil, map[domain.TokenID]string{}},
		{"of all users", "", all, map[domain.TokenID]string{first.ID: "report", second.ID: "句 '"}},
		{"of one user", ana.ID, all, map[domain.TokenID]string{first.ID: "report"}},
		{"of an unknown user", userID(404), all, map[domain.TokenID]string{}},
		{"of as many as can be", "", full(first.ID), map[domain.TokenID]string{first.ID: "report"}},
	} {
		got, err := f.Ports.Tokens.Names(t.Context(), tc.user, tc.of)
		wantNil(t, "Names "+tc.name, err)
		wantSame(t, "Names "+tc.name, got, tc.want)
	}
	_, err := f.Ports.Tokens.Names(t.Context(), "", tooMany[domain.TokenID]())
	wantKind(t, "Names of too many ids", err, domain.Invalid)
}
