package clients

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/internal/testtools"
)

// TestTheRecipeForAClientThatHasTheHostCompiledIn runs nginx with the configuration of the page, and
// curl with Voiceflow's own URL.
func TestTheRecipeForAClientThatHasTheHostCompiledIn(t *testing.T) {
	curl, nginx := testtools.Program(t, "curl"), testtools.Program(t, "nginx")
	k := newKitchen(t, []string{"converse"}, nil)
	target, err := url.Parse(k.url)
	if err != nil {
		t.Fatal(err)
	}
	tls := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(target)) // Flowlatch behind TLS
	t.Cleanup(tls.Close)
	addr := testtools.FreeAddr(t)
	ca, certificate, key := k.certificate(t, "general-runtime.voiceflow.com")

	trusted := k.write(t, "flowlatch.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw})), 0o600)

	conf := recipes(t, "A client that has the host compiled in", "nginx", 1)[0]
	for _, pair := range [][2]string{
		{"flowlatch.example.com:443", strings.TrimPrefix(tls.URL, "https://")}, {"listen 443 ssl", "listen " + addr + " ssl"},
		{"/etc/ssl/voiceflow.pem", certificate}, {"/etc/ssl/voiceflow.key", key}, {"/etc/ssl/certs/ca-certificates.crt", trusted},
		{"flowlatch.example.com", "example.com"}, // the name in the certificate of httptest
	} {
		if !strings.Contains(conf, pair[0]) {
			t.Fatalf("the configuration of the page lacks %q", pair[0])
		}
		conf = strings.ReplaceAll(conf, pair[0], pair[1])
	}
	head := "daemon off; worker_processes 1; pid nginx.pid; error_log stderr; events {}\n"
	if os.Getuid() == 0 { // otherwise the workers become a user who can't write here
		head = "user root;\n" + head
	}
	file := k.write(t, "nginx.conf", head+"http { access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; "+
		"uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n"+conf+"\n}\n", 0o600)
	testtools.Start(t, exec.Command(nginx, "-e", "stderr", "-p", k.folder, "-c", file), addr, syscall.SIGTERM)

	const runtime = "https://general-runtime.voiceflow.com"
	ask := func(path, body string, more ...string) string {
		return k.run(t, nil, curl, append([]string{"-sS", "--fail-with-body", "--noproxy", "*", "--cacert", ca, "--connect-to", "general-runtime.voiceflow.com:443:" + addr,
			"-H", "Authorization: " + k.variable("FLOWLATCH_TOKEN"), "-H", "Content-Type: application/json", "-d", body, runtime + path}, more...)...)
	}
	wantAll(t, ask("/state/user/a%2Fb%20c/interact?logs=off", `{"action":{"type":"text","payload":"one Margherita"}}`), "You said: one Margherita")
	wantAll(t, ask("/v2/project/"+k.assistant.ProjectID+"/user/ben/interact/stream?environment=main", `{"action":{"type":"launch"}}`), "event: end")
	for _, r := range k.voiceflow.Requests() {
		if r.Method == http.MethodPost && strings.Contains(r.URI, "logs=off") && !regexp.MustCompile(`^/state/user/fl-[^/]+/interact\?`).MatchString(r.URI) {
			t.Errorf("Voiceflow received %s", r.URI)
		}
	}
}

// variable returns a variable of the page.
func (k *kitchen) variable(name string) string {
	for _, v := range k.env {
		if value, found := strings.CutPrefix(v, name+"="); found {
			return value
		}
	}
	return ""
}

// certificate makes a certificate authority and a certificate for the name, and returns their files.
func (k *kitchen) certificate(t testing.TB, name string) (ca, certificate, key string) {
	t.Helper()
	issue := func(template, parent *x509.Certificate, by *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if by == nil {
			by = private
		}
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &private.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		return der, private
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority of a test"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	root, rootKey := issue(authority, authority, nil)
	leaf, leafKey := issue(&x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name}}, authority, rootKey)
	private, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	put := func(name, kind string, der []byte) string {
		return filepath.Clean(k.write(t, name, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})), 0o600))
	}
	return put("ca.pem", "CERTIFICATE", root), put("leaf.pem", "CERTIFICATE", leaf), put("leaf.key", "PRIVATE KEY", private)
}
