package memory

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// signOns is a ports.SignOns.
type signOns struct{ store *Store }

// providerLogin is what is kept of a login that the identity provider opened.
type providerLogin = domain.ProviderSession

// Open decides on a login by the identity provider, and stores what is decided and the login.
func (v signOns) Open(ctx context.Context, in domain.SignOn, login domain.Session, kept domain.ProviderSession, once domain.Once,
	rec domain.Record) (domain.SignOnChange, error) {
	s := v.store
	texts := append(append(textsOfSignOn(in), textsOfSession(login)...), append(textsOfRecord(rec), textsOfKept(kept)...)...)
	texts = append(texts, string(once.Kind), once.ID)
	if err := s.enterToWrite(ctx, texts...); err != nil {
		return domain.SignOnChange{}, err
	}
	defer s.leave()
	if s.usedBefore(once) {
		return domain.SignOnChange{}, domain.UsedOnce("this login")
	}
	if s.usedBefore(kept.EndedSession()) {
		return domain.SignOnChange{}, domain.SessionEnded()
	}
	if _, found := s.sessions[login.ID]; found {
		return domain.SignOnChange{}, domain.IDTaken()
	}
	change, err := in.Decide(s.foundFor(in))
	if err != nil {
		return domain.SignOnChange{}, err
	}
	s.use(once)
	s.carryOut(change, domain.ActorProvider, rec)
	s.sessions[login.ID] = login
	s.displace(login)
	s.keep(login.ID, kept)
	s.record(rec)
	return change, nil
}

// keep stores what is kept of the login.
func (s *Store) keep(login domain.SessionID, kept domain.ProviderSession) {
	kept.Login, kept.Tokens = login, clone(kept.Tokens)
	s.providerLogins[login] = kept
}

// foundFor returns what is stored that the decision depends on.
func (s *Store) foundFor(in domain.SignOn) domain.SignOnFound {
	found := domain.SignOnFound{Rules: s.rulesInOrder(), OtherAdmin: s.otherAdmin(in.User)}
	if u, known := s.find(domain.UserRef{Identity: in.Person.Identity}); known {
		found.Member, found.OtherAdmin = s.member(u), s.otherAdmin(u.ID)
	}
	for _, name := range in.Person.Usernames() {
		if _, taken := s.find(domain.UserRef{Name: name}); taken {
			found.Taken = append(found.Taken, name)
		}
	}
	return found
}

// member returns the user with their groups and grants.
func (s *Store) member(u domain.User) domain.GroupMember {
	m := domain.GroupMember{User: u, Groups: slices.Clone(s.groups[u.ID])}
	for g, is := range s.grants {
		if g.user == u.ID {
			m.Grants = append(m.Grants, cloneGrant(is))
		}
	}
	slices.SortFunc(m.Grants, func(a, b domain.Grant) int { return strings.Compare(string(a.Project), string(b.Project)) })
	return m
}

// carryOut stores the change, ends the sessions that are lost, and keeps a record of each part by the
// actor. A grant on a project that is gone is not stored.
func (s *Store) carryOut(change domain.SignOnChange, by domain.Actor, rec domain.Record) {
	id := change.User.ID
	for _, project := range change.Removed {
		delete(s.grants, grant{id, project})
	}
	for _, g := range change.Put {
		s.grants[grant{id, g.Project}] = cloneGrant(g)
	}
	s.putUser(change.User)
	s.groups[id] = slices.Clone(change.Groups)
	s.endLost(id, change.Lost)
	for _, made := range change.Changes {
		rec.Actor, rec.Action, rec.Object, rec.Outcome = by, made.Action, made.Object, domain.OutcomeOK
		s.record(rec)
	}
}

// usedBefore reports whether once was used and is remembered.
func (s *Store) usedBefore(once domain.Once) bool {
	ends, used := s.used[domain.Once{Kind: once.Kind, ID: once.ID}]
	return used && domain.Instant(s.now()).Before(ends)
}

// use remembers that once was used.
func (s *Store) use(once domain.Once) {
	if once != (domain.Once{}) {
		s.used[domain.Once{Kind: once.Kind, ID: once.ID}] = once.Ends
	}
}

