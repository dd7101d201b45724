package e2e

import (
	"database/sql"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// uploadAt adds a document from a URL. Sent twice, it makes two documents.
const uploadAt = "/voiceflow/api/v1/knowledge-base/docs/upload/url"

// uploading is a service whose member may add documents, with a short time for its database.
type uploading struct {
	*testing.T
	machine   *machine
	server    *server
	voiceflow *voiceflowtest.Server
	assistant voiceflowtest.Assistant
	admin     *browser
	member    *browser
}

func startUploading(t *testing.T, database string, pairs ...string) *uploading {
	t.Helper()
	a := newAssistant("Pizza Palace")
	v := startVoiceflow(t, a)
	v.Keep(1000)
	m := newMachine(t, v).with("FLOWLATCH_DATABASE_URL", database, "FLOWLATCH_DATABASE_TIMEOUT", "500ms").with(pairs...)
	s := serving(t, m)
	admin := s.admin()
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	return &uploading{T: t, machine: m, server: s, voiceflow: v, assistant: a, admin: admin, member: s.user(admin, "bo", id, "knowledge:write")}
}

func (u *uploading) upload() (answer, error) {
	return u.member.try("POST", uploadAt, body{"data": body{"type": "url", "url": "https://example.com", "name": "x"}})
}

// uploads returns how many documents Voiceflow was asked to add.
func (u *uploading) uploads() int {
	n := 0
	for _, r := range u.voiceflow.Requests() {
		if strings.HasSuffix(r.Path, "/docs/upload/url") {
			n++
		}
	}
	return n
}

// outcomes returns the outcomes of the forwarded calls in the audit, in order.
func (u *uploading) outcomes() string {
	u.Helper()
	driver, dsn := u.machine.database()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		u.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.Query("SELECT outcome FROM audit WHERE action = 'forward' ORDER BY id")
	if err != nil {
		u.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var outcome string
		if err := rows.Scan(&outcome); err != nil {
			u.Fatal(err)
		}
		all = append(all, outcome)
	}
	return strings.Join(all, " ")
}

// unfinished returns the request id of the only call that the command lists, or nil if it lists
// none.
func (u *uploading) unfinished() any {
	u.Helper()
	switch listed := exported(u.T, u.machine.must("", "audit", "unfinished")); len(listed) {
	case 0:
		return nil
	case 1:
		return listed[0]["RequestId"]
	default:
		u.Errorf("got the unfinished calls %v, want one", listed)
		return nil
	}
}

// denyWrites makes the database refuse every write until allow is called. It goes on to answer
// reads. A Postgres becomes read-only, and somebody holds the lock of a SQLite file.
func (u *uploading) denyWrites() (allow func()) {
	u.Helper()
	driver, dsn := u.machine.database()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		u.Fatal(err)
	}
	u.Cleanup(func() { _ = db.Close() })
	if driver == "sqlite" {
		tx, err := db.Begin() // immediate
		if err != nil {
			u.Fatal(err)
		}
		u.Cleanup(func() { _ = tx.Rollback() })
		return func() { _ = tx.Rollback() }
	}
	must := func(statements ...string) {
		for _, statement := range statements {
			if _, err := db.Exec(statement); err != nil {
				u.Fatal(err)
			}
		}
	}
	var name string
	if err := db.QueryRow("SELECT quote_ident(current_database())").Scan(&name); err != nil {
		u.Fatal(err)
	}
	const others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
	must("ALTER DATABASE "+name+" SET default_transaction_read_only = on", others)
	return func() {
		must("SET default_transaction_read_only = off", "ALTER DATABASE "+name+" RESET default_transaction_read_only", others)
	}
}

// held makes Voiceflow hold its answer to the next request until opened is closed. It closes
// arrived when the request has come.
func (u *uploading) held() (arrived, opened chan struct{}) {
	arrived, opened = make(chan struct{}), make(chan struct{})
	u.voiceflow.FailNext(func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		close(arrived)
		select {
		case <-opened:
			answer.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	})
	return arrived, opened
}

