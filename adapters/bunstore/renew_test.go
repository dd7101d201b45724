package bunstore_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

// An operator who asks does not wait, although a failed connection has just asked.
func TestRenewURLAsksEachTime(t *testing.T) {
	dsn := postgrestest.DSN(t)
	first, second := postgrestest.OpenProxy(t, dsn), postgrestest.OpenProxy(t, dsn)
	next := second.DSN()
	s := furnished(t, first.DSN(), bunstore.Options{Renew: func(context.Context) (domain.Secret, error) {
		return domain.NewSecret(next), nil
	}})
	before := s.Describe()
	s.RenewURL(t.Context())
	next = first.DSN()
	s.RenewURL(t.Context())
	if got := s.Describe(); got != before {
		t.Errorf("the database is %s, want %s again", got, before)
	}
}

func TestRenewURL(t *testing.T) {
	dsn := postgrestest.DSN(t)
	first, second := postgrestest.OpenProxy(t, dsn), postgrestest.OpenProxy(t, dsn)
	s := furnished(t, first.DSN(), bunstore.Options{Renew: func(context.Context) (domain.Secret, error) {
		return domain.NewSecret(second.DSN()), nil
	}})
	before := s.Describe()
	s.RenewURL(t.Context())
	if s.Describe() == before {
		t.Errorf("the database is still %s", before)
	}
	first.Cut()
	if _, err := s.Ports().Users.Find(t.Context(), domain.UserRef{ID: "u"}); err != nil {
		t.Errorf("a read after the first server has gone: %v", err)
	}

	open(t, "sqlite://"+filepath.Join(t.TempDir(), "x.db"), bunstore.Options{}).RenewURL(t.Context())
}

// A file on a network that is gone hangs. Only who waits for its content may wait.
func TestAURLThatCanNotBeReadInTimeStopsNothing(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.DSN(t)
	first, second := postgrestest.OpenProxy(t, dsn), postgrestest.OpenProxy(t, dsn)
	var log lines
	asked, answer := make(chan struct{}, 10), make(chan struct{})
	s := furnished(t, first.DSN(), bunstore.Options{
		Log: slog.New(slog.NewTextHandler(&log, nil)),
		Renew: func(context.Context) (domain.Secret, error) {
			asked <- struct{}{}
			<-answer
			return domain.NewSecret(second.DSN()), nil
		},
	})
	find := func() error { _, err := s.Ports().Users.Find(t.Context(), domain.UserRef{ID: "u"}); return err }
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		s.RenewURL(t.Context())
	}()
	<-asked
	read := make(chan error, 1)
	go func() { read <- find() }()
	select {
	case err := <-read:
		if err != nil {
			t.Errorf("a read while the URL can't be read: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("a read waits for the URL")
	}
	if !t.Failed() {
		first.Cut()
		wantKind(t, "a read without a server", find(), domain.Unavailable)
		first.Restore()
		if err := find(); err != nil {
			t.Errorf("a read by the old URL, after the server came back: %v", err)
		}
		eventually(t, "the log tells of it", func() bool {
			return strings.Contains(log.String(), "the old one stays in use until it is read")
		})
	}
	close(answer)
	<-renewed
	if n := len(asked); n > 0 {
		t.Errorf("it was asked %d times more, although the first call had not ended", n)
	}
	if got := s.Describe(); !strings.Contains(got, hostOf(t, second.DSN())) {
		t.Errorf("at last: got %s, want the new URL", got)
	}
	first.Cut()
	if err := find(); err != nil {
		t.Errorf("a read by the new URL: %v", err)
	}
}
