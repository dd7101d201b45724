// Package memory keeps everything in the memory of one process: a store for tests, for
// trying things out, and as the shortest example of what the ports ask for. What it
// holds is gone when the process ends.
package memory

import (
	"context"
	"maps"
	"slices"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Store is a database in memory. Its views see each other's changes at once. It and all
// its views are safe for concurrent use.
type Store struct {
	now ports.Clock
	// turn is a lock that can be waited for with a context: it holds one token, and who
	// has taken it out may read and write what follows.
	turn chan struct{}

	broken        bool
	projects      map[domain.ProjectID]project
	grants        map[grant]domain.Grant
	users         map[domain.UserID]domain.User // without their assistants, which are grants
	sessions      map[domain.SessionID]domain.Session
	tokens        map[domain.TokenID]token
	conversations map[domain.ConversationID]domain.Conversation
	usage         map[domain.UsageKey]domain.Usage
	records       []domain.Record
	chain         chain
	known         domain.Installation
}

type project struct {
	domain.Project
	keys map[domain.Slot]domain.Sealed
}

type grant struct {
	user    domain.UserID
	project domain.ProjectID
}

type token struct {
	domain.AccessToken
	hash domain.TokenHash
}

// New returns an empty store that reads the time from now.
func New(now ports.Clock) *Store {
	s := &Store{
		now: now, turn: make(chan struct{}, 1),
		projects: map[domain.ProjectID]project{}, grants: map[grant]domain.Grant{},
		users: map[domain.UserID]domain.User{}, sessions: map[domain.SessionID]domain.Session{},
		tokens: map[domain.TokenID]token{}, conversations: map[domain.ConversationID]domain.Conversation{},
		usage: map[domain.UsageKey]domain.Usage{},
	}
	s.turn <- struct{}{}
	return s
}

// Projects is the view of the store that keeps projects.
func (s *Store) Projects() *Projects { return &Projects{s} }

// Users is the view of the store that keeps users.
func (s *Store) Users() *Users { return &Users{s} }

// Sessions is the view of the store that keeps sessions.
func (s *Store) Sessions() *Sessions { return &Sessions{s} }

// Callers is the view of the store that says who calls.
func (s *Store) Callers() *Callers { return &Callers{s} }

// Access is the view of the store that tells what a call may use.
func (s *Store) Access() *Access { return &Access{s} }

// AccessTokens is the view of the store that keeps access tokens.
func (s *Store) AccessTokens() *AccessTokens { return &AccessTokens{s} }

// Conversations is the view of the store that keeps conversations.
func (s *Store) Conversations() *Conversations { return &Conversations{s} }

// Usage is the view of the store that counts how often assistants are used.
func (s *Store) Usage() *Usage { return &Usage{s} }

// AuditLog is the view of the store that keeps the audit and its chain.
func (s *Store) AuditLog() *AuditLog { return &AuditLog{s} }

// Installation is the view of the store that keeps what it knows about the installation.
func (s *Store) Installation() *Installation { return &Installation{s} }

// Sealings is the view of the store that looks at everything that is sealed.
func (s *Store) Sealings() *Sealings { return &Sealings{s} }

// Archive is the view of the store that hands out all of it, and fills an empty one.
func (s *Store) Archive() *Archive { return &Archive{s} }

// Records returns the audit rows, in the order in which they were written.
func (s *Store) Records() []domain.Record {
	<-s.turn
	defer s.leave()
	return slices.Clone(s.records)
}

// Break makes every method of every view Unavailable, as a database that is out of reach
// would be, until Mend.
func (s *Store) Break() { s.setBroken(true) }

// Mend ends what Break began. Everything is as it was before.
func (s *Store) Mend() { s.setBroken(false) }

func (s *Store) setBroken(broken bool) {
	<-s.turn
	defer s.leave()
	s.broken = broken
}

// enter takes the lock. It is Unavailable when ctx ends before its turn comes and while
// the store is broken; otherwise the caller must leave.
func (s *Store) enter(ctx context.Context) error {
	if ctx.Err() != nil { // a select may take either of two that are ready
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
	return nil
}

func (s *Store) leave() { s.turn <- struct{}{} }

// sees says whether a project that is there is within in.
func (s *Store) sees(in domain.Visible, id domain.ProjectID) bool {
	_, granted := s.grants[grant{in.User(), id}]
	return in.All() || granted
}

// live returns a session that is not over.
func (s *Store) live(id domain.SessionID) (domain.Session, bool) {
	session, found := s.sessions[id]
	return session, found && session.Live(domain.Instant(s.now()))
}

// endSessions forgets the sessions that over is true of.
func (s *Store) endSessions(over func(domain.Session) bool) {
	maps.DeleteFunc(s.sessions, func(_ domain.SessionID, session domain.Session) bool { return over(session) })
}

// removeTokens forgets the tokens that gone is true of, and the conversations that they
// made.
func (s *Store) removeTokens(gone func(token) bool) {
	for id, t := range s.tokens {
		if gone(t) {
			delete(s.tokens, id)
			maps.DeleteFunc(s.conversations, func(_ domain.ConversationID, c domain.Conversation) bool { return c.Token == id })
		}
	}
}

// letIn says whether a grant let the session in.
func letIn(session domain.Session, g grant) bool {
	return session.User == g.user && session.Project == g.project && !session.ByRole
}

func clone(sealed domain.Sealed) domain.Sealed {
	sealed.Bytes = slices.Clone(sealed.Bytes)
	return sealed
}

func unavailable(cause error) error {
	return &domain.Error{Kind: domain.Unavailable, Public: "the store could not answer", Cause: cause}
}

func notFound(what string) error {
	return &domain.Error{Kind: domain.NotFound, Public: "there is no such " + what}
}
