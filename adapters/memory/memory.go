// Package memory keeps everything in the memory of one process. It is a store for tests and
// experiments, and the shortest example of an implementation of the ports. Its data is gone when
// the process ends.
package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Store is a database in memory. Its views see each other's changes at once. It and all
// its views are safe for concurrent use.
type Store struct {
	now ports.Clock
	// turn is a lock that a caller can wait for with a context. It holds one token. The
	// goroutine that has taken the token may read and write the fields below.
	turn chan struct{}

	broken         bool
	readsOnly      bool
	projects       map[domain.ProjectID]domain.Project
	grants         map[grant]domain.Grant
	users          map[domain.UserID]domain.User // without their assistants, which are grants
	sessions       map[domain.SessionID]domain.Session
	providerLogins map[domain.SessionID]domain.ProviderSession
	groups         map[domain.UserID][]string
	rules          map[domain.RuleID]domain.GroupRule
	used           map[domain.Once]time.Time // without their ends
	tokens         map[domain.TokenID]token
	conversations  map[domain.ConversationID]domain.Conversation
	webhooks       map[domain.WebhookID]domain.Webhook
	deliveries     map[domain.WebhookID][]domain.Delivery
	usage          map[domain.UsageKey]domain.Usage
	records        []domain.Record
	removed        int64 // how many records were removed; the ids of the others count on from there
	chain          chain
	check          domain.Sealed // what the verifications of the audit have found
	turns          map[domain.Turn]turn
	installation   domain.Installation // without the head, which is the chain's
}

type grant struct {
	user    domain.UserID
	project domain.ProjectID
}

type token struct {
	domain.AccessToken
	secrets domain.TokenSecrets
}

// New returns an empty store that reads the time from now. nil is time.Now.
func New(now ports.Clock) *Store {
	if now == nil {
		now = time.Now
	}
	s := &Store{
		now: now, turn: make(chan struct{}, 1),
		projects: map[domain.ProjectID]domain.Project{}, grants: map[grant]domain.Grant{},
		users: map[domain.UserID]domain.User{}, sessions: map[domain.SessionID]domain.Session{},
		tokens: map[domain.TokenID]token{}, conversations: map[domain.ConversationID]domain.Conversation{},
		usage:          map[domain.UsageKey]domain.Usage{},
		providerLogins: map[domain.SessionID]domain.ProviderSession{}, groups: map[domain.UserID][]string{},
		rules: map[domain.RuleID]domain.GroupRule{}, used: map[domain.Once]time.Time{}, turns: map[domain.Turn]turn{},
		webhooks: map[domain.WebhookID]domain.Webhook{}, deliveries: map[domain.WebhookID][]domain.Delivery{},
	}
	s.turn <- struct{}{}
	return s
}

// Ports returns all views of the store.
func (s *Store) Ports() ports.Store {
	return ports.Store{
		Projects: projects{s}, Grants: grants{s}, Users: users{s}, Sessions: sessions{s}, SignOns: signOns{s}, GroupRules: groupRules{s}, Access: access{s},
		Tokens: accessTokens{s}, Conversations: conversations{s}, Usage: usage{s}, Audit: auditLog{s}, Chain: auditChain{s}, Checks: auditChecks{s},
		Sealings: sealings{s}, Installation: installation{s}, Webhooks: webhooks{s}, Sweeper: sweeper{s},
	}
}

// Archive returns the view that reads the whole store and fills an empty one.
func (s *Store) Archive() ports.Archive { return archiver{s} }

// Records returns the audit records in the order in which they were written.
func (s *Store) Records() []domain.Record {
	<-s.turn
	defer s.leave()
	return slices.Clone(s.records)
}

// Break makes every method of every view return Unavailable until Mend, as if the database
// were out of reach.
func (s *Store) Break() { s.setBroken(true) }

// Mend ends what Break began. Everything is as it was before.
func (s *Store) Mend() { s.setBroken(false) }

func (s *Store) setBroken(broken bool) {
	<-s.turn
	defer s.leave()
	s.broken = broken
}

// StopWrites makes every change fail with the error of domain.ReadsOnly until AllowWrites, as if
// the database were a standby.
func (s *Store) StopWrites() { s.setReadsOnly(true) }

// AllowWrites ends what StopWrites began.
func (s *Store) AllowWrites() { s.setReadsOnly(false) }

func (s *Store) setReadsOnly(readsOnly bool) {
	<-s.turn
	defer s.leave()
	s.readsOnly = readsOnly
}

// enter takes the lock. Returns Unavailable if ctx ends first, and while the store is broken.
// Returns the error of domain.Storable for the texts that the method was given. After a success,
// the caller must call leave.
func (s *Store) enter(ctx context.Context, texts ...string) error {
	if ctx.Err() != nil { // select picks any of two that are ready
		return unavailable(context.Cause(ctx))
	}
	select {
	case <-s.turn:
	case <-ctx.Done():
		return unavailable(context.Cause(ctx))
	}
	if s.broken {
		s.leave()
		return unavailable(nil)
	}
	err := domain.Storable(texts...)
	if err != nil {
		s.leave()
	}
	return err
}

