package bunstore_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
	"github.com/flowlatch/flowlatch/ports/archive"
)

func TestAConnectionThatCanNoLongerWriteIsReplaced(t *testing.T) {
	t.Parallel()
	s := furnished(t, postgrestest.DSN(t), bunstore.Options{MaxConns: 1})
	for n, write := range requests(s)[9:] { // those that write
		s.StopWritesHere(t.Context())
		if err := write(t.Context(), 300+n); err != nil {
			t.Errorf("write %d on a connection that refuses it: %v", n, err)
		}
	}
	s.StopWritesHere(t.Context())
	if err := s.Ports().Installation.CheckWrites(t.Context()); err != nil {
		t.Errorf("CheckWrites on a connection that refuses writes: %v", err)
	}
}

// Of 20 connections that ended with the server, a read meets one.
func TestManyConnectionsThatEndedCostOneTry(t *testing.T) {
	t.Parallel()
	const conns = 20
	dsn := postgrestest.DSN(t)
	s := furnished(t, dsn, bunstore.Options{MaxConns: conns})
	find := func() error { _, err := s.Ports().Users.Find(t.Context(), domain.UserRef{ID: "u"}); return err }
	in, out := make(chan struct{}), make(chan struct{})
	var held sync.WaitGroup
	for range conns {
		held.Go(func() { // each takes a connection of its own
			_ = s.Archive().Snapshot(t.Context(), func(archive.Row) error {
				in <- struct{}{}
				<-out
				return errors.New("enough")
			})
		})
	}
	for range conns {
		<-in
	}
	close(out)
	held.Wait()
	endConnections(t, beside(t, dsn))
	if err := find(); err != nil {
		t.Errorf("a read after all connections ended: %v", err)
	}
	if err := s.Ports().Audit.Append(t.Context(), record("x")); err != nil {
		t.Errorf("a write after that read: %v", err)
	}
}

func TestAHostThatIsGoneIsPassedOver(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.DSN(t)
	gone := postgrestest.OpenProxy(t, dsn)
	gone.Stall() // it accepts connections and is silent
	u, err := url.Parse(gone.DSN())
	if err != nil {
		t.Fatal(err)
	}
	there := postgrestest.OpenProxy(t, dsn)
	other, err := url.Parse(there.DSN())
	if err != nil {
		t.Fatal(err)
	}
	u.Host += "," + other.Host
	s := furnished(t, u.String(), bunstore.Options{Timeout: 3 * time.Second})
	if want := hostOf(t, gone.DSN()) + " or " + hostOf(t, there.DSN()); !strings.Contains(s.Describe(), want) {
		t.Errorf("Describe: got %q, want both hosts", s.Describe())
	}
	there.Cut()
	there.Restore()
	if _, err := s.Ports().Users.Find(t.Context(), domain.UserRef{ID: "u"}); err != nil {
		t.Errorf("a read after the connections broke: %v", err)
	}
}

func TestTheURLIsAskedForAgain(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.DSN(t)
	first, second := postgrestest.OpenProxy(t, dsn), postgrestest.OpenProxy(t, dsn)
	var log lines
	type answer struct {
		url string
		err error
	}
	var now atomic.Pointer[answer]
	now.Store(&answer{url: first.DSN()})
	s := furnished(t, first.DSN(), bunstore.Options{
		Log: slog.New(slog.NewTextHandler(&log, nil)),
		Renew: func(context.Context) (domain.Secret, error) {
			next := now.Load()
			return domain.NewSecret(next.url), next.err
		},
	})
	find := func() error { _, err := s.Ports().Users.Find(t.Context(), domain.UserRef{ID: "u"}); return err }
	first.Cut()
	wantKind(t, "a read without a server", find(), domain.Unavailable)
	elsewhere := strings.Replace(second.DSN(), databaseOf(t, dsn), "elsewhere", 1)
	for _, tc := range []struct {
		what string
		next answer
		want string
	}{
		{"a URL that can't be read", answer{url: "postgres://u:" + rolePassword + "@@h/db"}, "the database URL is invalid"},
		{"another kind of database", answer{url: "sqlite:///tmp/" + rolePassword + ".db"}, "not Postgres"},
		{"another database", answer{url: elsewhere}, "names another database"},
		{"a URL that can't be had", answer{err: errors.New("the file is gone")}, "the file is gone"},
	} {
		now.Store(&tc.next)
		eventually(t, "the log tells of "+tc.what, func() bool {
			wantKind(t, "a read with "+tc.what, find(), domain.Unavailable)
			return strings.Contains(log.String(), tc.want)
		})
		if strings.Contains(log.String(), rolePassword) {
			t.Errorf("%s: the log says %q, want no password", tc.what, log.String())
		}
	}
	if !strings.Contains(s.Describe(), hostOf(t, first.DSN())) {
		t.Errorf("got %s, want the first URL", s.Describe())
	}
	now.Store(&answer{url: second.DSN()})
	eventually(t, "a read succeeds with another URL", func() bool { return find() == nil })
	if !strings.Contains(s.Describe(), hostOf(t, second.DSN())) {
		t.Errorf("with another URL: got %s", s.Describe())
	}
}

// eventually waits until yes returns true.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited too long until %s", what)
		}
	}
}

// lines is a log. It is safe for concurrent use.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func hostOf(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// A server that refuses writes stands for a standby.
func TestNoReadIsSentToAStandbyIfTheURLWantsAPrimary(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.DSN(t)
	furnished(t, dsn, bunstore.Options{})
	primary := with(t, dsn, "target_session_attrs", "read-write")
	stores := map[string]*bunstore.Store{dsn: migrated(t, dsn, bunstore.Options{}), primary: migrated(t, primary, bunstore.Options{})}
	db := beside(t, dsn)
	if _, err := db.Exec(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$`); err != nil {
		t.Fatal(err)
	}
	endConnections(t, db)
	for address, kind := range map[string]domain.Kind{dsn: "", primary: domain.Unavailable} {
		if _, err := stores[address].Ports().Users.Find(t.Context(), domain.UserRef{ID: "u"}); domain.KindOf(err) != kind {
			t.Errorf("a read, where the URL wants a primary is %t: got error %v, want kind %q", address == primary, err, kind)
		}
	}
}
