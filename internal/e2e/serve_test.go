package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

func TestServeSaysWhereEverythingIs(t *testing.T) {
	v := startVoiceflow(t)
	m := newMachine(t, v)
	s := m.start("serve")
	for _, want := range []string{
		"created the data folder " + m.data() + "\n",
		"database: SQLite file " + m.data() + "/flowlatch.db\n",
		"Voiceflow: " + strings.Join([]string{v.URL(), v.URL(), v.URL(), v.URL()}, " ") + "\n",
		"listening on " + s.url + "\n",
		"there are no users yet; follow this link within 30 minutes to create the first admin:\n  " + s.url + "/console/setup/",
	} {
		eventually(t, "it says "+want, func() bool { return strings.Contains(s.stdout.String(), want) })
	}
	b := newBrowser(t, s.url)
	b.want(b.get("/readyz"), "200")
	s.stop()
}

func TestTheCommandForTheFirstAdminWorksAsItIsPrinted(t *testing.T) {
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_CONSOLE", "false")
	s := m.start("serve")
	var command string
	eventually(t, "the command is printed", func() bool {
		_, after, _ := strings.Cut(s.stdout.String(), "in another terminal:\n  ")
		line, _, whole := strings.Cut(after, "\n")
		command = line
		return whole
	})
	sh := exec.Command("sh", "-c", strings.Replace(command, "NAME", "ada", 1))
	sh.Dir, sh.Env = t.TempDir(), []string{"PATH=" + os.Getenv("PATH")}
	sh.Stdin = strings.NewReader(adminPassword + "\n")
	if output, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, output)
	}
	admin := s.admin()
	admin.want(admin.get("/get_all_users"), "200")
	s.stop()

	again := m.start("serve")
	again.stop()
	if strings.Contains(again.stdout.String(), "there are no users") {
		t.Errorf("with a user it says\n%s", again.stdout)
	}
	if all := s.stdout.String() + again.stdout.String(); strings.Contains(all, "/setup/") {
		t.Errorf("without a console it prints a link:\n%s", all)
	}
}

// setupLinks returns the set-up links in the text.
func setupLinks(text string) []string {
	return regexp.MustCompile(`\S+/console/setup/[A-Za-z0-9_-]+\b`).FindAllString(text, -1)
}

func TestASetupLinkIsPrintedWhileThereIsNoUser(t *testing.T) {
	m := newMachine(t, startVoiceflow(t))
	m.with("FLOWLATCH_ADDR", ":8080").fails(exitFailure, "there is no data folder", "", "setup-link")
	s := m.start("serve")
	eventually(t, "one link is printed", func() bool {
		return strings.HasSuffix(s.stdout.String(), "\n") && len(setupLinks(s.stdout.String())) == 1
	})
	first := setupLinks(s.stdout.String())[0]
	m.fails(exitFailure, "FLOWLATCH_ADDR lets the service pick a port", "", "setup-link")
	m.with("FLOWLATCH_CONSOLE", "false").fails(exitFailure, "FLOWLATCH_CONSOLE is false", "", "setup-link")
	for _, tc := range []struct{ name, value, base string }{
		{"FLOWLATCH_ADDR", ":8080", "http://127.0.0.1:8080"},
		{"FLOWLATCH_BASE_URL", "https://example.com/flowlatch/", "https://example.com/flowlatch"},
	} {
		said := m.with(tc.name, tc.value).run("", "setup-link")
		links := setupLinks(said.stdout)
		if said.code != exitOK || len(links) != 1 || links[0]+"\n" != said.stdout || !strings.HasPrefix(links[0], tc.base+"/console/setup/") || strings.HasSuffix(first, links[0][len(tc.base):]) {
			t.Errorf("with %s=%s it says %q, want another link below %s", tc.name, tc.value, said.stdout, tc.base)
		}
		if !strings.Contains(said.stderr, "it lasts 30 minutes") {
			t.Errorf("it says %q, want how long the link lasts", said.stderr)
		}
	}
	m.must(adminPassword, "user", "create", "ben")
	m.with("FLOWLATCH_ADDR", ":8080").fails(exitFailure, "there is a user already", "", "setup-link")
	s.stop()
	again := m.start("serve")
	again.stop()
	if links := setupLinks(again.stdout.String()); len(links) > 0 {
		t.Errorf("with a user it prints %q", links)
	}
}

func TestFlagsOfServeWin(t *testing.T) {
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_ADDR", "192.0.2.1:1", "FLOWLATCH_LOG_LEVEL", "error")
	s := m.start("serve", "--addr=127.0.0.1:0", "--log-level", "debug", "--data-dir", "elsewhere")
	b := newBrowser(t, s.url)
	b.want(b.get("/healthz"), "200")
	eventually(t, "it logs at debug level", func() bool { return strings.Contains(s.stderr.String(), `"level":"DEBUG"`) })
	if !strings.Contains(s.stdout.String(), filepath.Join(m.folder, "elsewhere")) {
		t.Errorf("the flag for the data folder did not count:\n%s", s.stdout)
	}
	s.stop()
}

