package portstest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Texts checks that no method of a ports.Store takes text with NUL or invalid UTF-8.
func Texts(t *testing.T, open OpenStore) {
	check(t, open, []sentence{
		{"text with NUL or invalid UTF-8 is Invalid, is not looked for and changes nothing", textsRefused},
	})
}

// spoil calls try for each text in the value, with that text replaced by bad.
func spoil[T any](value T, bad string, try func(what string, value T)) {
	v := reflect.ValueOf(&value).Elem()
	for _, text := range textsIn(v, v.Type().Name()) {
		was := text.value.String()
		text.value.SetString(bad)
		try(text.path, value)
		text.value.SetString(was)
	}
}

// textIn is a text and its path within a value.
type textIn struct {
	path  string
	value reflect.Value
}

// textsIn are the texts that can be reached from v, except those in bytes and secrets.
func textsIn(v reflect.Value, path string) []textIn {
	var all []textIn
	switch v.Kind() {
	case reflect.String:
		all = append(all, textIn{path, v})
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				all = append(all, textsIn(v.Field(i), path+"."+v.Type().Field(i).Name)...)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, textsIn(v.Index(i), fmt.Sprintf("%s[%d]", path, i))...)
		}
	}
	return all
}

// stored is what the sentence has stored.
type stored struct {
	user         domain.User
	project      domain.Project
	login        domain.Session
	token        domain.AccessToken
	conversation domain.Conversation
}

// textsRefused gives each method a text of each sort in each place.
func textsRefused(t *testing.T, f *fixture) {
	f.install(t)
	p := f.addWithAll(t, "p")
	u := f.create(t, f.user("ana", domain.RoleAdmin, p.ID))
	login := f.login(t, u)
	session := f.set(t, f.byRole(login, p.ID))
	token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	there := stored{u, p, login, token, f.converse(t, f.conversing(session))}
	before := f.state(t, f.Ports)
	for _, bad := range []string{"a\x00b", "a\xffb"} {
		refused := func(what string, err error) {
			t.Helper()
			wantKind(t, fmt.Sprintf("%s with %q", what, bad), err, domain.Invalid)
		}
		at := f.Ports
		f.textsStored(t, at, bad, there, refused)
		f.textsChanged(t, at, bad, there, refused)
		f.textsLookedFor(t, at, bad, refused)
		f.textsOfSignOns(t, at, bad, there, refused)
	}
	f.wantState(t, "after what was refused", before)
	f.wantRecords(t, "after what was refused")
}

// textsStored is about what is stored for the first time.
func (f *fixture) textsStored(t *testing.T, at ports.Store, bad string, there stored, refused func(what string, err error)) {
	u, p := there.user, there.project
	ctx, act := t.Context(), f.act(domain.ActionForward, "x")
	added := f.inEnvironments("added")
	added.Secondary = domain.Key{Sealed: otherKey(added), Status: domain.KeyOK}
	added.Personal = domain.Key{Sealed: personalKey(added), Status: domain.KeyOK}
	spoil(added, bad, func(what string, p domain.Project) { refused("Projects.Add, "+what, at.Projects.Add(ctx, act, p)) })
	spoil(f.user("bob", domain.RoleMember, p.ID), bad, func(what string, u domain.User) { refused("Users.Create, "+what, at.Users.Create(ctx, act, u)) })
	hashed := f.user("bob", domain.RoleMember)
	hashed.PasswordHash = domain.NewSecret(bad)
	refused("Users.Create, hash", at.Users.Create(ctx, act, hashed))
	spoil(f.newLogin(u.ID), bad, func(what string, s domain.Session) {
		if what != "Session.Login" && what != "Session.Project" { // a login has none
			refused("Sessions.OpenLogin, "+what, at.Sessions.OpenLogin(ctx, s, u.PasswordHash, act.Record))
		}
	})
	refused("Sessions.OpenLogin, hash", at.Sessions.OpenLogin(ctx, f.newLogin(u.ID), domain.NewSecret(bad), act.Record))
	spoil(f.byRole(there.login, p.ID), bad, func(what string, s domain.Session) {
		_, err := at.Sessions.OpenAssistant(ctx, settingAct(s, act.Record), s)
		refused("Sessions.OpenAssistant, "+what, err)
	})
	limited := f.token(u.ID, p.ID, domain.DefaultScopes())
	limited.Environments = []string{"main", "dev"}
	spoil(limited, bad, func(what string, token domain.AccessToken) {
		refused("Tokens.Create, "+what, at.Tokens.Create(ctx, makingAct(token, act.Record), token, tokenHash(token)))
	})
	spoil(f.conversation(domain.Session{}, there.token), bad, func(what string, c domain.Conversation) {
		refused("Conversations.Open, "+what, at.Conversations.Open(ctx, c))
	})
	spoil(f.record(domain.ActionForward, "x"), bad, func(what string, rec domain.Record) {
		refused("Audit.Append, "+what, at.Audit.Append(ctx, act.Record, rec))
		refused("Projects.Remove, "+what, at.Projects.Remove(ctx, byOperator(rec), p.ID))
	})
	spoil(f.count("2026-11-25", p.ID, u.ID, there.token.ID, domain.ScopeConverse), bad, func(what string, count domain.Usage) {
		refused("Usage.Add, "+what, at.Usage.Add(ctx, []domain.Usage{count}, nil))
	})
	refused("Usage.Add, token", at.Usage.Add(ctx, nil, map[domain.TokenID]time.Time{domain.TokenID(bad): f.clock.now()}))
}

