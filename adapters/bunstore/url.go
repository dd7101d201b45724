package bunstore

import (
	"errors"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/flowlatch/flowlatch/domain"
)

// address is what a database URL says. Either postgres or file is set.
type address struct {
	postgres *pgx.ConnConfig
	given    []string // the names of the settings of Postgres in the URL
	file     string   // the absolute path of a SQLite file
}

// demandsTLS reports whether no server of Postgres is talked to without TLS.
func (a address) demandsTLS() bool {
	return a.postgres.TLSConfig != nil && !slices.ContainsFunc(a.postgres.Fallbacks, func(to *pgconn.FallbackConfig) bool { return to.TLSConfig == nil })
}

// String returns the address without its password.
func (a address) String() string {
	if a.postgres == nil {
		return "SQLite file " + a.file
	}
	var hosts []string
	for _, at := range append([]*pgconn.FallbackConfig{{Host: a.postgres.Host, Port: a.postgres.Port}}, a.postgres.Fallbacks...) {
		host := net.JoinHostPort(at.Host, strconv.Itoa(int(at.Port)))
		if !slices.Contains(hosts, host) { // a fallback without TLS has the same host
			hosts = append(hosts, host)
		}
	}
	return "PostgreSQL at " + strings.Join(hosts, " or ") + ", database " + a.postgres.Database
}

// parseURL reads a database URL. Returns Invalid for any other text. Neither its error nor the
// String of its result shows any part of a password. That is also so if a password that is
// not percent-encoded runs into the next part of the URL.
func parseURL(secret domain.Secret) (address, error) {
	text := secret.Reveal()
	switch scheme, rest, _ := strings.Cut(text, "://"); scheme {
	case "postgres", "postgresql":
		// pgx takes the first @ for the end of the password, unless a / or ? comes before it. So
		// any other @ belongs to a password that pgx would take for the host or the database.
		at, end := strings.Index(rest, "@"), strings.IndexAny(rest, "/?")
		if strings.Count(rest, "@") > 1 || end >= 0 && end < at {
			return address{}, invalidURL(nil)
		}
		if err := checkParameters(rest); err != nil {
			return address{}, err
		}
		config, err := pgx.ParseConfig(text)
		if err != nil {
			return address{}, invalidURL(err)
		}
		if config.Database == "" {
			config.Database = config.User // the default of the server
		}
		return address{postgres: config, given: slices.Sorted(maps.Keys(config.RuntimeParams))}, nil
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

// parameters are those of a URL that have few values (PostgreSQL documentation, 34.1.2). A standby
// can't be asked for, since the service has to write.
var parameters = map[string][]string{
	"sslmode":              {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
	"target_session_attrs": {"any", "read-write", "primary"},
}

// checkParameters returns Invalid with the name of a parameter whose value is wrong. It does not
// repeat the value.
func checkParameters(rest string) error {
	_, query, _ := strings.Cut(rest, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return invalidURL(nil)
	}
	for name := range values {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_.") != "" { // so that a name can be shown
			return invalidURL(nil)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		for _, value := range values[name] {
			if !slices.Contains(parameters[name], value) {
				return &domain.Error{Kind: domain.Invalid, Public: "the parameter " + name + " of the database URL must be one of " +
					strings.Join(parameters[name], ", ")}
			}
		}
	}
	return nil
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

// File returns the absolute path of the SQLite file that a database URL names. It returns "" for
// every other URL.
func File(url domain.Secret) string {
	at, err := parseURL(url)
	if err != nil {
		return ""
	}
	return at.file
}
