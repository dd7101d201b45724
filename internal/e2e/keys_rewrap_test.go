package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/config"
)

// addKey adds a key to the keyset of m, which becomes the current key. It returns all keys, the
// current key first.
func (m *machine) addKey() []domain.KeyID {
	m.t.Helper()
	m.must("", "keys", "rotate")
	_, cipher, _ := m.inside()
	return cipher.Keys()
}

// inside opens the database and the keyset of m. It also returns the origin to which its keys
// may be sent.
func (m *machine) inside() (*bunstore.Store, *tinkcipher.Cipher, domain.Origin) {
	m.t.Helper()
	ctx := context.Background()
	cfg, _, err := config.Read(config.Source{Environ: m.command(ctx).Env, Flags: map[string]string{"DATA_DIR": m.data()}})
	if err != nil {
		m.t.Fatal(err)
	}
	store, err := bunstore.Open(ctx, cfg.Database(), bunstore.Options{})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = store.Close() })
	cipher := tinkcipher.NewFile(cfg.KeysetPath(), tinkcipher.FileOptions{})
	if err := cipher.Prepare(ctx, false); err != nil {
		m.t.Fatal(err)
	}
	origin, err := domain.ParseOrigin(cfg.VoiceflowAPIURL)
	if err != nil {
		m.t.Fatal(err)
	}
	return store, cipher, origin
}

// spoilKey replaces the sealed key of a project by bytes that can't be decrypted.
func (m *machine) spoilKey(id string) {
	m.t.Helper()
	store, _, _ := m.inside()
	found, err := store.Ports().Projects.Find(context.Background(), domain.Operator().Sees(), domain.ProjectRef{ID: domain.ProjectID(id)})
	if err != nil || len(found) != 1 {
		m.t.Fatalf("got %v and error %v", found, err)
	}
	was := found[0].Primary.Sealed
	n, err := store.Ports().Sealings.Replace(context.Background(), []domain.Resealed{{
		Ref:  domain.SealedRef{Kind: domain.SealedProjectKey, ID: id, Slot: domain.SlotPrimary},
		From: was, To: domain.Sealed{Key: was.Key, Bytes: []byte("spoilt")},
	}})
	if err != nil || n != 1 {
		m.t.Fatalf("got %d and error %v", n, err)
	}
}

// keyRows returns the lines of keys status by the id of the key.
func (m *machine) keyRows() map[string][]string {
	m.t.Helper()
	rows := map[string][]string{}
	for line := range strings.Lines(m.must("", "keys", "status")) {
		if fields := strings.Fields(line); len(fields) == 5 {
			rows[fields[0]] = fields[1:]
		}
	}
	return rows
}

func TestKeysStatusAndRewrap(t *testing.T) {
	assistants := []voiceflowtest.Assistant{newAssistant("Pizza Palace"), newAssistant("Train times"), newAssistant("Evil\x1b[2J\nname")}
	m := newMachine(t, startVoiceflow(t, assistants...))
	s := serving(t, m)
	admin := s.admin()
	answered := map[string]voiceflowtest.Assistant{}
	var ids []string
	for _, a := range assistants {
		id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
		answered[id], ids = a, append(ids, id)
	}
	s.stop()

	keys := m.addKey()
	now, old := string(keys[0]), string(keys[1])
	if rows := m.keyRows(); strings.Join(rows["KEY"], " ") != "USE ROWS SESSIONS CONVERSATIONS" ||
		rows[now][0] != "seals" || rows[old][0] != "opens" || rows[old][1] == "0" {
		t.Errorf("keys status prints %v", rows)
	}

	s = m.start("serve")
	admin = admin.at(s.url)
	admin.want(admin.get("/get_projects"), "200") // the cookie is still valid
	if got := m.must("", "keys", "rewrap", "--dry-run"); !strings.HasPrefix(got, "rows to re-encrypt with key "+now+": ") || strings.Contains(got, ": 0") {
		t.Errorf("keys rewrap --dry-run says %q", got)
	}
	everyKeyOpens(t, m, answered)
	r := m.run("", "keys", "rewrap")
	if r.code != exitOK || !strings.HasPrefix(r.stdout, "rows re-encrypted with key "+now+": ") || !strings.HasSuffix(r.stdout, "; left: 0\n") ||
		strings.ContainsAny(r.stderr, "\r\x1b") || !strings.Contains(r.stderr, "re-encrypting: ") {
		t.Errorf("keys rewrap: exit code %d, says %q, and %q on standard error", r.code, r.stdout, r.stderr)
	}
	everyKeyOpens(t, m, answered)
	if rows := m.keyRows(); rows[old][1] != "0" || rows[now][1] == "0" {
		t.Errorf("keys status prints %v", rows)
	}
	if got := m.must("", "keys", "rewrap"); got != "rows re-encrypted with key "+now+": 0; left: 0\n" {
		t.Errorf("a second rewrap says %q", got)
	}

	// A key that can't be decrypted is marked, and its assistant is named.
	m.spoilKey(ids[2])
	if got := m.must("", "keys", "status"); !strings.HasSuffix(got, `can't be decrypted: the primary key of "Evil\x1b[2J\nname", which has the Id `+ids[2]+"\nrows that can't be decrypted: 1\n") {
		t.Errorf("keys status prints\n%s", got)
	}
	if got := admin.want(admin.get("/get_projects"), "200").text; strings.Count(got, `"key_status":"needs_reentry"`) != 1 {
		t.Errorf("got %s", got)
	}
	if got := admin.get("/readyz").text; !strings.Contains(got, `"needs_reentry":1`) {
		t.Errorf("readyz says %s", got)
	}
	s.stop()
	m.spoilKey(ids[0])
	s = m.start("serve") // which finds the key by itself
	admin = admin.at(s.url)
	eventually(t, "serve has found what does not open", func() bool { return strings.Contains(admin.get("/readyz").text, `"needs_reentry":2`) })
	if got := m.must("", "keys", "rewrap"); strings.Count(got, "can't be decrypted: ") != 0 {
		t.Errorf("a rewrap says %q of what the current key is said to have sealed", got)
	}
	m.addKey()
	if got := m.must("", "keys", "rewrap"); strings.Count(got, "can't be decrypted: the primary key of ") != 2 || !strings.HasSuffix(got, "; left: 0\n") {
		t.Errorf("a rewrap says %q", got)
	}
	for _, id := range []string{ids[0], ids[2]} {
		delete(answered, id)
	}
	everyKeyOpens(t, m, answered)
	for _, a := range assistants {
		if strings.Contains(m.said.String(), a.Key) {
			t.Error("a key of an assistant was printed")
		}
	}
}

