package bunstore

import (
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

func TestURLsSayWhichDatabaseItIs(t *testing.T) {
	t.Setenv("PGUSER", "somebody")
	for _, tc := range []struct{ url, want string }{
		{"postgres://u:p@db.example.com/flow", "PostgreSQL at db.example.com:5432, database flow"},
		{"postgresql://u:p@db.example.com:6543/flow?sslmode=disable", "PostgreSQL at db.example.com:6543, database flow"},
		{"postgres://u:p@[2001:db8::1]/flow", "PostgreSQL at [2001:db8::1]:5432, database flow"},
		{"postgres://u:a%40b%2Fc@localhost/flow", "PostgreSQL at localhost:5432, database flow"},
		{"postgres://localhost", "PostgreSQL at localhost:5432, database somebody"},
		{"postgres:///flow?host=/run/postgresql", "PostgreSQL at /run/postgresql:5432, database flow"},
		{"sqlite:///var/lib/flowlatch/flowlatch.db", "SQLite file /var/lib/flowlatch/flowlatch.db"},
		{"sqlite:////var//lib/./flowlatch.db", "SQLite file /var/lib/flowlatch.db"},
		{"sqlite:///a%20folder/what%3F%23%25.db", "SQLite file /a folder/what?#%.db"},
	} {
		got, err := parseURL(domain.NewSecret(tc.url))
		if err != nil || got.String() != tc.want {
			t.Errorf("%s: got %q and error %v, want %q", tc.url, got, err, tc.want)
		}
	}
}

func TestURLsThatCanNotBeUsedAreInvalid(t *testing.T) {
	const password = "open-sesame"
	for _, url := range []string{
		"", "flowlatch.db", "/var/lib/flowlatch.db", "mysql://u:" + password + "@h/db", "POSTGRES://h/db", "postgres:h", "host=h password=" + password,
		"postgres://u:" + password + "@h:port/db", "postgres://u:" + password + "@h:0x/db", "postgres://u:" + password + "@h/db?sslmode=perhaps",
		"postgres://u:" + password + "@h/db?connect_timeout=soon", "postgres://u:" + password + "%zz@h/db",
		"postgres://u:" + password + "@h/db?sslmode=verify-full&sslrootcert=/no/such/file",
		// A password that had to be percent-encoded.
		"postgres://u:" + password + "@@h/db", "postgres://u:@" + password + "@h/db", "postgres://u:12/" + password + "@h/db",
		"postgres://u:12/3?" + password + "@h/db", "postgres://h/db?user=u@" + password,
		"sqlite://", "sqlite:///", "sqlite:///folder/", "sqlite://relative/path.db", "sqlite:relative.db", "sqlite://./a.db", "sqlite:///a.db?mode=ro",
		"sqlite:///a.db#b", "sqlite:///a%00b", "sqlite:///a%zz",
	} {
		_, err := parseURL(domain.NewSecret(url))
		if domain.KindOf(err) != domain.Invalid {
			t.Errorf("%s: got error %v, want Invalid", url, err)
		} else if strings.Contains(err.Error(), password) {
			t.Errorf("%s: the error shows the password: %v", url, err)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{"", "@", "/", "12/", "?", "#", "%", "@h/", ":", "\x00", "é"} {
		f.Add("postgres://user:", seed, seed, "@host:5432/database?sslmode=require")
	}
	f.Add("sqlite:///", "a", "b", ".db")
	f.Add("postgres://host/db?password=", "", "", "&user=u")
	f.Fuzz(func(t *testing.T, before, left, right, after string) {
		// What stands between a colon and an @ is a password, however it is written.
		const secret = "0pen5esame"
		url := before + left + secret + right + after
		at, err := parseURL(domain.NewSecret(url))
		if err != nil {
			if domain.KindOf(err) != domain.Invalid {
				t.Errorf("%q: got error %v, want Invalid", url, err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q: the error shows the password: %v", url, err)
			}
			return
		}
		if (at.postgres == nil) == (at.file == "") {
			t.Errorf("%q: got %+v, want one database", url, at)
		}
		if strings.HasPrefix(before, "postgres://") && strings.HasSuffix(before, ":") && strings.HasPrefix(after, "@") &&
			strings.Contains(at.String(), secret) {
			t.Errorf("%q: the description shows the password: %s", url, at)
		}
	})
}
