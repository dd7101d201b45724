package e2e

import (
	"crypto/tls"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/flowlatch/flowlatch/internal/postgrestest"
	"github.com/flowlatch/flowlatch/internal/vaulttest"
)

// hangUp sends SIGHUP.
func (s *server) hangUp() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
}

// says waits until the log contains text.
func (s *server) says(text string) {
	s.t.Helper()
	eventually(s.t, "the log has "+text, func() bool { return strings.Contains(s.stderr.String(), text) })
}

// replace renames a copy of one file over another, as programs that renew certificates do.
func replace(t *testing.T, file, with string) {
	t.Helper()
	content, err := os.ReadFile(with)
	if err := errors.Join(err, os.WriteFile(file+".new", content, 0o600), os.Rename(file+".new", file)); err != nil {
		t.Fatal(err)
	}
}

// fingerprint returns the fingerprint of the certificate with which a new connection is answered.
func fingerprint(t *testing.T, s *server) string {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Errorf("a handshake failed: %v", err)
		return ""
	}
	defer func() { _ = conn.Close() }()
	return string(conn.ConnectionState().PeerCertificates[0].Signature)
}

func TestANewCertificateIsPickedUp(t *testing.T) {
	certificate, key := newCertificate(t)
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_TLS_CERT_FILE", certificate, "FLOWLATCH_TLS_KEY_FILE", key)
	s := m.start("serve")
	stop := make(chan struct{})
	var dialing sync.WaitGroup
	dialing.Go(func() { // no handshake fails meanwhile
		repeat(stop, func() { fingerprint(t, s) })
	})
	first := fingerprint(t, s)

	second, secondKey := newCertificate(t)
	replace(t, certificate, second)
	s.hangUp()
	s.says("the new certificate can't be used; the previous one stays in use")
	if fingerprint(t, s) != first {
		t.Error("a certificate without its key is in use")
	}
	replace(t, key, secondKey)
	s.hangUp()
	eventually(t, "the second certificate is in use", func() bool { return fingerprint(t, s) != first })
	after := fingerprint(t, s)

	third, thirdKey := newCertificate(t)
	replace(t, key, thirdKey)
	replace(t, certificate, third)
	eventually(t, "the third certificate is in use, without a signal", func() bool { return fingerprint(t, s) != after })
	close(stop)
	dialing.Wait()
	s.stop()
}

func TestSIGHUPKillsNothing(t *testing.T) {
	t.Run("a service that waits for its database", func(t *testing.T) {
		m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_DATABASE_URL", "postgres://u:p@127.0.0.1:1/d", "FLOWLATCH_DATABASE_WAIT", "1h")
		s := m.launch("serve")
		eventually(t, "it waits", func() bool { return strings.Contains(s.stdout.String(), "can't be reached yet") })
		before := strings.Count(s.stdout.String(), "can't be reached yet")
		s.hangUp()
		eventually(t, "it goes on waiting", func() bool { return strings.Count(s.stdout.String(), "can't be reached yet") > before+1 })
		s.interrupt()
		s.mustEnd(exitFailure)
	})
	t.Run("a service that ends", func(t *testing.T) {
		a := newAssistant("Pizza Palace")
		v := startVoiceflow(t, a)
		s := serving(t, newMachine(t, v).with("FLOWLATCH_SHUTDOWN_TIMEOUT", "1h"))
		admin := s.admin()
		release := make(chan struct{})
		v.FailNext(func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
			<-release
			answer.ServeHTTP(w, r)
		})
		answered := openRequest(t, v, admin, a)
		s.interrupt()
		refusesConnections(t, s)
		s.hangUp()
		s.hangUp()
		close(release)
		if got := <-answered; got != "200" {
			t.Errorf("the open request was answered %v, want 200", got)
		}
		s.mustEnd(exitOK)
	})
	t.Run("a demo", func(t *testing.T) {
		s := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_LOG_LEVEL", "info").launch("demo")
		eventually(t, "it has started", func() bool { return strings.Contains(s.stdout.String(), "Ctrl-C") })
		s.hangUp()
		s.says("read files again")
		s.stop()
	})
	t.Run("a command", func(t *testing.T) {
		m := newMachine(t, startVoiceflow(t))
		reader, writer := pipe(t)
		cmd := m.command(t.Context(), "user", "create", "ada")
		cmd.Stdin = reader
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it has begun", func() bool {
			_, err := os.Stat(m.data())
			return err == nil
		})
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		_, _ = writer.WriteString(adminPassword + "\n")
		_ = writer.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
}

func TestSIGHUPReadsTheKeysetAgain(t *testing.T) {
	m, _ := withOneAssistant(t)
	s := m.start("serve")
	keyset := filepath.Join(m.data(), "keyset.json")
	good, err := os.ReadFile(keyset)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyset, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.hangUp()
	s.says("the keyset can't be read again; the previous one stays in use")
	if err := os.WriteFile(keyset, good, 0o600); err != nil {
		t.Fatal(err)
	}
	admin := s.admin()
	admin.want(admin.get("/get_projects"), "200")
	s.stop()
}

func TestSIGHUPReadsTheDatabaseURLAgain(t *testing.T) {
	dsn := postgrestest.DSN(t)
	file := fileWith(t, dsn)
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_DATABASE_URL_FILE", file)
	s := m.start("serve")
	through := postgrestest.OpenProxy(t, dsn)
	if err := os.WriteFile(file, []byte(through.DSN()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.hangUp()
	s.says("the database URL was read again")
	b := newBrowser(t, s.url)
	b.want(b.get("/readyz"), "200")
	s.stop()
}

// TestARenewedTokenOfVaultIsUsed rotates the wrapped keyset with a token that the service did not
// start with.
func TestARenewedTokenOfVaultIsUsed(t *testing.T) {
	v := vaulttest.Start(t)
	m := newMachine(t, startVoiceflow(t))
	token := fileWith(t, vaulttest.Token+"\n")
	m = m.with("FLOWLATCH_KEYSET_KMS", v.Transit("keyset"), "FLOWLATCH_KEYSET_KMS_TOKEN_FILE", token)
	s := serving(t, m)

	v.Accept("hvs.renewed")
	if err := os.WriteFile(token, []byte("hvs.renewed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.must("", "keys", "rotate")
	s.hangUp()
	s.says("read files again")
	if strings.Contains(s.stderr.String(), "can't be read again") {
		t.Errorf("the keyset was not read with the new token:\n%s", s.stderr)
	}
	admin := s.admin()
	admin.want(admin.get("/check_session"), "200")
	s.stop()
}
