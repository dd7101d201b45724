package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
)

// Template makes databases that all begin with the same content. It fills the first one and
// copies it for each test, which takes less time than to fill each. The zero Template with Fill
// is ready for use.
type Template struct {
	// Fill fills the empty database at dsn, and closes its connections before it returns.
	Fill func(ctx context.Context, dsn string) error

	once sync.Once
	name string
	err  error
}

// templates are the databases that Run drops at the end.
var templates struct {
	sync.Mutex
	names []string
}

// DSN is the function DSN for a database with the content of the template. t fails if Fill
// fails. It is safe for concurrent use.
func (p *Template) DSN(t testing.TB) string {
	t.Helper()
	server := demand(t, server, true)
	p.once.Do(func() { p.name, p.err = filled(server, p.Fill) })
	if p.err != nil {
		t.Fatalf("fill the template of the test's database: %v", p.err)
	}
	// The other strategy writes every page of the copy to the log of changes.
	return create(t, server, "TEMPLATE "+p.name+" STRATEGY file_copy")
}

// filled returns the name of a new database that fill has filled. Nobody can connect to it, so it
// can be copied at any time.
func filled(server string, fill func(ctx context.Context, dsn string) error) (string, error) {
	name := newName()
	dsn, err := withDatabase(server, name)
	if err != nil {
		return "", err
	}
	if err := administer(server, "CREATE DATABASE "+name+" TEMPLATE template0 "+english); err != nil {
		return "", err
	}
	templates.Lock()
	templates.names = append(templates.names, name)
	templates.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), adminLimit)
	defer cancel()
	if err := fill(ctx, dsn); err != nil {
		return "", err
	}
	return name, administer(server, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false")
}

// dropTemplates drops the databases of all templates.
func dropTemplates() error {
	templates.Lock()
	defer templates.Unlock()
	if len(templates.names) == 0 {
		return nil
	}
	server, err := server()
	for _, name := range templates.names {
		if dropErr := administer(server, "DROP DATABASE "+name+" WITH (FORCE)"); dropErr != nil {
			err = errors.Join(err, fmt.Errorf("drop the template %s: %w", name, dropErr))
		}
	}
	return err
}