func TestTheLogIsJSONLines(t *testing.T) {
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_LOG_LEVEL", "debug", "FLOWLATCH_ADRR", "x")
	s := serving(t, m)
	b := s.admin()
	b.want(b.post("/delete_project", body{"project_name": "no such\n\"name\""}), "400 not_found")
	s.stop()
	log := s.stderr.String()
	for line := range strings.Lines(log) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["level"] == nil || fields["msg"] == nil {
			t.Errorf("a line of the log is %q (%v)", line, err)
		}
	}
	for _, want := range []string{"FLOWLATCH_ADRR is not known", `"route":"/delete_project"`, `"msg":"stopping"`} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not in the log:\n%s", want, log)
		}
	}
}

func TestOpenRequestsEndAfterSIGTERM(t *testing.T) {
	a := newAssistant("Pizza Palace")
	v := startVoiceflow(t, a)
	s := serving(t, newMachine(t, v))
	admin := s.admin()

	release := make(chan struct{})
	v.FailNext(func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		<-release
		answer.ServeHTTP(w, r)
	})
	answered := openRequest(t, v, admin, a)
	s.interrupt()
	refusesConnections(t, s)
	select {
	case got := <-answered:
		t.Fatalf("the open request was answered %v before Voiceflow was", got)
	case <-s.ended:
		t.Fatal("the process ended under an open request")
	default:
	}
	close(release)
	if got := <-answered; got != "200" {
		t.Errorf("the open request was answered %v, want 200", got)
	}
	s.mustEnd(exitOK)
}

func TestRequestsThatDoNotEndInTimeAreEnded(t *testing.T) {
	a := newAssistant("Pizza Palace")
	v := startVoiceflow(t, a)
	s := serving(t, newMachine(t, v).with("FLOWLATCH_SHUTDOWN_TIMEOUT", "50ms"))
	admin := s.admin()
	v.Fail(voiceflowtest.Silent())
	answered := openRequest(t, v, admin, a)
	s.stop()
	if got := <-answered; got != "400 voiceflow_unavailable" {
		t.Errorf("the request was answered %v, want 400 voiceflow_unavailable", got)
	}
	if !strings.Contains(s.stderr.String(), "requests that did not end in time were aborted") {
		t.Errorf("nothing about it in the log:\n%s", s.stderr)
	}
}

func TestASecondSignalKills(t *testing.T) {
	a := newAssistant("Pizza Palace")
	v := startVoiceflow(t, a)
	s := serving(t, newMachine(t, v).with("FLOWLATCH_SHUTDOWN_TIMEOUT", "1h"))
	admin := s.admin()
	v.Fail(voiceflowtest.Silent())
	answered := openRequest(t, v, admin, a)
	s.interrupt()
	eventually(t, "it is stopping", func() bool { return strings.Contains(s.stderr.String(), "stopping") })
	s.interrupt()
	s.mustEnd(-1) // by the signal
	<-answered
}

// openRequest begins to add an assistant and returns when Voiceflow has the request. The channel
// receives the answer.
func openRequest(t *testing.T, v *voiceflowtest.Server, admin *browser, a voiceflowtest.Assistant) <-chan string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answered := make(chan string, 1)
	asked := len(v.Requests())
	go func() {
		got, err := admin.try("POST", "/add_project", adding(a))
		if err != nil {
			answered <- "error " + err.Error()
		} else {
			answered <- got.String()
		}
	}()
	if _, err := v.Await(ctx, asked+1); err != nil {
		t.Fatal(err)
	}
	return answered
}

// refusesConnections waits until the server accepts no new connections.
func refusesConnections(t *testing.T, s *server) {
	t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "new connections are refused", func() bool {
		conn, err := net.Dial("tcp", u.Host)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
}

func TestServeOverTLS(t *testing.T) {
	certificate, key := newCertificate(t)
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_TLS_CERT_FILE", certificate, "FLOWLATCH_TLS_KEY_FILE", key, "FLOWLATCH_COOKIE_SECURE", "true")
	s := serving(t, m)
	if !strings.HasPrefix(s.url, "https://127.0.0.1:") {
		t.Fatalf("it listens on %s", s.url)
	}
	admin := s.admin()
	admin.want(admin.get("/check_session"), "200")
	m.with("FLOWLATCH_ADDR", strings.TrimPrefix(s.url, "https://")).must("", "healthcheck")

	resp, err := admin.client.Get(strings.Replace(s.url, "https:", "http:", 1) + "/secret-path")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP is answered %s, want 400", resp.Status)
	}
	s.stop()
	if log := s.stderr.String(); strings.Contains(log, "secret-path") || !strings.Contains(log, `"about":"http: TLS handshake error"`) {
		t.Errorf("the log of it is\n%s", log)
	}

	for name, pair := range map[string][2]string{"an invalid certificate": {key, key}, "a file that does not exist": {"/nowhere", key}} {
		t.Run(name, func(t *testing.T) {
			m.with("FLOWLATCH_TLS_CERT_FILE", pair[0], "FLOWLATCH_TLS_KEY_FILE", pair[1]).
				fails(exitFailure, "FLOWLATCH_TLS_CERT_FILE and FLOWLATCH_TLS_KEY_FILE can't be used", "", "serve")
		})
	}
}