func (u *uploading) await(what string, done <-chan struct{}) {
	u.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		u.Fatalf("waited too long until %s", what)
	}
}

// TestAWriteIsNotSentWhileTheAuditCanNotBeWritten uploads while the database refuses writes.
func TestAWriteIsNotSentWhileTheAuditCanNotBeWritten(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		u := startUploading(t, database)
		allow := u.denyWrites()
		for range 3 {
			got, err := u.upload()
			if err != nil || got.String() != "503 unavailable" || got.retry == "" {
				t.Errorf("got %v with Retry-After %q and error %v, want 503 unavailable with one", got, got.retry, err)
			}
		}
		if n := u.uploads(); n != 0 {
			t.Errorf("Voiceflow got %d uploads, want none", n)
		}
		allow()
		eventually(t, "an upload succeeds", func() bool {
			got, err := u.upload()
			return err == nil && got.status/100 == 2
		})
		if n := u.uploads(); n != 1 {
			t.Errorf("Voiceflow got %d uploads, want one", n)
		}
		if got := u.outcomes(); got != "begun ok" {
			t.Errorf("got rows with outcomes %q, want begun and ok", got)
		}
		u.machine.must("", "audit", "verify")
		if id := u.unfinished(); id != nil {
			t.Errorf("got the unfinished call %v, want none", id)
		}
	})
}

// TestAnOutcomeIsStoredWhenTheDatabaseIsBack refuses writes while Voiceflow carries out a call.
func TestAnOutcomeIsStoredWhenTheDatabaseIsBack(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		u := startUploading(t, database)
		arrived, opened := u.held()
		answered := make(chan answer, 1)
		go func() {
			defer close(answered)
			if got, err := u.upload(); err == nil {
				answered <- got
			}
		}()
		u.await("Voiceflow has the upload", arrived)
		allow := u.denyWrites()
		close(opened)
		got := <-answered
		if got.status/100 != 2 || !strings.Contains(got.text, "documentID") || got.retry != "" {
			t.Errorf("got %d %s, want Voiceflow's answer", got.status, got.text)
		}
		eventually(t, "the log says so", func() bool {
			return strings.Contains(u.server.stderr.String(), `"level":"ERROR","msg":"the outcome of a forwarded call could not be written to the audit yet"`)
		})
		if got := u.outcomes(); got != "begun" {
			t.Errorf("got rows with outcomes %q, want begun alone", got)
		}
		allow()
		eventually(t, "the audit has the outcome", func() bool { return u.outcomes() == "begun ok" })
		u.server.stop()
		u.machine.must("", "audit", "verify")
		if got := u.outcomes(); got != "begun ok" {
			t.Errorf("after the end of the service: got rows with outcomes %q, want begun and ok", got)
		}
	})
}

// TestAKilledProcessLeavesAWriteBegun kills the service while Voiceflow carries out a call.
func TestAKilledProcessLeavesAWriteBegun(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		u := startUploading(t, database)
		arrived, _ := u.held()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if got, err := u.upload(); err == nil {
				t.Errorf("got %v from a service that was killed", got)
			}
		}()
		u.await("Voiceflow has the upload", arrived)
		id := u.unfinished() // it is open
		u.server.kill()
		<-ended
		s := u.machine.start("serve")
		admin := u.admin.at(s.url)
		events := admin.want(admin.get("/get_audit_events?action=forward&outcome=begun"), "200")
		if n := strings.Count(events.text, `"Outcome":"begun"`); n != 1 || u.outcomes() != "begun" {
			t.Errorf("got %s, want one row, which has begun and has no second one", events.text)
		}
		u.machine.must("", "audit", "verify")
		if now := u.unfinished(); id == nil || now != id {
			t.Errorf("got the unfinished call %v, and %v while it was open", now, id)
		}
	})
}

