// Package bunstore keeps projects, users, grants, sessions, access tokens, conversations,
// usage and the audit in PostgreSQL or SQLite. It is one set of repositories on bun, and the
// only package that knows SQL.
//
// bun writes values into the text of a statement, so the database parses and plans each
// statement again. Statements that requests run all the time, and those with a secret, a hash
// or a session, are therefore constant texts with bound values ($1). bun scans their rows.
// bun builds all other statements.
//
// Each writing method of a port is one transaction with its audit record, or one statement.
// A method that takes a domain.Act checks the right in that transaction (rights.go).
//
// Transactions take locks in one order, which matters on Postgres. Advisory locks come first:
// there is one for the schema and the installation, one for changes of users, one for the chain
// of the audit, and one for the sessions of each user of a host program. Each ends with the
// transaction. Rows come next, in this order: the user who acts, with their login or access token; the user, the project, the access token, the
// check and the head of the audit, the conversation, the installation, the keys of projects, the grant, the
// login, the assistant session, the webhook, its deliveries. Rows of one kind are changed in the order of
// their keys.
//
// A user's row changes, and an admin ends the sessions of others, only under the advisory lock
// for changes of users. The row of the user who acts is locked after that lock. So nobody who
// has locked such a row waits for the advisory lock. A method that may change the user who acts,
// or end their login, locks their row alone and does not share it, so that two requests of one
// user take turns. Statements that change many rows can still wait for each other, since
// Postgres locks the rows in an order of its own. Postgres ends such a deadlock after a second,
// and the transaction runs again.
//
// A method that removes a right removes its sessions in a later statement than the right. So it
// also sees a session that was opened meanwhile. A restore locks whole tables while they are
// nearly empty.
package bunstore

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Options are the settings of a Store. The zero value works.
type Options struct {
	// Now is the clock by which sessions end. nil is time.Now.
	Now ports.Clock
	// MaxConns is how many connections to Postgres are open at most. Zero is 20. SQLite has
	// one connection that writes and at most four that read.
	MaxConns int
	// Timeout bounds every call except Prepare, Migrate, Snapshot and Restore, whatever its
	// context says, so that nothing hangs if the database is gone. Zero is 5 s.
	Timeout time.Duration
	// Pooler says what is between the Store and Postgres. Only PoolerTransaction needs to be
	// named.
	Pooler Pooler
	// Renew returns the URL of the database again, such as from a file with a password that is
	// replaced now and then. It is called if no server can be reached or if it rejects the login,
	// at most once a second. RenewURL calls it at any time. One goroutine at a time calls it. Its
	// context is never done. While it hangs, the Store goes on with the old URL. All but the name
	// of the database may have changed. nil means that the URL never changes. It is not called on
	// SQLite.
	Renew func(context.Context) (domain.Secret, error)
	// Log gets a line for each migration that is applied, and for each new URL. nil logs nothing.
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

// Store is an open database. It is safe for concurrent use. Any number of Stores may be open
// on one database, in any number of processes.
type Store struct {
	reads  *bun.DB
	writes *bun.DB // the same as reads on Postgres
	// postgres tells the two dialects apart.
	postgres bool
	servers  *servers // nil on SQLite
	where    string   // of the SQLite file
	options  Options
	refused  atomic.Bool // the last change, since the database can't be written
	prepared sync.Map    // *sql.Stmt by its text, for reads on SQLite
	chaining chaining
}

// Open opens the database at url and checks that it answers:
//
//   - postgres:// or postgresql://, as libpq and pgx read it. The PG… variables give what
//     the URL leaves out. Of several hosts, one that can be written is preferred. A pooler in
//     between must pool sessions, or Options.Pooler must name it.
//   - sqlite:///absolute/path of a file. If there is no such file, Open makes it with mode
//     0600. Its folder must be there.
//
// In both, special characters are percent-encoded. Returns Invalid for another URL and for a setting
// that the server does not accept. Returns Invalid for a database whose encoding is neither UTF8 nor
// SQL_ASCII. Returns Invalid for a SQLite file that can't be made or written, and for a file that is
// not a SQLite database. Returns Unavailable if the database does not answer or rejects the login; opening it
// again later may help. No error contains a password.
//
// Open accepts a server that can only be read. Writing methods then return the error of
// domain.ReadsOnly. As soon as a server can be written, the Store uses that.
//
// Open does not look at the schema. Installation.Prepare or Migrate must bring it up to date
// before any other method works.
func Open(ctx context.Context, url domain.Secret, o Options) (*Store, error) {
	at, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	s := &Store{options: o.withDefaults()}
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	if at.postgres != nil {
		s.postgres = true
		err = notOpened(s.openPostgres(ctx, url, at), at)
	} else {
		err = s.openSQLite(ctx, at.file)
	}
	if err != nil {
		return nil, failure("open the database", errors.Join(err, s.close()))
	}
	return s, nil
}

// Close closes the connections. Calls that are under way fail with Unavailable.
func (s *Store) Close() error { return failure("close the database", s.close()) }

func (s *Store) close() error {
	// The connection that writes is the last, because it tidies a SQLite file up.
	var all []error
	for _, db := range []*bun.DB{s.reads, s.writes} {
		if db != nil {
			all = append(all, db.Close())
		}
	}
	return errors.Join(all...)
}

// Describe names the database for people: "PostgreSQL at host:port, database name" or "SQLite
// file /path". It contains no password.
func (s *Store) Describe() string {
	if s.servers != nil {
		return s.servers.describe()
	}
	return s.where
}

// Ports returns all views of the database. They are safe for concurrent use.
func (s *Store) Ports() ports.Store {
	return ports.Store{
		Projects: &Projects{s}, Grants: &Grants{s}, Users: &Users{s}, Sessions: &Sessions{s}, SignOns: &SignOns{s}, GroupRules: &GroupRules{s}, Access: &Access{s},
		Tokens: &AccessTokens{s}, Conversations: &Conversations{s}, Usage: &Usage{s}, Audit: &AuditLog{s}, Chain: &AuditChain{s}, Checks: &AuditChecks{s},
		Sealings: &Sealings{s}, Installation: &Installation{s}, Webhooks: &Webhooks{s}, Sweeper: &Sweeper{s},
	}
}

// Archive returns the view that reads the whole database for a backup, and restores one.
func (s *Store) Archive() *Archive { return &Archive{s} }
