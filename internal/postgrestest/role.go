package postgrestest

import (
	"net/url"
	"strings"
	"testing"
)

// Role is a role of the server that one test has for itself. It goes when the test ends.
type Role struct {
	Name string

	t   testing.TB
	dsn string // of the database, as the role of DSN
}

// NewRole returns a new role that may log in with that password. It may do nothing yet that not
// everybody may do.
func NewRole(t testing.TB, dsn, password string) *Role {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal("NewRole needs a postgres:// URL")
	}
	r := &Role{Name: "role_of" + strings.TrimPrefix(u.Path, "/flowlatch_test"), t: t, dsn: dsn}
	r.Run("CREATE ROLE % LOGIN PASSWORD '" + password + "'")
	t.Cleanup(func() { r.Run("DROP OWNED BY %", "DROP ROLE %") })
	return r
}

// Run runs statements in the database, as the role of DSN. A % stands for the name of the role.
func (r *Role) Run(statements ...string) {
	r.t.Helper()
	for _, statement := range statements {
		if err := administer(r.dsn, strings.ReplaceAll(statement, "%", r.Name)); err != nil {
			r.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// DSN returns the URL of the database with the role.
func (r *Role) DSN(password string) string {
	r.t.Helper()
	u, err := url.Parse(r.dsn)
	if err != nil {
		r.t.Fatal("the URL of the database can't be read")
	}
	u.User = url.UserPassword(r.Name, password)
	return u.String()
}
