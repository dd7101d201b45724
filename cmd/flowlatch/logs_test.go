package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestServerLinesKeepNothingOfARequest(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"http: TLS handshake error from 192.0.2.1:4711: tls: secret\n", `"about":"http: TLS handshake error"`},
		{"http: panic serving 192.0.2.1:4711: secret\ngoroutine 1\n", `"about":"http: panic"`},
		{"http: Accept error: too many open files; retrying in 5ms\n", `"about":"http: Accept error: too many open files; retrying in 5ms"`},
	} {
		var out bytes.Buffer
		newServerLog(slog.New(slog.NewJSONHandler(&out, nil))).Print(tc.line)
		if got := out.String(); !strings.Contains(got, tc.want) || strings.Contains(got, "secret") || strings.Contains(got, "192.0.2.1") {
			t.Errorf("%q is logged as %s", tc.line, got)
		}
	}
}

// The transport of net/http writes to the standard log what a server sends after its answer.
func TestTheLogKeepsNothingThatFollowsAnAnswer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}secret said \"secret\"")
	}()
	lines := make(slowReader)
	before, flags := log.Writer(), log.Flags()
	t.Cleanup(func() { log.SetOutput(before); log.SetFlags(flags) })
	takeLibraryLines(slog.New(slog.NewJSONHandler(lines, nil)))
	client := http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	answer, err := client.Get("http://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	if line := <-lines; !strings.Contains(line, `"about":"Unsolicited response received on idle HTTP channel"`) || strings.Contains(line, "secret") {
		t.Errorf("an answer with more than its length is logged as %s", line)
	}
}

func TestLinesOfLibrariesKeepNothingThatIsQuoted(t *testing.T) {
	var out bytes.Buffer
	_, _ = fmt.Fprint(libraryLines{slog.New(slog.NewJSONHandler(&out, nil))}, "net/http: invalid byte '\"' in \"secret\"; dropping invalid bytes\n")
	if got := out.String(); !strings.Contains(got, `"about":"net/http: invalid byte`) || strings.Contains(got, "secret") {
		t.Errorf("the line is logged as %s", got)
	}
}
