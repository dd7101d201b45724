// Package bunstore keeps projects, users, grants, sessions, access tokens, conversations,
// usage and the audit in a SQL database: one set of repositories on bun, for PostgreSQL
// and for SQLite. It is the only place that knows SQL.
//
// bun writes values into the text of a statement, so that each one is parsed and
// planned anew. Statements that requests run all the time, and those that carry a
// secret, a hash or a session, are therefore constant texts with bound values ($1),
// whose rows bun scans. All other statements are bun's.
//
// Each writing method of a port is one transaction with its audit row, or one
// statement. Locks are taken in one order, on Postgres where it matters: first an advisory
// one, of whoever looks after the schema and the installation, changes a user, or chains
// the audit, which go with their transaction; then rows: the user, the project, the access
// token, the head of the audit, the conversation, the installation, the keys of projects,
// the grant, the login, the assistant session. Where rows of a kind are changed one after
// the other, that is in the order of their keys. A statement that changes many takes them
// in an order that is Postgres's own, and a deadlock that comes of it is tried again.
// Whoever takes a right away removes the sessions in a later statement than the right, so
// that it sees a session that was let in meanwhile. A restore locks whole tables, when
// there is hardly anything in them.
package bunstore

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Options are the settings of a Store. The zero value works.
type Options struct {
	// Now is the clock by which sessions end; time.Now when nil.
	Now ports.Clock
	// MaxConns is how many connections to Postgres are open at most, 20 when zero.
	// SQLite has one that writes and at most four that read.
	MaxConns int
	// Timeout bounds every call but Prepare, Migrate, Snapshot and Restore, whatever its
	// context says, so that nothing hangs when the database is gone; 5 s when zero.
	Timeout time.Duration
	// Log gets a line for each migration that is applied; nil logs nothing.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxConns <= 0 {
		o.MaxConns = 20
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Store is an open database. It is safe for concurrent use, and any number of them may
// be open on one database, in any number of processes.
type Store struct {
	reads  *bun.DB
	writes *bun.DB // the same as reads on Postgres
	// postgres says which of the two dialects it is.
	postgres bool
	where    string
	options  Options
	prepared sync.Map // *sql.Stmt by its text, of SQLite's reads
	chaining chaining
}

// Open opens the database at url and looks whether it answers:
//
//   - postgres:// or postgresql://, as libpq and pgx read it; what the URL leaves out
//     comes from the PG… variables. A pooler in between must pool sessions, since
//     settings are made for each connection.
//   - sqlite:///absolute/path of a file, which is made, with mode 0600, where there is
//     none. Its folder must be there.
//
// In both, special characters are percent-encoded. Another URL is Invalid, as is a
// SQLite file that can't be made or is none; a database that does not answer is Unavailable, and
// opening it again later may help. No error holds a password. The schema is not looked
// at: Installation.Prepare or Migrate must have brought it up to date before any other
// method works.
func Open(ctx context.Context, url domain.Secret, o Options) (*Store, error) {
	at, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	s := &Store{options: o.withDefaults(), where: at.String()}
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	if at.postgres != nil {
		s.postgres = true
		err = s.openPostgres(ctx, at.postgres)
	} else {
		err = s.openSQLite(ctx, at.file)
	}
	if err != nil {
		return nil, failure("open the database", errors.Join(err, s.close()))
	}
	return s, nil
}

// Close closes the connections. What is under way fails with Unavailable.
func (s *Store) Close() error { return failure("close the database", s.close()) }

func (s *Store) close() error {
	// The writing end goes last, because it tidies a SQLite file up.
	var all []error
	for _, db := range []*bun.DB{s.reads, s.writes} {
		if db != nil {
			all = append(all, db.Close())
		}
	}
	return errors.Join(all...)
}

// Describe says for a human which database it is: "PostgreSQL at host:port, database
// name" or "SQLite file /path". There is no password in it.
func (s *Store) Describe() string { return s.where }

// Projects is the Store's ports.ProjectRepository.
func (s *Store) Projects() *Projects { return NewProjects(s) }

// Users is the Store's ports.UserRepository.
func (s *Store) Users() *Users { return NewUsers(s) }

// Sessions is the Store's ports.SessionStore.
func (s *Store) Sessions() *Sessions { return NewSessions(s) }

// Callers is the Store's ports.Callers.
func (s *Store) Callers() *Callers { return NewCallers(s) }

// Access is the Store's ports.Access.
func (s *Store) Access() *Access { return NewAccess(s) }

// AccessTokens is the Store's ports.AccessTokens.
func (s *Store) AccessTokens() *AccessTokens { return NewAccessTokens(s) }

// Conversations is the Store's ports.Conversations.
func (s *Store) Conversations() *Conversations { return NewConversations(s) }

// Usage is the Store's ports.Usage.
func (s *Store) Usage() *Usage { return NewUsage(s) }

// AuditLog is the Store's ports.AuditLog.
func (s *Store) AuditLog() *AuditLog { return NewAuditLog(s) }

// Installation is the Store's ports.Installation.
func (s *Store) Installation() *Installation { return NewInstallation(s) }

// Sealings is the Store's ports.Sealings.
func (s *Store) Sealings() *Sealings { return NewSealings(s) }

// Archive is the Store's ports.Archive.
func (s *Store) Archive() *Archive { return NewArchive(s) }