// Find returns what is kept of the login. Returns NotFound if there is nothing or it is over.
func (v signOns) Find(ctx context.Context, login domain.SessionID) (domain.ProviderSession, error) {
	s := v.store
	if err := s.enter(ctx, string(login)); err != nil {
		return domain.ProviderSession{}, err
	}
	defer s.leave()
	kept, found := s.providerLogin(login)
	if !found {
		return domain.ProviderSession{}, domain.NoSuch("session")
	}
	kept.Tokens = clone(kept.Tokens)
	return kept, nil
}

// providerLogin returns what is kept of the login, which is not over.
func (s *Store) providerLogin(login domain.SessionID) (providerLogin, bool) {
	kept, found := s.providerLogins[login]
	_, live := s.live(login)
	return kept, found && live
}

// Claim moves the recheck of the login if it is due.
func (v signOns) Claim(ctx context.Context, login domain.SessionID, now, next time.Time) (bool, error) {
	s := v.store
	if err := s.enterToWrite(ctx, string(login)); err != nil {
		return false, err
	}
	defer s.leave()
	session, live := s.live(login)
	if !live || !session.RecheckDue(now) {
		return false, nil
	}
	session.Recheck = domain.Instant(next)
	s.sessions[login] = session
	return true, nil
}

// Renew applies the groups of somebody whose login goes on.
func (v signOns) Renew(ctx context.Context, in domain.SignOn, kept domain.ProviderSession, next time.Time, rec domain.Record) (domain.SignOnChange, error) {
	s := v.store
	if err := s.enterToWrite(ctx, append(append(textsOfSignOn(in), textsOfRecord(rec)...), textsOfKept(kept)...)...); err != nil {
		return domain.SignOnChange{}, err
	}
	defer s.leave()
	if _, found := s.providerLogin(kept.Login); !found {
		return domain.SignOnChange{}, domain.NoSuch("session")
	}
	change, err := in.Decide(s.foundFor(in))
	if err != nil {
		return domain.SignOnChange{}, err
	}
	s.carryOut(change, domain.ActorProvider, rec)
	if session, live := s.live(kept.Login); live {
		session.Recheck = domain.Instant(next)
		s.sessions[kept.Login] = session
		s.keep(kept.Login, kept)
	}
	return change, nil
}

// Refuse ends the login that the identity provider refused to renew.
func (v signOns) Refuse(ctx context.Context, login domain.SessionID, rec domain.Record) error {
	s := v.store
	if err := s.enterToWrite(ctx, append(textsOfRecord(rec), string(login))...); err != nil {
		return err
	}
	defer s.leave()
	if _, found := s.providerLogin(login); found {
		s.endSessions(func(session domain.Session) bool { return session.ID == login || session.Login == login })
		s.record(rec)
	}
	return nil
}

// Logout ends the logins that the identity provider says are over.
func (v signOns) Logout(ctx context.Context, out domain.ProviderLogout, rec domain.Record) (int, error) {
	s := v.store
	texts := append(textsOfRecord(rec), out.ID, out.Sid, out.Identity.Issuer, out.Identity.Subject)
	if err := s.enterToWrite(ctx, texts...); err != nil {
		return 0, err
	}
	defer s.leave()
	once := out.Once()
	if s.usedBefore(once) {
		return 0, domain.UsedOnce("this logout token")
	}
	s.use(once)
	s.use(out.EndedSession())
	ended := map[domain.SessionID]bool{}
	for id := range s.providerLogins {
		if kept, found := s.providerLogin(id); found && out.Names(kept) {
			ended[id] = true
		}
	}
	s.endSessions(func(session domain.Session) bool { return ended[session.ID] || ended[session.Login] })
	s.record(rec)
	return len(ended), nil
}

// groupRules is a ports.GroupRules.
type groupRules struct{ store *Store }

