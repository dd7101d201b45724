package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/flowlatch/flowlatch/internal/testtools"
)

// proxy is a real proxy in front of the program.
type proxy struct {
	name  string
	https bool
	path  string // below which it serves the program
	small bool   // it allows small bodies only, by itself
	start func(t *testing.T, addr, upstream string)
}

// proxies are nginx and HAProxy with the configurations of docs/operations.md, and nginx with one
// line: so it speaks HTTP/1.0, drops Host, closes each connection and buffers answers.
var proxies = []proxy{
	{name: "nginx", https: true, start: startNginx("", false)},
	{name: "nginx below a path", https: true, path: "/flowlatch", start: startNginx("/flowlatch", false)},
	{name: "nginx with its defaults", small: true, start: func(t *testing.T, addr, upstream string) {
		runNginx(t, addr, "server { listen "+addr+"; location / { proxy_pass http://"+upstream+"; } }")
	}},
	{name: "HAProxy", https: true, start: startHAProxy("", false)},
	{name: "HAProxy below a path", https: true, path: "/flowlatch", start: startHAProxy("/flowlatch", false)},
}

// behind runs a test behind each proxy. The server of s is reached through it.
func behind(t *testing.T, test func(t *testing.T, p proxy, s *server)) {
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s, _ := p.front(t, newMachine(t, startVoiceflow(t)))
			test(t, p, s)
		})
	}
}

// front starts the program on m and the proxy in front of it. The server's URL is that of the
// proxy. direct is that of the program itself.
func (p proxy) front(t *testing.T, m *machine) (s *server, direct string) {
	t.Helper()
	addr := testtools.FreeAddr(t)
	scheme := "http"
	if p.https {
		scheme = "https"
	}
	base := scheme + "://" + addr + p.path
	m = m.with("FLOWLATCH_BASE_URL", base, "FLOWLATCH_TRUSTED_PROXIES", "127.0.0.1", "FLOWLATCH_COOKIE_SECURE", fmt.Sprint(p.https))
	s = serving(t, m)
	direct, s.url = s.url, base
	p.start(t, addr, strings.TrimPrefix(direct, "http://"))
	return s, direct
}

// documented returns the configurations in docs/operations.md that are in that language, which are
// as many as want.
func documented(t *testing.T, language string, want int) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		all = append(all, block[1])
	}
	if len(all) != want {
		t.Fatalf("docs/operations.md has %d configurations in %s, want %d", len(all), language, want)
	}
	return all
}

// put replaces each text of a configuration, which must be there.
func put(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the documented configuration lacks %q:\n%s", pairs[i], text)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// startNginx returns a function that starts nginx with the documented configuration, below the
// path if it is not empty, and with the documented limits of each address.
func startNginx(path string, limits bool) func(t *testing.T, addr, upstream string) {
	return func(t *testing.T, addr, upstream string) {
		t.Helper()
		blocks := documented(t, "nginx", 5)
		certificate, key := newCertificate(t)
		conf := put(t, blocks[0], "127.0.0.1:8080", upstream, "listen 443 ssl", "listen "+addr+" ssl",
			"/etc/ssl/flowlatch.pem", certificate, "/etc/ssl/flowlatch.key", key)
		if path != "" {
			root := "    location / {\n        proxy_pass http://flowlatch;\n    }\n"
			conf = blocks[1] + put(t, conf, root, blocks[2])
		}
		if limits {
			conf = blocks[3] + put(t, conf, "    location / {\n", blocks[4]+"\n    location / {\n")
		}
		runNginx(t, addr, conf)
	}
}

func runNginx(t *testing.T, addr, conf string) {
	t.Helper()
	program, folder := testtools.Program(t, "nginx"), t.TempDir()
	head := "daemon off; worker_processes 1; pid nginx.pid; error_log stderr; events {}\n"
	if os.Getuid() == 0 { // otherwise the workers become a user who can't write here
		head = "user root;\n" + head
	}
	text := head + "http { access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; " +
		"uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n" + conf + "\n}\n"
	file := filepath.Join(folder, "nginx.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	testtools.Start(t, exec.Command(program, "-e", "stderr", "-p", folder, "-c", file), addr, syscall.SIGTERM)
}

// startHAProxy is startNginx for HAProxy.
func startHAProxy(path string, limits bool) func(t *testing.T, addr, upstream string) {
	return func(t *testing.T, addr, upstream string) {
		t.Helper()
		program, folder := testtools.Program(t, "haproxy"), t.TempDir()
		blocks := documented(t, "haproxy", 4)
		certificate, key := newCertificate(t)
		var both []byte
		for _, name := range []string{certificate, key} {
			part, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			both = append(both, part...)
		}
		conf := put(t, blocks[0], "127.0.0.1:8080", upstream, "bind :443", "bind "+addr, "/etc/haproxy/flowlatch.pem", fileWith(t, string(both)))
		if path != "" {
			conf += put(t, blocks[1], "/flowlatch", path)
		}
		if limits {
			const backend = "    default_backend flowlatch\n"
			conf = put(t, conf, backend, blocks[2]+backend) + "\n" + blocks[3]
		}
		file := filepath.Join(folder, "haproxy.cfg")
		if err := os.WriteFile(file, []byte(conf+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		testtools.Start(t, exec.Command(program, "-db", "-f", file), addr, syscall.SIGTERM)
	}
}

// clientAddress is an address of this machine from which no proxy connects.
const clientAddress = "127.0.0.2"

// elsewhere returns a browser with the same cookies that connects from clientAddress.
func (b *browser) elsewhere() *browser {
	other := *b
	client := *b.client
	transport := b.client.Transport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientAddress)}}).DialContext
	b.t.Cleanup(transport.CloseIdleConnections)
	client.Transport = transport
	other.client = &client
	return &other
}