// newCertificate creates a certificate whose name is not the address of this machine.
func newCertificate(t *testing.T) (certificateFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "flowlatch.example"}, DNSNames: []string{"flowlatch.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return fileWith(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))),
		fileWith(t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

func TestSecureCookiesOverPlainHTTP(t *testing.T) {
	for _, tc := range []struct {
		name, addr, secure, base string
		warns                    bool
	}{
		{"beyond this machine", "0.0.0.0:0", "true", "", true},
		{"on this machine", "127.0.0.1:0", "true", "", false},
		{"that are not Secure", "0.0.0.0:0", "false", "", false},
		{"behind a proxy that speaks HTTPS", "0.0.0.0:0", "true", "https://example.com", false},
		{"behind a proxy that speaks plain HTTP", "127.0.0.1:0", "true", "http://example.com", true},
		{"behind a proxy on this machine", "0.0.0.0:0", "true", "http://localhost:8080", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_ADDR", tc.addr, "FLOWLATCH_COOKIE_SECURE", tc.secure, "FLOWLATCH_BASE_URL", tc.base).start("serve")
			b := newBrowser(t, s.url) // the URL that is printed for all addresses
			b.want(b.get("/healthz"), "200")
			s.stop()
			if got := strings.Contains(s.stderr.String(), "cookies are Secure"); got != tc.warns {
				t.Errorf("the warning is there: %t, want %t\n%s", got, tc.warns, s.stderr)
			}
		})
	}
}

func TestAStartThatCannotBe(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	m := newMachine(t, startVoiceflow(t))
	for _, tc := range []struct{ name, variable, value, want string }{
		{"an address that is taken", "FLOWLATCH_ADDR", taken.Addr().String(), "FLOWLATCH_ADDR can't be listened on"},
		{"an invalid database URL", "FLOWLATCH_DATABASE_URL", "mysql://u:hunter2@h/d", "FLOWLATCH_DATABASE_URL: the database URL is invalid"},
		{"a password that is not escaped", "FLOWLATCH_DATABASE_URL", "postgres://u:hun@ter2@h/d", "FLOWLATCH_DATABASE_URL: the database URL is invalid"},
		{"an invalid keyset", "FLOWLATCH_KEYSET", "hunter2", "the keyset in the variable FLOWLATCH_KEYSET is not a keyset"},
		{"an invalid setting", "FLOWLATCH_SESSION_IDLE", "hunter2", "FLOWLATCH_SESSION_IDLE must be a duration"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m.with(tc.variable, tc.value).fails(exitFailure, tc.want, "", "serve")
		})
	}
	if strings.Contains(m.said.String(), "ter2") {
		t.Errorf("a secret is printed:\n%s", m.said)
	}
}

func TestADatabaseThatCannotBeReachedIsWaitedFor(t *testing.T) {
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_DATABASE_URL", "postgres://u:hunter2@127.0.0.1:1/d", "FLOWLATCH_DATABASE_WAIT", "1500ms")
	r := m.run("", "serve")
	if r.code != exitFailure || strings.Count(r.stdout, "the database can't be reached yet") < 2 || !strings.HasPrefix(r.stderr, "flowlatch: FLOWLATCH_DATABASE_URL") {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if strings.Contains(r.stdout+r.stderr, "hunter2") {
		t.Errorf("the password is printed:\n%s%s", r.stdout, r.stderr)
	}
}

func TestHealthcheck(t *testing.T) {
	m := newMachine(t, startVoiceflow(t))
	s := m.start("serve")
	there := m.with("FLOWLATCH_ADDR", strings.TrimPrefix(s.url, "http://"))
	there.must("", "healthcheck")
	s.stop()
	there.fails(exitFailure, "the service does not answer", "", "healthcheck")
}

func TestHealthcheckOfAServiceThatIsNotReady(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	unready := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })}
	go func() { _ = unready.Serve(l) }()
	defer func() { _ = unready.Close() }()
	newMachine(t, startVoiceflow(t)).with("FLOWLATCH_ADDR", l.Addr().String()).
		fails(exitFailure, "the service is not ready: http://"+l.Addr().String()+"/readyz answers 503", "", "healthcheck")
}

func TestAHeadThatIsTooLargeIsRefused(t *testing.T) {
	s := newMachine(t, startVoiceflow(t)).start("serve")
	b := newBrowser(t, s.url)
	for size, want := range map[int]int{16 << 10: http.StatusOK, 40 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		req, err := http.NewRequest("GET", s.url+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Padding", strings.Repeat("x", size))
		resp, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%d bytes: status %d, want %d", size, resp.StatusCode, want)
		}
	}
	s.stop()
}

// fileWith returns the path of a new file with that content.
func fileWith(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
