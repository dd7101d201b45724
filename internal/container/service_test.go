package container

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

const (
	root = "../.."
	port = "8080/tcp"
	// mounted is the folder in the container with the files that a test brings.
	mounted = "/mounted/"

	// plain and certified are this machine, as containers call it. The certificate of
	// package httptest is for the second.
	plain     = "host.docker.internal"
	certified = "example.com"

	startLimit = 2 * time.Minute
	callLimit  = time.Minute
)

// image returns the name of the image that ships, built from this checkout.
func image(t *testing.T) string {
	t.Helper()
	postgrestest.Image(t) // what needs a container is left out where Postgres is
	name, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

var build = sync.OnceValues(func() (string, error) {
	const name = "flowlatch:test"
	cmd := exec.Command("make", "image", "IMAGE="+name)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make image: %w\n%s", err, out)
	}
	return name, nil
})

// setting is how a service is to run.
type setting struct {
	env     map[string]string
	files   map[string][]byte // by name, in the folder mounted
	options []testcontainers.ContainerCustomizer
}

// service is a container of the image.
type service struct {
	*testcontainers.DockerContainer
	scheme string
}

// startService starts a container of the image, shut in as compose.yaml does it, and
// waits until it is ready.
func startService(t *testing.T, o setting) *service {
	t.Helper()
	env := maps.Clone(o.env)
	env["FLOWLATCH_LOG_LEVEL"] = "debug"
	folder := t.TempDir()
	for name, content := range o.files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	options := append([]testcontainers.ContainerCustomizer{
		testcontainers.WithEnv(env),
		testcontainers.WithExposedPorts(port),
		testcontainers.WithHostConfigModifier(func(c *container.HostConfig) {
			c.ReadonlyRootfs = true
			c.CapDrop = []string{"ALL"}
			c.SecurityOpt = []string{"no-new-privileges:true"}
			c.Binds = []string{folder + ":" + mounted + ":ro"}
			c.ExtraHosts = []string{plain + ":host-gateway", certified + ":host-gateway"}
		}),
		testcontainers.WithWaitStrategyAndDeadline(startLimit, wait.ForExec([]string{"/flowlatch", "healthcheck"})),
	}, o.options...)
	c, err := testcontainers.Run(t.Context(), image(t), options...)
	testcontainers.CleanupContainer(t, c)
	s := &service{c, "http"}
	if _, ok := env["FLOWLATCH_TLS_CERT_FILE"]; ok {
		s.scheme = "https"
	}
	t.Cleanup(func() {
		if t.Failed() && c != nil {
			t.Logf("the service said:\n%s", s.said(t))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// killAndStart takes the process away as a loss of power would, and starts the container again.
func (s *service) killAndStart(t *testing.T) {
	t.Helper()
	docker(t, "", "kill", "--signal=KILL", s.GetContainerID())
	docker(t, "", "wait", s.GetContainerID())
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// stop is docker stop, which kills after ten seconds. It returns the exit code.
func (s *service) stop(t *testing.T) int {
	t.Helper()
	if err := s.Stop(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	state, err := s.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return state.ExitCode
}

// said is all that the service has printed, over all its starts.
func (s *service) said(t *testing.T) string {
	t.Helper()
	return docker(t, "", "logs", s.GetContainerID())
}

// docker runs the docker command and returns all that it printed.
func docker(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), callLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}

// voiceflow is a stand-in for Voiceflow on this machine.
type voiceflow struct {
	*voiceflowtest.Server
	at string // its base URL for containers
}

// startVoiceflow starts a Voiceflow without assistants that listens on all addresses,
// since containers do not reach the one that is this machine's own.
func startVoiceflow(t *testing.T, scheme string) voiceflow {
	t.Helper()
	v, err := voiceflowtest.New()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(v)
	_ = server.Listener.Close()
	server.Listener = listener
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of each client that does not trust it
	host := plain
	if scheme == "https" {
		host = certified
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	_, number, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return voiceflow{v, scheme + "://" + net.JoinHostPort(host, number)}
}

// certificate is the one that package httptest has for the host certified, and its key.
// It is its own authority.
func certificate(t *testing.T) (cert, key []byte) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pair := server.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// browser keeps cookies as a browser does: those that are Secure it sends by HTTPS only.
type browser struct {
	t       *testing.T
	service *service
	http    *http.Client
}

func newBrowser(t *testing.T, s *service) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	authorities := x509.NewCertPool()
	cert, _ := certificate(t)
	authorities.AppendCertsFromPEM(cert)
	return &browser{t, s, &http.Client{Jar: jar, Timeout: callLimit, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: authorities, ServerName: certified},
	}}}
}

// object is the body of a request.
type object map[string]string

type project struct{ Name, ID, Created string }

// answer is what the tests look at in an answer.
type answer struct {
	route      string
	status     int
	Code       string
	Assistant  *project
	Assistants []project
}

// call sends a request to the port that the container publishes now: a start changes it.
func (b *browser) call(method, route string, body object) answer {
	b.t.Helper()
	base, err := b.service.PortEndpoint(b.t.Context(), port, b.service.scheme)
	if err != nil {
		b.t.Fatal(err)
	}
	content, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, base+route, bytes.NewReader(content))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	got := answer{route: route, status: resp.StatusCode}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		b.t.Fatalf("%s: got status %d and no JSON: %v", route, resp.StatusCode, err)
	}
	return got
}

// want fails the test unless the answer has that status and code.
func (a answer) want(t *testing.T, status int, code string) answer {
	t.Helper()
	if a.status != status || a.Code != code {
		t.Fatalf("%s: got status %d and code %q, want %d and %q", a.route, a.status, a.Code, status, code)
	}
	return a
}
