package bunstore_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

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
