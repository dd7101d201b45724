package webhook_test

import (
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/webhook"
	"github.com/flowlatch/flowlatch/domain"
)

var quiet = log.New(io.Discard, "", 0)

// send sends a message to the URL.
func send(t *testing.T, s *webhook.Sender, url string) domain.SendResult {
	t.Helper()
	return s.Send(t.Context(), domain.WebhookMessage{URL: url, ID: "msg_1", At: time.Unix(1, 0), Body: []byte("{}"), Signature: "v1,x"})
}

// port returns the port of a URL of this machine.
func port(t *testing.T, url string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestPrivateAddressesAreRefused has names and addresses of this machine, in the forms in which they can be
// hidden. A name is looked up, and what it resolves to is refused.
func TestPrivateAddressesAreRefused(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	refusing := webhook.New(webhook.Options{RootCAs: r.roots})
	for _, host := range []string{
		"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::1]", "[::]", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "[fe80::1]", "[fd00::1]", "[ff02::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::7f00:1]",
		"[64:ff9b:1::7f00:1]", "[2001::1]", "192.0.2.1", "198.18.0.1", "240.0.0.1",
	} {
		if is := send(t, refusing, "https://"+host+":"+port(t, r.URL)+"/"); is != domain.SendPrivate {
			t.Errorf("%s: got %q, want %q", host, is, domain.SendPrivate)
		}
	}
	if got := r.messages(); len(got) > 0 {
		t.Errorf("the receiver got %d messages", len(got))
	}
	allowing := webhook.New(webhook.Options{RootCAs: r.roots, AllowPrivate: true})
	for host, want := range map[string]domain.SendResult{
		"127.0.0.1": domain.SentOK, "[::ffff:127.0.0.1]": domain.SentOK, "0.0.0.0": domain.SendPrivate, "[::]": domain.SendPrivate, "224.0.0.1": domain.SendPrivate,
	} {
		if is := send(t, allowing, "https://"+host+":"+port(t, r.URL)+"/"); is != want {
			t.Errorf("%s, with private addresses: got %q, want %q", host, is, want)
		}
	}
}

func TestProxiesAreIgnored(t *testing.T) {
	r := newReceiver(t)
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	if is := send(t, webhook.New(webhook.Options{AllowPrivate: true, RootCAs: r.roots}), r.URL); is != domain.SentOK {
		t.Errorf("got %q, want %q", is, domain.SentOK)
	}
}

func TestFailuresAreToldApart(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	trusting := webhook.New(webhook.Options{AllowPrivate: true, RootCAs: r.roots, Timeout: 300 * time.Millisecond})
	closed := newReceiver(t)
	closed.Close()
	for _, tc := range []struct {
		name, url string
		want      domain.SendResult
	}{
		{"a closed port", closed.URL, domain.SendUnreachable},
		{"an unknown host", "https://no-such-host.invalid/", domain.SendNoHost},
		{"a certificate for another host", "https://localhost:" + port(t, r.URL), domain.SendTLS},
		{"no TLS", "https://" + speaks(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n") }), domain.SendTLS},
		{"silence", "https://" + speaks(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), domain.SendTimeout},
		{"a lost connection", "https://" + speaks(t, func(net.Conn) {}), domain.SendUnreachable},
		{"no URL", "https://%", domain.SendUnreachable},
	} {
		if is := send(t, trusting, tc.url); is != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, is, tc.want)
		}
	}
	if is := send(t, webhook.New(webhook.Options{AllowPrivate: true}), r.URL); is != domain.SendTLS {
		t.Errorf("an unknown authority: got %q, want %q", is, domain.SendTLS)
	}
}

// speaks returns the address of a server that does with each connection what it is told.
func speaks(t *testing.T, with func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				with(c)
				_ = c.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// TestAnswersHaveLimits has receivers that answer without end. Only the status of an answer counts.
func TestAnswersHaveLimits(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		answer func(w http.ResponseWriter, q *http.Request)
		want   domain.SendResult
	}{
		{"a body without end", func(w http.ResponseWriter, q *http.Request) {
			for q.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 1<<16))
			}
		}, domain.SentOK},
		{"a header that is too large", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
		}, domain.SendUnreachable},
		{"a header that comes byte by byte", func(w http.ResponseWriter, q *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for err == nil { // until the sender gives up
				_, err = io.WriteString(c, "X: y\r\n")
				<-time.After(time.Millisecond)
			}
		}, domain.SendTimeout},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			r.Config.Handler = http.HandlerFunc(tc.answer)
			if is := send(t, webhook.New(webhook.Options{AllowPrivate: true, RootCAs: r.roots, Timeout: time.Second}), r.URL); is != tc.want {
				t.Errorf("got %q, want %q", is, tc.want)
			}
		})
	}
}
