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

// address is what a database URL says. Either postgres or file is set.
type address struct {
	postgres *pgx.ConnConfig
	file     string // the absolute path of a SQLite file
}

// String returns the address without its password.
func (a address) String() string {
	if a.postgres == nil {
		return "SQLite file " + a.file
	}
	database := a.postgres.Database
	if database == "" {
		database = a.postgres.User // the default of the server
	}
	return "PostgreSQL at " + net.JoinHostPort(a.postgres.Host, strconv.Itoa(int(a.postgres.Port))) + ", database " + database
}

// parseURL reads a database URL. Returns Invalid for any other text. Neither its error nor the
// String of its result shows any part of a password. That is also so if a password that is
// not percent-encoded runs into the next part of the URL.
func parseURL(secret domain.Secret) (address, error) {
	text := secret.Reveal()
	switch scheme, rest, _ := strings.Cut(text, "://"); scheme {
	case "postgres", "postgresql":
		// pgx takes the first @ for the end of the password, unless a / comes before it. So
		// any other @ belongs to a password that pgx would take for the host or the database.
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

// invalidURL says how a URL must look. It keeps the cause only if a file could not be read,
// since the texts of other causes may contain the URL.
func invalidURL(cause error) error {
	e := &domain.Error{Kind: domain.Invalid, Public: "the database URL is invalid; it must be like " +
		"postgres://user:password@host:5432/database or sqlite:///absolute/path, with special characters percent-encoded"}
	if file, ok := errors.AsType[*fs.PathError](cause); ok {
		e.Cause = file
	}
	return e
}
