package portstest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// issuer is the identity provider of the suite.
const issuer = "https://id.example.com"

// signOnPolicy is what the suite's operator has set.
var signOnPolicy = domain.SignOnPolicy{CreateUsers: true, Admins: []string{"bosses"}}

func ruleID(n int) domain.RuleID {
	return domain.RuleID(fmt.Sprintf("01890000-0000-7000-b001-%012x", n))
}

// identity returns an identity that nobody has yet.
func (f *fixture) identity() domain.Identity {
	return domain.Identity{Issuer: issuer, Subject: fmt.Sprintf("Subject %d 句", f.next())}
}

// linked stores a user who is linked to an identity.
func (f *fixture) linked(t *testing.T, name domain.Username, role domain.Role, assistants ...domain.ProjectID) domain.User {
	t.Helper()
	u := f.user(name, role, assistants...)
	u.Identity = f.identity()
	return f.create(t, u)
}

// signOn is a login of u by the identity provider, which names the groups.
func (f *fixture) signOn(u domain.User, groups ...string) domain.SignOn {
	return domain.SignOn{
		Person: domain.Person{Identity: u.Identity, Name: string(u.Name), Groups: domain.ListedGroups(groups), Sid: fmt.Sprintf("sid %d", f.next())},
		Policy: signOnPolicy, User: u.ID, At: f.clock.now(),
	}
}

// somebody is a person who has no user here yet, with the id that the user gets.
func (f *fixture) somebody(name domain.Username) domain.User {
	return domain.User{ID: userID(f.next()), Name: name, Identity: f.identity()}
}

// opening are the arguments of SignOns.Open.
type opening struct {
	in    domain.SignOn
	login domain.Session
	kept  domain.ProviderSession
	once  domain.Once
	rec   domain.Record
}

// opening returns a login for in, and a use of its own.
func (f *fixture) opening(in domain.SignOn) opening {
	n := f.next()
	login := domain.NewProviderLogin(sessionID(n), in.User, f.clock.now(), lives, 15*time.Minute, "192.0.2.7", "Mozilla/5.0 (suite)")
	return opening{
		in: in, login: login, rec: f.record(domain.ActionProviderLogin, domain.OnSession(login.ID)),
		kept: domain.ProviderSession{Login: login.ID, Identity: in.Person.Identity, Sid: in.Person.Sid, Tokens: providerTokens(n)},
		once: domain.Once{Kind: domain.OnceSignOn, ID: fmt.Sprintf("state %d", n), Ends: domain.Instant(f.clock.now().Add(10 * time.Minute))},
	}
}

// providerTokens returns new sealed tokens of the identity provider.
func providerTokens(n int) domain.Sealed {
	return domain.Sealed{Key: theKey, Bytes: []byte(fmt.Sprintf("\x00\x01\xff\xfe'\"\\\n sealed tokens %d", n))}
}

func (o opening) on(ctx context.Context, at ports.Store) (domain.SignOnChange, error) {
	return at.SignOns.Open(ctx, o.in, o.login, o.kept, o.once, o.rec)
}

// open opens the login, which must succeed.
func (f *fixture) open(t *testing.T, o opening) domain.SignOnChange {
	t.Helper()
	change, err := o.on(t.Context(), f.Ports)
	wantNil(t, "SignOns.Open", err)
	f.changed(change, domain.ActorProvider, o.rec)
	f.log = append(f.log, o.rec)
	return change
}

// signedOn logs u in by the identity provider, which names the groups.
func (f *fixture) signedOn(t *testing.T, u domain.User, groups ...string) opening {
	t.Helper()
	o := f.opening(f.signOn(u, groups...))
	f.open(t, o)
	return o
}

// changed notes the records of a change.
func (f *fixture) changed(change domain.SignOnChange, by domain.Actor, rec domain.Record) {
	for _, made := range change.Changes {
		f.log = append(f.log, recordOf(made, by, rec))
	}
}

// recordOf is the record of a part of a change that rec tells of.
func recordOf(made domain.ChangeMade, by domain.Actor, rec domain.Record) domain.Record {
	rec.Actor, rec.Action, rec.Object, rec.Outcome = by, made.Action, made.Object, domain.OutcomeOK
	return rec
}

// rule returns a new rule, not stored. It makes admins if project is "".
func (f *fixture) rule(group string, project domain.ProjectID, scopes domain.Scopes, environments ...string) domain.GroupRule {
	r := domain.GroupRule{ID: ruleID(f.next()), Group: group, Project: project, Scopes: scopes, Created: domain.Instant(f.clock.now())}
	if len(environments) > 0 {
		r.Environments = environments
	}
	return r
}

// setRule stores a rule by which nobody has anything yet.
func (f *fixture) setRule(t *testing.T, r domain.GroupRule) domain.GroupRule {
	t.Helper()
	act := f.act(domain.ActionSetGroupRule, domain.OnRule(r.ID))
	stored, err := f.Ports.GroupRules.Set(t.Context(), act, r, signOnPolicy)
	wantNil(t, "preparing: GroupRules.Set", err)
	f.log = append(f.log, act.Record)
	return stored
}

// group is what the group of the rule r grants.
func group(r domain.GroupRule) domain.GroupGrant {
	return domain.GroupGrant{Group: r.Group, Scopes: r.Scopes, Environments: r.Environments}
}

// byGroups is the grant of the user on the project by groups alone, since at.
func byGroups(user domain.UserID, project domain.ProjectID, at time.Time, groups ...domain.GroupGrant) domain.Grant {
	g, _ := domain.Grant{User: user, Project: project, Created: domain.Instant(at)}.ByGroups(groups)
	return g
}

// wantKept fails the test unless this is what is kept of the login.
func (f *fixture) wantKept(t *testing.T, what string, want domain.ProviderSession) {
	t.Helper()
	got, err := f.Ports.SignOns.Find(t.Context(), want.Login)
	wantNil(t, what+": SignOns.Find", err)
	wantSame(t, what+": what is kept of the login", got, want)
}

// wantNotKept fails the test unless nothing is kept of the logins.
func (f *fixture) wantNotKept(t *testing.T, what string, logins ...domain.SessionID) {
	t.Helper()
	for _, login := range logins {
		_, err := f.Ports.SignOns.Find(t.Context(), login)
		wantKind(t, what+": SignOns.Find", err, domain.NotFound)
	}
}

// wantMembers fails the test unless these are all members of the group.
func (f *fixture) wantMembers(t *testing.T, what, group string, want ...domain.GroupMember) {
	t.Helper()
	got, err := f.Ports.GroupRules.Members(t.Context(), group, "", 100)
	wantNil(t, what+": GroupRules.Members", err)
	wantSame(t, what+": the members of "+group, got, want)
}
