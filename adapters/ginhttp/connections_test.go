package ginhttp_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// dial opens a connection to the server of a world.
func (w *world) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// TestEarlyAnswersArrive sends all of a large body before it reads the answer, as nginx may.
// Without the reading of the rest, the connection would be reset, and the answer lost.
func TestEarlyAnswersArrive(t *testing.T) {
	w, _ := talking(t)
	w.voiceflow.answers(func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
		return response(413, "application/json", `{}`), nil // before the body has been read
	})
	const large = 20 << 20 // more than two sockets hold
	session := "Cookie: user_session=" + w.member.cookies["user_session"] + "; assistant_session=" + w.member.cookies["assistant_session"] + "\r\n"
	for _, tc := range []struct {
		name, path, head string
		size             int
		want             int
	}{
		{"nobody forwards a call", turn, "", large, 401},
		{"a login", "/login", "Content-Type: application/json\r\n", large, 413},
		{"an unknown path", "/nothing", "", large, 404},
		{"another origin", "/set_project", "Sec-Fetch-Site: cross-site\r\n", large, 400},
		{"a route of admins", "/add_project", session, large, 401},
		{"a body that is larger than may be forwarded", turn, session, 26 << 20, 413},
		{"Voiceflow answers before the body is there", turn, session, large, 413},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, proto := range []string{"HTTP/1.0\r\nConnection: close", "HTTP/1.1\r\nHost: x", "HTTP/1.1\r\nHost: x\r\nConnection: close"} {
				conn := w.dial(t)
				body := strings.NewReader(strings.Repeat("x", tc.size))
				_, err := fmt.Fprintf(conn, "POST %s %s\r\n%sContent-Length: %d\r\n\r\n", tc.path, proto, tc.head, tc.size)
				if _, bodyErr := io.Copy(conn, body); err != nil || bodyErr != nil {
					t.Fatalf("%q: the body was not read: %v, %v", proto, err, bodyErr)
				}
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil || response.StatusCode != tc.want {
					t.Fatalf("%q: got %v, %v, want %d", proto, response, err, tc.want)
				}
				_ = conn.Close()
			}
		})
	}
}

// TestACutAnswerOfHTTP10IsReset has an answer without length. Its end is that of the connection.
func TestACutAnswerOfHTTP10IsReset(t *testing.T) {
	w, _ := talking(t)
	for name, breaks := range map[string]bool{"a complete answer": false, "an answer that breaks off": true} {
		t.Run(name, func(t *testing.T) {
			w.voiceflow.answers(func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
				a := response(200, "text/event-stream", "")
				var rest io.Reader = strings.NewReader("")
				if breaks {
					rest = breaksOff{}
				}
				a.Body, a.ContentLength = body{io.NopCloser(io.MultiReader(strings.NewReader("data: 1\n\n"), rest))}, -1
				return a, nil
			})
			conn := w.dial(t)
			_, err := fmt.Fprintf(conn, "POST %s HTTP/1.0\r\nConnection: close\r\nCookie: user_session=%s; assistant_session=%s\r\nContent-Length: 2\r\n\r\n{}",
				turn, w.member.cookies["user_session"], w.member.cookies["assistant_session"])
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(conn)
			if (err != nil) != breaks {
				t.Errorf("got %q and the error %v, want an error: %t", got, err, breaks)
			}
		})
	}
}

type breaksOff struct{}

func (breaksOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