// TestAWriteThatIsOpenAtTheEndIsAnswered stops the service while Voiceflow has an upload. A client
// that gets no answer at all may repeat the call by itself.
func TestAWriteThatIsOpenAtTheEndIsAnswered(t *testing.T) {
	u := startUploading(t, "", "FLOWLATCH_SHUTDOWN_TIMEOUT", "1ms")
	arrived, _ := u.held()
	answered := make(chan struct{})
	var got answer
	var err error
	go func() {
		defer close(answered)
		got, err = u.upload()
	}()
	u.await("Voiceflow has the upload", arrived)
	u.server.stop()
	<-answered
	if err != nil || got.String() != "503 unavailable" || got.retry != "" || !strings.Contains(got.text, "may have been carried out") {
		t.Errorf("got %v %s with Retry-After %q and error %v, want 503 unavailable that says what may have happened", got, got.text, got.retry, err)
	}
	if got := u.outcomes(); got != "begun unknown" {
		t.Errorf("got rows with outcomes %q, want begun and unknown", got)
	}
}

// TestAWriteThatReachesNobodyMayBeRepeated uploads while nobody listens in place of Voiceflow.
func TestAWriteThatReachesNobodyMayBeRepeated(t *testing.T) {
	u := startUploading(t, "")
	u.voiceflow.Close()
	got, err := u.upload()
	if err != nil || got.String() != "503 voiceflow_unavailable" || got.retry == "" || strings.Contains(got.text, "carried out") {
		t.Errorf("got %v %s with Retry-After %q and error %v, want 503 voiceflow_unavailable with one", got, got.text, got.retry, err)
	}
	if got := u.outcomes(); got != "begun not_sent" {
		t.Errorf("got rows with outcomes %q, want begun and not_sent", got)
	}
}

// TestAWriteThatIsNotAnsweredIsNotToBeRepeated uploads while Voiceflow breaks the connection off.
func TestAWriteThatIsNotAnsweredIsNotToBeRepeated(t *testing.T) {
	u := startUploading(t, "")
	u.voiceflow.FailNext(voiceflowtest.Reset(-1))
	got, err := u.upload()
	if err != nil || got.String() != "503 voiceflow_unavailable" || got.retry != "" || !strings.Contains(got.text, "may have been carried out") {
		t.Errorf("got %v %s with Retry-After %q and error %v, want 503 voiceflow_unavailable that says what may have happened", got, got.text, got.retry, err)
	}
	if got := u.outcomes(); got != "begun unknown" {
		t.Errorf("got rows with outcomes %q, want begun and unknown", got)
	}
}

// TestWhichReadsAreAudited reads an export and then transcripts.
func TestWhichReadsAreAudited(t *testing.T) {
	for _, tc := range []struct{ name, reads, export, both string }{
		{"exports, by default", "", "begun ok", "begun ok"},
		{"exports and transcripts", " transcripts , export", "begun ok", "begun ok begun ok"},
		{"none", "none", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u := startUploading(t, "", "FLOWLATCH_AUDIT_READS", tc.reads)
			u.admin.want(u.admin.post("/set_project", body{"project_id": u.assistant.ProjectID}), "200")
			u.admin.want(u.admin.get("/voiceflow/api/v2/versions/"+u.assistant.VersionID+"/export"), "200")
			if got := u.outcomes(); got != tc.export {
				t.Errorf("after an export: got rows with outcomes %q, want %q", got, tc.export)
			}
			u.admin.want(u.admin.get("/voiceflow/api/v2/transcripts/"+u.assistant.ProjectID), "200")
			if got := u.outcomes(); got != tc.both {
				t.Errorf("after transcripts: got rows with outcomes %q, want %q", got, tc.both)
			}
		})
	}
	newMachine(t, startVoiceflow(t)).with("FLOWLATCH_AUDIT_READS", "transcripts").
		fails(exitFailure, "FLOWLATCH_AUDIT_READS must be export, none, or export,transcripts", "", "serve")
}