// textsChanged is about changes of what is stored.
func (f *fixture) textsChanged(t *testing.T, at ports.Store, bad string, there stored, refused func(what string, err error)) {
	u, p, c := there.user, there.project, there.conversation
	ctx, act := t.Context(), f.act(domain.ActionForward, "x")
	user, project, key := domain.UserID(bad), domain.ProjectID(bad), domain.Sealed{Key: domain.KeyID(bad), Bytes: []byte("x")}
	second := func(_ any, err error) error { return err }
	update := func(id domain.ProjectID, change func(p *domain.Project)) error {
		return second(at.Projects.Update(ctx, act, id, func(p *domain.Project) error {
			change(p)
			return nil
		}))
	}
	refused("Projects.Update, id", update(project, func(*domain.Project) {}))
	refused("Projects.Update, name", update(p.ID, func(p *domain.Project) { p.Name = bad }))
	refused("Projects.Update, key", update(p.ID, func(p *domain.Project) { p.PutKey(domain.SlotPrimary, key, f.clock.now(), f.clock.now()) }))
	spoil(f.inEnvironments("p").Environments, bad, func(what string, to domain.Environments) {
		refused("Projects.Update, "+what, update(p.ID, func(p *domain.Project) { p.Environments = to }))
	})
	refused("Projects.Update, picture origins", update(p.ID, func(p *domain.Project) { p.PictureOrigins = []domain.Origin{"https://a.example", domain.Origin(bad)} }))
	refused("Projects.Note, credits", at.Projects.Note(ctx, p.ID, func(p *domain.Project) bool { return p.MarkCredits(domain.Credits(bad)) }, act.Record))
	refused("Projects.Note, id", at.Projects.Note(ctx, project, func(*domain.Project) bool { return false }, act.Record))
	refused("Projects.Remove", at.Projects.Remove(ctx, act, project))
	refused("Grants.Put, user", at.Grants.Put(ctx, act, user, p.ID, 0, f.clock.now()))
	refused("Grants.Put, project", at.Grants.Put(ctx, act, u.ID, project, 0, f.clock.now()))
	refused("Grants.Remove, user", at.Grants.Remove(ctx, act, user, p.ID))
	refused("Grants.Remove, project", at.Grants.Remove(ctx, act, u.ID, project))
	refused("Users.Update, id", second(at.Users.Update(ctx, act, user, agree, domain.Kept{})))
	refused("Users.Update, hash", second(at.Users.Update(ctx, act, u.ID, changing(func(u *domain.User) { u.PasswordHash = domain.NewSecret(bad) }), domain.Kept{})))
	refused("Users.Update, assistants", second(at.Users.Update(ctx, act, u.ID, changing(func(u *domain.User) { u.SetAssistants([]domain.ProjectID{project}) }), domain.Kept{})))
	refused("Users.Remove", at.Users.Remove(ctx, act, user, agree))
	refused("Sessions.Touch, id", at.Sessions.Touch(ctx, domain.SessionID(bad), domain.SessionUse{At: f.clock.now(), Idle: f.clock.now()}))
	refused("Sessions.Touch, key", at.Sessions.Touch(ctx, c.Session, domain.SessionUse{SealedBy: key.Key}))
	for _, which := range []domain.SessionsToEnd{
		domain.OneSession(domain.SessionID(bad)), domain.SessionsOf(user), domain.SessionsSealedBy(key.Key, false), domain.SessionsSealedBy(key.Key, true),
	} {
		refused("Sessions.End", second(at.Sessions.End(ctx, act, which)))
	}
	for _, by := range []domain.Caller{{ID: u.ID, Login: domain.Session{ID: domain.SessionID(bad)}}, {ID: u.ID, Token: domain.TokenID(bad)}} {
		refused("Sessions.End, act", second(at.Sessions.End(ctx, domain.Act{By: by, Record: act.Record}, domain.SessionsOf(u.ID))))
	}
	refused("Tokens.Rotate, id", second(at.Tokens.Rotate(ctx, act, domain.TokenID(bad), f.rotation(0))))
	refused("Tokens.Rotate, prefix", second(at.Tokens.Rotate(ctx, act, there.token.ID, domain.Rotation{Prefix: bad})))
	refused("Tokens.Remove", at.Tokens.Remove(ctx, act, domain.TokenID(bad)))
	refused("Conversations.Renew, id", second(at.Conversations.Renew(ctx, domain.ConversationID(bad), c.Key, c.Key)))
	refused("Conversations.Renew, from", second(at.Conversations.Renew(ctx, c.ID, key, c.Key)))
	refused("Conversations.Renew, to", second(at.Conversations.Renew(ctx, c.ID, c.Key, key)))
	spoil(domain.Resealed{Ref: ofConversation(c).Ref, From: c.Key, To: c.Key}, bad, func(what string, r domain.Resealed) {
		if what != "Resealed.Ref.Kind" { // a place of no kind is passed over
			refused("Sealings.Replace, "+what, second(at.Sealings.Replace(ctx, []domain.Resealed{r})))
		}
	})
}

