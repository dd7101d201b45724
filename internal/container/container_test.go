// Package container holds the tests of the image that ships: they build it, run it in
// containers as compose.yaml does, and use it through the port that it publishes.
package container

import (
	"bytes"
	"crypto/rand"
	"debug/buildinfo"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
	"github.com/flowlatch/flowlatch/internal/testtools"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

func TestBesidePostgres(t *testing.T) {
	t.Parallel()
	postgresImage := postgrestest.Image(t)
	between, err := network.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	testcontainers.CleanupNetwork(t, between)
	password := rand.Text()
	db, err := postgres.Run(t.Context(), postgresImage,
		postgres.WithUsername("flowlatch"), postgres.WithPassword(password), postgres.WithDatabase("flowlatch"),
		network.WithNetwork([]string{"postgres"}, between), postgres.BasicWaitStrategies())
	testcontainers.CleanupContainer(t, db)
	if err != nil {
		t.Fatal(err)
	}
	v := startVoiceflow(t, "http")
	s := startService(t, setting{
		env: map[string]string{
			"FLOWLATCH_DATABASE_URL":         "postgres://flowlatch:" + password + "@postgres:5432/flowlatch?sslmode=disable",
			"FLOWLATCH_COOKIE_SECURE":        "false",
			"FLOWLATCH_VOICEFLOW_API_URL":    v.at,
			"FLOWLATCH_VOICEFLOW_ALLOW_HTTP": "true",
		},
		options: []testcontainers.ContainerCustomizer{network.WithNetwork(nil, between)},
	})
	useAndKill(t, s, v, password)
}

// TestOnSQLite also has the service speak HTTPS by itself, so that its cookies are
// Secure as they are without any setting.
func TestOnSQLite(t *testing.T) {
	t.Parallel()
	v := startVoiceflow(t, "http")
	cert, key := certificate(t)
	s := startService(t, setting{
		env: map[string]string{
			"FLOWLATCH_TLS_CERT_FILE":        mounted + "tls.crt",
			"FLOWLATCH_TLS_KEY_FILE":         mounted + "tls.key",
			"FLOWLATCH_VOICEFLOW_API_URL":    v.at,
			"FLOWLATCH_VOICEFLOW_ALLOW_HTTP": "true",
		},
		files: map[string][]byte{"tls.crt": cert, "tls.key": key},
	})
	useAndKill(t, s, v, string(key))
}

// useAndKill walks through the routes, kills the service again and again, and finds
// everything where it was. Neither the keys and the password of the walk nor the other
// secrets are in what the service printed.
func useAndKill(t *testing.T, s *service, v voiceflow, secrets ...string) {
	t.Helper()
	pizza := voiceflowtest.NewAssistant("Pizza Palace", voiceflowtest.Shape2024)
	salon := voiceflowtest.NewAssistant("Salon \u200fעוזר", voiceflowtest.Shape2026)
	if err := v.Add(pizza, salon); err != nil {
		t.Fatal(err)
	}
	password := "a password for " + rand.Text()
	out := docker(t, password+"\n", "exec", "-i", s.GetContainerID(), "/flowlatch", "user", "create", "--admin", "ada")
	if !strings.Contains(out, "created the admin ada") {
		t.Fatalf("user create: got %q, want that the admin was made", out)
	}

	ada := newBrowser(t, s)
	ada.call("GET", "/get_projects", nil).want(t, http.StatusUnauthorized, "not_authenticated")
	ada.call("POST", "/login", object{"username": "ada", "password": password}).want(t, http.StatusOK, "")
	ada.call("GET", "/get_projects", nil).want(t, http.StatusNotFound, "not_found")
	add := func(a voiceflowtest.Assistant, key string) answer {
		return ada.call("POST", "/add_project", object{"version_id": a.VersionID, "token": key})
	}
	add(pizza, salon.Key+"0").want(t, http.StatusBadRequest, "voiceflow_rejected")
	first := *add(pizza, pizza.Key).want(t, http.StatusOK, "").Assistant
	s.killAndStart(t)
	second := *add(salon, salon.Key).want(t, http.StatusOK, "").Assistant
	if first.Name != pizza.Name || second.Name != salon.Name {
		t.Errorf("added: got the names %q and %q, want those at Voiceflow", first.Name, second.Name)
	}
	set := ada.call("POST", "/set_project", object{"project_id": first.ID}).want(t, http.StatusOK, "").Assistant
	if d := cmp.Diff(&first, set); d != "" {
		t.Errorf("the assistant that was set (-want +got):\n%s", d)
	}

	s.killAndStart(t)
	listed := ada.call("GET", "/get_projects", nil).want(t, http.StatusOK, "").Assistants
	if d := cmp.Diff([]project{first, second}, listed); d != "" {
		t.Errorf("the list after a kill (-want +got):\n%s", d)
	}
	session := ada.call("GET", "/check_session", nil).want(t, http.StatusOK, "")
	if d := cmp.Diff(&first, session.Assistant); d != "" {
		t.Errorf("the assistant that is set after a kill (-want +got):\n%s", d)
	}
	there := add(pizza, pizza.Key).want(t, http.StatusBadRequest, "already_added").Assistant
	if d := cmp.Diff(&first, there); d != "" {
		t.Errorf("the assistant that is there already after a kill (-want +got):\n%s", d)
	}
	ada.call("POST", "/set_project", object{"project_id": second.ID}).want(t, http.StatusOK, "")
	ada.call("POST", "/delete_project", object{"project_name": pizza.Name}).want(t, http.StatusOK, "")

	s.killAndStart(t)
	listed = ada.call("GET", "/get_projects", nil).want(t, http.StatusOK, "").Assistants
	if d := cmp.Diff([]project{second}, listed); d != "" {
		t.Errorf("the list after a delete and a kill (-want +got):\n%s", d)
	}
	again := newBrowser(t, s)
	again.call("POST", "/login", object{"username": "ada", "password": password}).want(t, http.StatusOK, "")

	if err := wait.ForHealthCheck().WithStartupTimeout(startLimit).WaitUntilReady(t.Context(), s); err != nil {
		t.Errorf("waiting for the health check of the image: %v", err)
	}
	if code := s.stop(t); code != 0 {
		t.Errorf("docker stop: got exit code %d, want 0", code)
	}
	said := s.said(t)
	for i, secret := range append(secrets, password, pizza.Key, salon.Key) {
		if strings.Contains(said, secret) {
			t.Errorf("the service printed secret number %d", i)
		}
	}
}

func TestItTrustsTheAuthoritiesThatItIsGiven(t *testing.T) {
	t.Parallel()
	v := startVoiceflow(t, "https")
	authority, _ := certificate(t)
	for _, tc := range []struct {
		name   string
		files  map[string][]byte
		status int
		code   string
		said   string
	}{
		{"an authority that nobody vouches for", nil, http.StatusBadRequest, "voiceflow_unavailable", "certificate signed by unknown authority"},
		{"an authority that SSL_CERT_FILE holds", map[string][]byte{"ca.crt": authority}, http.StatusOK, "", "/add_project"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{
				"FLOWLATCH_COOKIE_SECURE":     "false",
				"FLOWLATCH_VOICEFLOW_API_URL": v.at,
			}
			for file := range tc.files {
				env["SSL_CERT_FILE"] = mounted + file
			}
			s := startService(t, setting{env: env, files: tc.files})
			docker(t, "correct horse\n", "exec", "-i", s.GetContainerID(), "/flowlatch", "user", "create", "--admin", "ada")
			ada := newBrowser(t, s)
			ada.call("POST", "/login", object{"username": "ada", "password": "correct horse"}).want(t, http.StatusOK, "")
			a := voiceflowtest.NewAssistant(tc.name, voiceflowtest.Shape2026)
			if err := v.Add(a); err != nil {
				t.Fatal(err)
			}
			ada.call("POST", "/add_project", object{"version_id": a.VersionID, "token": a.Key}).want(t, tc.status, tc.code)
			if said := s.said(t); !strings.Contains(said, tc.said) {
				t.Errorf("the service said this, want %q in it:\n%s", tc.said, said)
			}
		})
	}
}