// crowded adds n projects to the database itself. It returns them with their keys, by Id.
func (m *machine) crowded(n int) map[string]voiceflowtest.Assistant {
	m.t.Helper()
	_, cipher, origin := m.inside()
	db, err := sql.Open(m.database())
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	tx, err := db.Begin()
	if err != nil {
		m.t.Fatal(err)
	}
	do := func(statement string, args ...any) {
		m.t.Helper()
		if _, err := tx.Exec(statement, args...); err != nil {
			m.t.Fatal(err)
		}
	}
	all := map[string]voiceflowtest.Assistant{}
	for i := range n {
		a := voiceflowtest.Assistant{Name: fmt.Sprintf("Bot %05d", i), Key: voiceflowtest.NewKey()}
		id := fmt.Sprintf("01890000-0000-7000-8000-%012x", i)
		sealed, err := cipher.Seal(domain.NewSecret(a.Key), domain.BindKey(domain.ProjectID(id), domain.SlotPrimary, origin))
		if err != nil {
			m.t.Fatal(err)
		}
		do(`INSERT INTO projects (id, name, voiceflow_id, version, platform, created, voiceflow_created) VALUES ($1, $2, $3, 'main', '', 1, 1)`, id, a.Name, id)
		do(`INSERT INTO project_keys (project_id, slot, key_id, sealed) VALUES ($1, 'primary', $2, $3)`, id, string(sealed.Key), sealed.Bytes)
		all[id] = a
	}
	if err := tx.Commit(); err != nil {
		m.t.Fatal(err)
	}
	return all
}

// TestARewrapThatIsKilledLosesNothing kills a rewrap with SIGKILL, and then runs two at the same
// time.
func TestARewrapThatIsKilledLosesNothing(t *testing.T) {
	const rows = 4000
	eachDatabase(t, func(t *testing.T, database string) {
		m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_DATABASE_URL", database)
		driver, dsn := m.database()
		m.must(adminPassword, "user", "create", "--admin", "ada")
		all := m.crowded(rows)
		keys := m.addKey()
		notYet := func() int {
			return count(t, driver, dsn, fmt.Sprintf(`SELECT count(*) FROM project_keys WHERE key_id <> '%s'`, keys[0]))
		}

		killed := m.launch("keys", "rewrap")
		eventually(t, "a rewrap is in the middle", func() bool { return strings.Contains(killed.stderr.String(), " of ") })
		killed.kill()
		left := notYet()
		if left == 0 || left == rows {
			t.Logf("it was not killed in the middle: %d rows are left", left)
		}
		everyKeyOpens(t, m, all)

		var done [2]chan int
		for i := range done {
			done[i] = make(chan int, 1)
			go func() {
				_, of, _ := strings.Cut(m.run("", "keys", "rewrap").stdout, ": ")
				n, _, _ := strings.Cut(of, ";")
				rows, err := strconv.Atoi(n)
				if err != nil {
					t.Error(err)
				}
				done[i] <- rows
			}()
		}
		if n := <-done[0] + <-done[1]; n < left || n > left+3 { // the known value and other rows are included
			t.Errorf("two at once resealed %d rows, want %d", n, left)
		}
		if left := notYet(); left != 0 {
			t.Errorf("%d rows are left", left)
		}
		everyKeyOpens(t, m, all)
	})
}