// textsLookedFor is about what is only read.
func (f *fixture) textsLookedFor(t *testing.T, at ports.Store, bad string, refused func(what string, err error)) {
	ctx := t.Context()
	second := func(_ any, err error) error { return err }
	user, session, project := domain.UserID(bad), domain.SessionID(bad), domain.ProjectID(bad)
	spoil(domain.Cursor{}, bad, func(what string, after domain.Cursor) {
		refused("Projects.Page, "+what, second(at.Projects.Page(ctx, everything, domain.ProjectFilter{}, after, 1)))
		refused("Grants.Page, "+what, second(at.Grants.Page(ctx, domain.GrantFilter{}, after, 1)))
		refused("Users.Page, "+what, second(at.Users.Page(ctx, after, 1)))
		if what == "Cursor.ID" {
			refused("Tokens.Page, "+what, second(at.Tokens.Page(ctx, "", after, 1)))
			refused("Sessions.Page, "+what, second(at.Sessions.Page(ctx, "u", after, 1)))
		}
	})
	for _, in := range []domain.Visible{everything, domain.GrantedTo("u")} {
		refused("Projects.Page, search", second(at.Projects.Page(ctx, in, domain.ProjectFilter{Search: bad}, domain.Cursor{}, 1)))
	}
	refused("Projects.Names, user", second(at.Projects.Names(ctx, domain.GrantedTo(user), nil)))
	refused("Projects.Names", second(at.Projects.Names(ctx, everything, []domain.ProjectID{"x", domain.ProjectID(bad)})))
	refused("Users.Names", second(at.Users.Names(ctx, []domain.UserID{"x", user})))
	refused("Users.OtherAdmin", second(at.Users.OtherAdmin(ctx, user)))
	refused("Tokens.Names, user", second(at.Tokens.Names(ctx, user, nil)))
	refused("Tokens.Names", second(at.Tokens.Names(ctx, "", []domain.TokenID{"x", domain.TokenID(bad)})))
	spoil(domain.ProjectRef{}, bad, func(what string, ref domain.ProjectRef) {
		refused("Projects.Find, "+what, second(at.Projects.Find(ctx, everything, ref)))
	})
	refused("Projects.Find, user", second(at.Projects.Find(ctx, domain.GrantedTo(user), domain.ProjectRef{ID: "x"})))
	refused("Projects.Page, user", second(at.Projects.Page(ctx, domain.GrantedTo(user), domain.ProjectFilter{}, domain.Cursor{}, 1)))
	spoil(domain.GrantFilter{}, bad, func(what string, filter domain.GrantFilter) {
		refused("Grants.Page, "+what, second(at.Grants.Page(ctx, filter, domain.Cursor{}, 1)))
	})
	spoil(domain.UserRef{}, bad, func(what string, ref domain.UserRef) { refused("Users.Find, "+what, second(at.Users.Find(ctx, ref))) })
	refused("Sessions.Page, user", second(at.Sessions.Page(ctx, user, domain.Cursor{}, 1)))
	refused("Tokens.Page, user", second(at.Tokens.Page(ctx, user, domain.Cursor{}, 1)))
	spoil(domain.AuditFilter{}, bad, func(what string, filter domain.AuditFilter) {
		refused("Audit.Page, "+what, second(at.Audit.Page(ctx, filter, nil, 1)))
	})
	spoil(domain.UsageKey{}, bad, func(what string, after domain.UsageKey) {
		refused("Usage.Report, "+what, second(at.Usage.Report(ctx, everyDay, &after, 1)))
	})
	refused("Usage.Top, project", second(at.Usage.Top(ctx, domain.UsageQuery{From: everyDay.From, To: everyDay.To, GroupBy: everyDay.GroupBy, Project: domain.ProjectID(bad)}, 1)))
	refused("Usage.Top, user", second(at.Usage.Top(ctx, domain.UsageQuery{From: everyDay.From, To: everyDay.To, GroupBy: everyDay.GroupBy, User: user}, 1)))
	refused("Usage.Report, project", second(at.Usage.Report(ctx, domain.UsageQuery{From: everyDay.From, To: everyDay.To, GroupBy: everyDay.GroupBy, Project: domain.ProjectID(bad)}, nil, 1)))
	refused("Usage.Report, user", second(at.Usage.Report(ctx, domain.UsageQuery{From: everyDay.From, To: everyDay.To, GroupBy: everyDay.GroupBy, User: user}, nil, 1)))
	refused("Sealings.Page, key", second(at.Sealings.Page(ctx, domain.KeyID(bad), domain.SealedRef{}, 1)))
	refused("Access.ByLogin", second(at.Access.ByLogin(ctx, session, domain.Use{})))
	refused("Access.ByLogin, assistant", second(at.Access.ByLogin(ctx, "l", domain.UseSession(session))))
	refused("Access.ByLogin, project", second(at.Access.ByLogin(ctx, "l", domain.UseProject(project))))
	refused("Access.ByLogin, with a project", second(at.Access.ByLogin(ctx, session, domain.UseProject("p"))))
	refused("Access.ByHostUser, user", second(at.Access.ByHostUser(ctx, domain.Caller{ID: user}, domain.UseSession("a"))))
	refused("Access.ByHostUser, assistant", second(at.Access.ByHostUser(ctx, domain.Caller{ID: "u"}, domain.UseSession(session))))
	refused("Access.ByHostUser, project", second(at.Access.ByHostUser(ctx, domain.Caller{ID: "u"}, domain.UseProject(project))))
	refused("Access.ByHostUser, with a project", second(at.Access.ByHostUser(ctx, domain.Caller{ID: user}, domain.UseProject("p"))))
	refused("Access.ByConversation", second(at.Access.ByConversation(ctx, domain.ConversationID(bad), domain.Caller{})))
	spoil(domain.OpenUse{}, bad, func(what string, use domain.OpenUse) {
		refused("Access.StillAllowed, "+what, second(at.Access.StillAllowed(ctx, []domain.OpenUse{use})))
	})
}