// enterToWrite is enter for a change. Returns the error of domain.ReadsOnly while changes are
// stopped.
func (s *Store) enterToWrite(ctx context.Context, texts ...string) error {
	err := s.enter(ctx, texts...)
	if err == nil && s.readsOnly {
		s.leave()
		return domain.ReadsOnly(nil)
	}
	return err
}

func (s *Store) leave() { s.turn <- struct{}{} }

// begin takes the lock for a change and returns who acts, with the rights that they have
// now. Returns the error of enter or of Act.Allow, and then that of domain.Storable for the
// texts that the method was given. If it succeeds, the caller must leave.
func (s *Store) begin(ctx context.Context, act domain.Act, texts ...string) (domain.Caller, error) {
	by := act.By
	if err := s.enterToWrite(ctx, string(by.ID), string(by.Login.ID), string(by.Token), string(act.Needs.Project())); err != nil {
		return domain.Caller{}, err
	}
	caller, err := s.allowed(act)
	if err == nil {
		err = domain.Storable(append(texts, textsOfRecord(act.Record)...)...)
	}
	if err != nil {
		s.leave()
	}
	return caller, err
}

// allowed lets the act decide on the right that is stored now.
func (s *Store) allowed(act domain.Act) (domain.Caller, error) {
	right := domain.Right{
		User: s.users[act.By.ID], Login: s.sessions[act.By.Login.ID], Token: s.tokens[act.By.Token].AccessToken, Secrets: s.tokens[act.By.Token].secrets,
		Granted: s.grants[grant{act.By.ID, act.Needs.Project()}].Scopes, AnyUser: len(s.users) > 0,
	}
	return act.Allow(right, domain.Instant(s.now()))
}

// record keeps audit records, and tells webhooks of them.
func (s *Store) record(recs ...domain.Record) {
	s.records = append(s.records, recs...)
	for _, rec := range recs {
		s.tell(rec)
	}
}

// sees reports whether a project that exists is within in.
func (s *Store) sees(in domain.Visible, id domain.ProjectID) bool {
	g, granted := s.grants[grant{in.User(), id}]
	return in.All() || granted && (in.Scope() == "" || g.Scopes.Has(in.Scope()))
}

// live returns a session that is not over.
func (s *Store) live(id domain.SessionID) (domain.Session, bool) {
	session, found := s.sessions[id]
	return session, found && session.Live(domain.Instant(s.now()))
}

// endSessions forgets the sessions for which over is true.
func (s *Store) endSessions(over func(domain.Session) bool) {
	maps.DeleteFunc(s.sessions, func(_ domain.SessionID, session domain.Session) bool { return over(session) })
	s.forgetProviderLogins()
}

// forgetProviderLogins forgets what is kept of logins that are gone.
func (s *Store) forgetProviderLogins() {
	maps.DeleteFunc(s.providerLogins, func(id domain.SessionID, _ domain.ProviderSession) bool {
		_, found := s.sessions[id]
		return !found
	})
}

// endLost forgets the sessions of the user that are lost.
func (s *Store) endLost(user domain.UserID, lost domain.SessionsLost) {
	s.endSessions(func(session domain.Session) bool { return session.User == user && lost.Ends(session) })
}

// removeTokens forgets the tokens for which gone is true, and the conversations that they
// opened.
func (s *Store) removeTokens(gone func(token) bool) {
	for id, t := range s.tokens {
		if gone(t) {
			delete(s.tokens, id)
			maps.DeleteFunc(s.conversations, func(_ domain.ConversationID, c domain.Conversation) bool { return c.Token == id })
		}
	}
}

func clone(sealed domain.Sealed) domain.Sealed {
	sealed.Bytes = slices.Clone(sealed.Bytes)
	return sealed
}

// cloneProject copies the project's sealed keys and lists too.
func cloneProject(p domain.Project) domain.Project {
	p.Primary.Sealed, p.Secondary.Sealed, p.Personal.Sealed = clone(p.Primary.Sealed), clone(p.Secondary.Sealed), clone(p.Personal.Sealed)
	p.Environments.Allowed, p.Environments.AllowDraft = slices.Clone(p.Environments.Allowed), slices.Clone(p.Environments.AllowDraft)
	p.PictureOrigins = slices.Clone(p.PictureOrigins)
	return p
}

// withoutKeys returns the project as lists show it: without the sealed bytes of its keys.
func withoutKeys(p domain.Project) domain.Project {
	p.Primary.Sealed, p.Secondary.Sealed, p.Personal.Sealed = domain.Sealed{}, domain.Sealed{}, domain.Sealed{}
	return p
}

// atMost returns the beginning of a list.
func atMost[T any](limit int, list []T) []T { return list[:min(len(list), max(limit, 0))] }

// compare orders a list by name, then by id.
func compare(name, id, otherName, otherID string) int {
	return cmp.Or(strings.Compare(name, otherName), strings.Compare(id, otherID))
}

func unavailable(cause error) error {
	return &domain.Error{Kind: domain.Unavailable, Public: "the store could not answer; try again", Cause: cause}
}
