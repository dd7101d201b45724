package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// verifications is how many rows of the audit tell that it is broken.
const verifications = `SELECT count(*) FROM audit WHERE action = 'verify_audit' AND outcome = 'broken' AND actor = 'service'`

// TestARunningServiceFindsABrokenAudit changes a row while nothing runs. The instances that start then
// verify the audit by themselves, and one row tells of the break.
func TestARunningServiceFindsABrokenAudit(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		t.Parallel()
		m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_DATABASE_URL", database)
		for _, name := range []string{"ann", "bob", "cid"} {
			m.must(memberPassword+"\n", "user", "create", name)
		}
		m.start("serve").stop() // chains the rows
		driver, dsn := m.database()
		tamper(t, driver, dsn, `UPDATE audit SET outcome = 'failed' WHERE id = 2`)
		servers := []*server{m.start("serve")}
		if database != "" {
			servers = append(servers, m.start("serve"))
		}
		eventually(t, "the service has found the break", func() bool { return count(t, driver, dsn, verifications) > 0 })
		for _, s := range servers {
			s.stop()
		}
		if n := count(t, driver, dsn, verifications); n != 1 {
			t.Errorf("%d rows tell of the break, want 1", n)
		}
		m.fails(exitFailure, "row 2 (seq 2)", "", "audit", "verify")
	})
}

// TestOldRowsAreKeptIfTheirFileCannotBeStored has a folder that is not there.
func TestOldRowsAreKeptIfTheirFileCannotBeStored(t *testing.T) {
	t.Parallel()
	m := newMachine(t, startVoiceflow(t))
	folder := filepath.Join(m.folder, "archive")
	m.with("FLOWLATCH_USAGE_KEEP", "30").fails(exitFailure, "FLOWLATCH_USAGE_KEEP", "", "serve")
	m.with("FLOWLATCH_AUDIT_ARCHIVE", folder).fails(exitFailure, "FLOWLATCH_AUDIT_ARCHIVE", "", "serve")
	s := m.with("FLOWLATCH_AUDIT_KEEP", "1", "FLOWLATCH_AUDIT_ARCHIVE", folder).start("serve")
	m.must(memberPassword+"\n", "user", "create", "ann")
	eventually(t, "the service says that the folder is not there", func() bool {
		return strings.Contains(s.stderr.String(), "the folder for old rows of the audit can't be used")
	})
	s.stop()
	if rows, _ := m.verifies(); rows == 0 {
		t.Error("the row of the new user is gone")
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder: %v, want none", err)
	}
}