// textsOfSignOns is about logins by the identity provider and what groups may do.
func (f *fixture) textsOfSignOns(t *testing.T, at ports.Store, bad string, there stored, refused func(what string, err error)) {
	ctx, act := t.Context(), f.act(domain.ActionForward, "x")
	second := func(_ any, err error) error { return err }
	o := f.opening(f.signOn(f.somebody("eve"), "staff"))
	o.kept.Tokens.Key = domain.KeyID(bad)
	refused("SignOns.Open, key", second(o.on(ctx, at)))
	o = f.opening(f.signOn(f.somebody("eve"), "staff"))
	spoil(o.login, bad, func(what string, s domain.Session) {
		if what != "Session.Login" && what != "Session.Project" { // a login has none
			refused("SignOns.Open, "+what, second(at.SignOns.Open(ctx, o.in, s, o.kept, o.once, o.rec)))
		}
	})
	spoil(f.newLogin(there.user.ID), bad, func(what string, s domain.Session) {
		if what != "Session.Login" && what != "Session.Project" {
			refused("Sessions.OpenLoginByLink, "+what, at.Sessions.OpenLoginByLink(ctx, s, f.link(), act.Record))
		}
	})
	spoil(o.once, bad, func(what string, once domain.Once) {
		refused("SignOns.Open, "+what, second(at.SignOns.Open(ctx, o.in, o.login, o.kept, once, o.rec)))
		refused("Sessions.OpenLoginByLink, "+what, at.Sessions.OpenLoginByLink(ctx, f.newLogin(there.user.ID), once, act.Record))
	})
	spoil(o.in.Person, bad, func(what string, p domain.Person) {
		if what != "Person.Name" && what != "Person.Sid" { // neither is stored as it is
			in := o.in
			in.Person = p
			refused("SignOns.Open, "+what, second(at.SignOns.Open(ctx, in, o.login, o.kept, o.once, o.rec)))
		}
	})
	for what, kept := range map[string]domain.ProviderSession{
		"sid": {Login: o.login.ID, Sid: bad}, "issuer": {Identity: domain.Identity{Issuer: bad, Subject: "s"}}, "subject": {Identity: domain.Identity{Issuer: "i", Subject: bad}},
	} {
		refused("SignOns.Open, kept "+what, second(at.SignOns.Open(ctx, o.in, o.login, kept, o.once, o.rec)))
	}
	refused("SignOns.Renew", second(at.SignOns.Renew(ctx, o.in, domain.ProviderSession{Login: domain.SessionID(bad)}, f.clock.now(), o.rec)))
	refused("SignOns.Find", second(at.SignOns.Find(ctx, domain.SessionID(bad))))
	refused("SignOns.Claim", second(at.SignOns.Claim(ctx, domain.SessionID(bad), f.clock.now(), f.clock.now())))
	refused("SignOns.Refuse", at.SignOns.Refuse(ctx, domain.SessionID(bad), act.Record))
	for what, out := range map[string]domain.ProviderLogout{
		"id": {ID: bad}, "sid": {ID: "x", Sid: bad}, "issuer": {ID: "x", Identity: domain.Identity{Issuer: bad}}, "subject": {ID: "x", Identity: domain.Identity{Issuer: "i", Subject: bad}},
	} {
		out.Ends = f.clock.now().Add(time.Minute)
		refused("SignOns.Logout, "+what, second(at.SignOns.Logout(ctx, out, act.Record)))
	}
	spoil(f.rule("staff", there.project.ID, domain.DefaultScopes(), "main", "dev"), bad, func(what string, r domain.GroupRule) {
		refused("GroupRules.Set, "+what, second(at.GroupRules.Set(ctx, act, r, signOnPolicy)))
	})
	refused("GroupRules.Remove", second(at.GroupRules.Remove(ctx, act, domain.RuleID(bad), signOnPolicy)))
	refused("GroupRules.Members, group", second(at.GroupRules.Members(ctx, bad, "", 1)))
	refused("GroupRules.Members, id", second(at.GroupRules.Members(ctx, "staff", domain.UserID(bad), 1)))
}