// TestItBringsTheAuthoritiesOfTheWorld looks for them in the binary, since no host of
// the world can be asked here.
func TestItBringsTheAuthoritiesOfTheWorld(t *testing.T) {
	t.Parallel()
	c, err := testcontainers.Run(t.Context(), image(t), testcontainers.WithNoStart())
	testcontainers.CleanupContainer(t, c)
	if err != nil {
		t.Fatal(err)
	}
	file, err := c.CopyFileFromContainer(t.Context(), "/flowlatch")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	binary, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	const authorities = "golang.org/x/crypto/x509roots/fallback"
	if !slices.ContainsFunc(info.Deps, func(m *debug.Module) bool { return m.Path == authorities }) {
		t.Errorf("the binary in the image does not hold %s: without it no certificate is good there", authorities)
	}
}

// TestTheDemoRunsInIt needs a folder for temporary files, which an empty image has not.
func TestTheDemoRunsInIt(t *testing.T) {
	t.Parallel()
	c, err := testcontainers.Run(t.Context(), image(t), testcontainers.WithCmd("demo"),
		testcontainers.WithWaitStrategyAndDeadline(startLimit, wait.ForLog("curl")))
	testcontainers.CleanupContainer(t, c)
	if err != nil {
		t.Fatal(err)
	}
}

func TestItDoesNotRunAsRoot(t *testing.T) {
	t.Parallel()
	user := strings.TrimSpace(docker(t, "", "image", "inspect", "--format", "{{.Config.User}}", image(t)))
	uid, _, _ := strings.Cut(user, ":")
	// Kubernetes' runAsNonRoot takes numbers only.
	if n, err := strconv.Atoi(uid); err != nil || n == 0 {
		t.Errorf("the user of the image: got %q, want a number that is not root's", user)
	}
}

func TestComposeFile(t *testing.T) {
	t.Parallel()
	command := []string{"docker", "compose"}
	if exec.CommandContext(t.Context(), "docker", "compose", "version").Run() != nil {
		if _, err := exec.LookPath("docker-compose"); err != nil {
			testtools.LeaveOut(t, "There is neither docker compose nor docker-compose here.", "Install Docker Compose.")
		}
		command = []string{"docker-compose"}
	}
	for _, tc := range []struct{ name, password, want string }{
		{"is valid", rand.Text(), ""},
		{"asks for a password", "", "POSTGRES_PASSWORD"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), command[0], append(command[1:], "config", "--quiet")...)
			cmd.Dir = root
			cmd.Env = append(os.Environ(), "POSTGRES_PASSWORD="+tc.password)
			out, err := cmd.CombinedOutput()
			if (err == nil) != (tc.want == "") || !strings.Contains(string(out), tc.want) {
				t.Errorf("got error %v and this output, want %q in it:\n%s", err, tc.want, out)
			}
		})
	}
}
