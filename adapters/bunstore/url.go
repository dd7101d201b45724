package bunstore

import (
	"errors"
	"io/fs"
	"net"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/flowlatch/flowlatch/domain"
)

// address is what a database URL says: one of the two is set.
type address struct {
	postgres *pgx.ConnConfig
	file     string // of SQLite, an absolute path
}

// String is the address without its password.
func (a address) String() string {
	if a.postgres == nil {
		return "SQLite file " + a.file
	}
	database := a.postgres.Database
	if database == "" {
		database = a.postgres.User // as the server does
	}
	return "PostgreSQL at " + net.JoinHostPort(a.postgres.Host, strconv.Itoa(int(a.postgres.Port))) + ", database " + database
}

// parseURL reads a database URL and is Invalid for what is none. Neither its error nor
// the String of what it returns shows any part of a password, not even where one that
// should have been percent-encoded runs into the next part of the URL.
func parseURL(secret domain.Secret) (address, error) {
	text := secret.Reveal()
	switch scheme, rest, _ := strings.Cut(text, "://"); scheme {
	case "postgres", "postgresql":
		// pgx takes the first @ for the end of the password, unless a / comes before it.
		// Any other @ is then part of a password, in the place of the host or the database.
		at, slash := strings.Index(rest, "@"), strings.Index(rest, "/")
		if strings.Count(rest, "@") > 1 || slash >= 0 && slash < at {
			return address{}, invalidURL(nil)
		}
		config, err := pgx.ParseConfig(text)
		if err != nil {
			return address{}, invalidURL(err)
		}
		return address{postgres: config}, nil
	case "sqlite":
		file, err := url.PathUnescape(rest)
		if err != nil || strings.ContainsAny(rest, "?#") || strings.ContainsRune(file, 0) ||
			!path.IsAbs(file) || strings.HasSuffix(file, "/") {
			return address{}, invalidURL(nil)
		}
		return address{file: path.Clean(file)}, nil
	}
	return address{}, invalidURL(nil)
}

// invalidURL tells how a URL must look. Of cause it keeps only which file could not be
// read, since the text of the others may hold the URL.
func invalidURL(cause error) error {
	e := &domain.Error{Kind: domain.Invalid, Public: "the database URL can't be used; it must be like " +
		"postgres://user:password@host:5432/database or sqlite:///absolute/path, with special characters percent-encoded"}
	if file, ok := errors.AsType[*fs.PathError](cause); ok {
		e.Cause = file
	}
	return e
}