// Set stores a rule and applies it to the users who have something by the one that it replaces.
func (v groupRules) Set(ctx context.Context, act domain.Act, r domain.GroupRule, policy domain.SignOnPolicy) (domain.GroupRule, error) {
	s := v.store
	if _, err := s.begin(ctx, act, append(slices.Clone(r.Environments), string(r.ID), r.Group, string(r.Project))...); err != nil {
		return domain.GroupRule{}, err
	}
	defer s.leave()
	if err := act.SetsRule(r); err != nil {
		return domain.GroupRule{}, err
	}
	if _, found := s.projects[r.Project]; r.Project != "" && !found {
		return domain.GroupRule{}, domain.NoSuch("assistant")
	}
	rules, set, err := r.Set(s.rulesInOrder())
	if err != nil {
		return domain.GroupRule{}, err
	}
	if was, found := s.rules[set.ID]; found && was.Equal(set) {
		return cloneRule(set), nil
	}
	s.rules[set.ID] = cloneRule(set)
	s.regroup(act, set, rules, policy)
	s.record(act.Record)
	return cloneRule(set), nil
}

// List returns all rules in order.
func (v groupRules) List(ctx context.Context) ([]domain.GroupRule, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	return s.rulesInOrder(), nil
}

func (s *Store) rulesInOrder() []domain.GroupRule {
	rules := slices.SortedFunc(maps.Values(s.rules), domain.CompareRules)
	for i := range rules {
		rules[i] = cloneRule(rules[i])
	}
	return rules
}

func cloneRule(r domain.GroupRule) domain.GroupRule {
	r.Environments = slices.Clone(r.Environments)
	return r
}

func cloneGrant(g domain.Grant) domain.Grant {
	g.Groups = slices.Clone(g.Groups)
	for i := range g.Groups {
		g.Groups[i].Environments = slices.Clone(g.Groups[i].Environments)
	}
	return g
}

// Remove removes a rule and what users have by it.
func (v groupRules) Remove(ctx context.Context, act domain.Act, id domain.RuleID, policy domain.SignOnPolicy) (domain.GroupRule, error) {
	s := v.store
	if _, err := s.begin(ctx, act, string(id)); err != nil {
		return domain.GroupRule{}, err
	}
	defer s.leave()
	rules, gone, err := domain.WithoutRule(s.rulesInOrder(), id)
	if err != nil {
		return domain.GroupRule{}, err
	}
	if err := act.SetsRule(gone); err != nil {
		return domain.GroupRule{}, err
	}
	delete(s.rules, id)
	s.regroup(act, gone, rules, policy)
	s.record(act.Record)
	return gone, nil
}

// regroup applies the rules to the users who have something by r.
func (s *Store) regroup(act domain.Act, r domain.GroupRule, rules []domain.GroupRule, policy domain.SignOnPolicy) {
	for _, id := range slices.Sorted(maps.Keys(s.users)) {
		u, _ := s.user(id)
		m := s.member(u)
		if m.HasBy(r) {
			s.carryOut(policy.Regroup(m, rules, s.otherAdmin(id), act.Record.At), act.Record.Actor, act.Record)
		}
	}
}

// Members returns the users in the group, and those who have something by it.
func (v groupRules) Members(ctx context.Context, group string, after domain.UserID, limit int) ([]domain.GroupMember, error) {
	s := v.store
	if err := s.enter(ctx, group, string(after)); err != nil {
		return nil, err
	}
	defer s.leave()
	var members []domain.GroupMember
	for _, id := range slices.Sorted(maps.Keys(s.users)) {
		u, _ := s.user(id)
		if m := s.member(u); id > after && m.Concerns(group) {
			members = append(members, m)
		}
	}
	return atMost(limit, members), nil
}

// textsOfKept returns the texts of what is kept of a login.
func textsOfKept(kept domain.ProviderSession) []string {
	return []string{string(kept.Login), kept.Identity.Issuer, kept.Identity.Subject, kept.Sid, string(kept.Tokens.Key)}
}

// textsOfSignOn returns the texts of a login by the identity provider that are stored.
func textsOfSignOn(in domain.SignOn) []string {
	texts := []string{string(in.User), in.Person.Identity.Issuer, in.Person.Identity.Subject, in.Person.Sid}
	return append(texts, in.Person.Groups.Names...)
}
