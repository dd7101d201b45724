package postgrestest

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/flowlatch/flowlatch/internal/testtools"
)

// Pooler is a pgbouncer in front of the server of a database. It pools transactions: each of them
// has a connection of the pooler's choice.
type Pooler struct {
	t    testing.TB
	addr string // host and port
	file string // its configuration
	cmd  *exec.Cmd
}

// OpenPooler starts a pgbouncer, which ends with the test. Of each database it has at most size
// connections to the server. more are lines for the section pgbouncer of its configuration. If
// pgbouncer is missing, testtools.Program says what happens.
func OpenPooler(t testing.TB, dsn string, size int, more ...string) *Pooler {
	t.Helper()
	program := testtools.Program(t, "pgbouncer")
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal("OpenPooler needs a postgres:// URL") // the error of pgx may show the URL
	}
	p := &Pooler{t: t, addr: testtools.FreeAddr(t), file: filepath.Join(ownFolder(t), "pgbouncer.ini")}
	host, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`[databases]
* = host=%s port=%d user=%s password=%s
[pgbouncer]
listen_addr = %s
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = %s
max_client_conn = 500
`, config.Host, config.Port, config.User, config.Password, host, port, strconv.Itoa(size))
	for _, line := range more {
		text += line + "\n"
	}
	if err := os.WriteFile(p.file, []byte(text), 0o644); err != nil { //nolint:gosec // another user reads it, and its password is that of a test
		t.Fatal(err)
	}
	p.start(program)
	return p
}

func (p *Pooler) start(program string) {
	p.t.Helper()
	p.cmd = asPostgres(program, "--quiet", p.file)
	testtools.Start(p.t, p.cmd, p.addr, syscall.SIGTERM)
}

// DSN returns the URL of the database at dsn through the pooler.
func (p *Pooler) DSN(dsn string) string {
	p.t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		p.t.Fatal("DSN needs a postgres:// URL")
	}
	u.Host, u.RawQuery = p.addr, "sslmode=disable"
	return u.String()
}

// Restart ends the pooler with all its connections, and starts it again.
func (p *Pooler) Restart() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	awaitGone(p.t, p.addr)
	p.start(p.cmd.Path)
}
