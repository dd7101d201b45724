package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/flowlatch/flowlatch/internal/testtools"
)

// Pair is a Postgres server and a streaming replica of it, both of the test's own. What the primary
// acknowledges, the standby has applied. Nothing is written to the disk on purpose.
type Pair struct {
	t                testing.TB
	primary, standby *node
}

// node is one of the two servers.
type node struct {
	addr string // host and port
	data string // its folder
	cmd  *exec.Cmd
}

// StartPair starts both servers from Debian's packages. They end with the test. If the programs are
// missing, testtools.Program says what happens.
func StartPair(t testing.TB) *Pair {
	t.Helper()
	folder := ownFolder(t)
	p := &Pair{t: t, primary: &node{data: filepath.Join(folder, "primary")}, standby: &node{data: filepath.Join(folder, "standby")}}
	must(t, asPostgres(testtools.Program(t, "initdb"), "-D", p.primary.data, "-U", "postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=trust", "--no-sync"))
	p.primary.start(t)
	host, port, err := net.SplitHostPort(p.primary.addr)
	if err != nil {
		t.Fatal(err)
	}
	must(t, asPostgres(testtools.Program(t, "pg_basebackup"), "-D", p.standby.data, "-R", "-h", host, "-p", port, "-U", "postgres", "--no-sync", "--checkpoint=fast"))
	p.standby.start(t)
	p.run(p.primary, "ALTER SYSTEM SET synchronous_commit = remote_apply", "ALTER SYSTEM SET synchronous_standby_names = '*'",
		"SELECT pg_reload_conf()", "CREATE DATABASE flowlatch")
	p.await("the standby replicates", func(ctx context.Context, on *pgx.Conn) (yes bool, err error) {
		return yes, on.QueryRow(ctx, "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'").Scan(&yes)
	})
	return p
}

// Primary returns the URL of a database on the server that can be written at first.
func (p *Pair) Primary() string { return p.primary.url("flowlatch") }

// Standby returns the URL of the replica of that database.
func (p *Pair) Standby() string { return p.standby.url("flowlatch") }

// Crash ends the primary as a crash does, and waits until it is gone.
func (p *Pair) Crash() {
	p.t.Helper()
	if err := p.primary.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		p.t.Fatal(err)
	}
	awaitGone(p.t, p.primary.addr)
}

// awaitGone waits until nobody listens at addr.
func awaitGone(t testing.TB, addr string) {
	t.Helper()
	wait(t, "nobody listens", func(ctx context.Context) bool {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
}

// Promote makes the standby a server that can be written, and waits until it is.
func (p *Pair) Promote() {
	p.t.Helper()
	p.run(p.standby, "SELECT pg_promote()")
}

// start starts the server and waits until it answers.
func (n *node) start(t testing.TB) {
	t.Helper()
	n.addr = testtools.FreeAddr(t)
	host, port, err := net.SplitHostPort(n.addr)
	if err != nil {
		t.Fatal(err)
	}
	n.cmd = asPostgres(testtools.Program(t, "postgres"), "-D", n.data, "-h", host, "-p", port, "-k", "", "-c", "fsync=off", "-c", "max_connections=60")
	testtools.Start(t, n.cmd, n.addr, os.Interrupt)
	wait(t, "the server answers", func(ctx context.Context) bool {
		conn, err := pgx.Connect(ctx, n.url("postgres"))
		if err == nil {
			err = conn.Close(ctx)
		}
		return err == nil
	})
}

func (n *node) url(database string) string {
	return "postgres://postgres@" + n.addr + "/" + database + "?sslmode=disable"
}

// run runs statements on a server.
func (p *Pair) run(on *node, statements ...string) {
	p.t.Helper()
	for _, statement := range statements {
		if err := administer(on.url("postgres"), statement); err != nil {
			p.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// await waits until the primary says yes.
func (p *Pair) await(what string, yes func(context.Context, *pgx.Conn) (bool, error)) {
	p.t.Helper()
	wait(p.t, what, func(ctx context.Context) bool {
		conn, err := pgx.Connect(ctx, p.primary.url("postgres"))
		if err != nil {
			return false
		}
		is, err := yes(ctx, conn)
		return errors.Join(err, conn.Close(ctx)) == nil && is
	})
}

// wait waits until yes returns true. It fails the test if that takes longer than adminLimit.
func wait(t testing.TB, what string, yes func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), adminLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !yes(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited too long until %s", what)
		}
	}
}

// ownFolder returns an empty folder that belongs to the user of asPostgres. The folders of a test
// belong to root, if root runs it.
func ownFolder(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	if os.Getuid() == 0 {
		if err := os.Chown(folder, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// nobody is a user and a group that every Linux has (Linux Standard Base, user names).
const nobody = 65534

// asPostgres returns a command of Postgres. The programs refuse to run as root, so they run as
// nobody then.
func asPostgres(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = "/"
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd
}

func must(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, out))
	}
}
