package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"

	"github.com/flowlatch/flowlatch/internal/lostright"
)

// manyUsers is how many users the tests of slow readers add. Their list takes about 8 MB, far
// more than what waits between a server and a reader.
const manyUsers = 30_000

// addManyUsers stores users with long names. Nobody can log in as one of them.
func addManyUsers(t *testing.T, m *machine) {
	t.Helper()
	driver, dsn := m.database()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	// The number is padded so that all ids are of one length.
	statement := `WITH RECURSIVE n (i) AS (SELECT 100000 UNION ALL SELECT i + 1 FROM n WHERE i < 100000 + $1 - 1)
		INSERT INTO users (id, name, role, disabled, password_hash, created)
		SELECT '01900000-0000-7000-8000-000000' || i, 'user-' || i || $2, 'member', false, '', 1 FROM n`
	padding := slices.Repeat([]byte("x"), 100)
	if _, err := db.Exec(statement, manyUsers, "-"+string(padding)); err != nil {
		t.Fatal(err)
	}
}

// TestASlowReaderWhoLosesTheRightGetsNoMore reads the begin of a long list, takes the right to
// it away, and reads on. The list must not look whole.
func TestASlowReaderWhoLosesTheRightGetsNoMore(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		m, p := newPlace(t, database)
		if database != "" {
			p = p.spread(m)
		}
		addManyUsers(t, m)
		t.Run("nothing is lost", func(t *testing.T) {
			t.Parallel()
			s := p.newStage(t, lostright.Admin)
			said, err := s.readSlowly(func() {})
			if err != nil {
				t.Fatal(err)
			}
			var list struct{ Users []struct{ ID string } }
			if err := json.Unmarshal(said, &list); err != nil || len(list.Users) < manyUsers {
				t.Errorf("got %d users (%v), want at least %d", len(list.Users), err, manyUsers)
			}
		})
		list := lostright.Change{Route: "GET /get_all_users", By: []lostright.Caller{lostright.Admin, lostright.Manager}, Takes: lostright.TheRole}
		for _, by := range list.By {
			for _, l := range lostright.Losses() {
				if !l.Takes(list, by) {
					continue
				}
				t.Run(string(by)+"/"+l.Name, func(t *testing.T) {
					t.Parallel()
					s := p.newStage(t, by)
					said, err := s.readSlowly(func() { s.lose(l) })
					if err == nil || json.Valid(said) {
						t.Errorf("got %d bytes and error %v, want the list cut", len(said), err)
					}
				})
			}
		}
	})
}

// readSlowly asks for the list of users and calls meanwhile after the first bytes.
func (s *stage) readSlowly(meanwhile func()) ([]byte, error) {
	s.t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return conn, conn.(*net.TCPConn).SetReadBuffer(256 << 10)
	}}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(s.request(s.here, http.MethodGet, "/get_all_users", ""))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("got %s, want 200", resp.Status)
	}
	begin := make([]byte, 1000)
	if _, err := io.ReadFull(resp.Body, begin); err != nil {
		s.t.Fatal(err)
	}
	meanwhile()
	rest, err := io.ReadAll(resp.Body)
	return append(begin, rest...), err
}
